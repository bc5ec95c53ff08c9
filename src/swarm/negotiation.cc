#include "swarm/negotiation.h"

#include "swarm/peer_connection.h"
#include "swarm/swarm.h"

namespace kith::swarm {

using transport::Stream;
using State = multistream::State;

namespace {
// What go-libp2p calls StreamProtocolNegotiationFailed.
constexpr uint64_t kNegotiationFailedCode = 0x1001;
}  // namespace

InboundNegotiation::InboundNegotiation(PeerConnection& connection, Stream& stream)
    : connection_(connection),
      stream_(stream),
      machine_(connection.swarm().protocols()),
      deadline_(runtime::Timer::of<&InboundNegotiation::on_deadline>(
          connection.swarm().loop().timers(), this)) {
  deadline_.set(connection.swarm().loop().now() + limits::kNegotiationTimeout);
}

size_t InboundNegotiation::on_data(Stream& stream, Bytes data) {
  const size_t n = machine_.receive(data);
  advance(stream);
  return n;
}

void InboundNegotiation::advance(Stream& stream) {
  if (const Bytes out = machine_.pending(); !out.empty()) {
    const size_t n = out.size();
    const Status s = stop_code_
                         ? Status()
                         : stream.write_before_end(connection_.swarm().loop().buffers().copy(out));
    if (s.status() == KITH_ERR_WOULD_BLOCK) {
      return fail(stream,
                  Error(KITH_ERR_LIMIT, "multistream", "the peer does not read its answers"));
    }
    if (!s.ok()) return fail(stream, s.error());
    machine_.sent(n);
  }
  if (machine_.state() == State::kNegotiating) return;
  if (machine_.state() == State::kFailed) return fail(stream, machine_.error());
  PeerConnection& connection = connection_;
  const std::string_view protocol = machine_.agreed();
  ProtocolHandler* handler = connection.swarm().protocols().find(protocol);
  stream.set_handler(nullptr);
  if (handler) handler->on_stream(connection, stream, protocol);
  if (!stream.handler()) {
    stream.abort(0);
  } else if (stop_code_) {
    stream.handler()->on_stop(stream, *stop_code_);
  }
  connection.done(this);
}

void InboundNegotiation::fail(Stream& stream, const Error& error) {
  connection_.swarm().stream_failed(connection_, error);
  stream.set_handler(nullptr);
  if (error.status() == KITH_ERR_PROTOCOL_NOT_SUPPORTED || error.status() == KITH_ERR_CLOSED) {
    stream.close_write();  // the peer reads the last `na`
    stream.stop_reading(0);
  } else {
    stream.abort(0);
  }
  connection_.done(this);
}

void InboundNegotiation::on_read_closed(Stream& stream) {
  machine_.end_of_input();
  advance(stream);
}

void InboundNegotiation::on_reset(Stream& stream, uint64_t) {
  machine_.end_of_input();  // after an `na` a reset is how peers give up
  if (machine_.error().status() == KITH_ERR_PROTOCOL_NOT_SUPPORTED) {
    return fail(stream, machine_.error());
  }
  fail(stream,
       Error(KITH_ERR_RESET, "multistream", "the peer reset the stream before its proposal"));
}

// A peer that wants no answer (it pushes something) may say so in the packet of its proposal, even in front of it.
void InboundNegotiation::on_stop(Stream&, uint64_t code) { stop_code_ = code; }

void InboundNegotiation::on_deadline() {
  fail(stream_, Error(KITH_ERR_TIMEOUT, "multistream", "the peer proposed no protocol in time"));
}

void InboundNegotiation::on_closed(Stream&, const Error&) { connection_.done(this); }

OutboundNegotiation::OutboundNegotiation(PeerConnection& connection,
                                         std::span<const std::string_view> protocols,
                                         ProtocolStream* handler)
    : connection_(connection),
      handler_(handler),
      machine_(protocols),
      deadline_(runtime::Timer::of<&OutboundNegotiation::on_deadline>(
          connection.swarm().loop().timers(), this)) {}

void OutboundNegotiation::start(Stream& stream) {
  stream_ = &stream;
  // An end behind one of several proposals would leave no way to make the next.
  stream.hold_fin(!connection_.takes_early_end() || !machine_.may_send_early());
  deadline_.set(connection_.swarm().loop().now() + limits::kNegotiationTimeout);
  send_pending(stream);
}

void OutboundNegotiation::send_pending(Stream& stream) {
  const Bytes out = machine_.pending();
  if (out.empty()) return;
  const size_t n = out.size();
  const Status s = stream.write_before_end(connection_.swarm().loop().buffers().copy(out));
  if (!s.ok()) return fail(stream, s.error());
  machine_.sent(n);
}

size_t OutboundNegotiation::on_data(Stream& stream, Bytes data) {
  const size_t n = machine_.receive(data);
  switch (machine_.state()) {
    case State::kNegotiating:
      send_pending(stream);
      break;
    case State::kFailed:
      fail(stream, machine_.error());
      break;
    case State::kAgreed: {
      ProtocolStream* handler = handler_;
      PeerConnection& connection = connection_;
      stream.set_handler(handler);
      stream.hold_fin(false);
      handler->on_open(stream, machine_.agreed());
      if (stop_code_ && stream.handler()) stream.handler()->on_stop(stream, *stop_code_);
      connection.done(this);
      break;
    }
  }
  return n;
}

void OutboundNegotiation::fail(Stream& stream, Error error) {
  if (failure_.status() != KITH_OK) return;
  failure_ = std::move(error);
  deadline_.cancel();
  stream.abort(0);  // on_closed follows and reports the failure
}

void OutboundNegotiation::on_read_closed(Stream& stream) {
  machine_.end_of_input();
  if (machine_.state() == State::kFailed) fail(stream, machine_.error());
}

void OutboundNegotiation::on_reset(Stream& stream, uint64_t code) {
  // go-libp2p resets with this behind its `na`, which the reset may overtake.
  if (code == kNegotiationFailedCode) {
    return fail(stream, Error(KITH_ERR_PROTOCOL_NOT_SUPPORTED, "multistream",
                              "the peer reset the stream: it knows none of the protocols"));
  }
  fail(stream, Error(KITH_ERR_RESET, "multistream",
                     "the peer reset the stream (code " + std::to_string(code) +
                         ") instead of answering the proposal"));
}

void OutboundNegotiation::on_stop(Stream&, uint64_t code) { stop_code_ = code; }

void OutboundNegotiation::on_deadline() {
  fail(*stream_,
       Error(KITH_ERR_TIMEOUT, "multistream", "the peer did not answer the proposal in time"));
}

void OutboundNegotiation::on_closed(Stream& stream, const Error& error) {
  ProtocolStream* handler = handler_;
  const Error reason = failure_.status() != KITH_OK ? failure_
                       : error.status() != KITH_OK  ? error
                                                    : Error(KITH_ERR_CLOSED, "multistream",
                                                            "closed before a protocol was agreed");
  connection_.done(this);
  handler->on_closed(stream, reason);
}

void OutboundNegotiation::on_detached(Stream& stream) {
  stream.hold_fin(false);
  connection_.done(this);
}

}  // namespace kith::swarm
