// Encodings of the attacker. See wire.h.
#include "tests/attacker/wire.h"

namespace kith::attacker {
namespace {

constexpr size_t kLineBytes = 1024;

}  // namespace

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

void append(Bytes& out, View more) { out.insert(out.end(), more.begin(), more.end()); }

void append(Bytes& out, std::string_view more) { out.insert(out.end(), more.begin(), more.end()); }

void append_varint(Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

void append_line(Bytes& out, std::string_view text) {
  append_varint(out, text.size() + 1);
  append(out, text);
  out.push_back('\n');
}

bool read_line(Bytes& in, std::string& line) {
  size_t length = 0, at = 0;
  do {
    if (at == in.size()) return false;
    length |= static_cast<size_t>(in[at] & 0x7f) << (7 * at);
  } while ((in[at++] & 0x80) != 0 && at < 3);
  if (length == 0 || length > kLineBytes) {
    line.clear();
    in.clear();
    return true;
  }
  if (in.size() - at < length) return false;
  auto begin = in.begin() + static_cast<ptrdiff_t>(at);
  auto end = begin + static_cast<ptrdiff_t>(length);
  line.assign(begin, end - 1);
  in.erase(in.begin(), end);
  return true;
}

void append_field(Bytes& out, uint32_t field, View value) {
  append_varint(out, (static_cast<uint64_t>(field) << 3) | 2);
  append_varint(out, value.size());
  append(out, value);
}

void append_field(Bytes& out, uint32_t field, std::string_view value) {
  append_field(out, field, View(reinterpret_cast<const uint8_t*>(value.data()), value.size()));
}

Bytes der_wrap(uint8_t tag, View content) {
  Bytes out{tag};
  if (content.size() < 0x80) {
    out.push_back(static_cast<uint8_t>(content.size()));
  } else if (content.size() < 0x100) {
    out.push_back(0x81);
    out.push_back(static_cast<uint8_t>(content.size()));
  } else {
    out.push_back(0x82);
    out.push_back(static_cast<uint8_t>(content.size() >> 8));
    out.push_back(static_cast<uint8_t>(content.size()));
  }
  append(out, content);
  return out;
}

std::string base58(View bytes) {
  static constexpr char kAlphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::string out;
  Bytes digits;  // base 58, least significant first
  for (uint8_t byte : bytes) {
    uint32_t carry = byte;
    for (uint8_t& digit : digits) {
      carry += static_cast<uint32_t>(digit) << 8;
      digit = static_cast<uint8_t>(carry % 58);
      carry /= 58;
    }
    for (; carry != 0; carry /= 58) digits.push_back(static_cast<uint8_t>(carry % 58));
  }
  for (size_t i = 0; i < bytes.size() && bytes[i] == 0; ++i) out += '1';
  for (size_t i = digits.size(); i-- > 0;) out += kAlphabet[digits[i]];
  return out;
}

}  // namespace kith::attacker
