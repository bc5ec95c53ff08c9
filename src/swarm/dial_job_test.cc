// Connecting: reuse, several addresses and their failures, timing, cancellation, and who it is at the other end.
#include "swarm/dial_job.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "swarm/test_net.h"

namespace kith::swarm {
namespace {

using test::address;
using test::peer_id;
using test::TestConnect;
using test::TestSwarm;
using test::with_peer;

constexpr Duration kHeadStart = milliseconds(250);  // of a public address
using Started = std::pair<int, TimePoint>;          // which kind of address, and when

// Dials /ip4/192.0.2.N/udp/D/quic-v1: after D ms the address fails (N = 1), connects to the first listener of the memory
// network (N = 2), or nothing ever happens (N = 3). Refuses at once for N = 4. After D ms there is an answer, and then
// it connects 300 ms later (N = 5) or fails 100 ms later (N = 6).
class ScriptedTransport final : public transport::Transport {
 public:
  ScriptedTransport(runtime::SimLoop& loop, transport::memory::MemoryNetwork& network,
                    const identity::PeerId& self)
      : loop_(loop), memory_(loop, network, self) {}
  bool can_dial(const wire::Multiaddr& a) const override { return a.has(wire::proto::kIp4); }
  bool can_listen(const wire::Multiaddr&) const override { return false; }
  Result<std::unique_ptr<transport::Listener>> listen(const wire::Multiaddr&,
                                                      transport::ListenerHandler*) override {
    return Error(KITH_ERR_NOT_SUPPORTED, "scripted");
  }
  Result<std::unique_ptr<transport::Dial>> dial(const wire::Multiaddr& a,
                                                const transport::DialOptions& options,
                                                transport::DialHandler* handler) override {
    const auto udp = a.find(wire::proto::kUdp);
    const Bytes port = (udp ? udp : a.find(wire::proto::kTcp))->value;
    const int kind = a.begin()->value[3];
    started.emplace_back(kind, loop_.now());
    roles.push_back(options.role);
    if (kind == 4) return Error(KITH_ERR_UNREACHABLE, "scripted", "no route");
    return std::unique_ptr<transport::Dial>(std::make_unique<ScriptedDial>(
        *this, kind, milliseconds(port[0] << 8 | port[1]), options.expected, handler));
  }
  void shutdown(void (*done)(void*), void* ctx) override { memory_.shutdown(done, ctx); }

  std::vector<std::pair<int, TimePoint>> started;
  std::vector<transport::Role> roles;
  int num_under_way = 0;

 private:
  struct ScriptedDial final : transport::Dial {
    ScriptedDial(ScriptedTransport& t, int k, Duration delay, const identity::PeerId& e,
                 transport::DialHandler* h)
        : transport(t),
          kind(k),
          expected(e),
          handler(h),
          timer(runtime::Timer::of<&ScriptedDial::on_timer>(t.loop_.timers(), this)) {
      ++transport.num_under_way;
      if (kind != 3) timer.set(t.loop_.now() + delay);
    }
    ~ScriptedDial() override { --transport.num_under_way; }
    void on_timer() {
      if (kind >= 5 && !std::exchange(is_answered, true)) {
        handler->on_handshake();
        timer.set(transport.loop_.now() + milliseconds(kind == 5 ? 300 : 100));
      } else if (kind == 2 || kind == 5) {
        inner = transport.memory_.dial(address("/memory/1"), {expected}, handler).value();
      } else {
        handler->on_failed(
            Error(KITH_ERR_TIMEOUT, "scripted", "no answer from " + std::to_string(kind)));
      }
    }
    ScriptedTransport& transport;
    const int kind;
    const identity::PeerId expected;
    transport::DialHandler* handler;
    runtime::Timer timer;
    bool is_answered = false;
    std::unique_ptr<transport::Dial> inner;
  };
  runtime::SimLoop& loop_;
  transport::memory::MemoryTransport memory_;
};

struct Dialing : testing::Test {
  Dialing() {
    network.latency = milliseconds(5);
    b = std::make_unique<TestSwarm>(loop, network, 2);  // listens on /memory/1
    a = std::make_unique<TestSwarm>(loop, network, 1);
    auto t = std::make_unique<ScriptedTransport>(loop, network, peer_id(1));
    scripted = t.get();
    a->swarm.add_transport(std::move(t));
  }
  static wire::Multiaddr scripted_address(int kind, int delay_ms) {
    return address("/ip4/192.0.2." + std::to_string(kind) + "/udp/" + std::to_string(delay_ms) +
                   "/quic-v1");
  }
  void run(TestConnect& c) {
    ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes != 0; }));
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  std::unique_ptr<TestSwarm> b, a;
  ScriptedTransport* scripted;
};

TEST_F(Dialing, ConnectsAndBothSidesKnow) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, {}, {with_peer(b->address(), b->id)}).ok());
  EXPECT_EQ(c.num_outcomes, 0);  // in a later turn
  run(c);
  ASSERT_NE(c.connection, nullptr);
  EXPECT_EQ(c.connection->peer(), b->id);
  EXPECT_EQ(c.connection->direction(), transport::Direction::kOutbound);
  EXPECT_EQ(a->swarm.find(b->id), c.connection);
  EXPECT_EQ(a->num_connected, 1);
  EXPECT_EQ(b->num_connected, 1);
  ASSERT_NE(b->swarm.find(a->id), nullptr);
  EXPECT_EQ(b->swarm.find(a->id)->direction(), transport::Direction::kInbound);
}

TEST_F(Dialing, WithoutAnIdWhoeverAnswersIsFound) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, {}, {b->address()}).ok());
  run(c);
  EXPECT_EQ(c.connection->peer(), b->id);
}

TEST_F(Dialing, AnExistingConnectionIsUsedAgain) {
  PeerConnection& first = a->connected_to(*b);
  TestConnect again, inbound, no_address;
  ASSERT_TRUE(a->connect(again, b->id, {b->address()}).ok());
  EXPECT_EQ(again.num_outcomes, 0);
  run(again);
  EXPECT_EQ(again.connection, &first);
  ASSERT_TRUE(a->connect(no_address, b->id, {}).ok());
  run(no_address);
  EXPECT_EQ(no_address.connection, &first);
  // From the other side it is the same connection, which the peer opened.
  ASSERT_TRUE(b->connect(inbound, a->id, {a->address()}).ok());
  run(inbound);
  EXPECT_EQ(inbound.connection->direction(), transport::Direction::kInbound);
  EXPECT_EQ(a->swarm.connections().size(), 1U);
}

TEST_F(Dialing, AConnectionThatEndsIsNotUsedAgain) {
  PeerConnection& first = a->connected_to(*b);
  first.close();
  EXPECT_EQ(a->swarm.find(b->id), nullptr);
  TestConnect again;
  ASSERT_TRUE(a->connect(again, b->id, {b->address()}).ok());
  run(again);
  ASSERT_NE(again.connection, nullptr);
  EXPECT_TRUE(again.connection->is_open());
  EXPECT_EQ(a->num_connected, 2);
}

TEST_F(Dialing, ConnectsToOnePeerShareOneDial) {
  TestConnect first, second;
  ASSERT_TRUE(a->connect(first, b->id, {b->address()}).ok());
  ASSERT_TRUE(a->connect(second, b->id, {b->address()}).ok());
  run(first);
  run(second);
  EXPECT_EQ(first.connection, second.connection);
  EXPECT_EQ(b->num_connected, 1);
}

TEST_F(Dialing, AConnectInTheOtherRoleHasADialOfItsOwn) {
  using transport::Role;
  TestConnect dialer, listener, again;
  ASSERT_TRUE(a->connect(dialer, b->id, {scripted_address(3, 0)}).ok());
  ASSERT_TRUE(a->connect(listener, b->id, {scripted_address(3, 0)}, Role::kListener).ok());
  ASSERT_TRUE(a->connect(again, b->id, {scripted_address(3, 1)}, Role::kListener).ok());
  loop.run_for(seconds(5));
  EXPECT_EQ(scripted->roles, (std::vector{Role::kDialer, Role::kListener, Role::kListener}));
}

TEST_F(Dialing, TheListenersRoleIsForTransportsThatHaveIt) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {b->address()}, transport::Role::kListener).ok());
  run(c);
  EXPECT_EQ(c.failure.status(), KITH_ERR_NOT_SUPPORTED);
  EXPECT_NE(c.failure.detail().find("in the listener's role"), std::string::npos);
}

TEST_F(Dialing, ASecondConnectAddsItsAddresses) {
  TestConnect first, second;
  ASSERT_TRUE(a->connect(first, b->id, {scripted_address(1, 100)}).ok());
  ASSERT_TRUE(a->connect(second, b->id, {scripted_address(1, 100), b->address()}).ok());
  run(first);
  EXPECT_NE(first.connection, nullptr);
  EXPECT_NE(second.connection, nullptr);
  EXPECT_EQ(scripted->started.size(), 1U);
}

TEST_F(Dialing, ASecondConnectRevivesADialThatOnlyWaits) {
  TestConnect first, second;
  ASSERT_TRUE(a->connect(first, b->id, {scripted_address(3, 0)}).ok());  // silent
  loop.run_for(seconds(5));
  ASSERT_TRUE(a->connect(second, b->id, {b->address()}).ok());
  run(second);
  EXPECT_NE(first.connection, nullptr);
  EXPECT_NE(second.connection, nullptr);
  EXPECT_EQ(scripted->num_under_way, 0);
}

TEST_F(Dialing, AllFailuresAreReportedTogether) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id,
                         {scripted_address(1, 10), address("/memory/77"), scripted_address(4, 0),
                          address("/dns4/example.com/tcp/1")})
                  .ok());
  run(c);
  EXPECT_EQ(c.failure.status(), KITH_ERR_UNREACHABLE);
  const std::string text(c.failure.detail());
  for (const char* part :
       {"every address failed", "/ip4/192.0.2.1/udp/10/quic-v1: no answer from 1",
        "/memory/77: nobody listens", "/ip4/192.0.2.4/udp/0/quic-v1: no route",
        "/dns4/example.com/tcp/1: no transport here can dial it"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
  EXPECT_EQ(c.num_outcomes, 1);
}

TEST_F(Dialing, TheOnlyAddressesFailureKeepsItsStatus) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(1, 10)}).ok());
  run(c);
  EXPECT_EQ(c.failure.status(), KITH_ERR_TIMEOUT);
  EXPECT_EQ(c.failure.detail(), "/ip4/192.0.2.1/udp/10/quic-v1: no answer from 1");
}

TEST_F(Dialing, FailuresMoveOnAtOnceAndSilenceAfterTheStagger) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id,
                         {scripted_address(1, 20), scripted_address(3, 0), scripted_address(4, 0),
                          scripted_address(2, 0)})
                  .ok());
  const TimePoint start = loop.now();
  run(c);
  ASSERT_NE(c.connection, nullptr);
  EXPECT_EQ(scripted->started, (std::vector<Started>{{1, start},
                                                     {3, start + milliseconds(20)},
                                                     {4, start + milliseconds(20) + kHeadStart},
                                                     {2, start + milliseconds(20) + kHeadStart}}));
  EXPECT_EQ(scripted->num_under_way, 0);  // the silent one was dropped
}

TEST_F(Dialing, AHandshakeUnderWayHoldsTheNextAddressBackOnce) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(5, 200), scripted_address(3, 0)}).ok());
  const TimePoint start = loop.now();
  run(c);
  EXPECT_NE(c.connection, nullptr);
  EXPECT_EQ(scripted->started,
            (std::vector<Started>{{5, start}, {3, start + milliseconds(200) + kHeadStart}}));
}

TEST_F(Dialing, AHandshakeUnderWayIsNotDisturbedByFailuresOfOthers) {
  TestConnect c;
  // The second fails 20 ms after its start, when the first has just been answered.
  ASSERT_TRUE(
      a->connect(c, b->id,
                 {scripted_address(5, 260), scripted_address(1, 20), scripted_address(3, 0)})
          .ok());
  const TimePoint start = loop.now();
  run(c);
  EXPECT_NE(c.connection, nullptr);
  EXPECT_EQ(scripted->started,
            (std::vector<Started>{
                {5, start}, {1, start + kHeadStart}, {3, start + milliseconds(260) + kHeadStart}}));
}

TEST_F(Dialing, AHandshakeThatFailsHoldsNobodyBack) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(6, 200), scripted_address(2, 0)}).ok());
  const TimePoint start = loop.now();
  run(c);
  EXPECT_NE(c.connection, nullptr);
  EXPECT_EQ(scripted->started, (std::vector<Started>{{6, start}, {2, start + milliseconds(300)}}));
}

TEST_F(Dialing, ALongListOfSilentAddressesIsGoneThroughSoon) {
  TestConnect c;
  std::vector<wire::Multiaddr> addresses;
  for (int i = 0; i < 20; ++i) addresses.push_back(scripted_address(3, i));
  addresses.push_back(address("/ip4/192.0.2.2/tcp/1"));
  ASSERT_TRUE(a->connect(c, b->id, addresses).ok());
  const TimePoint start = loop.now();
  run(c);
  ASSERT_NE(c.connection, nullptr);
  EXPECT_EQ(scripted->started.back(), Started(2, start + 2 * kHeadStart + 18 * milliseconds(10)));
  EXPECT_EQ(scripted->num_under_way, 0);
}

TEST_F(Dialing, TheFirstToConnectWins) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(2, 400), scripted_address(2, 10)}).ok());
  run(c);
  EXPECT_EQ(loop.now(), kHeadStart + milliseconds(10) + milliseconds(10));
  loop.run_for(seconds(5));
  EXPECT_EQ(b->num_connected, 1);  // the slow one never did
}

TEST_F(Dialing, DestroyingTheClaimCancelsTheDial) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(3, 0)}).ok());
  loop.run_for(seconds(1));
  EXPECT_EQ(scripted->num_under_way, 1);
  c.claim.reset();
  EXPECT_EQ(scripted->num_under_way, 0);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(c.num_outcomes, 0);
}

TEST_F(Dialing, OthersClaimsKeepTheDial) {
  TestConnect first, second;
  ASSERT_TRUE(a->connect(first, b->id, {scripted_address(2, 100)}).ok());
  ASSERT_TRUE(a->connect(second, b->id, {scripted_address(2, 100)}).ok());
  first.claim.reset();
  run(second);
  EXPECT_EQ(first.num_outcomes, 0);
  EXPECT_NE(second.connection, nullptr);
}

TEST_F(Dialing, OutcomesMayCancelOthersAndStartNewOnes) {
  TestConnect first, second, third, fourth;
  ASSERT_TRUE(a->connect(first, b->id, {scripted_address(1, 10)}).ok());
  ASSERT_TRUE(a->connect(second, b->id, {scripted_address(1, 10)}).ok());
  ASSERT_TRUE(a->connect(third, b->id, {scripted_address(1, 10)}).ok());
  first.failed = [&] {
    second.claim.reset();
    EXPECT_TRUE(a->connect(fourth, b->id, {b->address()}).ok());
  };
  run(third);
  run(fourth);
  EXPECT_EQ(first.num_outcomes, 1);
  EXPECT_EQ(second.num_outcomes, 0);
  EXPECT_EQ(third.failure.status(), KITH_ERR_TIMEOUT);
  EXPECT_NE(fourth.connection, nullptr);
}

TEST_F(Dialing, AnObserverMayGiveUpTheLastClaim) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {b->address()}).ok());
  a->observe_connected = [&](PeerConnection&) { c.claim.reset(); };
  ASSERT_TRUE(loop.run_until([&] { return a->num_connected == 1; }));
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(c.num_outcomes, 0);
  EXPECT_NE(a->swarm.find(b->id), nullptr);
}

TEST_F(Dialing, AnObserverMayCloseAtOnce) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {b->address()}).ok());
  a->observe_connected = [&](PeerConnection& connection) { connection.close(); };
  run(c);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(a->num_disconnected, 1);
  EXPECT_EQ(b->num_disconnected, 1);
}

TEST_F(Dialing, AWrongPeerNamesBothIds) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, {}, {with_peer(b->address(), peer_id(9))}).ok());
  run(c);
  EXPECT_EQ(c.failure.status(), KITH_ERR_PEER_ID_MISMATCH);
  EXPECT_NE(c.failure.detail().find(peer_id(9).to_string()), std::string_view::npos);
  EXPECT_NE(c.failure.detail().find(b->id.to_string()), std::string_view::npos);
  EXPECT_EQ(b->num_connected, 0);
}

TEST_F(Dialing, RefusesItself) {
  TestConnect by_id, by_address;
  const Status s = a->connect(by_id, {}, {with_peer(a->address(), a->id)});
  EXPECT_EQ(s.status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_NE(s.error().detail().find("itself"), std::string_view::npos);
  // Without the id only the handshake tells.
  ASSERT_TRUE(a->connect(by_address, {}, {a->address()}).ok());
  run(by_address);
  EXPECT_EQ(by_address.failure.status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_NE(by_address.failure.detail().find("itself"), std::string_view::npos);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(a->num_connected, 0);
  EXPECT_TRUE(a->swarm.connections().empty());
}

TEST_F(Dialing, ChecksItsArguments) {
  TestConnect c;
  EXPECT_EQ(a->connect(c, {}, {}).status(), KITH_ERR_NO_ADDRESS);
  EXPECT_EQ(a->connect(c, b->id, {}).status(), KITH_ERR_NO_ADDRESS);
  const Status two =
      a->connect(c, {}, {with_peer(b->address(), b->id), with_peer(b->address(), peer_id(9))});
  EXPECT_EQ(two.status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_NE(two.error().detail().find(b->id.to_string()), std::string_view::npos);
  EXPECT_NE(two.error().detail().find(peer_id(9).to_string()), std::string_view::npos);
  EXPECT_EQ(a->connect(c, peer_id(8), {with_peer(b->address(), b->id)}).status(),
            KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(
      a->connect(c, {}, std::vector<wire::Multiaddr>(limits::kDialAddresses + 1, b->address()))
          .status(),
      KITH_ERR_LIMIT);
  EXPECT_TRUE(
      a->connect(c, {}, std::vector<wire::Multiaddr>(limits::kDialAddresses, b->address())).ok());
  EXPECT_EQ(c.num_outcomes, 0);
}

TEST_F(Dialing, SharedDialsTakeABoundedNumberOfAddresses) {
  std::vector<std::unique_ptr<TestConnect>> all;
  for (int i = 0; i < 3; ++i) {
    std::vector<wire::Multiaddr> addresses;
    for (size_t k = 0; k < limits::kDialAddresses; ++k) {
      addresses.push_back(scripted_address(1, 1 + static_cast<int>(k) + 100 * i));
    }
    all.push_back(std::make_unique<TestConnect>());
    ASSERT_TRUE(a->connect(*all.back(), b->id, addresses).ok());
  }
  run(*all.back());
  EXPECT_EQ(scripted->started.size(), limits::kDialAddresses);
}

TEST_F(Dialing, AConnectionThatComesInMeanwhileIsTaken) {
  TestConnect c;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(1, 1000)}).ok());
  loop.run_for(milliseconds(100));
  PeerConnection& inbound = b->connected_to(*a);
  static_cast<void>(inbound);
  run(c);
  ASSERT_NE(c.connection, nullptr);
  EXPECT_EQ(c.connection->direction(), transport::Direction::kInbound);
}

TEST_F(Dialing, StoppingCancelsWithAWord) {
  TestConnect c, late;
  ASSERT_TRUE(a->connect(c, b->id, {scripted_address(3, 0)}).ok());
  loop.run_for(seconds(1));
  c.failed = [&] { EXPECT_EQ(a->connect(late, b->id, {b->address()}).status(), KITH_ERR_CLOSED); };
  a->stop();
  EXPECT_EQ(c.failure.status(), KITH_ERR_CANCELED);
  EXPECT_EQ(c.num_outcomes, 1);
  EXPECT_EQ(scripted->num_under_way, 0);
}

}  // namespace
}  // namespace kith::swarm
