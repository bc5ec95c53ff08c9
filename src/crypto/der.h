// DER: a reader that accepts exactly the distinguished encoding, and a writer of it. Lengths up to
// 65535, low tag numbers only: enough for keys and certificates, which are far smaller.
// Spec: ITU-T X.690, section 10 and 11.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace kith::crypto {

namespace der {
inline constexpr uint8_t kBoolean = 0x01;
inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kNull = 0x05;
inline constexpr uint8_t kOid = 0x06;
inline constexpr uint8_t kPrintableString = 0x13;
inline constexpr uint8_t kUtcTime = 0x17;
inline constexpr uint8_t kGeneralizedTime = 0x18;
inline constexpr uint8_t kSequence = 0x30;
inline constexpr uint8_t kSet = 0x31;
// context(n) is the tag [n] around other elements, context_primitive(n) the one in place of a
// primitive.
constexpr uint8_t context(uint8_t n) { return static_cast<uint8_t>(0xa0 | n); }
constexpr uint8_t context_primitive(uint8_t n) { return static_cast<uint8_t>(0x80 | n); }
}  // namespace der

// DerReader walks the elements of one level, in place. Every read that returns false has found
// something that is not the element asked for, in DER; the reader is then not to be used further.
class DerReader {
 public:
  // `in` is borrowed and must outlive the reader and the views it gives.
  explicit DerReader(Bytes in) : rest_(in) {}

  bool empty() const { return rest_.empty(); }
  // next_is says whether an element with `tag` comes next.
  bool next_is(uint8_t tag) const { return !rest_.empty() && rest_[0] == tag; }

  // read takes the next element, which must have `tag`: its content, and in `*whole`, when given,
  // the element with its header. Indefinite, overlong and non-minimal lengths are refused.
  bool read(uint8_t tag, Bytes* content, Bytes* whole = nullptr);
  // read_unsigned takes an INTEGER >= 0 and gives its magnitude, big-endian, without leading zeros:
  // empty for 0. Negative and non-minimal integers are refused.
  bool read_unsigned(Bytes* magnitude);
  // read_bit_string takes a BIT STRING of whole bytes.
  bool read_bit_string(Bytes* content);
  // read_null takes a NULL.
  bool read_null();

 private:
  Bytes rest_;
};

// append_der_header appends tag and length; `length` must be below 65536. V is a ByteVector or a
// SecretBytes, here and below.
template <typename V>
void append_der_header(V& out, uint8_t tag, size_t length);
// append_der appends one element with the given content.
template <typename V>
void append_der(V& out, uint8_t tag, Bytes content) {
  append_der_header(out, tag, content.size());
  out.insert(out.end(), content.begin(), content.end());
}
// append_der_unsigned appends an INTEGER from a big-endian magnitude, with or without leading
// zeros.
template <typename V>
void append_der_unsigned(V& out, Bytes magnitude);
// append_der_bit_string appends a BIT STRING of whole bytes.
template <typename V>
void append_der_bit_string(V& out, Bytes content) {
  append_der_header(out, der::kBitString, content.size() + 1);
  out.push_back(0);
  out.insert(out.end(), content.begin(), content.end());
}

}  // namespace kith::crypto
