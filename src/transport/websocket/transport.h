// WebSocket: /ip4|ip6/.../tcp/PORT/ws, and inside TLS .../tls[/sni/NAME]/ws, also called .../wss; then upgraded as TCP is.
// Spec: libp2p/specs websockets/README.md; RFC 6455.
#pragma once

#include "crypto/tls_session.h"
#include "transport/tcp/socket_transport.h"
#include "transport/websocket/config.h"

namespace kith::transport::websocket {

class WebsocketTransport final : public tcp::SocketTransport {
 public:
  // `loop` must outlive the transport. Keeps nothing of `key` and `credentials`. KITH_ERR_INVALID_ARGUMENT for a
  // certificate or key that cannot be used.
  static Result<std::unique_ptr<WebsocketTransport>> create(runtime::EpollLoop& loop,
                                                            const crypto::PrivateKey& key,
                                                            const tls::Credentials& credentials,
                                                            const tcp::TcpConfig& tcp,
                                                            WebsocketConfig config);
  bool can_dial(const wire::Multiaddr& address) const override;
  bool can_listen(const wire::Multiaddr& address) const override { return can_dial(address); }
  Result<std::unique_ptr<Dial>> dial(const wire::Multiaddr& address, const DialOptions& options,
                                     DialHandler* handler) override;
  // KITH_ERR_INVALID_ARGUMENT also for /tls/ws without a certificate.
  Result<std::unique_ptr<Listener>> listen(const wire::Multiaddr& address,
                                           ListenerHandler* handler) override;

 private:
  WebsocketTransport(runtime::EpollLoop& loop, std::unique_ptr<upgrade::Upgrader> upgrader,
                     const tcp::TcpConfig& tcp, WebsocketConfig config)
      : SocketTransport(loop, std::move(upgrader), tcp), config_(std::move(config)) {}
  Result<std::unique_ptr<upgrade::Pipe>> wrap(std::unique_ptr<upgrade::Pipe> socket,
                                              const wire::Multiaddr& above, const Endpoint& remote,
                                              Direction direction) override;

  Result<std::unique_ptr<upgrade::Pipe>> wrap_in_tls(std::unique_ptr<upgrade::Pipe> socket,
                                                     const std::string& server_name);

  WebsocketConfig config_;
  std::optional<crypto::TlsContext> tls_server_;  // if there is a certificate
  std::optional<crypto::TlsContext> tls_client_;  // from the first dial that needs it
  // For the bytes of one call of a pipe.
  OutputBytes frames_;
  OutputBytes records_;
};

}  // namespace kith::transport::websocket
