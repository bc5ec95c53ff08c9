#include "tests/support/nat.h"

#include <unistd.h>

#include "base/bytes.h"

namespace kith::test {

namespace {
constexpr size_t kDatagramBytes = 65536;

// The next datagram at `fd`, in `buffer`, and its sender; nothing if there is none.
std::optional<Bytes> next_datagram(int fd, std::span<uint8_t> buffer, transport::Endpoint& from) {
  socklen_t size = sizeof from.v6;
  const ssize_t n = recvfrom(fd, buffer.data(), buffer.size(), 0, &from.sa, &size);
  if (n < 0) return std::nullopt;
  return Bytes(buffer.data(), static_cast<size_t>(n));
}

void send_datagram(int fd, Bytes datagram, const transport::Endpoint& to) {
  // One that finds no room is lost, as in any network.
  [[maybe_unused]] const ssize_t n =
      sendto(fd, datagram.data(), datagram.size(), 0, &to.sa, to.size());
}
}  // namespace

Nat::Nat(runtime::EpollLoop& loop, const transport::Endpoint& server)
    : loop_(loop), server_(server) {
  open(inside_, [](epoll_event* event) {
    static_cast<Port*>(static_cast<runtime::EpollSource*>(event->data.ptr))->nat->from_client();
  });
  rebind();
  num_rebinds_ = 0;
}

Nat::~Nat() {
  close(inside_);
  close(outside_);
}

void Nat::open(Port& port, void (*on_event)(epoll_event*)) {
  port.fd = socket(server_.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  port.on_event = on_event;
  port.nat = this;
  port.at = server_;  // the same loopback host
  port.at.set_port(0);
  KITH_CHECK(bind(port.fd, &port.at.sa, port.at.size()) == 0);
  socklen_t size = sizeof port.at.v6;
  KITH_CHECK(getsockname(port.fd, &port.at.sa, &size) == 0);
  KITH_CHECK(loop_.watch(&port, EPOLLIN).ok());
}

void Nat::close(Port& port) {
  loop_.unwatch(&port);
  ::close(port.fd);
}

void Nat::rebind() {
  Port old = outside_;  // closed last, so that the new port is another one
  if (old.nat) loop_.unwatch(&old);
  open(outside_, [](epoll_event* event) {
    static_cast<Port*>(static_cast<runtime::EpollSource*>(event->data.ptr))->nat->from_server();
  });
  if (old.nat) ::close(old.fd);
  ++num_rebinds_;
}

void Nat::from_client() {
  uint8_t buffer[kDatagramBytes];
  while (const std::optional<Bytes> datagram = next_datagram(inside_.fd, buffer, client_)) {
    if (rebind_every_ != 0 && ++num_sent_ % rebind_every_ == 0) rebind();
    send_datagram(outside_.fd, *datagram, server_);
  }
}

void Nat::from_server() {
  uint8_t buffer[kDatagramBytes];
  transport::Endpoint from;
  while (const std::optional<Bytes> datagram = next_datagram(outside_.fd, buffer, from)) {
    if (!loses_replies) send_datagram(inside_.fd, *datagram, client_);
  }
}

}  // namespace kith::test
