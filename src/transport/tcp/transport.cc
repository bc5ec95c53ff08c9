#include "transport/tcp/transport.h"

#include <utility>

#include "transport/tcp/listener.h"

namespace kith::transport::tcp {

namespace proto = wire::proto;

namespace {

// [ip6zone] ip4|ip6, tcp, and nothing else.
bool is_tcp_address(const wire::Multiaddr& address) {
  int position = 0;
  for (const wire::Component c : address) {
    const uint32_t code = c.protocol->code;
    if (code == proto::kIp6Zone && position == 0) continue;
    const bool is_ip = code == proto::kIp4 || code == proto::kIp6;
    if (position == 0 ? !is_ip : position != 1 || code != proto::kTcp) return false;
    ++position;
  }
  return position == 2;
}

// Whether `remote` is an address of this machine.
bool is_ours(const Endpoint& remote) {
  std::optional<Endpoint> source = source_address_for(remote);
  if (source) source->set_port(remote.port());
  return source == remote;
}

}  // namespace

Result<std::unique_ptr<TcpTransport>> TcpTransport::create(runtime::EpollLoop& loop,
                                                           const crypto::PrivateKey& key,
                                                           const tls::Credentials& credentials,
                                                           const TcpConfig& config) {
  KITH_ASSIGN(auto upgrader, upgrade::Upgrader::create(loop, key, credentials, config.upgrade));
  return std::unique_ptr<TcpTransport>(new TcpTransport(loop, std::move(upgrader), config));
}

TcpTransport::TcpTransport(runtime::EpollLoop& loop, std::unique_ptr<upgrade::Upgrader> upgrader,
                           const TcpConfig& config)
    : loop_(loop),
      config_(config),
      read_buffer_(loop.buffers()),
      upgrader_(std::move(upgrader)),
      clean_up_(runtime::Deferred::of<&TcpTransport::clean_up>(loop, this)) {}

TcpTransport::~TcpTransport() { KITH_CHECK(listeners_.empty() && finishing_.empty()); }

bool TcpTransport::can_dial(const wire::Multiaddr& address) const {
  return is_tcp_address(address);
}
bool TcpTransport::can_listen(const wire::Multiaddr& address) const {
  return is_tcp_address(address);
}

std::optional<Endpoint> TcpTransport::dial_source(const Endpoint& remote) const {
  if (!config_.share_port) return std::nullopt;
  for (const TcpListener* listener : listeners_) {
    const Endpoint& at = listener->endpoint();
    if (at.is_v4() != remote.is_v4()) continue;
    if (!at.is_wildcard() && at.is_loopback() != remote.is_loopback()) continue;
    // A socket that connects to itself would be accepted by nobody.
    if (at.port() == remote.port() && is_ours(remote)) continue;
    return at;
  }
  return std::nullopt;
}

Result<std::unique_ptr<Dial>> TcpTransport::dial(const wire::Multiaddr& address,
                                                 const identity::PeerId& expected,
                                                 DialHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "tcp");
  KITH_ASSIGN(const Endpoint remote, endpoint_of(address, proto::kTcp));
  if (remote.port() == 0 || remote.is_wildcard()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "dial",
                 "'" + address.to_string() + "' names no host and port to dial");
  }
  KITH_ASSIGN(std::unique_ptr<TcpSocket> socket,
              TcpSocket::connect(*this, remote, dial_source(remote)));
  return upgrader_->dial(std::move(socket), expected, handler);
}

Result<std::unique_ptr<Listener>> TcpTransport::listen(const wire::Multiaddr& address,
                                                       ListenerHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "tcp");
  KITH_ASSIGN(const Endpoint at, endpoint_of(address, proto::kTcp));
  auto listener = std::make_unique<TcpListener>(*this, handler);
  KITH_TRY(listener->start(at));
  return std::unique_ptr<Listener>(std::move(listener));
}

void TcpTransport::remove(TcpListener* listener) {
  std::erase(listeners_, listener);
  upgrader_->forget(listener);
  if (shutting_down_) clean_up_.schedule();
}

void TcpTransport::remove_finishing(TcpSocket* socket) {
  finishing_.remove(*socket);
  --num_finishing_;
  finished_.emplace_back(socket);
  clean_up_.schedule();
}

void TcpTransport::shutdown(void (*done)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_ctx_ = ctx;
  upgrader_->shutdown([](void* self) { static_cast<TcpTransport*>(self)->clean_up_.schedule(); },
                      this);
}

void TcpTransport::clean_up() {
  finished_.clear();
  if (!shutting_down_ || !upgrader_->is_empty() || !finishing_.empty() || !listeners_.empty()) {
    return;
  }
  if (auto done = std::exchange(shutdown_done_, nullptr)) done(shutdown_ctx_);
}

}  // namespace kith::transport::tcp
