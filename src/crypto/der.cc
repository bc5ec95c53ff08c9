// DER reading and writing.
#include "crypto/der.h"

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {

bool DerReader::read(uint8_t tag, Bytes* content, Bytes* whole) {
  if (rest_.size() < 2 || rest_[0] != tag) return false;
  size_t header = 2;
  size_t length = rest_[1];
  if (length >= 0x80) {
    const size_t num_bytes = length & 0x7f;
    if (num_bytes == 0 || num_bytes > 2 || rest_.size() < 2 + num_bytes) return false;
    length = 0;
    for (size_t i = 0; i < num_bytes; ++i) length = length << 8 | rest_[2 + i];
    if (length < (num_bytes == 1 ? 0x80U : 0x100U)) return false;  // a shorter form exists
    header += num_bytes;
  }
  if (rest_.size() - header < length) return false;
  *content = rest_.subspan(header, length);
  if (whole) *whole = rest_.first(header + length);
  rest_ = rest_.subspan(header + length);
  return true;
}

bool DerReader::read_unsigned(Bytes* magnitude) {
  Bytes content;
  if (!read(der::kInteger, &content) || content.empty() || content[0] >= 0x80) return false;
  if (content[0] == 0) {
    if (content.size() > 1 && content[1] < 0x80) return false;  // the zero is not needed
    content = content.subspan(1);
  }
  *magnitude = content;
  return true;
}

bool DerReader::read_bit_string(Bytes* content) {
  Bytes bits;
  if (!read(der::kBitString, &bits) || bits.empty() || bits[0] != 0) return false;
  *content = bits.subspan(1);
  return true;
}

bool DerReader::read_null() {
  Bytes content;
  return read(der::kNull, &content) && content.empty();
}

template <typename V>
void append_der_header(V& out, uint8_t tag, size_t length) {
  KITH_CHECK(length <= 0xffff);
  out.push_back(tag);
  if (length >= 0x100) {
    out.push_back(0x82);
    out.push_back(static_cast<uint8_t>(length >> 8));
  } else if (length >= 0x80) {
    out.push_back(0x81);
  }
  out.push_back(static_cast<uint8_t>(length));
}

template <typename V>
void append_der_unsigned(V& out, Bytes magnitude) {
  while (!magnitude.empty() && magnitude[0] == 0) magnitude = magnitude.subspan(1);
  const bool pad = magnitude.empty() || magnitude[0] >= 0x80;
  append_der_header(out, der::kInteger, magnitude.size() + (pad ? 1 : 0));
  if (pad) out.push_back(0);
  out.insert(out.end(), magnitude.begin(), magnitude.end());
}

template void append_der_header(ByteVector&, uint8_t, size_t);
template void append_der_header(SecretBytes&, uint8_t, size_t);
template void append_der_unsigned(ByteVector&, Bytes);
template void append_der_unsigned(SecretBytes&, Bytes);

}  // namespace kith::crypto
