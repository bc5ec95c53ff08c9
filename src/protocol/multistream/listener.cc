// The answering side of multistream-select. Spec: see listener.h.
#include "protocol/multistream/listener.h"

#include <string>

#include "wire/quote.h"

namespace kith::multistream {

static_assert(limits::kMultistreamProposals < UINT8_MAX);  // num_proposals_

size_t Listener::receive(Bytes in) {
  Bytes rest = in;
  while (state() == State::kNegotiating) {
    Result<std::optional<std::string_view>> line = reader_.next(&rest);
    if (line.ok()) {
      if (!*line) break;
      on_line(**line);
    } else if (is_declined_) {
      // A peer that sends its payload along with its only proposal cannot help it: what follows the
      // proposal we declined is not multistream, and no reason to think ill of the peer.
      fail(Error(KITH_ERR_PROTOCOL_NOT_SUPPORTED, kWhere,
                 "the peer goes on after its proposal was declined"));
    } else {
      fail(line.error());
    }
  }
  return state() == State::kFailed ? in.size() : in.size() - rest.size();
}

void Listener::on_line(std::string_view line) {
  if (phase_ == Phase::kProposal) return on_proposal(line);
  // "If either side receives anything other than the multistream protocol id as the first message,
  // they abort the negotiation process."
  if (line != kProtocolId) {
    return fail(
        Error(KITH_ERR_PROTOCOL_VIOLATION, kWhere,
              "the peer begins with " + wire::quote(line) + " instead of /multistream/1.0.0"));
  }
  answer(kProtocolId);
  phase_ = Phase::kProposal;
}

void Listener::on_proposal(std::string_view line) {
  if (num_proposals_ == limits::kMultistreamProposals) {
    return fail(Error(
        KITH_ERR_LIMIT, kWhere,
        "more than " + std::to_string(limits::kMultistreamProposals) + " proposals on one stream"));
  }
  ++num_proposals_;
  if (line == kList && !is_listed_) {
    // Once is enough: a second `ls` is answered `na`, so that many cannot pile up.
    is_listed_ = true;
    is_declined_ = false;
    answer_list();
  } else if (line != kList && table_->supports(line)) {
    answer(line);
    agreed_size_ = static_cast<uint16_t>(line.size());
    phase_ = Phase::kAgreed;
  } else {
    answer(kNotAvailable);
    is_declined_ = true;
  }
}

void Listener::drop_sent() {
  if (sent_ < out_.size()) return;
  out_.clear();
  sent_ = 0;
}

void Listener::answer(std::string_view text) {
  drop_sent();
  append_line(out_, text);
}

// The answer to `ls` is one line whose text is itself lines, as many as fit.
void Listener::answer_list() {
  const std::vector<std::string_view> ids = table_->list();
  const size_t room =
      limits::kMultistreamLsBytes - limits::kVarintBytes - 1;  // 1: the last newline
  size_t num_ids = 0, size = 0;
  while (num_ids < ids.size() && size + line_size(ids[num_ids]) <= room) {
    size += line_size(ids[num_ids++]);
  }
  drop_sent();
  std::array<uint8_t, limits::kVarintBytes> prefix;
  const size_t prefix_size = wire::write_varint(prefix, size + 1);
  out_.reserve(out_.size() + prefix_size + size + 1);
  out_.append(Bytes(prefix).first(prefix_size));
  for (size_t i = 0; i < num_ids; ++i) append_line(out_, ids[i]);
  out_.append(as_bytes("\n"));
}

void Listener::fail(Error error) {
  error_ = std::move(error);
  phase_ = Phase::kFailed;
}

void Listener::end_of_input() {
  if (state() != State::kNegotiating) return;
  if (is_declined_) {
    return fail(Error(KITH_ERR_PROTOCOL_NOT_SUPPORTED, kWhere,
                      "the peer ended the stream after its proposal was declined"));
  }
  fail(Error(KITH_ERR_CLOSED, kWhere, "the peer ended the stream before it proposed a protocol"));
}

void Listener::sent(size_t n) {
  KITH_CHECK(n <= pending().size());
  sent_ += static_cast<uint32_t>(n);
}

State Listener::state() const {
  if (phase_ == Phase::kAgreed) return State::kAgreed;
  return phase_ == Phase::kFailed ? State::kFailed : State::kNegotiating;
}

std::string_view Listener::agreed() const {
  KITH_CHECK(phase_ == Phase::kAgreed);
  const Bytes all = out_.bytes();
  return as_text(all.subspan(all.size() - 1 - agreed_size_, agreed_size_));
}

}  // namespace kith::multistream
