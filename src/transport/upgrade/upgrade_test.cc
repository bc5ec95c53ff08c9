// Two nodes upgrade both ends of a pipe in virtual time: every secure channel with every muxer, in pieces of any size, and
// with whatever goes wrong on the way.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "protocol/tls/certificate.h"
#include "runtime/sim_loop.h"
#include "tests/support/sim_pipe.h"
#include "transport/upgrade/upgrader.h"

namespace kith::transport::upgrade {
namespace {

using test::SimPipe;

// A node that echoes the streams of its peer and counts what it hears.
struct Node final : DialHandler, ListenerHandler, ConnectionHandler, StreamHandler {
  Node(runtime::Loop& loop, UpgradeConfig config)
      : key(crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value()),
        id(identity::PeerId::from_public_key(key.public_key())),
        upgrader(Upgrader::create(loop, key,
                                  tls::make_credentials(key, loop.unix_seconds()).value(), config)
                     .value()) {}
  void on_connected(Connection& c) override { connected(c); }
  void on_failed(const Error& e) override { failed(e); }
  void on_connection(Connection& c) override { connected(c); }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override { failed(e); }
  void connected(Connection& c) {
    ++num_outcomes;
    connection = &c;
    peer = c.remote_peer();
    c.set_handler(this);
  }
  void failed(const Error& e) {
    ++num_outcomes;
    failure = e;
  }
  void on_stream(Connection&, Stream& stream) override { stream.set_handler(this); }
  void on_closed(Connection&, const Error& e) override {
    connection = nullptr;
    end = e;
  }
  size_t on_data(Stream& stream, Bytes data) override {
    EXPECT_NE(stream.write(Buffer::take(to_vector(data))).status(), KITH_ERR_CLOSED);
    return data.size();
  }
  void on_read_closed(Stream& stream) override { stream.close_write(); }
  void on_reset(Stream&, uint64_t) override {}
  void on_stop(Stream&, uint64_t) override {}
  void on_writable(Stream&) override {}
  void on_closed(Stream&, const Error&) override {}

  const crypto::PrivateKey key;
  const identity::PeerId id;
  std::unique_ptr<Upgrader> upgrader;
  Connection* connection = nullptr;
  identity::PeerId peer;
  int num_outcomes = 0;
  Error failure{KITH_OK, ""};
  Error end{KITH_OK, ""};
};

// Sends bytes and keeps what comes back.
struct Client final : StreamHandler {
  size_t on_data(Stream&, Bytes data) override {
    append(received, data);
    return data.size();
  }
  void on_read_closed(Stream&) override {}
  void on_reset(Stream&, uint64_t) override {}
  void on_stop(Stream&, uint64_t) override {}
  void on_writable(Stream&) override {}
  void on_closed(Stream&, const Error&) override { ++num_closed; }
  ByteVector received;
  int num_closed = 0;
};

struct Ends {
  Security security;
  Muxer muxer;
  bool early;
};

class UpgradeTest : public testing::Test {
 protected:
  ~UpgradeTest() override {
    dial_.reset();
    far_dial_.reset();
    for (auto& n : nodes_) n->upgrader->shutdown([](void*) {}, nullptr);
    EXPECT_TRUE(loop_.run_until([&] {
      return std::all_of(nodes_.begin(), nodes_.end(),
                         [](auto& n) { return n->upgrader->is_empty(); });
    }));
    loop_.run_until_idle();
  }
  Node& make_node(UpgradeConfig config = {}) {
    return *nodes_.emplace_back(std::make_unique<Node>(loop_, std::move(config)));
  }
  static UpgradeConfig config_of(const Ends& ends) {
    UpgradeConfig config;
    config.security = {ends.security};
    config.muxers = {ends.muxer};
    config.early_muxer = ends.early;
    return config;
  }
  // A place for one more from 192.0.2.1.
  static Admission::Ticket admit(Node& node, Status* refusal = nullptr) {
    Status ignored;
    Endpoint from;
    from.v4.sin_family = AF_INET;
    from.v4.sin_addr.s_addr = htonl(0xc0000201);
    return node.upgrader->admit(from, refusal ? refusal : &ignored);
  }
  static UpgradeConfig limited(const AdmissionConfig& admission) {
    UpgradeConfig config;
    config.admission = std::make_shared<Admission>(admission);
    return config;
  }
  // Joins the two by a pipe; `near` dials `expected`.
  void join(Node& near, Node& far, const identity::PeerId& expected, uint32_t seed = 1,
            size_t max_piece = SIZE_MAX) {
    auto a = std::make_unique<SimPipe>(loop_, latency_, seed);
    auto b = std::make_unique<SimPipe>(loop_, latency_, seed + 1);
    SimPipe::join(*a, *b);
    a->faults.max_read = b->faults.max_read = max_piece;
    near_pipe_ = a.get();
    far_pipe_ = b.get();
    if (near_budget_) a->faults.break_at = *near_budget_;
    if (far_budget_) b->faults.break_at = *far_budget_;
    dial_ = near.upgrader->dial(std::move(a), {expected}, &near);
    far.upgrader->accept(std::move(b), admit(far), nullptr, &far);
  }
  // Joins the two by a pipe that both dialed.
  void join_dialers(Node& near, const DialOptions& near_options, Node& far,
                    const DialOptions& far_options) {
    auto a = std::make_unique<SimPipe>(loop_, latency_, 1);
    auto b = std::make_unique<SimPipe>(loop_, latency_, 2);
    SimPipe::join(*a, *b);
    dial_ = near.upgrader->dial(std::move(a), near_options, &near);
    far_dial_ = far.upgrader->dial(std::move(b), far_options, &far);
  }
  bool run_until_outcome(Node& a, Node& b) {
    return loop_.run_until([&] { return a.num_outcomes == 1 && b.num_outcomes == 1; });
  }

  runtime::SimLoop loop_;
  Duration latency_ = milliseconds(10);
  std::optional<size_t> near_budget_, far_budget_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Dial> dial_;
  std::unique_ptr<Dial> far_dial_;
  SimPipe* near_pipe_ = nullptr;  // valid right after join()
  SimPipe* far_pipe_ = nullptr;
};

constexpr Ends kAllEnds[] = {
    {Security::kNoise, Muxer::kYamux, true},  {Security::kNoise, Muxer::kMplex, false},
    {Security::kTls, Muxer::kYamux, true},    {Security::kTls, Muxer::kMplex, true},
    {Security::kNoise, Muxer::kYamux, false}, {Security::kTls, Muxer::kYamux, false},
};

TEST_F(UpgradeTest, BytesArriveWholeWhateverThePiecesAre) {
  for (const Ends& ends : kAllEnds) {
    for (const size_t max_piece : {size_t{1}, size_t{7}, size_t{100}, size_t{5000}, SIZE_MAX}) {
      Node& near = make_node(config_of(ends));
      Node& far = make_node(config_of(ends));
      join(near, far, far.id, static_cast<uint32_t>(max_piece), max_piece);
      ASSERT_TRUE(run_until_outcome(near, far));
      ASSERT_TRUE(near.connection && far.connection) << near.failure.to_string();
      EXPECT_EQ(near.peer, far.id);
      EXPECT_EQ(far.peer, near.id);
      Client client;
      Stream* stream = near.connection->open_stream(&client).value();
      ByteVector sent(max_piece == 1 ? 3000 : 150'000);
      std::minstd_rand random(7);
      for (uint8_t& b : sent) b = static_cast<uint8_t>(random());
      ASSERT_TRUE(stream->write(Buffer::take(sent)).ok());
      stream->close_write();
      ASSERT_TRUE(loop_.run_until([&] { return client.num_closed == 1; }));
      EXPECT_TRUE(client.received == sent);
      near.connection->close(0);
      ASSERT_TRUE(loop_.run_until([&] { return !near.connection && !far.connection; }));
      EXPECT_EQ(far.end.status(), KITH_ERR_CLOSED) << far.end.to_string();
    }
  }
}

TEST_F(UpgradeTest, TwoThatDialEachOtherAtOnceConnectByTheirRoles) {
  for (const Ends& ends : kAllEnds) {
    Node& near = make_node(config_of(ends));
    Node& far = make_node(config_of(ends));
    join_dialers(near, {far.id, Role::kListener}, far, {near.id, Role::kDialer});
    ASSERT_TRUE(run_until_outcome(near, far));
    ASSERT_TRUE(near.connection && far.connection)
        << near.failure.to_string() << far.failure.to_string();
    EXPECT_EQ(near.peer, far.id);
    EXPECT_EQ(far.peer, near.id);
    Client clients[2];
    for (const bool from_far : {false, true}) {  // the muxer's stream ids do not collide
      Node& node = from_far ? far : near;
      EXPECT_EQ(node.connection->direction(), Direction::kOutbound);
      Stream* stream = node.connection->open_stream(&clients[from_far]).value();
      ASSERT_TRUE(stream->write(Buffer::take(ByteVector(70'000, from_far))).ok());
      stream->close_write();
    }
    ASSERT_TRUE(
        loop_.run_until([&] { return clients[0].num_closed == 1 && clients[1].num_closed == 1; }));
    EXPECT_EQ(clients[0].received, ByteVector(70'000, 0));
    EXPECT_EQ(clients[1].received, ByteVector(70'000, 1));
  }
}

TEST_F(UpgradeTest, WhoDialsInTheListenersRoleKnowsWhomItExpects) {
  for (const Security security : {Security::kNoise, Security::kTls}) {
    Node& near = make_node(config_of({security, Muxer::kYamux, true}));
    Node& far = make_node(config_of({security, Muxer::kYamux, true}));
    join_dialers(near, {near.id, Role::kListener}, far, {near.id, Role::kDialer});
    ASSERT_TRUE(loop_.run_until([&] { return near.num_outcomes == 1; }));
    EXPECT_EQ(near.failure.status(), KITH_ERR_PEER_ID_MISMATCH) << near.failure.to_string();
    EXPECT_NE(near.failure.detail().find(far.id.to_string()), std::string::npos);
    loop_.run_for(seconds(1));
    EXPECT_EQ(far.connection, nullptr);  // if it was open already, it has ended
  }
}

TEST_F(UpgradeTest, TwoInTheSameRoleDoNotConnect) {
  for (const Security security : {Security::kNoise, Security::kTls}) {
    for (const Role role : {Role::kDialer, Role::kListener}) {
      Node& near = make_node(config_of({security, Muxer::kYamux, true}));
      Node& far = make_node(config_of({security, Muxer::kYamux, true}));
      join_dialers(near, {far.id, role}, far, {near.id, role});
      ASSERT_TRUE(run_until_outcome(near, far));
      EXPECT_NE(near.failure.status(), KITH_OK);
      EXPECT_NE(far.failure.status(), KITH_OK);
    }
  }
}

TEST_F(UpgradeTest, AnEarlyMuxerSavesARoundTrip) {
  for (const Security security : {Security::kNoise, Security::kTls}) {
    Duration took[2];
    for (const bool early : {false, true}) {
      Node& near = make_node(config_of({security, Muxer::kYamux, early}));
      Node& far = make_node(config_of({security, Muxer::kYamux, early}));
      const TimePoint start = loop_.now();
      join(near, far, far.id);
      ASSERT_TRUE(loop_.run_until([&] { return near.num_outcomes == 1; }));
      took[early] = loop_.now() - start;
    }
    EXPECT_EQ(took[true], 4 * latency_);  // one round trip for multistream, one for the handshake
    EXPECT_EQ(took[false], 6 * latency_);
  }
}

TEST_F(UpgradeTest, TheDialersBestChoiceThatBothHaveIsTaken) {
  UpgradeConfig both;
  Node& near = make_node(both);
  Node& far = make_node(config_of({Security::kNoise, Muxer::kYamux, true}));
  join(near, far, far.id);
  ASSERT_TRUE(run_until_outcome(near, far));
  EXPECT_TRUE(near.connection) << near.failure.to_string();
}

TEST_F(UpgradeTest, APrivateNetworkIsForThoseWhoHaveItsKey) {
  UpgradeConfig ours;
  ours.network_key.assign(32, 7);
  UpgradeConfig theirs = ours;
  theirs.network_key[31] = 8;
  for (const UpgradeConfig& other : {ours, theirs, UpgradeConfig()}) {
    for (const size_t max_piece : {size_t{1}, SIZE_MAX}) {
      Node& near = make_node(ours);
      Node& far = make_node(other);
      join(near, far, far.id, 3, max_piece);
      ASSERT_TRUE(run_until_outcome(near, far));
      const bool same = other.network_key == ours.network_key;
      EXPECT_EQ(near.connection != nullptr, same) << near.failure.to_string();
      EXPECT_EQ(far.connection != nullptr, same) << far.failure.to_string();
    }
  }
  ours.network_key.pop_back();
  const crypto::PrivateKey& key = nodes_[0]->key;
  EXPECT_EQ(Upgrader::create(loop_, key, tls::make_credentials(key, 1).value(), ours).status(),
            KITH_ERR_INVALID_ARGUMENT);
}

TEST_F(UpgradeTest, NothingInCommonIsToldToBoth) {
  Node& near = make_node(config_of({Security::kNoise, Muxer::kYamux, true}));
  Node& far = make_node(config_of({Security::kTls, Muxer::kYamux, true}));
  join(near, far, far.id);
  ASSERT_TRUE(run_until_outcome(near, far));
  EXPECT_EQ(near.failure.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  EXPECT_NE(near.failure.detail().find("agree on a secure channel"), std::string::npos)
      << near.failure.to_string();
  EXPECT_NE(near.failure.detail().find("/noise"), std::string::npos) << near.failure.to_string();
  EXPECT_NE(far.failure.status(), KITH_OK);
}

TEST_F(UpgradeTest, NoMuxerInCommonIsToldToBoth) {
  for (const bool early : {false, true}) {
    Node& near = make_node(config_of({Security::kNoise, Muxer::kMplex, early}));
    Node& far = make_node(config_of({Security::kNoise, Muxer::kYamux, early}));
    join(near, far, far.id);
    ASSERT_TRUE(run_until_outcome(near, far));
    EXPECT_EQ(near.failure.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << near.failure.to_string();
    EXPECT_NE(far.failure.status(), KITH_OK);
  }
}

TEST_F(UpgradeTest, AnotherPeerThanExpectedIsRefusedByName) {
  for (const Security security : {Security::kNoise, Security::kTls}) {
    Node& near = make_node(config_of({security, Muxer::kYamux, true}));
    Node& far = make_node(config_of({security, Muxer::kYamux, true}));
    join(near, far, near.id);
    ASSERT_TRUE(loop_.run_until([&] { return near.num_outcomes == 1; }));
    EXPECT_EQ(near.failure.status(), KITH_ERR_PEER_ID_MISMATCH);
    for (const Node* n : {&near, &far}) {
      EXPECT_NE(near.failure.detail().find(n->id.to_string()), std::string::npos)
          << near.failure.to_string();
    }
  }
}

TEST_F(UpgradeTest, ASilentPeerIsGivenUpAtTheDeadline) {
  Node& node = make_node();
  SimPipe nobody(loop_, latency_, 1);
  auto pipe = std::make_unique<SimPipe>(loop_, latency_, 2);
  SimPipe::join(*pipe, nobody);
  node.upgrader->accept(std::move(pipe), admit(node), nullptr, &node);
  loop_.run_for(limits::kHandshakeTimeout - milliseconds(1));
  EXPECT_EQ(node.num_outcomes, 0);
  loop_.run_for(milliseconds(2));
  EXPECT_EQ(node.failure.status(), KITH_ERR_TIMEOUT);
  EXPECT_NE(node.failure.detail().find("agree on a secure channel"), std::string::npos)
      << node.failure.to_string();
}

TEST_F(UpgradeTest, BytesThatAreNoLibp2pAreRefused) {
  Node& node = make_node();
  for (const std::string_view text :
       {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "\xff\xff\xff\xff"}) {
    node.num_outcomes = 0;
    SimPipe peer(loop_, latency_, 1);
    auto pipe = std::make_unique<SimPipe>(loop_, latency_, 2);
    SimPipe::join(*pipe, peer);
    node.upgrader->accept(std::move(pipe), admit(node), nullptr, &node);
    OutputBytes out;
    out.append(as_bytes(text));
    peer.send(out);
    ASSERT_TRUE(loop_.run_until([&] { return node.num_outcomes == 1; })) << text;
    EXPECT_NE(node.failure.status(), KITH_OK);
  }
}

TEST_F(UpgradeTest, ALineThatIsCutAnywhereEndsEverythingOnce) {
  for (const Ends& ends : kAllEnds) {
    for (const bool cut_near : {false, true}) {
      for (size_t n = 1; n < 1500; n += 37) {
        Node& near = *(nodes_.size() < 2 ? &make_node(config_of(ends)) : nodes_[0].get());
        Node& far = *(nodes_.size() < 2 ? &make_node(config_of(ends)) : nodes_[1].get());
        near.num_outcomes = far.num_outcomes = 0;
        (cut_near ? near_budget_ : far_budget_) = n;
        (cut_near ? far_budget_ : near_budget_).reset();
        join(near, far, far.id, static_cast<uint32_t>(n), 50);
        loop_.run_for(seconds(2));
        if (near.connection) near.connection->close(0);  // all fitted
        ASSERT_TRUE(loop_.run_until(
            [&] { return near.upgrader->is_empty() && far.upgrader->is_empty(); }, seconds(60)))
            << n;
        EXPECT_EQ(near.num_outcomes, 1) << n;
        EXPECT_EQ(far.num_outcomes, 1) << n;
        EXPECT_EQ(near.connection, nullptr);
        EXPECT_EQ(far.connection, nullptr);
      }
    }
    nodes_.clear();
  }
}

TEST_F(UpgradeTest, ADialGivenUpAtAnyMomentIsSilent) {
  Node& near = make_node();
  Node& far = make_node();
  for (int ms = 0; ms < 60; ms += 5) {
    near.num_outcomes = 0;
    join(near, far, far.id);
    loop_.run_for(milliseconds(ms));
    const int outcomes = near.num_outcomes;
    dial_.reset();
    loop_.run_for(seconds(1));
    EXPECT_EQ(near.num_outcomes, outcomes);
    if (near.connection) near.connection->close(0);
    loop_.run_for(seconds(1));
  }
}

TEST_F(UpgradeTest, InboundHandshakesAreLimited) {
  Node& node = make_node(limited({.max_handshakes = 3}));
  std::vector<std::unique_ptr<SimPipe>> silent;
  for (int i = 0; i < 3; ++i) {
    Admission::Ticket ticket = admit(node);
    ASSERT_TRUE(ticket);
    silent.push_back(std::make_unique<SimPipe>(loop_, latency_, 1));
    auto pipe = std::make_unique<SimPipe>(loop_, latency_, 2);
    SimPipe::join(*pipe, *silent.back());
    node.upgrader->accept(std::move(pipe), std::move(ticket), nullptr, &node);
  }
  Status refusal;
  EXPECT_FALSE(admit(node, &refusal));
  EXPECT_EQ(refusal.error().detail(), "too many connections in their handshake (3)");
  loop_.run_for(limits::kHandshakeTimeout + milliseconds(1));
  EXPECT_TRUE(admit(node));
}

TEST_F(UpgradeTest, InboundConnectionsAreLimited) {
  Node& far = make_node(limited({.max_connections = 2}));
  Node& near = make_node();
  for (int i = 0; i < 2; ++i) {
    near.num_outcomes = far.num_outcomes = 0;
    join(near, far, far.id);
    ASSERT_TRUE(run_until_outcome(near, far));
  }
  EXPECT_FALSE(admit(far));
  far.connection->close(0);
  loop_.run_for(seconds(1));
  EXPECT_TRUE(admit(far));
}

TEST_F(UpgradeTest, ConnectionsOfOnePeerAreLimited) {
  Node& far = make_node(limited({.max_per_peer = 2}));
  Node& near = make_node();
  Node& other = make_node();
  for (int i = 0; i < 3; ++i) {
    near.num_outcomes = far.num_outcomes = 0;
    join(near, far, far.id);
    ASSERT_TRUE(loop_.run_until([&] { return far.num_outcomes == 1; }));
  }
  EXPECT_EQ(far.failure.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(far.failure.detail(),
            "admit the peer: too many connections of " + near.id.to_string() + " (2)");
  loop_.run_for(seconds(1));
  far.num_outcomes = 0;
  join(other, far, far.id);
  ASSERT_TRUE(run_until_outcome(other, far));
  EXPECT_EQ(far.peer, other.id);
}

}  // namespace
}  // namespace kith::transport::upgrade
