#include "transport/ip.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kith::transport {

using wire::Component;
using wire::Multiaddr;
namespace proto = wire::proto;

bool Endpoint::is_wildcard() const {
  return is_v4() ? v4.sin_addr.s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
}

bool Endpoint::is_loopback() const {
  return is_v4() ? (ntohl(v4.sin_addr.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string Endpoint::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  const void* address = is_v4() ? static_cast<const void*>(&v4.sin_addr) : &v6.sin6_addr;
  inet_ntop(sa.sa_family, address, text, sizeof text);
  return text;
}

bool Endpoint::operator==(const Endpoint& other) const {
  if (sa.sa_family != other.sa.sa_family || port() != other.port()) return false;
  if (is_v4()) return v4.sin_addr.s_addr == other.v4.sin_addr.s_addr;
  return IN6_ARE_ADDR_EQUAL(&v6.sin6_addr, &other.v6.sin6_addr) &&
         v6.sin6_scope_id == other.v6.sin6_scope_id;
}

Result<Endpoint> endpoint_of(const Multiaddr& address, uint32_t protocol) {
  Endpoint out;
  bool have_ip = false;
  std::string zone;
  for (const Component c : address) {
    if (c.protocol->code == proto::kIp6Zone && !have_ip) {
      zone = std::string(as_text(c.value));
    } else if (c.protocol->code == proto::kIp4 && !have_ip) {
      out.v4.sin_family = AF_INET;
      std::memcpy(&out.v4.sin_addr, c.value.data(), 4);
      have_ip = true;
    } else if (c.protocol->code == proto::kIp6 && !have_ip) {
      out.v6.sin6_family = AF_INET6;
      std::memcpy(&out.v6.sin6_addr, c.value.data(), 16);
      if (!zone.empty()) {
        out.v6.sin6_scope_id = if_nametoindex(zone.c_str());
        if (out.v6.sin6_scope_id == 0)
          return Error(KITH_ERR_UNREACHABLE, "address", "no network interface '" + zone + "'");
      }
      have_ip = true;
    } else if (c.protocol->code == protocol && have_ip) {
      out.set_port(static_cast<uint16_t>(c.value[0] << 8 | c.value[1]));
      return out;
    } else {
      break;
    }
  }
  return Error(KITH_ERR_INVALID_ARGUMENT, "address",
               "'" + address.to_string() + "' does not begin with an IP address and port");
}

Multiaddr multiaddr_of(const Endpoint& e, uint32_t protocol) {
  const Bytes ip = e.is_v4() ? Bytes(reinterpret_cast<const uint8_t*>(&e.v4.sin_addr), 4)
                             : Bytes(reinterpret_cast<const uint8_t*>(&e.v6.sin6_addr), 16);
  const uint8_t port[2] = {static_cast<uint8_t>(e.port() >> 8), static_cast<uint8_t>(e.port())};
  Multiaddr out = Multiaddr().with(e.is_v4() ? proto::kIp4 : proto::kIp6, ip).value();
  return out.with(protocol, port).value();
}

std::optional<Endpoint> source_address_for(const Endpoint& remote) {
  const int fd = socket(remote.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  Endpoint local;
  socklen_t size = sizeof local.v6;
  const bool ok =
      connect(fd, &remote.sa, remote.size()) == 0 && getsockname(fd, &local.sa, &size) == 0;
  close(fd);
  if (!ok) return std::nullopt;
  local.set_port(0);
  return local;
}

std::vector<Endpoint> interface_addresses(const Endpoint& like) {
  std::vector<Endpoint> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (ifaddrs* i = list; i; i = i->ifa_next) {
    if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || i->ifa_addr->sa_family != like.sa.sa_family)
      continue;
    Endpoint e;
    std::memcpy(&e.v6, i->ifa_addr, like.size());
    // Link-local addresses mean nothing without a zone that the peer does not share.
    if (!e.is_v4() && IN6_IS_ADDR_LINKLOCAL(&e.v6.sin6_addr)) continue;
    e.set_port(like.port());
    out.push_back(e);
  }
  freeifaddrs(list);
  return out;
}

Result<uint16_t> free_udp_port(const Endpoint& at) {
  const int fd = socket(at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return Error(errno == EMFILE || errno == ENFILE ? KITH_ERR_LIMIT : KITH_ERR_IO, "listen",
                 std::string("socket: ") + std::strerror(errno));
  }
  Endpoint bound;
  socklen_t size = sizeof bound.v6;
  const bool ok = bind(fd, &at.sa, at.size()) == 0 && getsockname(fd, &bound.sa, &size) == 0;
  const int error = errno;
  close(fd);
  if (ok) return bound.port();
  if (error == EADDRINUSE)
    return Error(KITH_ERR_ADDRESS_IN_USE, "listen", "the UDP port is in use");
  if (error == EADDRNOTAVAIL) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "listen", "the address is not one of this machine's");
  }
  return Error(KITH_ERR_IO, "listen", std::string("bind: ") + std::strerror(error));
}

}  // namespace kith::transport
