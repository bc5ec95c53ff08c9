// The life of a stream before it has a protocol: multistream-select on a transport stream, in both roles.
//
// Each object handles the stream until the outcome and then hands it over: bytes behind the negotiation go to the new
// handler in the same call, and nothing of this stays in the data path.
#pragma once

#include <optional>

#include "protocol/multistream/dialer.h"
#include "protocol/multistream/listener.h"
#include "runtime/timer.h"
#include "swarm/protocols.h"

namespace kith::swarm {

class PeerConnection;

class InboundNegotiation final : public transport::StreamHandler {
 public:
  InboundNegotiation(PeerConnection& connection, transport::Stream& stream);
  size_t on_data(transport::Stream& stream, Bytes data) override;
  void on_read_closed(transport::Stream& stream) override;
  void on_reset(transport::Stream& stream, uint64_t code) override;
  void on_stop(transport::Stream& stream, uint64_t code) override;
  void on_writable(transport::Stream&) override {}
  void on_closed(transport::Stream& stream, const Error& error) override;

 private:
  void on_deadline();
  // Sends what the machine has to say and acts on its outcome. May destroy this.
  void advance(transport::Stream& stream);
  void fail(transport::Stream& stream, const Error& error);

  PeerConnection& connection_;
  transport::Stream& stream_;
  multistream::Listener machine_;
  runtime::Timer deadline_;
  std::optional<uint64_t> stop_code_;  // the peer reads no more; the handler hears it from us
};

class OutboundNegotiation final : public transport::StreamHandler {
 public:
  OutboundNegotiation(PeerConnection& connection, std::span<const std::string_view> protocols,
                      ProtocolStream* handler);
  const Error& error() const { return machine_.error(); }
  bool failed() const { return machine_.state() == multistream::State::kFailed; }
  // Sends the header and the first proposal.
  void start(transport::Stream& stream);

  size_t on_data(transport::Stream& stream, Bytes data) override;
  void on_read_closed(transport::Stream& stream) override;
  void on_reset(transport::Stream& stream, uint64_t code) override;
  void on_stop(transport::Stream& stream, uint64_t code) override;
  void on_writable(transport::Stream& stream) override { handler_->on_writable(stream); }
  void on_closed(transport::Stream& stream, const Error& error) override;
  void on_detached(transport::Stream& stream) override;

 private:
  void on_deadline();
  void send_pending(transport::Stream& stream);
  void fail(transport::Stream& stream, Error error);

  PeerConnection& connection_;
  transport::Stream* stream_ = nullptr;
  ProtocolStream* handler_;
  multistream::Dialer machine_;
  runtime::Timer deadline_;
  std::optional<uint64_t> stop_code_;  // the peer reads no more; the handler hears it after on_open
  Error failure_{KITH_OK, "stream"};
};

}  // namespace kith::swarm
