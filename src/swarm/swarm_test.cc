// The table of connections, listening, observers, and the end of it all.
#include "swarm/swarm.h"

#include <gtest/gtest.h>

#include "swarm/test_net.h"

namespace kith::swarm {
namespace {

using test::address;
using test::peer_id;
using test::TestConnect;
using test::TestStream;
using test::TestSwarm;

struct Swarming : testing::Test {
  Swarming() : a(loop, network, 1), b(loop, network, 2) {}
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  TestStream stream;
  TestSwarm a, b;
};

TEST_F(Swarming, ListensOnWhatATransportKnows) {
  EXPECT_TRUE(a.swarm.listen(address("/memory/100")).ok());
  EXPECT_EQ(a.swarm.listen(address("/memory/100")).status(), KITH_ERR_ADDRESS_IN_USE);
  const auto unknown = a.swarm.listen(address("/ip4/127.0.0.1/tcp/1"));
  EXPECT_EQ(unknown.status(), KITH_ERR_NOT_SUPPORTED);
  EXPECT_NE(unknown.error().detail().find("/ip4/127.0.0.1/tcp/1"), std::string_view::npos);
  EXPECT_EQ(a.swarm.listen_addresses().size(), 2U);
}

TEST_F(Swarming, AnEndIsToldOnceOnEachSide) {
  PeerConnection& c = a.connected_to(b);
  c.close();
  c.close();
  EXPECT_EQ(a.num_disconnected, 0);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(a.num_disconnected, 1);
  EXPECT_EQ(b.num_disconnected, 1);
  EXPECT_EQ(a.disconnect_error.status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(a.swarm.connections().empty());
  EXPECT_EQ(a.swarm.find(b.id), nullptr);
}

TEST_F(Swarming, TwoConnectionsToOnePeerAreKeptApart) {
  // Both dial at the same time.
  TestConnect x, y;
  ASSERT_TRUE(a.connect(x, b.id, {b.address()}).ok());
  ASSERT_TRUE(b.connect(y, a.id, {a.address()}).ok());
  ASSERT_TRUE(loop.run_until([&] { return x.num_outcomes == 1 && y.num_outcomes == 1; }));
  const size_t num = a.swarm.connections().size();
  EXPECT_GE(num, 1U);
  x.connection->close();
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(a.swarm.connections().size(), num - 1);
  if (num == 2) {
    EXPECT_NE(a.swarm.find(b.id), nullptr);
    EXPECT_NE(b.swarm.find(a.id), nullptr);
  }
}

TEST_F(Swarming, ManyPeersAreFoundById) {
  std::vector<std::unique_ptr<TestSwarm>> peers;
  for (uint8_t i = 10; i < 60; ++i) {
    peers.push_back(std::make_unique<TestSwarm>(loop, network, i));
    peers.back()->connected_to(a);
  }
  EXPECT_EQ(a.swarm.connections().size(), 50U);
  for (const auto& p : peers) {
    ASSERT_NE(a.swarm.find(p->id), nullptr);
    EXPECT_EQ(a.swarm.find(p->id)->peer(), p->id);
  }
  peers[7]->stop();
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(a.swarm.find(peers[7]->id), nullptr);
  EXPECT_EQ(a.swarm.connections().size(), 49U);
}

TEST_F(Swarming, StoppingEndsConnectionsAndStreamsAndTellsPeers) {
  PeerConnection& c = a.connected_to(b);
  a.open(c, stream, {"/x"});
  a.stop();
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(a.num_disconnected, 1);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(b.num_disconnected, 1);
  EXPECT_TRUE(network.listeners.size() == 1);  // b's
}

TEST_F(Swarming, NothingIsDeliveredAfterTheEnd) {
  network.latency = milliseconds(50);
  PeerConnection& c = a.connected_to(b);
  transport::Stream* s = a.open(c, stream, {"/x"});
  ASSERT_TRUE(a.write(s, "travels").ok());
  TestConnect pending;
  ASSERT_TRUE(a.connect(pending, peer_id(9), {address("/memory/99")}).ok());
  b.stop();
  a.stop();
  const std::string log = stream.log;
  const int disconnected = a.num_disconnected, outcomes = pending.num_outcomes;
  EXPECT_EQ(outcomes, 1);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(stream.log, log);
  EXPECT_EQ(a.num_disconnected, disconnected);
  EXPECT_EQ(pending.num_outcomes, outcomes);
}

TEST_F(Swarming, ObserversMayLeave) {
  struct Once final : Observer {
    explicit Once(Swarm& s) : swarm(s) { swarm.add_observer(this); }
    void on_connected(PeerConnection&) override {
      ++num;
      swarm.remove_observer(this);
    }
    Swarm& swarm;
    int num = 0;
  } once(a.swarm);
  a.connected_to(b);
  TestSwarm c(loop, network, 3);
  c.connected_to(a);
  EXPECT_EQ(once.num, 1);
  EXPECT_EQ(a.num_connected, 2);
}

TEST_F(Swarming, LogsWhatHappensToWhoeverListens) {
  struct Sink final : LogSink {
    bool enabled(LogLevel level) const override { return level <= LogLevel::kInfo; }
    void write(LogLevel, std::string_view area, std::string_view line) override {
      text += std::string(area) + ": " + std::string(line) + "\n";
    }
    std::string text;
  } sink;
  {
    Swarm logging(loop, peer_id(5), &sink);
    logging.add_transport(
        std::make_unique<transport::memory::MemoryTransport>(loop, network, peer_id(5)));
    ASSERT_TRUE(logging.listen(address("/memory/500")).ok());
    TestConnect c;
    ASSERT_TRUE(a.connect(c, peer_id(5), {address("/memory/500")}).ok());
    ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    bool done = false;
    logging.shutdown([](void* d) { *static_cast<bool*>(d) = true; }, &done);
    EXPECT_TRUE(loop.run_until([&] { return done; }));
  }
  for (const char* part :
       {"swarm: listening on /memory/500", "swarm: connected to ", "(inbound)", "ended: "}) {
    EXPECT_NE(sink.text.find(part), std::string::npos) << part << " in " << sink.text;
  }
}

}  // namespace
}  // namespace kith::swarm
