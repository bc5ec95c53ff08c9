#include "transport/tcp/transport.h"

#include <utility>

namespace kith::transport::tcp {

Result<std::unique_ptr<TcpTransport>> TcpTransport::create(runtime::EpollLoop& loop,
                                                           const crypto::PrivateKey& key,
                                                           const tls::Credentials& credentials,
                                                           const TcpConfig& config) {
  KITH_ASSIGN(auto upgrader, upgrade::Upgrader::create(loop, key, credentials, config.upgrade));
  return std::unique_ptr<TcpTransport>(new TcpTransport(loop, std::move(upgrader), config));
}

bool TcpTransport::can_dial(const wire::Multiaddr& address) const {
  const std::optional<wire::Multiaddr> above = above_tcp(address);
  return above && above->empty();
}

}  // namespace kith::transport::tcp
