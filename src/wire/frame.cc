// Length-prefixed messages. Spec: multiformats/unsigned-varint README.md.
#include "wire/frame.h"

#include <algorithm>

#include "wire/varint.h"

namespace kith::wire {

FrameDecode decode_frame(Bytes in, size_t max_payload_bytes) {
  const VarintDecode length = decode_varint(in);
  if (length.state == DecodeState::kNeedMore) return {FrameState::kNeedMore, {}};
  if (length.state == DecodeState::kMalformed) return {FrameState::kMalformed, {}};
  if (length.value > max_payload_bytes) return {FrameState::kTooLarge, {}};
  const size_t size = static_cast<size_t>(length.value);
  if (in.size() - length.size < size) return {FrameState::kNeedMore, {}};
  return {FrameState::kDone, in.subspan(length.size, size), length.size + size};
}

void append_frame(ByteVector& out, Bytes payload) {
  append_varint(out, payload.size());
  append(out, payload);
}

FrameState FrameReader::receive(Bytes in, size_t* consumed) {
  *consumed = 0;
  payload_ = {};
  switch (state_) {
    case FrameState::kDone:
      return state_ = receive_first(in, consumed);
    case FrameState::kNeedMore:
      return state_ = receive_more(in, consumed);
    case FrameState::kMalformed:
    case FrameState::kTooLarge:
      break;
  }
  return state_;
}

FrameState FrameReader::receive_first(Bytes in, size_t* consumed) {
  buffer_.clear();
  const FrameDecode frame = decode_frame(in, max_payload_bytes_);
  if (frame.state == FrameState::kDone) {
    payload_ = frame.payload;
    *consumed = frame.size;
  } else if (frame.state == FrameState::kNeedMore) {
    append(buffer_, in);
    *consumed = in.size();
  }
  return frame.state;
}

FrameState FrameReader::receive_more(Bytes in, size_t* consumed) {
  // Byte by byte through the length, at most 9 of them, so as not to take bytes of the next
  // message.
  VarintDecode length = decode_varint(buffer_);
  while (length.state == DecodeState::kNeedMore) {
    if (*consumed == in.size()) return FrameState::kNeedMore;
    buffer_.push_back(in[(*consumed)++]);
    length = decode_varint(buffer_);
  }
  if (length.state == DecodeState::kMalformed) return FrameState::kMalformed;
  if (length.value > max_payload_bytes_) return FrameState::kTooLarge;
  const size_t missing = length.size + static_cast<size_t>(length.value) - buffer_.size();
  const Bytes piece = in.subspan(*consumed, std::min(missing, in.size() - *consumed));
  append(buffer_, piece);
  *consumed += piece.size();
  if (piece.size() < missing) return FrameState::kNeedMore;
  payload_ = Bytes(buffer_).subspan(length.size);
  return FrameState::kDone;
}

}  // namespace kith::wire
