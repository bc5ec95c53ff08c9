// TCP connections of the attacker. See tcp.h.
#include "tests/attacker/tcp.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace kith::attacker {

TcpSocket::TcpSocket(const std::string& host, uint16_t port) {
  const Address address = make_address(host, port);
  Socket socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!socket.is_open() || connect(socket.fd(), address.get(), address.size) != 0) return;
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(socket.fd(), F_SETFL, O_NONBLOCK);
  socket_ = std::move(socket);
}

bool TcpSocket::wait(int events, Clock::time_point deadline) const {
  const auto now = Clock::now();
  const int64_t left =
      deadline <= now
          ? 0
          : std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
  pollfd poller{socket_.fd(), static_cast<short>(events), 0};
  return poll(&poller, 1, static_cast<int>(left)) == 1;
}

bool TcpSocket::has_hung_up(Clock::time_point deadline) const {
  return is_ended_ || wait(POLLRDHUP, deadline);
}

bool TcpSocket::send(View bytes, Clock::time_point deadline) {
  while (!bytes.empty() && !is_ended_) {
    const ssize_t n = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes = bytes.subspan(static_cast<size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      is_ended_ = true;
    } else if (!wait(POLLOUT, deadline)) {
      return false;
    }
  }
  return !is_ended_;
}

bool TcpSocket::receive(Bytes& out, Clock::time_point deadline) {
  std::array<uint8_t, 65536> buffer;
  while (!is_ended_) {
    const ssize_t n = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
      append(out, View(buffer).first(static_cast<size_t>(n)));
      return true;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      is_ended_ = true;
    } else if (!wait(POLLIN, deadline)) {
      return false;
    }
  }
  return false;
}

bool TcpSocket::wait_end(Clock::time_point deadline) {
  Bytes dropped;
  while (receive(dropped, deadline)) dropped.clear();
  return is_ended_;
}

}  // namespace kith::attacker
