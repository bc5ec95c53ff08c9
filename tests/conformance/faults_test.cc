// The upgrade, both secure channels and both muxers on lines with faults, in virtual time. Whatever a seed does to a line: no
// byte arrives that was not sent, nothing ends in good order that did not, and everything ends.
// KITH_SEED=N repeats one seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "base/asan.h"
#include "tests/conformance/transports.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

constexpr uint64_t kSeeds = kHasAsan ? 20 : 60;
// A whole run, much longer than any deadline of the stack.
constexpr Duration kLong = seconds(200);

struct Stack {
  const char* name;
  Security security;
  Muxer muxer;
  SimLayers layers = SimLayers::kNone;
  friend void PrintTo(const Stack& s, std::ostream* out) { *out << s.name; }
};

// Two nodes on a line, and what becomes of a few echoes between them.
class FaultyLine : public swarm::ConnectHandler, public swarm::Observer {
 public:
  FaultyLine(const Stack& stack, uint64_t seed)
      : random_(seed), place_(stack.security, stack.muxer, seed, stack.layers) {
    Faults benign;
    benign.max_read = one_of({1, 7, 100, 1500, 20'000});
    benign.max_write = one_of({500, 3000, 20'000, 200'000});
    benign.max_delay = microseconds(static_cast<int64_t>(one_of({0, 10, 1000, 20'000})));
    benign.num_hits = &num_hits;
    place_.network.there = place_.network.back = benign;
    place_.network.latency = milliseconds(static_cast<int64_t>(one_of({0, 1, 30})));
    server_ = make_host(2, /*listens=*/true);
    client_ = make_host(1, /*listens=*/false);
    client_->swarm().add_observer(this);
    KITH_CHECK(server_->swarm().protocols().add(kEchoId, &echo_).ok());
  }
  ~FaultyLine() {
    stop(*client_);
    client_->swarm().remove_observer(this);
    stop(*server_);
  }

  // The direction that the fault of this seed is in, and a byte of it: in the upgrade, or behind it.
  Faults& victim() { return random_() % 2 == 0 ? place_.network.there : place_.network.back; }
  uint64_t some_byte() {
    const uint64_t most = one_of({100, 1000, 4000, 30'000, 200'000});
    return 1 + random_() % most;
  }
  void run() {
    auto claim = client_->swarm().connect({}, server_->addresses(), this).value();
    place_.loop().run_until([&] { return connection || failed; }, kLong);
    if (connection) {
      upgraded_at[0] = place_.network.near_pipe->num_sent;
      upgraded_at[1] = place_.network.far_pipe->num_sent;
      const size_t num = 1 + random_() % 6;
      for (size_t i = 0; i < num; ++i) {
        clients.push_back(std::make_unique<EchoClient>(random_() % one_of({2, 100, 5000, 100'000}),
                                                       static_cast<uint32_t>(i + 1)));
        if (!connection || !clients.back()->open(*connection).ok()) clients.pop_back();
      }
    }
    place_.loop().run_until([&] { return is_over(); }, kLong);
  }
  bool is_over() const {
    return std::all_of(clients.begin(), clients.end(), [](auto& c) { return c->done(); }) &&
           (num_hits == 0 || !connection);
  }
  // No wrong byte, and no good end of a stream that lacks some.
  void expect_nothing_wrong() const {
    for (const auto& c : clients) {
      EXPECT_FALSE(c->failure().starts_with("a byte differs")) << c->failure();
      EXPECT_FALSE(c->failure().starts_with("got ")) << c->failure();
    }
  }
  void expect_all_right() const {
    EXPECT_NE(connection, nullptr) << end.to_string();
    EXPECT_FALSE(clients.empty());
    for (const auto& c : clients) EXPECT_TRUE(c->done() && c->failure().empty()) << c->failure();
  }
  void close() {
    if (connection) connection->close();
    place_.loop().run_until([&] { return !connection && is_over(); }, kLong);
  }
  SimPlace& place() { return place_; }

  swarm::PeerConnection* connection = nullptr;
  bool failed = false;
  Error end{KITH_OK, ""};
  int num_hits = 0;
  uint64_t upgraded_at[2] = {};
  std::vector<std::unique_ptr<EchoClient>> clients;

 private:
  uint64_t one_of(std::initializer_list<uint64_t> values) {
    return values.begin()[random_() % values.size()];
  }
  std::unique_ptr<host::Host> make_host(uint8_t seed, bool listens) {
    host::HostConfig config;
    config.key = crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
    return place_.make_host(std::move(config), listens).value();
  }
  void stop(host::Host& host) {
    bool done = false;
    KITH_CHECK(host.stop([](void* flag) { *static_cast<bool*>(flag) = true; }, &done).ok());
    KITH_CHECK(place_.run_until([&] { return done; }));
  }
  void on_connect(swarm::PeerConnection& c) override { connection = &c; }
  void on_connect_failed(const Error& e) override {
    failed = true;
    end = e;
  }
  void on_disconnected(swarm::PeerConnection&, const Error& e) override {
    connection = nullptr;
    end = e;
  }

  std::mt19937_64 random_;
  SimPlace place_;
  EchoServer echo_;
  std::unique_ptr<host::Host> server_, client_;
};

class ConformanceFaults : public testing::TestWithParam<Stack> {
 protected:
  // Calls `scenario(line)` for each seed.
  template <typename Scenario>
  void for_each_seed(Scenario scenario) {
    const char* one = std::getenv("KITH_SEED");
    const uint64_t first = one ? std::strtoull(one, nullptr, 10) : 1;
    const uint64_t last = one ? first : kSeeds;
    std::printf("    seeds %llu to %llu\n", static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(last));
    for (uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
      SCOPED_TRACE("KITH_SEED=" + std::to_string(seed));
      FaultyLine line(GetParam(), seed);
      scenario(line);
    }
  }
};

TEST_P(ConformanceFaults, BytesArriveWholeHoweverTheyAreCutAndDelayed) {
  for_each_seed([](FaultyLine& line) {
    line.run();
    line.expect_all_right();
  });
}

TEST_P(ConformanceFaults, ALineThatBreaksAnywhereEndsEverythingWithAnError) {
  size_t num_hit = 0;
  for_each_seed([&](FaultyLine& line) {
    line.victim().break_at = line.some_byte();
    line.run();
    line.expect_nothing_wrong();
    EXPECT_TRUE(line.is_over());
    if (line.num_hits == 0) return line.expect_all_right();
    ++num_hit;
    EXPECT_EQ(line.connection, nullptr);
    EXPECT_NE(line.end.status(), KITH_OK);
  });
  if (!std::getenv("KITH_SEED")) {
    EXPECT_GT(num_hit, kSeeds / 3);
  }
}

TEST_P(ConformanceFaults, AByteThatChangesAnywhereEndsTheConnectionAndIsNotDelivered) {
  size_t num_hit = 0;
  for_each_seed([&](FaultyLine& line) {
    Faults& victim = line.victim();
    victim.corrupt_at = line.some_byte();
    line.run();
    line.expect_nothing_wrong();
    if (line.num_hits == 0) return line.expect_all_right();
    ++num_hit;
    const bool is_there = &victim == &line.place().network.there;
    const bool is_in_upgrade = victim.corrupt_at < line.upgraded_at[is_there ? 0 : 1];
    const bool may_be_ignored =
        GetParam().security == Security::kTls || GetParam().layers != SimLayers::kNone;
    if (line.connection && may_be_ignored && is_in_upgrade) {
      // A field that TLS 1.3 or HTTP says to ignore.
      line.close();
      return line.expect_nothing_wrong();
    }
    if (line.connection && GetParam().muxer == Muxer::kMplex) {
      // A length that became larger: who has no pings waits for the rest as long as nothing else is sent.
      line.close();
      return line.expect_nothing_wrong();
    }
    EXPECT_EQ(line.connection, nullptr);
    EXPECT_NE(line.end.status(), KITH_OK);
    EXPECT_TRUE(line.is_over());
  });
  if (!std::getenv("KITH_SEED")) {
    EXPECT_GT(num_hit, kSeeds / 3);
  }
}

// Deadlines: nothing arrives any more, and nobody says so.
TEST_P(ConformanceFaults, ADeadLineEndsStreamsAndTheConnectionAtTheirDeadlines) {
  FaultyLine line(GetParam(), 1);
  line.run();
  line.expect_all_right();
  SimNetwork& network = line.place().network;
  network.near_pipe->is_stalled = network.far_pipe->is_stalled = true;
  EchoClient client(1000, 1);
  ASSERT_TRUE(client.open(*line.connection).ok());
  runtime::SimLoop& loop = line.place().loop();
  const TimePoint start = loop.now();
  ASSERT_TRUE(loop.run_until([&] { return client.done(); }, kLong));
  EXPECT_EQ(client.end().status(), KITH_ERR_TIMEOUT) << client.end().to_string();
  EXPECT_LE(loop.now() - start, limits::kNegotiationTimeout + milliseconds(1));
  if (GetParam().muxer == Muxer::kMplex) return;  // has no pings
  ASSERT_TRUE(loop.run_until([&] { return !line.connection; }, kLong));
  EXPECT_EQ(line.end.status(), KITH_ERR_TIMEOUT) << line.end.to_string();
  EXPECT_LE(loop.now() - start, limits::kYamuxKeepAlive + limits::kYamuxPingTimeout);
}

constexpr Stack kStacks[] = {
    {"sim_noise_yamux", Security::kNoise, Muxer::kYamux},
    {"sim_tls_yamux", Security::kTls, Muxer::kYamux},
#if KITH_WEBSOCKET
    {"sim_ws", Security::kNoise, Muxer::kYamux, SimLayers::kWebsocket},
    {"sim_wss", Security::kNoise, Muxer::kYamux, SimLayers::kWebsocketInTls},
#endif
    {"sim_noise_mplex", Security::kNoise, Muxer::kMplex},
    {"sim_tls_mplex", Security::kTls, Muxer::kMplex},
};
INSTANTIATE_TEST_SUITE_P(Stacks, ConformanceFaults, testing::ValuesIn(kStacks),
                         [](const testing::TestParamInfo<Stack>& p) {
                           return std::string(p.param.name);
                         });

}  // namespace
}  // namespace kith::test
