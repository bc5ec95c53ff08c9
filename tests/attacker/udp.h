// Plain UDP sockets on loopback for the attacker.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kith::attacker {

// An owned file descriptor.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  uint16_t port() const;
};

// make_address parses a numeric loopback address; `size` is 0 if it is none.
Address make_address(const std::string& host, uint16_t port);

// bound_socket opens a non-blocking UDP socket on `local`. Closed on failure.
Socket bound_socket(const Address& local);

// connected_sockets opens `count` non-blocking sockets connected to `node`. With `sources` above 1
// and IPv4, their own addresses rotate through 127.0.1.1 and up. Raises the limit of open files if
// need be; fewer on failure.
std::vector<Socket> connected_sockets(const Address& node, size_t count, size_t sources);

}  // namespace kith::attacker
