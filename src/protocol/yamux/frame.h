// The 12-byte header that starts each yamux frame. Spec: libp2p/specs yamux/README.md "Framing".
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace kith::yamux {

inline constexpr size_t kHeaderBytes = 12;
inline constexpr uint8_t kVersion = 0;
inline constexpr uint32_t kInitialWindow = 256 * 1024;  // of every stream, in both directions

enum FrameType : uint8_t { kData = 0, kWindowUpdate = 1, kPing = 2, kGoAway = 3 };

enum Flag : uint16_t {
  kSyn = 1,  // a new stream; a ping
  kAck = 2,  // the stream is accepted; the answer to a ping
  kFin = 4,  // the sender's side ends
  kRst = 8,  // both sides end
};

// Codes of a go-away.
enum GoAway : uint32_t { kNormal = 0, kProtocolError = 1, kInternalError = 2 };

// Codes of a reset that we use ourselves. Registry: libp2p/specs pull request 623, error-codes/libp2p-error-codes.md.
inline constexpr uint32_t kResourceLimitExceeded = 0x1001;
inline constexpr uint32_t kCodeOutOfRange = 0x1008;

struct FrameHeader {
  uint8_t version = kVersion;
  uint8_t type = kData;
  uint16_t flags = 0;
  uint32_t id = 0;  // of the stream; 0 for pings and go-aways
  uint32_t length =
      0;  // of the data; or the credit, the ping's value, the code of a reset or go-away
};

inline FrameHeader decode_header(const uint8_t* in) {
  const auto u32 = [in](size_t at) {
    return uint32_t{in[at]} << 24 | uint32_t{in[at + 1]} << 16 | uint32_t{in[at + 2]} << 8 |
           uint32_t{in[at + 3]};
  };
  return {in[0], in[1], static_cast<uint16_t>(in[2] << 8 | in[3]), u32(4), u32(8)};
}

inline void encode_header(const FrameHeader& header, uint8_t* out) {
  const auto put = [out](size_t at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
  };
  out[0] = header.version;
  out[1] = header.type;
  out[2] = static_cast<uint8_t>(header.flags >> 8);
  out[3] = static_cast<uint8_t>(header.flags);
  put(4, header.id);
  put(8, header.length);
}

}  // namespace kith::yamux
