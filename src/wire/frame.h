// Messages with an unsigned-varint length in front, the framing that most libp2p protocols use.
// Spec: multiformats/unsigned-varint README.md; the specs call it "length-prefixed".
#pragma once

#include <cstddef>

#include "base/bytes.h"

namespace kith::wire {

enum class FrameState {
  kDone,       // a whole message was read
  kNeedMore,   // what is there is a proper beginning
  kMalformed,  // the length is not a valid varint
  kTooLarge,   // the length exceeds the caller's maximum
};

struct FrameDecode {
  FrameState state;
  Bytes payload;    // when kDone: the message without its length, inside the input
  size_t size = 0;  // when kDone: bytes that length and payload take together
};

// decode_frame reads the message at the front of `in` without copying; bytes after it are ignored.
// kTooLarge and kMalformed are told as soon as the length says so, whatever has arrived of the
// payload.
FrameDecode decode_frame(Bytes in, size_t max_payload_bytes);

// append_frame appends the length of `payload`, then `payload`, to `out`.
void append_frame(ByteVector& out, Bytes payload);

// FrameReader collects one message after another from a pipe that delivers arbitrary pieces.
// The length is checked before anything is kept, and memory grows only with the bytes that arrive:
// a peer cannot make it allocate by announcing a length. A message that arrives in one piece is not
// copied.
class FrameReader {
 public:
  explicit FrameReader(size_t max_payload_bytes) : max_payload_bytes_(max_payload_bytes) {}

  // receive takes bytes from the front of `in`, at most to the end of one message, and sets
  // `*consumed`. kDone: payload() is the message, and the next call starts the next one. kNeedMore:
  // all of `in` was taken. kMalformed and kTooLarge are final: every further call answers the same
  // and consumes nothing.
  FrameState receive(Bytes in, size_t* consumed);

  // payload is the message of the last kDone; valid until the next receive and as long as that
  // call's input.
  Bytes payload() const { return payload_; }

 private:
  FrameState receive_first(Bytes in, size_t* consumed);
  FrameState receive_more(Bytes in, size_t* consumed);

  const size_t max_payload_bytes_;
  ByteVector buffer_;  // length and payload so far of a message that came in pieces
  Bytes payload_;
  FrameState state_ = FrameState::kDone;
};

}  // namespace kith::wire
