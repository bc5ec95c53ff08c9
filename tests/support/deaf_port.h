// A TCP port of 127.0.0.1 that neither accepts nor refuses: its queue of connections to accept is full, so the kernel drops
// what comes and the dialers keep trying. One who then takes the port over and dials such a dialer meets it in a
// simultaneous open, as through two NATs.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

namespace kith::test {

class DeafPort {
 public:
  DeafPort() : listener_(make_socket()), filler_(make_socket()) {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    is_ready_ = ::bind(listener_, address, size) == 0 && ::listen(listener_, 0) == 0 &&
                ::getsockname(listener_, address, &size) == 0 &&
                ::connect(filler_, address, size) == 0;
    port_ = ntohs(at.sin_port);
  }
  ~DeafPort() { give_up(); }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;

  bool is_ready() const { return is_ready_; }
  uint16_t port() const { return port_; }
  // The port of somebody on this machine who is dialing this one.
  std::optional<uint16_t> dialer() const {
    std::ifstream table("/proc/net/tcp");
    std::string line;
    while (std::getline(table, line)) {
      unsigned local = 0, remote = 0, state = 0;
      constexpr unsigned kSynSent = 2;
      if (std::sscanf(line.c_str(), " %*d: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 &&
          remote == port_ && state == kSynSent) {
        return static_cast<uint16_t>(local);
      }
    }
    return std::nullopt;
  }
  // Leaves the port to others. Dialers send again after a second.
  void give_up() {
    for (int* fd : {&filler_, &listener_}) {
      if (*fd >= 0) ::close(*fd);
      *fd = -1;
    }
  }

 private:
  static int make_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    for (const int option : {SO_REUSEADDR, SO_REUSEPORT}) {
      ::setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
    }
    const linger now = {.l_onoff = 1, .l_linger = 0};  // ends at once, and leaves the port free
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return fd;
  }
  int listener_;
  int filler_;
  bool is_ready_ = false;
  uint16_t port_ = 0;
};

}  // namespace kith::test
