// Cutting a byte stream into multistream lines. Spec: see line.h.
#include "protocol/multistream/line.h"

#include <algorithm>
#include <string>

#include "wire/quote.h"

namespace kith::multistream {
namespace {

// The prefix of a line and the whole of it, in bytes on the wire. Zero while the prefix is
// incomplete.
struct Frame {
  size_t prefix_size = 0;
  size_t size = 0;
};

Result<Frame> frame_of(Bytes in) {
  const wire::VarintDecode length = wire::decode_varint(in);
  if (length.state == wire::DecodeState::kNeedMore) return Frame{};
  if (length.state == wire::DecodeState::kMalformed) {
    return Error(KITH_ERR_MALFORMED, kWhere,
                 "the length of a line is not a minimal varint of at most 9 bytes");
  }
  if (length.value == 0) {
    return Error(KITH_ERR_MALFORMED, kWhere, "a line of length 0, without even its newline");
  }
  if (length.value > limits::kMultistreamLineBytes) {
    return Error(KITH_ERR_MESSAGE_TOO_LARGE, kWhere,
                 "a line of " + std::to_string(length.value) + " bytes; the limit is " +
                     std::to_string(limits::kMultistreamLineBytes));
  }
  return Frame{length.size, length.size + static_cast<size_t>(length.value)};
}

Result<std::optional<std::string_view>> text_of(Bytes frame, size_t prefix_size) {
  const std::string_view line = as_text(frame.subspan(prefix_size));
  if (line.back() != '\n') {
    return Error(KITH_ERR_MALFORMED, kWhere,
                 "a line does not end in a newline: " + wire::quote(line));
  }
  if (line.size() == 1) return Error(KITH_ERR_MALFORMED, kWhere, "an empty line");
  return std::optional(line.substr(0, line.size() - 1));
}

}  // namespace

Result<std::optional<std::string_view>> LineReader::next(Bytes* in) {
  if (is_delivered_) {
    fragment_.clear();
    is_delivered_ = false;
  }
  size_t missing = 1;  // bytes to collect next: one by one until the length is known
  if (fragment_.empty()) {
    KITH_ASSIGN(const Frame frame, frame_of(*in));
    if (frame.size != 0 && frame.size <= in->size()) {
      const Bytes whole = in->first(frame.size);
      *in = in->subspan(frame.size);
      return text_of(whole, frame.prefix_size);
    }
  } else {
    KITH_ASSIGN(const Frame frame, frame_of(fragment_.bytes()));
    if (frame.size != 0) missing = frame.size - fragment_.size();
  }
  while (!in->empty()) {
    const size_t n = std::min(missing, in->size());
    fragment_.append(in->first(n));
    *in = in->subspan(n);
    KITH_ASSIGN(const Frame frame, frame_of(fragment_.bytes()));
    if (frame.size == 0) continue;
    if (frame.size == fragment_.size()) {
      is_delivered_ = true;
      return text_of(fragment_.bytes(), frame.prefix_size);
    }
    fragment_.reserve(frame.size);
    missing = frame.size - fragment_.size();
  }
  return std::optional<std::string_view>();
}

}  // namespace kith::multistream
