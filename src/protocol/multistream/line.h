// The lines of multistream-select: a varint length, that many bytes, the last of them a newline.
// Spec: libp2p/specs connections/README.md "multistream-select"; multiformats/multistream-select
// README.md.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "protocol/multistream/small_buffer.h"
#include "wire/varint.h"

namespace kith::multistream {

inline constexpr std::string_view kProtocolId = "/multistream/1.0.0";
inline constexpr std::string_view kNotAvailable = "na";
inline constexpr std::string_view kList = "ls";

// The `where` of every Error of this folder.
inline constexpr const char* kWhere = "multistream";

// State is where a negotiation stands, on either side. The outcome is final.
//
//   kNegotiating --+--> kAgreed     both sides named the same protocol
//                  |
//                  +--> kFailed     no common protocol, or the peer broke the rules: see error()
enum class State : uint8_t { kNegotiating, kAgreed, kFailed };

// Bytes of buffer that a line with an id of up to 63 bytes needs: length, id, newline.
inline constexpr size_t kCommonLineBytes = 1 + 63 + 1;

// line_size returns the bytes that a line with `text` takes on the wire.
inline size_t line_size(std::string_view text) {
  return wire::varint_size(text.size() + 1) + text.size() + 1;
}

// append_line appends `text` as a line to `out`, a SmallBuffer.
template <typename Out>
void append_line(Out& out, std::string_view text) {
  std::array<uint8_t, limits::kVarintBytes> prefix;
  const size_t prefix_size = wire::write_varint(prefix, text.size() + 1);
  out.append(Bytes(prefix).first(prefix_size));
  out.append(as_bytes(text));
  out.append(as_bytes("\n"));
}

// LineReader cuts a byte stream into lines, however it is split into pieces. A line that arrives in
// one piece is not copied; a fragmented one is collected, on the heap only when it is longer than
// kCommonLineBytes.
class LineReader {
 public:
  // next takes bytes off the front of `*in` up to the end of one line and returns its text without
  // the newline, valid until the next call and while the memory of `*in` lives; or nullopt when
  // `*in` is used up before that. Errors, as soon as they are certain, however the bytes are split:
  // KITH_ERR_MALFORMED for a bad length prefix, an empty line or a missing newline,
  // KITH_ERR_MESSAGE_TOO_LARGE for more than limits::kMultistreamLineBytes. Nothing may be read
  // after an error.
  Result<std::optional<std::string_view>> next(Bytes* in);

 private:
  SmallBuffer<72> fragment_;   // prefix and bytes of a line that came in pieces
  bool is_delivered_ = false;  // fragment_ holds the line that the last call returned
};
static_assert(kCommonLineBytes <= 72);

}  // namespace kith::multistream
