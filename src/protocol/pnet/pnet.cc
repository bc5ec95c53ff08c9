#include "protocol/pnet/pnet.h"

#include <algorithm>
#include <string_view>

#include "wire/multibase.h"

namespace kith::pnet {
namespace {

constexpr char kWhere[] = "pnet";
constexpr std::string_view kHeader = "/key/swarm/psk/1.0.0/";

Error malformed(const char* detail) { return Error(KITH_ERR_MALFORMED, kWhere, detail); }

// take_line returns the first line of `rest`, without its end, and removes it; false if it does not
// end.
bool take_line(std::string_view& rest, std::string_view& line) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  rest.remove_prefix(end + 1);
  return true;
}

Result<crypto::SecretBytes> decode(wire::Base base, std::string_view text) {
  auto key = wire::decode_base(base, text);
  if (!key.ok()) return malformed("the key is not in the encoding that its file names");
  crypto::SecretBytes out(key->begin(), key->end());
  crypto::cleanse(*key);
  return out;
}

}  // namespace

Result<crypto::SecretBytes> parse_key_file(Bytes content) {
  std::string_view rest = as_text(content), header, encoding;
  if (!take_line(rest, header) || header != kHeader) {
    return malformed("a key file begins with the line /key/swarm/psk/1.0.0/");
  }
  if (!take_line(rest, encoding)) return malformed("the key file ends before the key");
  crypto::SecretBytes key;
  if (encoding == "/bin/") {
    key.assign(rest.begin(), rest.end());
  } else {
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    if (encoding == "/base16/") {
      KITH_ASSIGN(key, decode(wire::Base::kBase16, rest));
    } else if (encoding == "/base64/") {
      if (rest.ends_with('=')) rest.remove_suffix(1);  // 32 bytes take 43 characters and a pad
      KITH_ASSIGN(key, decode(wire::Base::kBase64, rest));
    } else {
      return malformed("the key file's encoding is not /base16/, /base64/ or /bin/");
    }
  }
  if (key.size() != kKeyBytes) return malformed("the key does not have 32 bytes");
  return key;
}

crypto::SecretBytes format_key_file(Bytes key) {
  KITH_CHECK(key.size() == kKeyBytes);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  static constexpr std::string_view kEncoding = "\n/base16/\n";
  crypto::SecretBytes out(kHeader.begin(), kHeader.end());
  out.insert(out.end(), kEncoding.begin(), kEncoding.end());
  for (const uint8_t b : key) {
    out.push_back(static_cast<uint8_t>(kDigits[b >> 4]));
    out.push_back(static_cast<uint8_t>(kDigits[b & 15]));
  }
  out.push_back('\n');
  return out;
}

PrivateChannel::PrivateChannel(Bytes key, Bytes nonce)
    : key_(key.begin(), key.end()), sender_(key, nonce) {
  KITH_CHECK(nonce.size() == kNonceBytes);
  std::copy(nonce.begin(), nonce.end(), nonce_.begin());
}

PrivateChannel::~PrivateChannel() = default;

MutableBytes PrivateChannel::receive(MutableBytes chunk) {
  if (!receiver_) {
    const size_t n = std::min(chunk.size(), kNonceBytes - num_received_);
    std::copy_n(chunk.begin(), n, remote_nonce_.begin() + static_cast<ptrdiff_t>(num_received_));
    num_received_ += n;
    chunk = chunk.subspan(n);
    if (num_received_ < kNonceBytes) return chunk;
    receiver_.emplace(key_, remote_nonce_);
    key_ = {};
  }
  receiver_->apply(chunk);
  return chunk;
}

}  // namespace kith::pnet
