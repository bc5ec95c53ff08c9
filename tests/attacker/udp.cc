// UDP sockets of the attacker. See udp.h.
#include "tests/attacker/udp.h"

#include <arpa/inet.h>
#include <sys/resource.h>

#include <algorithm>

namespace kith::attacker {
namespace {

constexpr size_t kSpareFiles = 64;
constexpr size_t kAddressesPerNet = 250;
constexpr int kBufferBytes = 1 << 20;

void allow_files(size_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + kSpareFiles) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, count + kSpareFiles);
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

uint16_t Address::port() const {
  return ntohs(storage.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
                   : reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
}

Address make_address(const std::string& host, uint16_t port) {
  Address out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof *v4;
    return out;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof *v6;
  }
  return out;
}

Socket bound_socket(const Address& local) {
  Socket out(socket(local.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!out.is_open() || bind(out.fd(), local.get(), local.size) != 0) return Socket();
  setsockopt(out.fd(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes);
  return out;
}

std::vector<Socket> connected_sockets(const Address& node, size_t count, size_t sources) {
  allow_files(count);
  std::vector<Socket> out;
  bool is_v4 = node.storage.ss_family == AF_INET;
  for (size_t i = 0; i < count; ++i) {
    std::string host = is_v4 ? "127.0.0.1" : "::1";
    if (is_v4 && sources > 1) {
      size_t source = i % sources;
      host = "127.0." + std::to_string(1 + source / kAddressesPerNet) + "." +
             std::to_string(1 + source % kAddressesPerNet);
    }
    Socket one = bound_socket(make_address(host, 0));
    if (!one.is_open() || connect(one.fd(), node.get(), node.size) != 0) break;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace kith::attacker
