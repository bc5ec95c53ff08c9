// Hosts: start, stop at any time, and what a failed start leaves behind. On virtual time, and on QUIC where it matters.
#include "host/host.h"

#include <gtest/gtest.h>

#include "runtime/sim_loop.h"

namespace kith::host {
namespace {

wire::Multiaddr address(std::string_view text) { return wire::Multiaddr::parse(text).value(); }

crypto::PrivateKey key(uint8_t seed) {
  return crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
}

// Counts everything that is told, and refuses to be told after the end.
struct Watcher final : swarm::Observer, swarm::ConnectHandler, service::PingHandler {
  void on_connected(swarm::PeerConnection& c) override {
    tell();
    connection = &c;
  }
  void on_disconnected(swarm::PeerConnection&, const Error&) override {
    tell();
    connection = nullptr;
    ++num_disconnected;
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error&) override { tell(); }
  void on_stream_failed(swarm::PeerConnection&, const Error&) override { tell(); }
  void on_identified(swarm::PeerConnection&) override { tell(); }
  void on_identify_failed(swarm::PeerConnection&, const Error&) override { tell(); }
  void on_connect(swarm::PeerConnection&) override {
    tell();
    ++num_outcomes;
  }
  void on_connect_failed(const Error& error) override {
    tell();
    ++num_outcomes;
    failure = error;
  }
  void on_round_trip(Duration) override {
    tell();
    ++num_pings;
  }
  void on_ping_end(const Error&) override {
    tell();
    ++num_ping_ends;
  }
  void tell() { EXPECT_FALSE(is_over); }
  bool is_over = false;
  int num_outcomes = 0, num_disconnected = 0, num_pings = 0, num_ping_ends = 0;
  swarm::PeerConnection* connection = nullptr;
  Error failure{KITH_OK, ""};
};

struct Node {
  explicit Node(std::unique_ptr<Host> h) : host(std::move(h)) {
    host->swarm().add_observer(&watcher);
  }
  // Stops; the host is destroyed by its last callback.
  Status stop() {
    return host->stop(
        [](void* ctx) {
          auto* self = static_cast<Node*>(ctx);
          EXPECT_FALSE(self->watcher.is_over);
          self->watcher.is_over = true;
          self->host.reset();
        },
        this);
  }
  void connect(const wire::Multiaddr& a) {
    claim = host->swarm().connect({}, std::span(&a, 1), &watcher).value();
  }
  Watcher watcher;
  std::unique_ptr<swarm::Connect> claim;
  std::unique_ptr<service::PingSession> session;
  std::unique_ptr<Host> host;
};

struct InMemory : testing::Test {
  InMemory() { network.latency = milliseconds(10); }
  std::unique_ptr<Node> make(uint8_t seed, std::vector<wire::Multiaddr> listen) {
    HostConfig config;
    config.key = key(seed);
    config.listen = std::move(listen);
    return std::make_unique<Node>(Host::create_in_memory(loop, network, config).value());
  }
  void stop(Node& n) {
    if (!n.host) return;
    EXPECT_TRUE(n.stop().ok());
    EXPECT_TRUE(loop.run_until([&] { return n.watcher.is_over; }));
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
};

TEST_F(InMemory, TellsItsIdAndAddresses) {
  const auto a = make(1, {address("/memory/5"), address("/memory/0")});
  EXPECT_EQ(a->host->id(), identity::PeerId::from_public_key(key(1).public_key()));
  const std::vector<wire::Multiaddr> addresses = a->host->addresses();
  ASSERT_EQ(addresses.size(), 2U);
  EXPECT_EQ(addresses[0].to_string(), "/memory/5/p2p/" + a->host->id().to_string());
  stop(*a);
}

TEST_F(InMemory, WithoutAKeyItMakesOne) {
  HostConfig config;
  Node a(Host::create_in_memory(loop, network, config).value());
  Node b(Host::create_in_memory(loop, network, config).value());
  EXPECT_FALSE(a.host->id() == b.host->id());
  EXPECT_TRUE(a.host->addresses().empty());
  stop(a);
  stop(b);
}

TEST_F(InMemory, ConnectsIdentifiesAndPings) {
  const auto b = make(2, {address("/memory/0")});
  const auto a = make(1, {});
  a->connect(b->host->addresses()[0]);
  ASSERT_TRUE(
      loop.run_until([&] { return a->watcher.connection && a->watcher.connection->identified(); }));
  a->session = a->host->ping()
                   .start(*a->watcher.connection, {.count = 3, .interval = 0, .new_stream = false},
                          &a->watcher)
                   .value();
  ASSERT_TRUE(loop.run_until([&] { return a->watcher.num_ping_ends == 1; }));
  EXPECT_EQ(a->watcher.num_pings, 3);
  a->session.reset();
  stop(*a);
  EXPECT_TRUE(loop.run_until([&] { return b->watcher.num_disconnected == 1; }));
  stop(*b);
}

TEST_F(InMemory, CanDeclineToServePing) {
  HostConfig config;
  config.serve_ping = false;
  Node a(Host::create_in_memory(loop, network, config).value());
  EXPECT_EQ(a.host->swarm().protocols().find("/ipfs/ping/1.0.0"), nullptr);
  stop(a);
}

TEST_F(InMemory, StoppingTwiceIsRefused) {
  const auto a = make(1, {address("/memory/0")});
  ASSERT_TRUE(a->stop().ok());
  EXPECT_EQ(a->stop().status(), KITH_ERR_INVALID_STATE);
  EXPECT_FALSE(a->watcher.is_over);  // in a later turn
  EXPECT_TRUE(loop.run_until([&] { return a->watcher.is_over; }));
  EXPECT_TRUE(loop.run_until_idle());
}

TEST_F(InMemory, CanBeStoppedAtAnyMomentOfADial) {
  for (int step = 0; step < 120; ++step) {
    for (const bool stop_dialer : {true, false}) {
      const auto b = make(2, {address("/memory/0")});
      const auto a = make(1, {address("/memory/0")});
      a->connect(b->host->addresses()[0]);
      loop.run_for(milliseconds(step));
      stop(stop_dialer ? *a : *b);
      loop.run_for(seconds(1));
      EXPECT_EQ(a->watcher.num_outcomes, 1) << step;
      if (stop_dialer && step < 20) {
        EXPECT_EQ(a->watcher.failure.status(), KITH_ERR_CANCELED) << step;
      }
      stop(*a);
      stop(*b);
    }
  }
}

TEST_F(InMemory, NothingIsToldAfterTheEnd) {
  const auto b = make(2, {address("/memory/0")});
  const auto a = make(1, {address("/memory/0")});
  a->connect(b->host->addresses()[0]);
  loop.run_for(milliseconds(25));
  b->connect(address("/memory/77"));
  a->connect(address("/memory/78"));
  stop(*b);
  stop(*a);
  EXPECT_TRUE(loop.run_until_idle());  // the watchers would say so
  EXPECT_TRUE(network.listeners.empty());
}

TEST_F(InMemory, CanBeStoppedFromEveryCallback) {
  struct Stopper final : swarm::Observer {
    void on_connected(swarm::PeerConnection&) override { hit(0); }
    void on_identified(swarm::PeerConnection&) override { hit(1); }
    void on_disconnected(swarm::PeerConnection&, const Error&) override { hit(2); }
    void hit(int which) {
      if (which == wanted && node->host && !stopped) {
        stopped = true;
        EXPECT_TRUE(node->stop().ok());
      }
    }
    int wanted = 0;
    bool stopped = false;
    Node* node = nullptr;
  };
  for (int which = 0; which < 3; ++which) {
    const auto b = make(2, {address("/memory/0")});
    const auto a = make(1, {});
    Stopper stopper;
    stopper.wanted = which;
    stopper.node = a.get();
    a->host->swarm().add_observer(&stopper);
    a->connect(b->host->addresses()[0]);
    loop.run_for(seconds(1));
    if (which == 2) {
      b->watcher.connection->close();
      loop.run_for(seconds(1));
    }
    EXPECT_TRUE(stopper.stopped) << which;
    EXPECT_TRUE(a->watcher.is_over) << which;
    stop(*b);
  }
}

TEST_F(InMemory, AFailedStartNamesTheAddressAndLeavesNothing) {
  const auto b = make(2, {address("/memory/7")});
  HostConfig config;
  config.listen = {address("/memory/8"), address("/memory/7")};
  const auto failed = Host::create_in_memory(loop, network, config);
  EXPECT_EQ(failed.status(), KITH_ERR_ADDRESS_IN_USE);
  EXPECT_NE(failed.error().detail().find("/memory/7"), std::string_view::npos);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(network.listeners.size(), 1U);
  config.listen = {address("/ip4/127.0.0.1/udp/0/quic-v1")};
  EXPECT_EQ(Host::create_in_memory(loop, network, config).status(), KITH_ERR_NOT_SUPPORTED);
  EXPECT_TRUE(loop.run_until_idle());
  stop(*b);
}

// On QUIC, with the machine's loop.
struct OnQuic : testing::Test {
  OnQuic() : runtime(Runtime::create().value()) {}
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(30)) {
    const TimePoint end = runtime::EpollLoop::clock() + limit;
    while (!done()) {
      if (runtime::EpollLoop::clock() > end) return false;
      runtime->loop().turn(runtime::EpollLoop::clock() + milliseconds(10));
    }
    return true;
  }
  std::unique_ptr<Node> make(std::vector<wire::Multiaddr> listen, LogSink* log = nullptr) {
    HostConfig config;
    config.listen = std::move(listen);
    config.log = log;
    Result<std::unique_ptr<Host>> host = Host::create(*runtime, std::move(config));
    EXPECT_TRUE(host.ok());
    return std::make_unique<Node>(std::move(host).value());
  }
  void stop(Node& n) {
    if (!n.host) return;
    EXPECT_TRUE(n.stop().ok());
    EXPECT_TRUE(run_until([&] { return n.watcher.is_over; }));
  }
  std::unique_ptr<Runtime> runtime;
};

TEST_F(OnQuic, IsCountedWhileItExists) {
  EXPECT_EQ(runtime->num_hosts, 0U);
  const auto a = make({});
  EXPECT_EQ(runtime->num_hosts, 1U);
  stop(*a);
  EXPECT_EQ(runtime->num_hosts, 0U);
}

TEST_F(OnQuic, CanBeStoppedWhileItDialsNobody) {
  const auto a = make({address("/ip4/127.0.0.1/udp/0/quic-v1")});
  // A socket that never answers.
  const auto silent = make({address("/ip4/127.0.0.1/udp/0/quic-v1")});
  const wire::Multiaddr target = silent->host->swarm().listen_addresses()[0];
  stop(*silent);
  a->connect(target);
  run_until([] { return false; }, milliseconds(50));
  const TimePoint began = runtime::EpollLoop::clock();
  stop(*a);
  EXPECT_EQ(a->watcher.failure.status(), KITH_ERR_CANCELED);
  EXPECT_LT(runtime::EpollLoop::clock() - began, seconds(10));  // sanity; half a second is planned
}

TEST_F(OnQuic, AFailedStartIsGoneBeforeTheRuntime) {
  struct Sink final : LogSink {
    ~Sink() override { is_gone = true; }
    bool enabled(LogLevel) const override { return true; }
    void write(LogLevel, std::string_view, std::string_view) override { EXPECT_FALSE(is_gone); }
    bool is_gone = false;
  };
  const auto b = make({address("/ip4/127.0.0.1/udp/0/quic-v1")});
  const wire::Multiaddr taken = b->host->swarm().listen_addresses()[0];
  {
    // On another loop, so that the port is somebody else's.
    auto other = Runtime::create().value();
    auto sink = std::make_unique<Sink>();
    HostConfig config;
    config.listen = {address("/ip4/127.0.0.1/udp/0/quic-v1"), taken};
    config.log = sink.get();
    const auto failed = Host::create(*other, config);
    EXPECT_EQ(failed.status(), KITH_ERR_ADDRESS_IN_USE);
    EXPECT_NE(failed.error().detail().find(taken.to_string()), std::string_view::npos);
    sink.reset();  // as the caller of a failed start may
    while (other->num_hosts != 0)
      other->loop().turn(runtime::EpollLoop::clock() + milliseconds(10));
  }
  stop(*b);
}

}  // namespace
}  // namespace kith::host
