// The limits of inbound connections, the same on every transport that has strangers at its other end.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/transports.h"

namespace kith::test {
namespace {

struct Node final : swarm::ConnectHandler, swarm::Observer {
  void on_connect(swarm::PeerConnection& c) override { connection = &c; }
  void on_connect_failed(const Error&) override { is_refused = true; }
  void on_connected(swarm::PeerConnection&) override { ++num_connected; }
  void on_disconnected(swarm::PeerConnection& c, const Error&) override {
    ++num_disconnected;
    if (connection != &c) return;
    connection = nullptr;
    is_refused = true;
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override { failure = e; }
  int num_open() const { return num_connected - num_disconnected; }

  std::unique_ptr<host::Host> host;
  std::unique_ptr<swarm::Connect> claim;
  swarm::PeerConnection* connection = nullptr;
  bool is_refused =
      false;  // at once, or right after the handshake, of which the dialer does not know the end
  int num_connected = 0;
  int num_disconnected = 0;
  Error failure{KITH_OK, ""};
};

class Limits : public testing::TestWithParam<TransportKind> {
 protected:
  void TearDown() override {
    for (auto& n : nodes_) {
      bool done = false;
      n->claim.reset();
      ASSERT_TRUE(n->host->stop([](void* flag) { *static_cast<bool*>(flag) = true; }, &done).ok());
      ASSERT_TRUE(place_->run_until([&] { return done; }));
    }
  }
  Node& make_node(host::HostConfig config, bool listens) {
    Node& node = *nodes_.emplace_back(std::make_unique<Node>());
    node.host = place_->make_host(std::move(config), listens).value();
    node.host->swarm().add_observer(&node);
    return node;
  }
  Node& make_server(const transport::AdmissionConfig& inbound) {
    host::HostConfig config;
    config.inbound = inbound;
    return make_node(std::move(config), true);
  }
  Node& dial(Node& server, uint8_t seed) {
    host::HostConfig config;
    config.key = crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
    Node& node = make_node(std::move(config), false);
    node.claim = node.host->swarm().connect({}, server.host->addresses(), &node).value();
    return node;
  }
  bool is_taken(Node& node) {
    return place_->run_until([&] { return node.connection != nullptr; });
  }
  bool is_refused(Node& node) {
    return place_->run_until([&] { return node.is_refused; });
  }

  std::unique_ptr<Place> place_ = GetParam().make();
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_P(Limits, AConnectionBeyondTheLimitIsRefusedUntilAnotherHasEnded) {
  Node& server = make_server({.max_connections = 2});
  Node& first = dial(server, 1);
  Node& second = dial(server, 2);
  ASSERT_TRUE(place_->run_until([&] { return server.num_open() == 2; }));
  EXPECT_TRUE(is_taken(first) && is_taken(second));
  EXPECT_TRUE(is_refused(dial(server, 3)));
  EXPECT_EQ(server.num_connected, 2);
  first.connection->close();
  ASSERT_TRUE(place_->run_until([&] { return server.num_open() == 1; }));
  EXPECT_TRUE(is_taken(dial(server, 4)));
  EXPECT_FALSE(second.is_refused);
}

TEST_P(Limits, ConnectionsOfOnePeerAreLimitedAndOthersAreNot) {
  Node& server = make_server({.max_per_peer = 1});
  Node& first = dial(server, 1);
  ASSERT_TRUE(is_taken(first));
  ASSERT_TRUE(place_->run_until([&] { return server.num_open() == 1; }));
  EXPECT_TRUE(is_refused(dial(server, 1)));
  ASSERT_TRUE(place_->run_until([&] { return server.failure.status() != KITH_OK; }));
  EXPECT_EQ(server.failure.status(), KITH_ERR_LIMIT) << server.failure.to_string();
  Node& other = dial(server, 2);
  EXPECT_TRUE(is_taken(other));
  ASSERT_TRUE(place_->run_until([&] { return server.num_open() == 2; }));
  EXPECT_FALSE(first.is_refused);
}

INSTANTIATE_TEST_SUITE_P(Transports, Limits, testing::ValuesIn(all_but_memory()), name_of);

}  // namespace
}  // namespace kith::test
