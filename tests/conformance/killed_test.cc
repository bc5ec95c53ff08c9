// A peer that is killed says nothing. On IP it is a process of its own; in virtual time its line breaks.
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "tests/conformance/transports.h"
#include "tests/support/child_process.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

using support::ChildProcess;
using support::Json;

class KilledPeer : public testing::TestWithParam<TransportKind>,
                   public swarm::ConnectHandler,
                   public swarm::Observer {
 protected:
  void on_connect(swarm::PeerConnection& c) override { connection_ = &c; }
  void on_connect_failed(const Error& e) override { ADD_FAILURE() << e.to_string(); }
  void on_disconnected(swarm::PeerConnection&, const Error& e) override {
    connection_ = nullptr;
    end_ = e;
  }

  // A node that notices silence soon.
  static std::unique_ptr<host::Host> make_host(Place& place, bool listens) {
    host::HostConfig config;
    config.quic.idle_timeout = seconds(2);
    config.websocket.accept_any_certificate = true;  // the child's is its own
    return place.make_host(std::move(config), listens).value();
  }
  void connect(Place& place, host::Host& client, const wire::Multiaddr& server) {
    claim_ = client.swarm().connect({}, std::span(&server, 1), this).value();
    ASSERT_TRUE(place.run_until([&] { return connection_ != nullptr; }));
  }
  // With an echo under way, `kill` is called.
  void expect_end(Place& place, const std::function<void()>& kill) {
    EchoClient client(uint64_t{1} << 40, 1);
    ASSERT_TRUE(client.open(*connection_).ok());
    bool is_late = false;
    place.loop().after(milliseconds(5), [&] { is_late = true; });
    ASSERT_TRUE(place.run_until([&] { return is_late; }));
    kill();
    ASSERT_TRUE(place.run_until([&] { return client.done() && !connection_; }));
    EXPECT_NE(client.end().status(), KITH_OK) << client.end().to_string();
    EXPECT_FALSE(client.failure().starts_with("a byte differs")) << client.failure();
    // TCP ends the connection in good order for a dead process, and mplex over Noise has no goodbye that would be missing.
    const bool may_look_good = std::string_view(GetParam().name).ends_with("noise_mplex");
    EXPECT_TRUE(end_.status() == KITH_ERR_CONNECTION_LOST || end_.status() == KITH_ERR_TIMEOUT ||
                (may_look_good && end_.status() == KITH_ERR_CLOSED))
        << end_.to_string();
  }
  static void stop(Place& place, std::unique_ptr<host::Host> host) {
    bool done = false;
    ASSERT_TRUE(host->stop([](void* flag) { *static_cast<bool*>(flag) = true; }, &done).ok());
    ASSERT_TRUE(place.run_until([&] { return done; }));
  }

  std::unique_ptr<swarm::Connect> claim_;
  swarm::PeerConnection* connection_ = nullptr;
  Error end_{KITH_OK, ""};
};

// The child, for which alone this is enabled: serves until it is killed.
class DISABLED_KilledPeer : public KilledPeer {};

TEST_P(DISABLED_KilledPeer, Serves) {
  std::unique_ptr<Place> place = GetParam().make();
  std::unique_ptr<host::Host> server = make_host(*place, /*listens=*/true);
  EchoServer echo;
  ASSERT_TRUE(server->swarm().protocols().add(kEchoId, &echo).ok());
  std::printf("{\"event\":\"listening\",\"address\":\"%s\"}\n",
              server->addresses().at(0).to_string().c_str());
  std::fflush(stdout);
  place->run_until([] { return false; });
  stop(*place, std::move(server));
}

TEST_P(KilledPeer, IsNoticedByItsConnectionsAndStreams) {
  std::unique_ptr<Place> place = GetParam().make();
  std::unique_ptr<host::Host> client = make_host(*place, /*listens=*/false);
  client->swarm().add_observer(this);
  const std::string name = GetParam().name;
  if (name.starts_with("sim_")) {
    std::unique_ptr<host::Host> server = make_host(*place, /*listens=*/true);
    EchoServer echo;
    ASSERT_TRUE(server->swarm().protocols().add(kEchoId, &echo).ok());
    connect(*place, *client, server->addresses().at(0));
    expect_end(*place, [&] { static_cast<SimPlace&>(*place).network.far_pipe->break_line(); });
    stop(*place, std::move(server));
  } else {
    auto child = ChildProcess::spawn({"/proc/self/exe", "--gtest_also_run_disabled_tests",
                                      "--gtest_filter=*DISABLED_KilledPeer.Serves/" + name});
    ASSERT_TRUE(child);
    const Json listening = child->read_event("listening", support::Timeout(20'000));
    ASSERT_TRUE(listening.is_object());
    connect(*place, *client, wire::Multiaddr::parse(listening.value("address", "")).value());
    expect_end(*place, [&] { child->kill(SIGKILL); });
  }
  stop(*place, std::move(client));
}

// A memory transport ends with its process.
std::vector<TransportKind> all_but_memory() {
  std::vector<TransportKind> out;
  std::copy_if(std::begin(kTransports), std::end(kTransports), std::back_inserter(out),
               [](const TransportKind& t) { return t.name != std::string_view("memory"); });
  return out;
}
std::string name_of(const testing::TestParamInfo<TransportKind>& p) { return p.param.name; }

INSTANTIATE_TEST_SUITE_P(Transports, KilledPeer, testing::ValuesIn(all_but_memory()), name_of);
INSTANTIATE_TEST_SUITE_P(Transports, DISABLED_KilledPeer, testing::ValuesIn(all_but_memory()),
                         name_of);

}  // namespace
}  // namespace kith::test
