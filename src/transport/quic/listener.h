// QuicListener: one listening address on a shared UDP socket.
#pragma once

#include "transport/ip.h"
#include "transport/quic/msquic_api.h"
#include "transport/transport.h"

namespace kith::transport::quic {

class QuicTransport;

class QuicListener final : public Listener {
 public:
  // Without a handler it accepts nothing: a port to dial from.
  QuicListener(QuicTransport& transport, ListenerHandler* handler)
      : transport_(transport), handler_(handler) {}
  ~QuicListener() override;
  Status start(Endpoint at);

  wire::Multiaddr address() const override;
  const Endpoint& endpoint() const { return endpoint_; }
  ListenerHandler* handler() const { return handler_; }

 private:
  // What MsQuic calls back; outlives the listener until STOP_COMPLETE.
  struct Handle {
    QuicTransport* transport;
    QuicListener* listener;
    HQUIC handle;
    Endpoint endpoint;
  };
  static QUIC_STATUS on_event(HQUIC handle, void* ctx, QUIC_LISTENER_EVENT* event);
  // Before anything is spent on the connection.
  QUIC_STATUS on_new_connection(const QUIC_NEW_CONNECTION_INFO* info, HQUIC connection);

  QuicTransport& transport_;
  ListenerHandler* handler_;
  Endpoint endpoint_;
  Handle* handle_ = nullptr;
};

}  // namespace kith::transport::quic
