#include "transport/tcp/listener.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "transport/tcp/socket.h"
#include "transport/tcp/socket_error.h"
#include "transport/tcp/socket_transport.h"

namespace kith::transport::tcp {

namespace {

// In one turn, so that a flood of connections leaves time for those that exist.
constexpr int kAcceptsPerTurn = 64;
// Until accepting is tried again when the machine or the process has no descriptors left.
constexpr Duration kRetry = milliseconds(100);

int new_socket(const Endpoint& at) {
  return ::socket(at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

TcpListener::TcpListener(SocketTransport& transport, wire::Multiaddr above,
                         ListenerHandler* handler)
    : transport_(transport),
      above_(std::move(above)),
      handler_(handler),
      retry_(runtime::Timer::of<&TcpListener::resume>(transport.loop().timers(), this)) {}

Status TcpListener::start(const Endpoint& at) {
  const std::string name = multiaddr_of(at, wire::proto::kTcp).to_string();
  const auto failed = [&](int error) {
    const Error e = socket_error(error, "listen");
    return Error(e.status(), "listen", name + ": " + std::string(e.detail()));
  };
  const int fd = new_socket(at);
  if (fd < 0) return failed(errno);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (transport_.config().joins_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (!at.is_v4()) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  endpoint_ = at;
  socklen_t size = sizeof endpoint_.v6;
  if (bind(fd, &at.sa, at.size()) != 0 || listen(fd, transport_.config().backlog) != 0 ||
      getsockname(fd, &endpoint_.sa, &size) != 0) {
    const int error = errno;
    ::close(fd);
    return failed(error);
  }
  // Only now, so that dials and the node's other loops may share the port, but nobody takes it by chance.
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  source_ = std::make_unique<Source>();
  source_->fd = fd;
  source_->listener = this;
  source_->on_event = [](epoll_event* event) {
    auto* source = static_cast<Source*>(static_cast<runtime::EpollSource*>(event->data.ptr));
    // Whoever hears of a connection that was refused may stop listening.
    for (int i = 0; i < kAcceptsPerTurn && source->listener; ++i) {
      if (!source->listener->accept_one()) break;
    }
  };
  if (Status s = transport_.loop().watch(source_.get(), EPOLLIN); !s.ok()) {
    ::close(fd);
    source_.reset();
    return s;
  }
  transport_.add(this);
  return {};
}

TcpListener::~TcpListener() {
  if (!source_) return;
  transport_.loop().unwatch(source_.get());
  ::close(source_->fd);
  source_->listener = nullptr;
  transport_.loop().post([source = std::shared_ptr<Source>(std::move(source_))] {});
  transport_.remove(this);
}

wire::Multiaddr TcpListener::address() const {
  return multiaddr_of(endpoint_, wire::proto::kTcp).with(above_);
}

bool TcpListener::accept_one() {
  Endpoint remote;
  socklen_t size = sizeof remote.v6;
  const int fd = accept4(source_->fd, &remote.sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      // The peers wait in the kernel's queue until there are descriptors again.
      transport_.loop().unwatch(source_.get());
      retry_.set(transport_.loop().now() + kRetry);
      if (!std::exchange(is_exhausted_, true)) {
        KITH_LOG(transport_.config().log, kWarn, "tcp",
                 "cannot accept until there is room again: " + std::string(std::strerror(error)));
      }
      return false;
    }
    return error == ECONNABORTED || error == EINTR;
  }
  is_exhausted_ = false;
  Status refusal;
  Admission::Ticket ticket = transport_.upgrader().admit(remote, &refusal);
  if (!ticket) {
    ::close(fd);
    if (!refusal.ok()) {
      handler_->on_inbound_failed(multiaddr_of(remote, wire::proto::kTcp), refusal.error());
    }
    return true;
  }
  Result<std::unique_ptr<TcpSocket>> socket = TcpSocket::accepted(transport_, fd, remote);
  if (!socket.ok()) return true;
  Result<std::unique_ptr<upgrade::Pipe>> pipe =
      transport_.wrap(std::move(socket).value(), above_, remote, Direction::kInbound);
  if (!pipe.ok()) return true;
  transport_.upgrader().accept(std::move(pipe).value(), std::move(ticket), this, handler_);
  return true;
}

void TcpListener::resume() {
  if (!transport_.loop().watch(source_.get(), EPOLLIN).ok()) {
    retry_.set(transport_.loop().now() + kRetry);
  }
}

}  // namespace kith::transport::tcp
