// The ping machines. Spec: libp2p/specs ping/ping.md.
#include "protocol/ping/ping.h"

#include <algorithm>

namespace kith::ping {

static_assert(limits::kPingBytes <= UINT8_MAX);

size_t Responder::receive(Bytes in) {
  if (num_received_ == block_.size()) return 0;
  const size_t n = std::min(in.size(), block_.size() - num_received_);
  std::copy_n(in.begin(), n, block_.begin() + num_received_);
  num_received_ = static_cast<uint8_t>(num_received_ + n);
  return n;
}

Status Responder::end_of_input() const {
  if (num_received_ == 0 || num_received_ == block_.size()) return {};
  return Error(KITH_ERR_PROTOCOL_VIOLATION, "ping", "the peer ended the stream within a block");
}

Bytes Responder::pending() const {
  if (num_received_ < block_.size()) return {};
  return Bytes(block_).subspan(num_sent_);
}

void Responder::sent(size_t n) {
  KITH_CHECK(n <= pending().size());
  num_sent_ = static_cast<uint8_t>(num_sent_ + n);
  if (num_sent_ == block_.size()) num_received_ = num_sent_ = 0;
}

Status Pinger::start(Bytes payload, TimePoint now) {
  if (payload.size() != payload_.size()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "ping", "a ping is 32 bytes");
  }
  if (state_ != State::kIdle || !pending().empty()) return Error(KITH_ERR_INVALID_STATE, "ping");
  std::copy(payload.begin(), payload.end(), payload_.begin());
  started_ = now;
  num_sent_ = num_echoed_ = 0;
  state_ = State::kWaiting;
  return {};
}

size_t Pinger::receive(Bytes in, TimePoint now) {
  Bytes rest = in;
  if (state_ == State::kWaiting) {
    const Bytes due = Bytes(payload_).subspan(num_echoed_);
    const size_t n = std::min(due.size(), rest.size());
    if (!equal(due.first(n), rest.first(n))) {
      fail(KITH_ERR_PROTOCOL_VIOLATION, "the echo differs from the ping");
    } else {
      num_echoed_ = static_cast<uint8_t>(num_echoed_ + n);
      rest = rest.subspan(n);
      if (num_echoed_ == payload_.size()) {
        rtt_ = std::max<Duration>(0, now - started_);
        state_ = State::kIdle;
      }
    }
  }
  if (state_ == State::kIdle && !rest.empty()) {
    fail(KITH_ERR_PROTOCOL_VIOLATION, "the peer sent bytes without being pinged");
  }
  return in.size();
}

void Pinger::end_of_input() {
  if (state_ == State::kWaiting) fail(KITH_ERR_CLOSED, "the peer ended the stream without an echo");
}

Bytes Pinger::pending() const {
  if (state_ == State::kFailed) return {};
  return Bytes(payload_).subspan(num_sent_);
}

void Pinger::sent(size_t n) {
  KITH_CHECK(n <= pending().size());
  num_sent_ = static_cast<uint8_t>(num_sent_ + n);
}

void Pinger::fail(kith_status status, const char* detail) {
  error_ = Error(status, "ping", detail);
  state_ = State::kFailed;
}

}  // namespace kith::ping
