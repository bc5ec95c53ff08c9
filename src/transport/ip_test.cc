// IP endpoints: conversions, and what the machine says of its addresses and ports.
#include "transport/ip.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <unistd.h>

namespace kith::transport {
namespace {

namespace proto = wire::proto;

wire::Multiaddr parse(std::string_view text) { return wire::Multiaddr::parse(text).value(); }
Result<Endpoint> udp(std::string_view text) { return endpoint_of(parse(text), proto::kUdp); }

TEST(Endpoint, ReadsTheHeadOfAnAddress) {
  const Endpoint v4 = udp("/ip4/192.0.2.7/udp/4001/quic-v1").value();
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.host(), "192.0.2.7");
  EXPECT_EQ(v4.port(), 4001);
  EXPECT_EQ(v4.size(), sizeof(sockaddr_in));
  EXPECT_FALSE(v4.is_loopback());
  EXPECT_FALSE(v4.is_wildcard());
  const Endpoint v6 = udp("/ip6/2001:db8::1/udp/65535").value();
  EXPECT_FALSE(v6.is_v4());
  EXPECT_EQ(v6.host(), "2001:db8::1");
  EXPECT_EQ(v6.port(), 65535);
  EXPECT_EQ(v6.size(), sizeof(sockaddr_in6));
  EXPECT_EQ(endpoint_of(parse("/ip4/1.2.3.4/tcp/80/ws"), proto::kTcp)->port(), 80);
}

TEST(Endpoint, KnowsWildcardsAndLoopback) {
  EXPECT_TRUE(udp("/ip4/0.0.0.0/udp/0")->is_wildcard());
  EXPECT_TRUE(udp("/ip6/::/udp/0")->is_wildcard());
  EXPECT_TRUE(udp("/ip4/127.0.0.1/udp/0")->is_loopback());
  EXPECT_TRUE(udp("/ip4/127.255.255.254/udp/0")->is_loopback());
  EXPECT_TRUE(udp("/ip6/::1/udp/0")->is_loopback());
  EXPECT_FALSE(udp("/ip4/128.0.0.1/udp/0")->is_loopback());
  EXPECT_FALSE(udp("/ip6/::1/udp/0")->is_wildcard());
}

TEST(Endpoint, RefusesWhatDoesNotBeginWithAnAddressAndAPort) {
  for (const char* bad :
       {"/dns4/example.com/udp/1", "/ip4/1.2.3.4", "/ip4/1.2.3.4/tcp/1", "/udp/1",
        "/ip4/1.2.3.4/ip4/1.2.3.4/udp/1", "/ip4/1.2.3.4/quic-v1/udp/1", "/memory/1"}) {
    const Result<Endpoint> e = udp(bad);
    EXPECT_EQ(e.status(), KITH_ERR_INVALID_ARGUMENT) << bad;
    EXPECT_NE(e.error().detail().find(bad), std::string_view::npos) << e.error().to_string();
  }
}

TEST(Endpoint, ReadsInterfaceZones) {
  const unsigned index = if_nametoindex("lo");
  if (index == 0) GTEST_SKIP() << "no interface lo";
  const Endpoint e = udp("/ip6zone/lo/ip6/fe80::1/udp/9").value();
  EXPECT_EQ(e.v6.sin6_scope_id, index);
  EXPECT_EQ(e.host(), "fe80::1");
  const Result<Endpoint> none = udp("/ip6zone/nosuch0/ip6/fe80::1/udp/9");
  EXPECT_EQ(none.status(), KITH_ERR_UNREACHABLE);
  EXPECT_NE(none.error().detail().find("nosuch0"), std::string_view::npos);
}

TEST(Endpoint, WritesAddresses) {
  for (const char* text : {"/ip4/192.0.2.7/udp/4001", "/ip6/2001:db8::1/udp/1", "/ip6/::/udp/0"}) {
    EXPECT_EQ(multiaddr_of(*udp(text), proto::kUdp).to_string(), text);
  }
  EXPECT_EQ(multiaddr_of(*udp("/ip4/1.2.3.4/udp/5"), proto::kTcp).to_string(),
            "/ip4/1.2.3.4/tcp/5");
}

TEST(Endpoint, ComparesFamilyHostAndPort) {
  const Endpoint a = *udp("/ip4/127.0.0.1/udp/1");
  EXPECT_TRUE(a == *udp("/ip4/127.0.0.1/udp/1"));
  EXPECT_FALSE(a == *udp("/ip4/127.0.0.1/udp/2"));
  EXPECT_FALSE(a == *udp("/ip4/127.0.0.2/udp/1"));
  EXPECT_FALSE(*udp("/ip4/0.0.0.0/udp/1") == *udp("/ip6/::/udp/1"));
  EXPECT_TRUE(*udp("/ip6/::1/udp/1") == *udp("/ip6/::1/udp/1"));
  Endpoint moved = a;
  moved.set_port(2);
  EXPECT_TRUE(moved == *udp("/ip4/127.0.0.1/udp/2"));
}

TEST(SourceAddress, OfLoopbackIsLoopback) {
  const std::optional<Endpoint> source = source_address_for(*udp("/ip4/127.0.0.5/udp/9"));
  ASSERT_TRUE(source);
  EXPECT_TRUE(source->is_loopback());
  EXPECT_EQ(source->port(), 0);
}

TEST(InterfaceAddresses, HaveTheFamilyAndPortOfTheWildcard) {
  const std::vector<Endpoint> v4 = interface_addresses(*udp("/ip4/0.0.0.0/udp/77"));
  bool has_loopback = false;
  for (const Endpoint& e : v4) {
    EXPECT_TRUE(e.is_v4());
    EXPECT_EQ(e.port(), 77);
    has_loopback = has_loopback || e.host() == "127.0.0.1";
  }
  EXPECT_TRUE(has_loopback);
  for (const Endpoint& e : interface_addresses(*udp("/ip6/::/udp/77"))) {
    EXPECT_FALSE(e.is_v4());
    EXPECT_FALSE(IN6_IS_ADDR_LINKLOCAL(&e.v6.sin6_addr));
  }
}

// A bound UDP socket, shared as MsQuic shares its own if asked to.
struct Socket {
  Socket(const Endpoint& at, bool shared) : fd(socket(at.sa.sa_family, SOCK_DGRAM, 0)) {
    const int on = 1;
    if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    EXPECT_EQ(bind(fd, &at.sa, at.size()), 0);
    socklen_t size = sizeof bound.v6;
    getsockname(fd, &bound.sa, &size);
  }
  ~Socket() { close(fd); }
  const int fd;
  Endpoint bound;
};

TEST(FreeUdpPort, FindsOneAndSeesThoseInUse) {
  const Endpoint any = *udp("/ip4/127.0.0.1/udp/0");
  const Result<uint16_t> port = free_udp_port(any);
  ASSERT_TRUE(port.ok());
  EXPECT_NE(*port, 0);
  for (const bool shared : {false, true}) {
    const Socket taken(any, shared);
    EXPECT_EQ(free_udp_port(taken.bound).status(), KITH_ERR_ADDRESS_IN_USE);
    Endpoint wildcard = *udp("/ip4/0.0.0.0/udp/0");
    wildcard.set_port(taken.bound.port());
    EXPECT_EQ(free_udp_port(wildcard).status(), KITH_ERR_ADDRESS_IN_USE);
    Endpoint neighbor = *udp("/ip4/127.0.0.2/udp/0");
    neighbor.set_port(taken.bound.port());
    EXPECT_EQ(*free_udp_port(neighbor), taken.bound.port());
  }
}

TEST(FreeUdpPort, SaysWhenTheHostIsNotOurs) {
  const Result<uint16_t> port = free_udp_port(*udp("/ip4/192.0.2.1/udp/0"));
  EXPECT_EQ(port.status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_NE(port.error().detail().find("machine"), std::string_view::npos);
}

}  // namespace
}  // namespace kith::transport
