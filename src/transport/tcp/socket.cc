#include "transport/tcp/socket.h"

#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/tcp/socket_error.h"
#include "transport/tcp/socket_transport.h"

namespace kith::transport::tcp {

namespace {

// Less than this is copied out of the large buffer, so that whoever holds a few bytes does not keep all of it. How much of
// larger ones is kept is the muxer's to bound.
constexpr size_t kSmallRead = 4096;
// More than this that could not be sent keeps its memory instead of being copied.
constexpr size_t kLargeRest = 16 * 1024;

bool is_transient(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS ||
         error == ENOMEM;
}

void set_option(int fd, int level, int option, int value = 1) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// So that a connection to a peer that is gone ends whatever the muxer: mplex has no pings.
void keep_alive(int fd) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(limits::kTcpKeepAlive / seconds(1)));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL,
             static_cast<int>(limits::kTcpProbeInterval / seconds(1)));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, limits::kTcpProbes);
}

}  // namespace

TcpSocket::TcpSocket(SocketTransport& transport, int socket_fd, const Endpoint& remote)
    : runtime::EpollSource{socket_fd, on_epoll},
      transport_(transport),
      remote_(remote),
      linger_(runtime::Timer::of<&TcpSocket::on_linger_end>(transport.loop().timers(), this)) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  keep_alive(fd);
}

TcpSocket::~TcpSocket() {
  if (watched_ != 0) transport_.loop().unwatch(this);
  ::close(fd);
}

Result<std::unique_ptr<TcpSocket>> TcpSocket::connect(SocketTransport& transport,
                                                      const Endpoint& remote,
                                                      const std::optional<Endpoint>& source) {
  const int fd = ::socket(remote.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return socket_error(errno, "dial");
  std::unique_ptr<TcpSocket> s(new TcpSocket(transport, fd, remote));
  if (source) {
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    // The port may belong to another connection to the same place: then any port will do.
    if (bind(fd, &source->sa, source->size()) != 0) return connect(transport, remote, {});
  }
  if (::connect(fd, &remote.sa, remote.size()) != 0 && errno != EINPROGRESS) {
    if (source && errno == EADDRNOTAVAIL) return connect(transport, remote, {});
    return socket_error(errno, "dial");
  }
  KITH_TRY(s->watch(EPOLLOUT));
  return s;
}

Result<std::unique_ptr<TcpSocket>> TcpSocket::accepted(SocketTransport& transport, int socket_fd,
                                                       const Endpoint& remote) {
  std::unique_ptr<TcpSocket> s(new TcpSocket(transport, socket_fd, remote));
  s->state_ = State::kOpen;
  KITH_TRY(s->watch(EPOLLIN));
  return s;
}

wire::Multiaddr TcpSocket::local_address() const {
  Endpoint local;
  socklen_t size = sizeof local.v6;
  getsockname(fd, &local.sa, &size);
  return multiaddr_of(local, wire::proto::kTcp);
}

wire::Multiaddr TcpSocket::remote_address() const {
  return multiaddr_of(remote_, wire::proto::kTcp);
}

Status TcpSocket::watch(uint32_t events) {
  if (watched_ == events) return {};
  watched_ = events;
  if (events != 0) return transport_.loop().watch(this, events);
  transport_.loop().unwatch(this);
  return {};
}

void TcpSocket::update_watch() {
  constexpr uint32_t kIn = EPOLLIN;
  constexpr uint32_t kOut = EPOLLOUT;
  static_cast<void>(watch((read_ended_ ? 0U : kIn) | (waiting_.empty() ? 0U : kOut)));
}

void TcpSocket::on_epoll(epoll_event* event) {
  auto* source = static_cast<runtime::EpollSource*>(event->data.ptr);
  static_cast<TcpSocket*>(source)->on_events(event->events);
}

void TcpSocket::on_events(uint32_t events) {
  switch (state_) {
    case State::kConnecting:
      return on_connected();
    case State::kFinishing:
      return step_finish();
    case State::kBroken:
      return;
    case State::kOpen:
      break;
  }
  if ((events & EPOLLOUT) != 0 && !waiting_.empty()) {
    send_waiting();
    if (waiting_.empty()) {
      update_watch();
      if (handler_) handler_->on_pipe_writable();
    }
  }
  if (state_ == State::kOpen && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void TcpSocket::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return break_off(socket_error(error, "dial"));
  state_ = State::kOpen;
  update_watch();
  if (handler_) handler_->on_pipe_open();
}

void TcpSocket::read() {
  if (read_ended_) return;
  ReadBuffer& buffer = transport_.read_buffer();
  const MutableBytes room = buffer.room();
  const ssize_t n = recv(fd, room.data(), room.size(), 0);
  if (n < 0) {
    if (!is_transient(errno)) break_off(socket_error(errno, "connection"));
    return;
  }
  if (n == 0) {
    read_ended_ = true;
    update_watch();
    if (handler_) handler_->on_pipe_end(Error(KITH_OK, "tcp"));
    return;
  }
  if (!handler_) return;
  const auto size = static_cast<size_t>(n);
  if (size <= kSmallRead) {
    uint8_t* copy = nullptr;
    const Buffer bytes = transport_.loop().buffers().allocate(size, &copy);
    std::memcpy(copy, room.data(), size);
    handler_->on_pipe_data({copy, size}, bytes);
  } else {
    const Buffer bytes = buffer.lend(size);
    handler_->on_pipe_data(room.first(size), bytes);
  }
}

size_t TcpSocket::send_some(Bytes bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (is_transient(errno)) break;
      return bytes.size();  // into the void: what broke it is told by the next event
    }
    sent += static_cast<size_t>(n);
  }
  return sent;
}

void TcpSocket::send_waiting() {
  waiting_.consume(send_some(waiting_.bytes()));
  if (waiting_.empty()) waiting_.release();
}

void TcpSocket::send(OutputBytes& bytes) {
  if (bytes.empty()) return;
  if (state_ != State::kOpen) return bytes.clear();
  if (waiting_.empty()) bytes.consume(send_some(bytes.bytes()));
  if (bytes.empty()) return;
  if (waiting_.empty() && bytes.size() > kLargeRest) {
    std::swap(waiting_, bytes);
  } else {
    waiting_.append(bytes.bytes());
  }
  bytes.clear();
  update_watch();
}

void TcpSocket::break_off(const Error& error) {
  state_ = State::kBroken;
  waiting_.release();
  static_cast<void>(watch(0));
  if (handler_) handler_->on_pipe_end(error);
}

void TcpSocket::finish() {
  handler_ = nullptr;
  if (state_ == State::kOpen) state_ = State::kFinishing;
  transport_.add_finishing(this);
  if (state_ == State::kFinishing && transport_.may_linger()) {
    linger_.set(transport_.loop().now() + transport_.config().linger);
    return step_finish();
  }
  static_cast<void>(watch(0));
  transport_.remove_finishing(this);
}

void TcpSocket::drain() {
  if (read_ended_) return;
  const MutableBytes room = transport_.read_buffer().room();
  const ssize_t n = recv(fd, room.data(), room.size(), 0);
  if (n == 0 || (n < 0 && !is_transient(errno))) read_ended_ = true;
}

void TcpSocket::step_finish() {
  if (!waiting_.empty()) send_waiting();
  if (waiting_.empty() && !std::exchange(write_ended_, true)) shutdown(fd, SHUT_WR);
  drain();
  const bool is_done = read_ended_ && waiting_.empty();
  update_watch();
  if (!is_done) return;
  linger_.cancel();
  transport_.remove_finishing(this);
}

void TcpSocket::on_linger_end() {
  static_cast<void>(watch(0));
  transport_.remove_finishing(this);
}

}  // namespace kith::transport::tcp
