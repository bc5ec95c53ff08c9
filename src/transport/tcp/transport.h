// TCP: /ip4|ip6/.../tcp/PORT, upgraded as it is.
// Spec: libp2p/specs connections/README.md; addressing/README.md.
#pragma once

#include "transport/tcp/socket_transport.h"

namespace kith::transport::tcp {

class TcpTransport final : public SocketTransport {
 public:
  // `loop` must outlive the transport. Keeps nothing of `key` and `credentials`.
  static Result<std::unique_ptr<TcpTransport>> create(runtime::EpollLoop& loop,
                                                      const crypto::PrivateKey& key,
                                                      const tls::Credentials& credentials,
                                                      const TcpConfig& config);
  bool can_dial(const wire::Multiaddr& address) const override;
  bool can_listen(const wire::Multiaddr& address) const override { return can_dial(address); }

 private:
  using SocketTransport::SocketTransport;
  Result<std::unique_ptr<upgrade::Pipe>> wrap(std::unique_ptr<upgrade::Pipe> socket,
                                              const wire::Multiaddr&, const Endpoint&,
                                              Direction) override {
    return socket;
  }
};

}  // namespace kith::transport::tcp
