#include "swarm/dial_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace kith::swarm {
namespace {

std::vector<wire::Multiaddr> parse(const std::vector<std::string>& texts) {
  std::vector<wire::Multiaddr> out;
  for (const std::string& t : texts) out.push_back(wire::Multiaddr::parse(t).value());
  return out;
}
std::vector<std::string> ranked(const std::vector<std::string>& texts) {
  std::vector<wire::Multiaddr> addresses = parse(texts);
  rank_addresses(addresses);
  std::vector<std::string> out;
  for (const wire::Multiaddr& a : addresses) out.push_back(a.to_string());
  return out;
}

const std::vector<std::string> kInOrder = {
    "/ip6/2001:db8::1/udp/1/quic-v1",
    "/ip4/192.0.2.1/udp/1/quic-v1",
    "/ip6/2001:db8::1/tcp/1",
    "/ip4/192.0.2.1/tcp/1",
    "/ip6/2001:db8::1/tcp/1/wss",
    "/ip4/192.0.2.1/tcp/1/tls/ws",
    "/memory/1",
};

TEST(DialRank, QuicBeforeTcpBeforeWebSocketAndIpv6BeforeIpv4) {
  std::mt19937 random(7);
  std::vector<std::string> shuffled = kInOrder;
  for (int i = 0; i < 100; ++i) {
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    EXPECT_EQ(ranked(shuffled), kInOrder);
  }
}

TEST(DialRank, TheFamiliesTakeTurnsAndEachBeginsWithItsLowestPort) {
  EXPECT_EQ(
      ranked({"/ip4/192.0.2.1/tcp/40003", "/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/40002",
              "/ip6/2001:db8::1/tcp/300", "/ip6/2001:db8::1/tcp/256"}),
      (std::vector<std::string>{"/ip6/2001:db8::1/tcp/256", "/ip4/192.0.2.1/tcp/4001",
                                "/ip6/2001:db8::1/tcp/300", "/ip4/192.0.2.1/tcp/40002",
                                "/ip4/192.0.2.1/tcp/40003"}));
}

TEST(DialRank, WhatIsAlikeKeepsItsOrder) {
  const std::vector<std::string> alike = {"/ip4/192.0.2.3/tcp/1", "/ip4/192.0.2.1/tcp/1",
                                          "/ip4/192.0.2.2/tcp/1"};
  EXPECT_EQ(ranked(alike), alike);
}

TEST(DialRank, OneAndNoneAreFine) {
  EXPECT_EQ(ranked({}), std::vector<std::string>{});
  EXPECT_EQ(ranked({"/memory/1"}), std::vector<std::string>{"/memory/1"});
}

TEST(DialRank, TheThirdOfAKindIsFollowedSoon) {
  for (const auto& [host, ms] :
       {std::pair("/ip4/10.0.0.1", 30), std::pair("/ip4/192.0.2.1", 250)}) {
    std::vector<std::string> texts;
    for (const char* rest : {"/udp/1/quic-v1", "/udp/2/quic-v1", "/udp/3/quic-v1", "/udp/4/quic-v1",
                             "/tcp/1", "/tcp/2", "/tcp/1/ws"}) {
      texts.push_back(std::string(host) + rest);
    }
    const std::vector<wire::Multiaddr> ranked = parse(texts);
    std::vector<Duration> starts;
    for (size_t i = 0; i < ranked.size(); ++i) {
      starts.push_back(head_start(ranked, i) / milliseconds(1));
    }
    EXPECT_EQ(starts, (std::vector<Duration>{ms, ms, 10, 10, ms, ms, ms})) << host;
  }
}

TEST(DialRank, LocalAddressesAreAGroupAndWaitLess) {
  for (const char* local :
       {"/ip4/127.0.0.1/tcp/1", "/ip4/10.1.2.3/tcp/1", "/ip4/172.31.0.1/tcp/1",
        "/ip4/192.168.0.1/tcp/1", "/ip4/169.254.0.1/tcp/1", "/ip4/100.127.0.1/tcp/1",
        "/ip6/::1/tcp/1", "/ip6/fc00::1/tcp/1", "/ip6zone/eth0/ip6/fe80::1/tcp/1"}) {
    EXPECT_EQ(group_of(parse({local})[0]), AddressGroup::kLocal) << local;
    EXPECT_EQ(head_start(parse({local}), 0), milliseconds(30)) << local;
  }
  for (const char* other :
       {"/ip4/128.0.0.1/tcp/1", "/ip4/172.32.0.1/tcp/1", "/ip4/192.169.0.1/tcp/1",
        "/ip4/100.128.0.1/tcp/1", "/ip6/::2/tcp/1", "/ip6/2001:db8::1/tcp/1", "/memory/1"}) {
    EXPECT_EQ(group_of(parse({other})[0]), AddressGroup::kPublic) << other;
    EXPECT_EQ(head_start(parse({other}), 0), milliseconds(250)) << other;
  }
}

TEST(DialRank, WhereverTheRelayIsItsAddressesAreOneGroup) {
  for (const char* relay : {"/ip4/10.0.0.9", "/ip4/192.0.2.9"}) {
    const std::string text = std::string(relay) +
                             "/udp/1/quic-v1/p2p/"
                             "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA/p2p-circuit";
    EXPECT_EQ(group_of(parse({text})[0]), AddressGroup::kRelayed);
    EXPECT_EQ(head_start(parse({text}), 0), milliseconds(250));
  }
}

}  // namespace
}  // namespace kith::swarm
