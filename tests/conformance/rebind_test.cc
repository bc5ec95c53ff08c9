// The port that a client is seen from changes, as behind a NAT that forgets: the connection goes on from the new one.
#include <gtest/gtest.h>

#include "tests/support/nat.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

constexpr size_t kRebinds = 10;
constexpr const char* kLoopback = "/ip4/127.0.0.1/udp/0/quic-v1";

// How the client dials: from its shared port, where it has connection ids, or from a port of the connection's own, where
// it has none.
struct Dialing {
  const char* name;
  bool share_port;
  friend void PrintTo(const Dialing& d, std::ostream* out) { *out << d.name; }
};

class Rebind : public testing::TestWithParam<Dialing> {
 protected:
  void SetUp() override { connect(kLoopback); }
  void connect(const std::string& listen, Duration keep_alive = seconds(15)) {
    disconnect();
    server = TestNode::create({}, {listen});
    host::HostConfig config;
    config.quic.share_port = GetParam().share_port;
    config.quic.keep_alive = keep_alive;
    client = TestNode::create(std::move(config), {}, &server->runtime());
    port = server->host().swarm().listen_addresses()[0].find(wire::proto::kUdp)->value_text();
    nat = std::make_unique<Nat>(server->runtime().loop(), endpoint(port));
    ours = client->connect(address_of(nat->inside()).to_string() + "/p2p/" +
                           server->host().id().to_string());
    ASSERT_TRUE(ours) << client->failure;
    ASSERT_TRUE(
        server->run_until([&] { return server->num_identified + client->num_identified == 2; }));
    theirs = server->host().swarm().find(client->host().id());
    ASSERT_TRUE(theirs);
  }
  void TearDown() override { disconnect(); }
  void disconnect() {
    nat.reset();
    client.reset();
    server.reset();
  }
  // IPv4 loopback.
  static transport::Endpoint endpoint(const std::string& udp_port) {
    return transport::endpoint_of(wire::Multiaddr::parse("/ip4/127.0.0.1/udp/" + udp_port).value(),
                                  wire::proto::kUdp)
        .value();
  }
  static wire::Multiaddr address_of(const transport::Endpoint& at) {
    return wire::Multiaddr::parse(transport::multiaddr_of(at, wire::proto::kUdp).to_string() +
                                  "/quic-v1")
        .value();
  }
  void expect_followed(size_t round) const {
    EXPECT_EQ(theirs->remote_address().to_string(), address_of(nat->outside()).to_string())
        << round;
  }

  std::unique_ptr<TestNode> server, client;
  std::unique_ptr<Nat> nat;
  std::string port;  // that the server listens on
  swarm::PeerConnection* ours = nullptr;
  swarm::PeerConnection* theirs = nullptr;
};

TEST_P(Rebind, TenInARowAreFollowedWithDataInBothDirections) {
  for (size_t i = 0; i < kRebinds; ++i) {
    nat->rebind();
    ASSERT_EQ(client->echo(*ours, 1000), "") << i;
    expect_followed(i);
    ASSERT_EQ(server->echo(*theirs, 1000), "") << i;
  }
  EXPECT_EQ(server->num_disconnected + client->num_disconnected, 0U);
}

TEST_P(Rebind, ATransferGoesOnThroughMany) {
  nat->rebind_every(50);
  ASSERT_EQ(client->echo(*ours, 1 << 20), "");
  EXPECT_GE(nat->num_rebinds(), kRebinds);
  nat->rebind_every(0);
  ASSERT_EQ(server->echo(*theirs, 1 << 20), "");
  expect_followed(0);
}

// The server cannot know that its peer has another port: what it sends is lost until the client's keep-alive comes.
TEST_P(Rebind, WhatTheServerSendsFirstArrivesWithTheClientsKeepAlive) {
  ASSERT_NO_FATAL_FAILURE(connect(kLoopback, milliseconds(50)));
  for (size_t i = 0; i < kRebinds; ++i) {
    nat->rebind();
    ASSERT_EQ(server->echo(*theirs, 1000), "") << i;
    expect_followed(i);
  }
}

TEST_P(Rebind, AListenerOnAWildcardFollowsToo) {
  ASSERT_NO_FATAL_FAILURE(connect("/ip4/0.0.0.0/udp/0/quic-v1"));
  for (size_t i = 0; i < kRebinds; ++i) {
    nat->rebind();
    ASSERT_EQ(client->echo(*ours, 1000), "") << i;
    expect_followed(i);
  }
}

// A server gives the old ports up after two seconds without an answer: that must leave nothing behind.
TEST_P(Rebind, TheServersPortIsFreeAfterwards) {
  for (size_t i = 0; i < 2; ++i) {
    nat->rebind();
    ASSERT_EQ(client->echo(*ours, 1000), "") << i;
    server->run_until([] { return false; }, milliseconds(2500));
  }
  ASSERT_EQ(client->echo(*ours, 1000), "");
  disconnect();
  const Result<uint16_t> is_free = transport::free_udp_port(endpoint(port));
  EXPECT_TRUE(is_free.ok()) << is_free.error().to_string();
}

// Longer than a server waits for an answer from a new port.
TEST_P(Rebind, AnOutageAfterTheChangeDoesNotEndTheConnection) {
  ASSERT_NO_FATAL_FAILURE(connect(kLoopback, milliseconds(100)));
  nat->loses_replies = true;
  nat->rebind();
  server->run_until([] { return false; }, milliseconds(3000));
  nat->loses_replies = false;
  ASSERT_EQ(client->echo(*ours, 1000), "");
  ASSERT_EQ(server->echo(*theirs, 1000), "");
  expect_followed(0);
}

INSTANTIATE_TEST_SUITE_P(Dialing, Rebind,
                         testing::Values(Dialing{"with_connection_ids", true},
                                         Dialing{"without_connection_ids", false}),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace kith::test
