// Unsigned varints as multiformats define them: seven bits per byte, least significant group first,
// minimal form enforced, at most 9 bytes (63 bits). Protobuf's varints are wider and live in
// protobuf.h. Spec: multiformats/unsigned-varint README.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace kith::wire {

// DecodeState is the outcome of decoding the front of a buffer that may still grow.
enum class DecodeState {
  kDone,       // a whole item was read
  kNeedMore,   // what is there is a proper beginning of an item
  kMalformed,  // no continuation can make it valid
};

struct VarintDecode {
  DecodeState state;
  uint64_t value = 0;  // set when kDone
  size_t size = 0;     // bytes the varint takes, set when kDone
};

// The largest value a multiformats varint may have.
inline constexpr uint64_t kMaxVarint = (uint64_t{1} << 63) - 1;

// decode_varint reads the varint at the front of `in`; bytes after it are ignored.
// kMalformed for a non-minimal form and for more than 63 bits, as soon as that is certain.
VarintDecode decode_varint(Bytes in);

// varint_size returns the bytes that `value` takes, 1..9. Precondition: value <= kMaxVarint.
size_t varint_size(uint64_t value);

// append_varint appends the encoding of `value` to `out`. Precondition: value <= kMaxVarint.
void append_varint(ByteVector& out, uint64_t value);

// write_varint writes the encoding of `value` to the front of `out` and returns the bytes written.
// Precondition: value <= kMaxVarint and out has room for it; aborts otherwise.
size_t write_varint(MutableBytes out, uint64_t value);

}  // namespace kith::wire
