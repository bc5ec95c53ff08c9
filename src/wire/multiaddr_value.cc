// Values of multiaddr components. Spec: go-multiaddr transcoders.go.
//
// Two text forms are read more strictly than there: ip4 and ip6 take only their own family, and
// line breaks inside base32 and base64 are refused. http-path follows the registry's
// protocols/http-path.md (RFC 3986, in which '+' is a plus and not a space) where go-multiaddr does
// not; what is written here both read alike.
#include "wire/multiaddr_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "wire/alphabet.h"
#include "wire/cid.h"
#include "wire/ip_text.h"
#include "wire/multibase.h"
#include "wire/multihash.h"
#include "wire/quote.h"
#include "wire/varint.h"

namespace kith::wire {
namespace {

constexpr size_t kOnionHostBytes = 10;
constexpr size_t kOnion3HostBytes = 35;
constexpr size_t kGarlic64MinBytes = 386;
constexpr size_t kGarlic32Bytes = 32;
constexpr size_t kGarlic32EncryptedMinBytes = 35;  // https://geti2p.net/spec/b32encrypted

constexpr Alphabet kBase32Garlic =
    make_alphabet("base32", "abcdefghijklmnopqrstuvwxyz234567", LetterCase::kExact);
constexpr Alphabet kBase64Garlic = make_alphabet(
    "I2P's base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~",
    LetterCase::kExact);

Error fault(std::string detail, kith_status status = KITH_ERR_MALFORMED) {
  return Error(status, "multiaddr", std::move(detail));
}

// An error of a decoder below, under the name that the user of a multiaddr knows.
Error fault(const Error& inner) { return fault(std::string(inner.detail()), inner.status()); }

uint64_t read_big_endian(Bytes bytes) {
  uint64_t v = 0;
  for (const uint8_t byte : bytes) v = v << 8 | byte;
  return v;
}

void append_big_endian(AddressBuffer& out, uint64_t v, size_t size) {
  while (size-- > 0) out.push_back(static_cast<uint8_t>(v >> (8 * size)));
}

// A decimal number of `size` bytes. `what` names it in the error.
Status parse_number(const char* what, std::string_view text, size_t size, AddressBuffer& out) {
  const uint64_t max = ~uint64_t{0} >> (64 - 8 * size);
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                   [](char c) { return c >= '0' && c <= '9'; });
  if (!digits)
    return fault(quote(text) + " is not a " + what + " (0.." + std::to_string(max) + ")");
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > max) {
    return fault(std::string(what) + " " + std::string(text.substr(0, 32)) +
                 " is out of range 0.." + std::to_string(max));
  }
  append_big_endian(out, value, size);
  return {};
}

Status check_name(const char* what, Bytes value) {
  if (value.empty()) return fault(std::string("the ") + what + " is empty");
  if (std::find(value.begin(), value.end(), '/') != value.end()) {
    return fault(std::string("the ") + what + " " + quote(as_text(value)) + " contains a slash");
  }
  return {};
}

Status check_onion(Bytes value) {
  if (read_big_endian(value.last(2)) == 0) return fault("port 0 is not allowed");
  return {};
}

Status parse_onion(std::string_view text, size_t host_bytes, AddressBuffer& out) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return fault(quote(text) + " has no port");
  const size_t host_chars = host_bytes * 8 / 5;
  if (colon != host_chars) {
    return fault("the host has " + std::to_string(colon) + " characters, not " +
                 std::to_string(host_chars));
  }
  const Result<ByteVector> host = decode_base(Base::kBase32, text.substr(0, colon));
  if (!host.ok()) return fault(host.error());
  out.append(*host);
  return parse_number("port", text.substr(colon + 1), 2, out);
}

void append_onion(Bytes value, std::string& out) {
  out += encode_base(Base::kBase32, value.first(value.size() - 2));
  out += ':';
  out += std::to_string(read_big_endian(value.last(2)));
}

Status check_garlic64(Bytes value) {
  if (value.size() >= kGarlic64MinBytes) return {};
  return fault("an I2P destination has at least 386 bytes, not " + std::to_string(value.size()));
}

Status check_garlic32(Bytes value) {
  if (value.size() == kGarlic32Bytes || value.size() >= kGarlic32EncryptedMinBytes) return {};
  return fault("an I2P address has 32 bytes or at least 35, not " + std::to_string(value.size()));
}

// I2P's base64 is padded, unlike every other text in a multiaddr. Stray last bits are ignored in
// both forms, as the test vectors of go-multiaddr have them.
Status parse_garlic64(std::string_view text, AddressBuffer& out) {
  if (text.size() % 4 != 0) {
    return fault(std::to_string(text.size()) + " characters are no whole number of groups of four");
  }
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  const Result<ByteVector> bytes = decode_bit_groups(kBase64Garlic, text, TrailingBits::kIgnored);
  if (!bytes.ok()) return fault(bytes.error());
  out.append(*bytes);
  return {};
}

void append_garlic64(Bytes value, std::string& out) {
  append_bit_groups(out, kBase64Garlic, value);
  out.append((3 - value.size() % 3) % 3, '=');
}

Status parse_garlic32(std::string_view text, AddressBuffer& out) {
  const Result<ByteVector> bytes = decode_bit_groups(kBase32Garlic, text, TrailingBits::kIgnored);
  if (!bytes.ok()) return fault(bytes.error());
  out.append(*bytes);
  return {};
}

Status check_peer_id(Bytes value) {
  const Result<Multihash> hash = decode_multihash(value);
  if (!hash.ok()) return fault(hash.error());
  if (hash->code == kMultihashIdentity || hash->code == kMultihashSha256) return {};
  return fault("a peer id is an identity or sha2-256 multihash, not one of function " +
               std::to_string(hash->code));
}

// A peer id is a bare base58btc multihash or a CID of type libp2p-key (peer-ids.md, "String
// representation").
Status parse_peer_id(std::string_view text, AddressBuffer& out) {
  if (text.starts_with("Qm") || text.starts_with('1')) {
    NumberRoom room;
    const Result<Bytes> bytes = decode_base58(text, room);
    if (!bytes.ok()) return fault(bytes.error());
    out.append(*bytes);
    return {};
  }
  const Result<Cid> cid = Cid::parse(text);
  if (!cid.ok()) return fault(cid.error());
  if (cid->codec() != codec::kLibp2pKey) {
    return fault("the content type of " + quote(text) + " is " + std::to_string(cid->codec()) +
                 ", not libp2p-key");
  }
  out.append(cid->multihash());
  return {};
}

Status check_certhash(Bytes value) {
  const Result<Multihash> hash = decode_multihash(value);
  if (!hash.ok()) return fault(hash.error());
  return {};
}

Status parse_certhash(std::string_view text, AddressBuffer& out) {
  const Result<ByteVector> bytes = decode_multibase(text);
  if (!bytes.ok()) return fault(bytes.error());
  out.append(*bytes);
  return {};
}

Status check_unix(Bytes value) {
  if (value.size() < 2 || value.front() != '/' || value.back() == '/') {
    return fault("the path " + quote(as_text(value)) +
                 " does not begin with a slash and end with a name");
  }
  return {};
}

Status parse_http_path(std::string_view text, AddressBuffer& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(static_cast<uint8_t>(text[i]));
      continue;
    }
    const std::optional<ByteVector> byte = from_hex(text.substr(i + 1, 2));
    if (!byte.has_value() || byte->empty()) {
      return fault("two hexadecimal digits must follow '%' in " + quote(text));
    }
    out.push_back(byte->front());
    i += 2;
  }
  return {};
}

void append_http_path(Bytes value, std::string& out) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (const uint8_t byte : value) {
    const char c = static_cast<char>(byte);
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
        c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
}

template <size_t kSize>
Status parse_ip(std::string_view text, bool (*parse)(std::string_view, std::span<uint8_t, kSize>),
                const char* what, AddressBuffer& out) {
  std::array<uint8_t, kSize> address;
  if (!parse(text, address)) return fault(quote(text) + " is not an " + what + " address");
  out.append(address);
  return {};
}

Status parse_unchecked(const Protocol& protocol, std::string_view text, AddressBuffer& out) {
  switch (protocol.code) {
    case proto::kIp4:
      return parse_ip<4>(text, parse_ip4, "IPv4", out);
    case proto::kIp6:
      return parse_ip<16>(text, parse_ip6, "IPv6", out);
    case proto::kTcp:
    case proto::kUdp:
    case proto::kDccp:
    case proto::kSctp:
      return parse_number("port", text, 2, out);
    case proto::kIpCidr:
      return parse_number("prefix length", text, 1, out);
    case proto::kMemory:
      return parse_number("number", text, 8, out);
    case proto::kOnion:
      return parse_onion(text, kOnionHostBytes, out);
    case proto::kOnion3:
      return parse_onion(text, kOnion3HostBytes, out);
    case proto::kGarlic64:
      return parse_garlic64(text, out);
    case proto::kGarlic32:
      return parse_garlic32(text, out);
    case proto::kP2p:
      return parse_peer_id(text, out);
    case proto::kCerthash:
      return parse_certhash(text, out);
    case proto::kHttpPath:
      return parse_http_path(text, out);
    default:  // names and paths stand for themselves
      out.append(as_bytes(text));
      return {};
  }
}

}  // namespace

void AddressBuffer::append(Bytes bytes) {
  if (size_ < bytes_.size()) {
    const size_t n = std::min(bytes.size(), bytes_.size() - size_);
    std::copy_n(bytes.begin(), n, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
  }
  size_ += bytes.size();
}

void AddressBuffer::insert_varint(size_t at, uint64_t value) {
  const size_t n = varint_size(value);
  const size_t end = size_;
  size_ += n;
  if (is_too_large()) return;
  const auto moved = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
  std::copy_backward(moved, bytes_.begin() + static_cast<std::ptrdiff_t>(end),
                     bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
  write_varint(MutableBytes(bytes_).subspan(at), value);
}

Status check_value(const Protocol& protocol, Bytes value) {
  if (protocol.size_bits >= 0 && value.size() * 8 != static_cast<size_t>(protocol.size_bits)) {
    return fault("the value has " + std::to_string(value.size()) + " bytes, not " +
                 std::to_string(protocol.size_bits / 8));
  }
  if (protocol.size_bits < 0 && value.empty()) return fault("the value is empty");
  switch (protocol.code) {
    case proto::kIp6Zone:
      return check_name("zone", value);
    case proto::kDns:
    case proto::kDns4:
    case proto::kDns6:
    case proto::kDnsaddr:
    case proto::kSni:
      return check_name("domain name", value);
    case proto::kOnion:
    case proto::kOnion3:
      return check_onion(value);
    case proto::kGarlic64:
      return check_garlic64(value);
    case proto::kGarlic32:
      return check_garlic32(value);
    case proto::kP2p:
      return check_peer_id(value);
    case proto::kCerthash:
      return check_certhash(value);
    case proto::kUnix:
      return check_unix(value);
    default:  // every value of the right size
      return {};
  }
}

Status parse_value(const Protocol& protocol, std::string_view text, AddressBuffer& out) {
  const size_t start = out.size();
  KITH_TRY(parse_unchecked(protocol, text, out));
  if (out.is_too_large()) return {};
  return check_value(protocol, out.bytes().subspan(start));
}

void append_value(const Protocol& protocol, Bytes value, std::string& out) {
  switch (protocol.code) {
    case proto::kIp4:
      return append_ip4(out, value.first<4>());
    case proto::kIp6:
      return append_ip6(out, value.first<16>());
    case proto::kTcp:
    case proto::kUdp:
    case proto::kDccp:
    case proto::kSctp:
    case proto::kIpCidr:
    case proto::kMemory:
      out += std::to_string(read_big_endian(value));
      return;
    case proto::kOnion:
    case proto::kOnion3:
      return append_onion(value, out);
    case proto::kGarlic64:
      return append_garlic64(value, out);
    case proto::kGarlic32:
      return append_bit_groups(out, kBase32Garlic, value);
    case proto::kP2p:
      out += encode_base(Base::kBase58Btc, value);
      return;
    case proto::kCerthash:
      out += encode_multibase(Base::kBase64Url, value);
      return;
    case proto::kHttpPath:
      return append_http_path(value, out);
    default:
      out += as_text(value);
      return;
  }
}

}  // namespace kith::wire
