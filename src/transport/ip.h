// IP endpoints: between multiaddrs and socket addresses, and the addresses of this machine.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "base/result.h"
#include "wire/multiaddr.h"

namespace kith::transport {

// An IPv4 or IPv6 address with a port.
struct Endpoint {
  union {
    sockaddr sa;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  Endpoint() : v6{} {}
  bool is_v4() const { return sa.sa_family == AF_INET; }
  uint16_t port() const { return ntohs(is_v4() ? v4.sin_port : v6.sin6_port); }
  void set_port(uint16_t port) { (is_v4() ? v4.sin_port : v6.sin6_port) = htons(port); }
  socklen_t size() const { return is_v4() ? sizeof v4 : sizeof v6; }
  bool is_wildcard() const;
  bool is_loopback() const;
  // "192.0.2.1" or "2001:db8::1", without the port.
  std::string host() const;
  // Same family, host, port and, for link-local hosts, interface.
  bool operator==(const Endpoint& other) const;
};

// The endpoint at the head of `address`, which must begin [ip6zone] ip4|ip6 and then `protocol` (proto::kUdp, kTcp).
Result<Endpoint> endpoint_of(const wire::Multiaddr& address, uint32_t protocol);
// /ip4/.../udp/... or /ip6/.../tcp/...
wire::Multiaddr multiaddr_of(const Endpoint& endpoint, uint32_t protocol);
// The local address the machine would use to reach `remote` (port 0); nothing if there is no route. Sends nothing.
std::optional<Endpoint> source_address_for(const Endpoint& remote);
// Addresses of the interfaces that are up, of the family of `like`, with its port.
std::vector<Endpoint> interface_addresses(const Endpoint& like);
// The port of `at` if it can be bound there for UDP without sharing it with anybody, or a free one if that is 0.
// KITH_ERR_ADDRESS_IN_USE; KITH_ERR_INVALID_ARGUMENT if the host is not one of this machine's; KITH_ERR_LIMIT without
// descriptors; KITH_ERR_IO.
Result<uint16_t> free_udp_port(const Endpoint& at);

}  // namespace kith::transport
