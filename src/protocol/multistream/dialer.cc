// The proposing side of multistream-select. Spec: see dialer.h.
#include "protocol/multistream/dialer.h"

#include <string>

#include "wire/quote.h"

namespace kith::multistream {

Dialer::Dialer(std::span<const std::string_view> protocols) { begin(protocols); }

void Dialer::begin(std::span<const std::string_view> protocols) {
  if (protocols.empty() || protocols.size() > kMaxProtocols) {
    return fail(Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "1 to 16 protocols can be proposed"));
  }
  size_t size = line_size(kProtocolId);
  for (std::string_view id : protocols) {
    if (id.empty() || id.size() > kMaxIdBytes || id.find('\n') != id.npos || id == kNotAvailable ||
        id == kList || id == kProtocolId) {
      return fail(
          Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "not a protocol id: " + wire::quote(id)));
    }
    size += line_size(id);
  }
  lines_.reserve(size);
  append_line(lines_, kProtocolId);
  proposal_end_ = static_cast<uint32_t>(lines_.size());
  for (std::string_view id : protocols) append_line(lines_, id);
  next_proposal();
}

// The text of the line at `begin` of lines_; `*end` is where the next one begins.
std::string_view Dialer::line_at(size_t begin, size_t* end) const {
  const Bytes rest = lines_.bytes().subspan(begin);
  const wire::VarintDecode length = wire::decode_varint(rest);
  *end = begin + length.size + static_cast<size_t>(length.value);
  return as_text(rest.subspan(length.size, static_cast<size_t>(length.value) - 1));
}

void Dialer::next_proposal() {
  size_t end = 0;
  line_at(proposal_end_, &end);
  proposal_begin_ = proposal_end_;
  proposal_end_ = static_cast<uint32_t>(end);
}

std::string_view Dialer::proposal() const {
  size_t end = 0;
  return line_at(proposal_begin_, &end);
}

void Dialer::fail(Error error) {
  error_ = std::move(error);
  phase_ = Phase::kFailed;
}

Error Dialer::not_supported() const {
  std::string names;
  for (size_t at = line_size(kProtocolId), end = 0; at < lines_.size(); at = end) {
    if (!names.empty()) names += ", ";
    names += line_at(at, &end);
  }
  return Error(KITH_ERR_PROTOCOL_NOT_SUPPORTED, kWhere, "the peer does not support " + names);
}

size_t Dialer::receive(Bytes in) {
  Bytes rest = in;
  while (state() == State::kNegotiating) {
    Result<std::optional<std::string_view>> line = reader_.next(&rest);
    if (!line.ok()) {
      fail(line.error());
    } else if (!*line) {
      break;
    } else {
      on_line(**line);
    }
  }
  return state() == State::kFailed ? in.size() : in.size() - rest.size();
}

void Dialer::on_line(std::string_view line) {
  if (phase_ == Phase::kHeader) {
    // "If either side receives anything other than the multistream protocol id as the first
    // message, they abort the negotiation process."
    if (line != kProtocolId) {
      return fail(
          Error(KITH_ERR_PROTOCOL_VIOLATION, kWhere,
                "the peer begins with " + wire::quote(line) + " instead of /multistream/1.0.0"));
    }
    phase_ = Phase::kAnswer;
  } else if (line == proposal()) {
    phase_ = Phase::kAgreed;
  } else if (line != kNotAvailable) {
    fail(Error(
        KITH_ERR_PROTOCOL_VIOLATION, kWhere,
        "the peer answers " + wire::quote(line) + " to the proposal " + wire::quote(proposal())));
  } else if (proposal_end_ == lines_.size()) {
    fail(not_supported());
  } else {
    next_proposal();
  }
}

void Dialer::end_of_input() {
  if (state() != State::kNegotiating) return;
  fail(Error(
      KITH_ERR_CLOSED, kWhere,
      "the peer ended the stream before it answered the proposal " + wire::quote(proposal())));
}

Bytes Dialer::pending() const {
  if (phase_ == Phase::kFailed) return {};
  return lines_.bytes().subspan(sent_, proposal_end_ - sent_);
}

void Dialer::sent(size_t n) {
  KITH_CHECK(n <= pending().size());
  sent_ += static_cast<uint32_t>(n);
}

State Dialer::state() const {
  if (phase_ == Phase::kAgreed) return State::kAgreed;
  return phase_ == Phase::kFailed ? State::kFailed : State::kNegotiating;
}

std::string_view Dialer::agreed() const {
  KITH_CHECK(phase_ == Phase::kAgreed);
  return proposal();
}

}  // namespace kith::multistream
