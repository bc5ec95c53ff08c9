// Frames by hand, for the tests of yamux.
#pragma once

#include <ostream>
#include <vector>

#include "fuzz/muxer_end.h"
#include "protocol/yamux/session.h"

namespace kith::yamux {

using End = fuzz::MuxerEnd<Session>;

struct Frame {
  uint8_t type;
  int flags;
  uint32_t id;
  uint32_t length;
  bool operator==(const Frame&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Frame& f) {
  return out << "{type " << int{f.type} << ", flags " << f.flags << ", id " << f.id << ", length "
             << f.length << "}";
}

inline ByteVector encode(const Frame& frame, std::string_view data = {}) {
  ByteVector out(kHeaderBytes);
  encode_header({kVersion, frame.type, static_cast<uint16_t>(frame.flags), frame.id, frame.length},
                out.data());
  append(out, data);
  return out;
}

inline ByteVector data_frame(int flags, uint32_t id, std::string_view data) {
  return encode({kData, flags, id, static_cast<uint32_t>(data.size())}, data);
}

// The headers in `bytes`, which are whole frames.
inline std::vector<Frame> headers_of(Bytes bytes) {
  std::vector<Frame> out;
  while (!bytes.empty()) {
    KITH_CHECK(bytes.size() >= kHeaderBytes);
    const FrameHeader h = decode_header(bytes.data());
    out.push_back({h.type, h.flags, h.id, h.length});
    bytes = bytes.subspan(kHeaderBytes + (h.type == kData ? h.length : 0));
  }
  return out;
}

// A session whose peer is the test, and its first ping out of the way.
struct Subject : End {
  explicit Subject(bool is_client, const Config& config = {}, bool is_answered = true)
      : End(is_client, config) {
    const std::vector<Frame> first = headers_of(flush());
    KITH_CHECK(first.size() == 1 && first[0].type == kPing && first[0].flags == kSyn);
    if (is_answered) KITH_CHECK(give({kPing, kAck, 0, first[0].length}).ok());
    flush();
  }
  Status give(const Frame& frame, std::string_view data = {}) {
    return session.receive(encode(frame, data), now);
  }
  Status give_data(int flags, uint32_t id, std::string_view data) {
    return session.receive(data_frame(flags, id, data), now);
  }
  std::vector<Frame> frames() { return headers_of(flush()); }
  TimePoint now = 0;
};

}  // namespace kith::yamux
