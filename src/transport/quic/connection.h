// QuicConnection: one MsQuic connection, from the first packet to SHUTDOWN_COMPLETE.
//
//   handshaking --CONNECTED--> open --close/loss--> ending --SHUTDOWN_COMPLETE--> destroyed
//        |                                            ^
//        +---- failure, deadline, cancellation -------+
//
// handshaking: the certificate is verified and the peer id stored; no handler knows the connection yet.
// open: on_connected / on_connection has run; streams come and go.
// ending: MsQuic tells the peer and ends the streams; then the last callback.
#pragma once

#include "runtime/timer.h"
#include "transport/admission.h"
#include "transport/ip.h"
#include "transport/quic/msquic_api.h"
#include "transport/transport.h"

namespace kith::transport::quic {

class QuicDial;
class QuicListener;
class QuicStream;
class QuicTransport;

class QuicConnection final : public Connection {
 public:
  // For a dial: owned by MsQuic's life cycle from start_dial() on. `expected` may be empty.
  QuicConnection(QuicTransport& transport, const identity::PeerId& expected, QuicDial* dial);
  // For an inbound connection, inside the listener's NEW_CONNECTION event.
  QuicConnection(QuicTransport& transport, QuicListener* listener, Admission::Ticket ticket,
                 HQUIC handle, const Endpoint& remote);

  Status start_dial(const Endpoint& remote, const std::optional<Endpoint>& source);

  const identity::PeerId& remote_peer() const override { return peer_; }
  wire::Multiaddr local_address() const override;
  wire::Multiaddr remote_address() const override;
  Direction direction() const override { return direction_; }
  bool is_open() const override { return state_ == State::kOpen; }
  Result<Stream*> open_stream(StreamHandler* handler) override;
  void close(uint64_t code) override;

  QuicTransport& transport() { return transport_; }
  // The error that the on_closed of a stream reports: success unless the connection is ending.
  const Error& end_of_stream() const { return state_ == State::kEnding ? end_ : clean_; }
  void remove(QuicStream* stream);
  // The dial was destroyed before its outcome.
  void cancel_dial();
  // Ends without a word to the peer, if it has not ended; on_closed or on_failed follows in a later turn.
  void abandon();
  void forget_listener() { listener_ = nullptr; }
  QuicListener* listener() const { return listener_; }

  static QUIC_STATUS on_event(HQUIC handle, void* ctx, QUIC_CONNECTION_EVENT* event);

  // Intrusive list of the transport.
  QuicConnection* next = nullptr;
  QuicConnection* prev = nullptr;

 private:
  enum class State : uint8_t { kHandshaking, kOpen, kEnding };

  QUIC_STATUS on_certificate(void* certificate, void* chain);
  Status verify_peer(void* certificate, void* chain);
  void share_between_streams();
  void on_connected();
  QUIC_STATUS on_stream_started(HQUIC stream);
  void on_shutdown_complete();
  // The last callback; destroys this.
  void finish();
  void on_handshake_deadline();
  // Records why the connection ends; the first reason stays.
  void end(Error reason);
  void shut_down(uint64_t code);
  // What an error that happens now is about.
  const char* where() const;
  Endpoint local_endpoint() const;

  QuicTransport& transport_;
  HQUIC handle_ = nullptr;  // until SHUTDOWN_COMPLETE
  identity::PeerId peer_;
  identity::PeerId expected_;
  Endpoint remote_;
  QuicDial* dial_ = nullptr;          // until the outcome of a dial
  QuicListener* listener_ = nullptr;  // until an inbound connection is delivered
  Error end_{KITH_OK, "connection"};
  Error clean_{KITH_OK, "stream"};
  runtime::Timer handshake_deadline_;
  Admission::Ticket ticket_;  // of an inbound connection
  size_t num_streams_ = 0;
  Direction direction_;
  State state_ = State::kHandshaking;
};

class QuicDial final : public Dial {
 public:
  explicit QuicDial(DialHandler* h) : handler(h) {}
  ~QuicDial() override {
    if (connection) connection->cancel_dial();
  }
  DialHandler* handler;
  QuicConnection* connection = nullptr;  // cleared at the outcome
};

}  // namespace kith::transport::quic
