// Fuzzes unsigned varints and length-prefixed frames: every accepted form is the one form, and a
// frame is the same message however the bytes are cut.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "base/result.h"
#include "wire/frame.h"
#include "wire/varint.h"

namespace {

using namespace kith;
using namespace kith::wire;

void check_varint(Bytes in) {
  const VarintDecode d = decode_varint(in);
  if (d.state == DecodeState::kDone) {
    std::array<uint8_t, limits::kVarintBytes> buffer;
    const size_t size = write_varint(buffer, d.value);
    KITH_CHECK(size == d.size && size == varint_size(d.value));
    KITH_CHECK(equal(Bytes(buffer).first(size), in.first(size)));
    for (size_t n = 0; n < size; ++n) {
      KITH_CHECK(decode_varint(in.first(n)).state == DecodeState::kNeedMore);
    }
  } else if (d.state == DecodeState::kNeedMore) {
    KITH_CHECK(in.size() < limits::kVarintBytes);
  } else {
    ByteVector longer = to_vector(in);
    longer.push_back(1);
    KITH_CHECK(decode_varint(longer).state == DecodeState::kMalformed);
  }
}

// `cut` bytes first, then the rest in pieces of `piece`.
void check_frame(Bytes in, size_t max_payload_bytes, size_t cut, size_t piece) {
  const FrameDecode whole = decode_frame(in, max_payload_bytes);
  FrameReader reader(max_payload_bytes);
  FrameState state = FrameState::kNeedMore;
  size_t taken = 0;
  for (size_t next = std::min(cut, in.size());; next = std::min(taken + piece, in.size())) {
    const Bytes given = in.subspan(taken, next - taken);
    size_t consumed = 0;
    state = reader.receive(given, &consumed);
    taken += consumed;
    if (state != FrameState::kNeedMore || taken == in.size()) break;
    KITH_CHECK(consumed == given.size());
  }
  KITH_CHECK(state == whole.state);
  if (state != FrameState::kDone) return;
  KITH_CHECK(taken == whole.size && whole.payload.size() <= max_payload_bytes);
  KITH_CHECK(equal(reader.payload(), whole.payload));
  ByteVector again;
  append_frame(again, whole.payload);
  KITH_CHECK(equal(again, in.first(whole.size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes in(data, size);
  check_varint(in);
  if (size < 2) return 0;
  check_frame(in.subspan(2), /*max_payload_bytes=*/data[0] * 4U, /*cut=*/data[1] & 15U,
              /*piece=*/1 + (data[1] >> 4));
  return 0;
}
