#include "transport/tcp/socket_transport.h"

#include <utility>

#include "transport/tcp/listener.h"

namespace kith::transport::tcp {

namespace proto = wire::proto;

namespace {

// Whether `remote` is an address of this machine.
bool is_ours(const Endpoint& remote) {
  std::optional<Endpoint> source = source_address_for(remote);
  if (source) source->set_port(remote.port());
  return source == remote;
}

}  // namespace

SocketTransport::SocketTransport(runtime::EpollLoop& loop,
                                 std::unique_ptr<upgrade::Upgrader> upgrader,
                                 const TcpConfig& config)
    : loop_(loop),
      config_(config),
      read_buffer_(loop.buffers()),
      upgrader_(std::move(upgrader)),
      clean_up_(runtime::Deferred::of<&SocketTransport::clean_up>(loop, this)) {}

std::optional<wire::Multiaddr> SocketTransport::above_tcp(const wire::Multiaddr& address) {
  wire::Multiaddr above;
  int position = 0;
  for (const wire::Component c : address) {
    const uint32_t code = c.protocol->code;
    if (code == proto::kIp6Zone && position == 0) continue;
    if (position == 0 && code != proto::kIp4 && code != proto::kIp6) return std::nullopt;
    if (position == 1 && code != proto::kTcp) return std::nullopt;
    if (position > 1) above = above.with(code, c.value).value();
    ++position;
  }
  if (position < 2) return std::nullopt;
  return above;
}

SocketTransport::~SocketTransport() { KITH_CHECK(listeners_.empty() && finishing_.empty()); }

std::optional<Endpoint> SocketTransport::dial_source(const Endpoint& remote) const {
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

Result<std::unique_ptr<Dial>> SocketTransport::dial(const wire::Multiaddr& address,
                                                    const DialOptions& options,
                                                    DialHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "tcp");
  KITH_ASSIGN(const Endpoint remote, endpoint_of(address, proto::kTcp));
  if (remote.port() == 0 || remote.is_wildcard()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "dial",
                 "'" + address.to_string() + "' names no host and port to dial");
  }
  KITH_ASSIGN(std::unique_ptr<TcpSocket> socket,
              TcpSocket::connect(*this, remote, dial_source(remote)));
  KITH_ASSIGN(std::unique_ptr<upgrade::Pipe> pipe,
              wrap(std::move(socket), above_tcp(address).value_or(wire::Multiaddr()), remote,
                   Direction::kOutbound));
  return upgrader_->dial(std::move(pipe), options, handler);
}

Result<std::unique_ptr<Listener>> SocketTransport::listen(const wire::Multiaddr& address,
                                                          ListenerHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "tcp");
  KITH_ASSIGN(const Endpoint at, endpoint_of(address, proto::kTcp));
  auto listener =
      std::make_unique<TcpListener>(*this, above_tcp(address).value_or(wire::Multiaddr()), handler);
  KITH_TRY(listener->start(at));
  return std::unique_ptr<Listener>(std::move(listener));
}

void SocketTransport::remove(TcpListener* listener) {
  std::erase(listeners_, listener);
  upgrader_->forget(listener);
  if (shutting_down_) clean_up_.schedule();
}

void SocketTransport::remove_finishing(TcpSocket* socket) {
  finishing_.remove(*socket);
  --num_finishing_;
  finished_.emplace_back(socket);
  clean_up_.schedule();
}

void SocketTransport::shutdown(void (*done)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_ctx_ = ctx;
  upgrader_->shutdown([](void* self) { static_cast<SocketTransport*>(self)->clean_up_.schedule(); },
                      this);
}

void SocketTransport::clean_up() {
  finished_.clear();
  if (!shutting_down_ || !upgrader_->is_empty() || !finishing_.empty() || !listeners_.empty()) {
    return;
  }
  if (auto done = std::exchange(shutdown_done_, nullptr)) done(shutdown_ctx_);
}

}  // namespace kith::transport::tcp
