// What only transports on IP have: ports, address families, and several runtimes that do not meet.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/nat.h"
#include "tests/support/test_node.h"
#include "transport/ip.h"

namespace kith::test {
namespace {

std::string port_of(const TestNode& node, size_t index = 0) {
  auto& host = const_cast<TestNode&>(node).host();
  return host.swarm().listen_addresses().at(index).find(wire::proto::kUdp)->value_text();
}
wire::Multiaddr at(const std::string& host, const std::string& port) {
  return wire::Multiaddr::parse(host + "/udp/" + port + "/quic-v1").value();
}
std::string dialable(const std::string& host, const std::string& port, TestNode& node) {
  return at(host, port).to_string() + "/p2p/" + node.host().id().to_string();
}
bool has_ipv6() {
  return transport::free_udp_port(*transport::endpoint_of(at("/ip6/::1", "0"), wire::proto::kUdp))
      .ok();
}

// Each dials the other's listening port, at the same time and one after the other.
TEST(IpPorts, BothSidesDialFromTheirListeningPorts) {
  auto a = TestNode::create();
  auto b = TestNode::create({}, {"/ip4/127.0.0.1/udp/0/quic-v1"}, &a->runtime());
  const wire::Multiaddr a_listens = a->host().swarm().listen_addresses()[0];
  const wire::Multiaddr b_listens = b->host().swarm().listen_addresses()[0];
  for (int round = 0; round < 10; ++round) {
    TestNode& from = round % 2 == 0 ? *a : *b;
    TestNode& to = round % 2 == 0 ? *b : *a;
    swarm::PeerConnection* c = from.connect(to.address());
    ASSERT_TRUE(c) << from.failure;
    ASSERT_TRUE(a->run_until([&] { return to.host().swarm().find(from.host().id()) != nullptr; }));
    EXPECT_EQ(to.host().swarm().find(from.host().id())->remote_address(),
              round % 2 == 0 ? a_listens : b_listens);
    EXPECT_EQ(from.echo(*c, 100'000), "");
    c->close();
    ASSERT_TRUE(a->run_until([&] {
      return a->host().swarm().connections().empty() && b->host().swarm().connections().empty();
    }));
  }
}

// Connections to several peers, in both families, come from one port, on which nobody is answered.
TEST(IpPorts, ANodeThatOnlyDialsHasOnePortWhichAcceptsNothing) {
  auto dialer = TestNode::create({}, {}, nullptr);
  std::vector<std::unique_ptr<TestNode>> peers;
  peers.push_back(TestNode::create({}, {"/ip4/127.0.0.1/udp/0/quic-v1"}, &dialer->runtime()));
  peers.push_back(TestNode::create({}, {"/ip4/127.0.0.1/udp/0/quic-v1"}, &dialer->runtime()));
  if (has_ipv6()) {
    peers.push_back(TestNode::create({}, {"/ip6/::1/udp/0/quic-v1"}, &dialer->runtime()));
  }
  std::string port;
  for (int round = 0; round < 2; ++round) {
    for (const auto& peer : peers) {
      swarm::PeerConnection* c = dialer->connect(peer->address());
      ASSERT_TRUE(c) << dialer->failure;
      EXPECT_EQ(dialer->echo(*c, 10'000), "");
      const std::string from = c->local_address().find(wire::proto::kUdp)->value_text();
      EXPECT_EQ(port.empty() ? from : port, from);
      port = from;
      EXPECT_EQ(dialer->host().swarm().listen_addresses().size(), 0U);
      EXPECT_FALSE(peers[0]->connect(at("/ip4/127.0.0.1", port).to_string()));
      EXPECT_EQ(dialer->num_connected, 1U);
      c->close();
      ASSERT_TRUE(dialer->run_until([&] { return dialer->host().swarm().connections().empty(); }));
      dialer->num_connected = 0;
    }
  }
}

// Nothing tells that the port is closed, and the QUIC dial would go on for far longer than the test waits.
TEST(IpPorts, AClosedUdpPortDoesNotKeepTheTcpAddressWaiting) {
  host::HostConfig patient;
  patient.quic.handshake_timeout = seconds(600);
  auto dialer = TestNode::create(patient, {}, nullptr);
  auto peer = TestNode::create({}, {"/ip4/127.0.0.1/tcp/0"}, &dialer->runtime());
  const wire::Multiaddr tcp = peer->host().swarm().listen_addresses()[0];
  const std::string port = tcp.find(wire::proto::kTcp)->value_text();
  const wire::Multiaddr addresses[] = {at("/ip4/127.0.0.1", port), tcp};
  const auto connect = dialer->host().swarm().connect({}, addresses, dialer.get());
  ASSERT_TRUE(connect.ok());
  ASSERT_TRUE(dialer->run_until([&] { return dialer->num_connected == 1; }));
  EXPECT_EQ(dialer->host().swarm().find(peer->host().id())->remote_address(), tcp);
}

// A peer with both transports, none of whose ends is a deadline's.
struct TwoTransports {
  TwoTransports() {
    host::HostConfig patient;
    patient.quic.handshake_timeout = seconds(600);
    patient.tcp.upgrade.timeout = seconds(600);
    peer = TestNode::create(patient, {"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"});
    dialer = TestNode::create(patient, {}, &peer->runtime());
    const std::vector<wire::Multiaddr> listens = peer->host().swarm().listen_addresses();
    quic = listens.at(0);
    tcp = listens.at(1);
  }
  std::unique_ptr<TestNode> peer, dialer;
  wire::Multiaddr quic, tcp;
};

// The peer's answers over QUIC get lost, so that TCP wins while the peer is in the midst of a QUIC handshake.
TEST(IpPorts, AQuicDialThatLosesToTcpEndsAtThePeerToo) {
  TwoTransports t;
  Nat nat(t.peer->runtime().loop(), *transport::endpoint_of(t.quic, wire::proto::kUdp));
  nat.loses_replies = true;
  const wire::Multiaddr addresses[] = {t.tcp,
                                       at("/ip4/127.0.0.1", std::to_string(nat.inside().port()))};
  const auto connect = t.dialer->host().swarm().connect({}, addresses, t.dialer.get());
  ASSERT_TRUE(connect.ok());
  ASSERT_TRUE(t.peer->run_until([&] { return t.peer->inbound_failures.size() == 1; }));
  // The dialer said so; it did not just fall silent.
  EXPECT_NE(t.peer->inbound_failures[0].find("CANCELED"), std::string::npos)
      << t.peer->inbound_failures[0];
  ASSERT_TRUE(t.dialer->host().swarm().find(t.peer->host().id()));
  EXPECT_EQ(t.dialer->host().swarm().find(t.peer->host().id())->remote_address(), t.tcp);
  for (TestNode* n : {t.peer.get(), t.dialer.get()}) {
    EXPECT_EQ(n->num_connected, 1U);
    EXPECT_EQ(n->num_disconnected, 0U);
  }
}

// Both are dialed at the same moment, and whichever comes second ends, before or after the peer has it.
TEST(IpPorts, TheLoserOfTwoDialsAtOnceEndsAtThePeerToo) {
  for (int round = 0; round < 10; ++round) {
    TwoTransports t;
    const wire::Multiaddr addresses[] = {t.quic, t.tcp};
    const auto connect =
        t.dialer->host().swarm().connect({}, addresses, t.dialer.get(), {transport::Role::kDialer});
    ASSERT_TRUE(connect.ok());
    ASSERT_TRUE(t.peer->run_until([&] {
      return t.peer->inbound_failures.size() + t.peer->num_connected == 2 &&
             t.peer->num_connected - t.peer->num_disconnected == 1;
    }));
    EXPECT_EQ(t.dialer->num_connected, 1U);
    EXPECT_EQ(t.dialer->num_disconnected, 0U);
    ASSERT_TRUE(t.dialer->host().swarm().find(t.peer->host().id()));
    EXPECT_EQ(t.dialer->echo(*t.dialer->host().swarm().find(t.peer->host().id()), 1000), "");
  }
}

TEST(IpPorts, WildcardsOfBothFamiliesShareAPort) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6";
  auto a = TestNode::create({}, {"/ip4/0.0.0.0/udp/0/quic-v1"});
  const std::string port = port_of(*a);
  const auto s = a->host().swarm().listen(at("/ip6/::", port));
  ASSERT_TRUE(s.ok()) << s.error().to_string();
  auto b = TestNode::create({}, {}, &a->runtime());
  for (const char* host : {"/ip4/127.0.0.1", "/ip6/::1"}) {
    swarm::PeerConnection* c = b->connect(dialable(host, port, *a));
    ASSERT_TRUE(c) << host << " " << b->failure;
    EXPECT_EQ(b->echo(*c, 1000), "");
    c->close();
    ASSERT_TRUE(b->run_until([&] {
      return a->host().swarm().connections().empty() && b->host().swarm().connections().empty();
    }));
  }
}

TEST(IpPorts, RestartsOnItsPortAgainAndAgain) {
  auto runtime = host::Runtime::create().value();
  auto peer = TestNode::create({}, {}, runtime.get());
  std::string address = "/ip4/127.0.0.1/udp/0/quic-v1";
  for (int i = 0; i < 5; ++i) {
    auto a = TestNode::create({}, {address}, runtime.get());
    ASSERT_TRUE(a) << address;
    address = a->host().swarm().listen_addresses()[0].to_string();
    swarm::PeerConnection* c = peer->connect(a->address());
    ASSERT_TRUE(c) << peer->failure;
    EXPECT_EQ(peer->echo(*c, 1000), "");
    // Stops with the connection open.
  }
  peer.reset();
}

// A node on a thread of its own, and one that connects to it from another: several loops in one process.
TEST(IpRuntimes, SeveralInOneProcessDoNotMeet) {
  constexpr size_t kNum = 4;
  std::vector<std::string> failures(kNum);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kNum; ++i) {
    threads.emplace_back([&failures, i] {
      for (int round = 0; round < 5; ++round) {
        auto server = TestNode::create();
        auto client = server ? TestNode::create({}, {}, &server->runtime()) : nullptr;
        if (!client) {
          failures[i] = "no node";
          return;
        }
        swarm::PeerConnection* c = client->connect(server->address());
        if (!c) {
          failures[i] = client->failure;
          return;
        }
        failures[i] = client->echo(*c, 500'000, static_cast<uint32_t>(i + 1));
        if (!failures[i].empty()) return;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::string& f : failures) EXPECT_EQ(f, "");
}

TEST(IpRuntimes, OneTalksToAnotherOnItsOwnThread) {
  auto server = TestNode::create();
  const std::string address = server->address();
  std::atomic<bool> stop{false};
  std::string failure;
  std::thread dialer([&] {
    auto client = TestNode::create();  // a runtime and a listening port of its own
    swarm::PeerConnection* c = client->connect(address);
    failure = c ? client->echo(*c, 4 << 20) : client->failure;
    client.reset();
    stop = true;
  });
  server->run_until([&] { return stop.load(); });
  dialer.join();
  EXPECT_EQ(failure, "");
  EXPECT_EQ(server->num_connected, 1U);
}

TEST(IpRuntimes, ANinthIsRefusedUntilOneIsFreed) {
  std::vector<std::unique_ptr<TestNode>> nodes;
  for (int i = 0; i < transport::quic::kMaxLoops; ++i) nodes.push_back(TestNode::create());
  for (const auto& n : nodes) ASSERT_TRUE(n);
  EXPECT_EQ(host::Runtime::create().status(), KITH_ERR_LIMIT);
  nodes.pop_back();
  // The slot that was given back works.
  auto server = TestNode::create();
  ASSERT_TRUE(server);
  auto client = TestNode::create({}, {}, &server->runtime());
  swarm::PeerConnection* c = client->connect(server->address());
  ASSERT_TRUE(c) << client->failure;
  EXPECT_EQ(client->echo(*c, 10'000), "");
}

}  // namespace
}  // namespace kith::test
