// Unsigned varints. Spec: multiformats/unsigned-varint README.md.
#include "wire/varint.h"

#include <array>
#include <bit>

#include "base/limits.h"
#include "base/result.h"

namespace kith::wire {

VarintDecode decode_varint(Bytes in) {
  uint64_t value = 0;
  for (size_t i = 0; i < limits::kVarintBytes; ++i) {
    if (i == in.size()) return {DecodeState::kNeedMore};
    const uint8_t byte = in[i];
    value |= uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      // A last group of zero means that a shorter form exists: "MUST be minimally encoded".
      if (byte == 0 && i > 0) return {DecodeState::kMalformed};
      return {DecodeState::kDone, value, i + 1};
    }
  }
  return {DecodeState::kMalformed};
}

size_t varint_size(uint64_t value) {
  KITH_CHECK(value <= kMaxVarint);
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}

void append_varint(ByteVector& out, uint64_t value) {
  if (value < 0x80) {
    out.push_back(static_cast<uint8_t>(value));
    return;
  }
  std::array<uint8_t, limits::kVarintBytes> buffer;
  append(out, Bytes(buffer).first(write_varint(buffer, value)));
}

size_t write_varint(MutableBytes out, uint64_t value) {
  const size_t size = varint_size(value);
  KITH_CHECK(out.size() >= size);
  for (size_t i = 0; i + 1 < size; ++i, value >>= 7) out[i] = static_cast<uint8_t>(value | 0x80);
  out[size - 1] = static_cast<uint8_t>(value);
  return size;
}

}  // namespace kith::wire
