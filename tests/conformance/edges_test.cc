// The edges that every transport has to get right: more streams than the peer allows, ends inside every callback, and
// stops at any moment. On every transport of transports.h; what only IP transports have is in ports_test.cc.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/transports.h"

namespace kith::test {
namespace {

using transport::Stream;

constexpr std::string_view kId = "/kith-test/edges/1";

// Every callback there is, of streams on both sides and of connections.
enum Hook : size_t {
  kNearOpen,
  kNearData,
  kNearReadClosed,
  kNearReset,
  kNearStop,
  kNearWritable,
  kNearClosed,
  kFarStream,
  kFarData,
  kFarReadClosed,
  kFarReset,
  kFarStop,
  kFarClosed,
  kConnected,
  kIdentified,
  kDisconnected,
  kNumHooks,
};

class Edges : public testing::TestWithParam<TransportKind>, public swarm::ProtocolHandler {
 protected:
  // A stream's handler on either side. Checks that the end comes once and last.
  struct Handler final : swarm::ProtocolStream {
    Handler(Edges& e, bool n) : edges(e), is_near(n) {}
    void on_open(Stream& s, std::string_view) override {
      event(kNearOpen, kNumHooks);
      if (open) open(s);
    }
    size_t on_data(Stream& s, Bytes data) override {
      received += as_text(data);
      event(kNearData, kFarData);
      if (!is_near && echo) {
        EXPECT_NE(s.write(Buffer::take(to_vector(data))).status(), KITH_ERR_WOULD_BLOCK);
      }
      return data.size();
    }
    void on_read_closed(Stream& s) override {
      event(kNearReadClosed, kFarReadClosed);
      if (!is_near) s.close_write();
    }
    void on_reset(Stream& s, uint64_t code) override {
      reset_code = code;
      event(kNearReset, kFarReset);
      s.reset(0);
    }
    void on_stop(Stream& s, uint64_t code) override {
      stop_code = code;
      event(kNearStop, kFarStop);
      s.stop_reading(0);
    }
    void on_writable(Stream&) override { event(kNearWritable, kNumHooks); }
    void on_closed(Stream&, const Error&) override {
      event(kNearClosed, kFarClosed);
      ++num_closed;
      stream = nullptr;
    }
    void event(Hook near_hook, Hook far_hook) {
      EXPECT_EQ(num_closed, 0);
      edges.hit(is_near ? near_hook : far_hook);
    }
    Edges& edges;
    const bool is_near;
    bool echo = true;
    std::function<void(Stream&)> open;
    Stream* stream = nullptr;
    std::string received;
    std::optional<uint64_t> reset_code, stop_code;
    int num_closed = 0;
  };

  struct Node final : swarm::Observer, swarm::ConnectHandler {
    explicit Node(Edges& e) : edges(e) {}
    void on_connected(swarm::PeerConnection& c) override {
      connection = &c;
      ++num_connected;
      if (watched) edges.hit(kConnected);
    }
    void on_identified(swarm::PeerConnection&) override {
      if (watched) edges.hit(kIdentified);
    }
    void on_disconnected(swarm::PeerConnection& c, const Error&) override {
      if (connection == &c) connection = nullptr;
      ++num_disconnected;
      if (watched) edges.hit(kDisconnected);
    }
    void on_connect(swarm::PeerConnection&) override { ++num_outcomes; }
    void on_connect_failed(const Error& e) override {
      ++num_outcomes;
      failure = e;
    }
    Edges& edges;
    bool watched = false;
    swarm::PeerConnection* connection = nullptr;
    int num_connected = 0, num_disconnected = 0, num_outcomes = 0;
    Error failure{KITH_OK, ""};
    std::unique_ptr<swarm::Connect> claim;
    std::unique_ptr<host::Host> host;
    bool stopped = false;
  };

  void SetUp() override { place_ = GetParam().make(); }
  void TearDown() override {
    for (auto& n : nodes_) stop(*n);
    EXPECT_TRUE(all_closed());
  }
  Node& make_node(bool listens, bool watched = false) {
    nodes_.push_back(std::make_unique<Node>(*this));
    Node& n = *nodes_.back();
    n.host = place_->make_host({}, listens).value();
    n.watched = watched;
    n.host->swarm().add_observer(&n);
    EXPECT_TRUE(n.host->swarm().protocols().add(kId, this).ok());
    return n;
  }
  static Status begin_stop(Node& n) {
    return n.host->stop(
        [](void* ctx) {
          auto* self = static_cast<Node*>(ctx);
          self->stopped = true;
          self->host.reset();
        },
        &n);
  }
  void stop(Node& n) {
    if (!n.host) return;
    static_cast<void>(begin_stop(n));
    EXPECT_TRUE(place_->run_until([&] { return n.stopped; }));
  }
  void dial(Node& from, Node& to) {
    from.claim = from.host->swarm().connect({}, to.host->addresses(), &from).value();
  }
  void connect(Node& from, Node& to) {
    dial(from, to);
    ASSERT_TRUE(place_->run_until([&] { return from.connection && to.connection; }));
  }
  Handler& make_handler(bool is_near) {
    return *handlers_.emplace_back(std::make_unique<Handler>(*this, is_near));
  }
  Handler* open(Node& n) {
    Handler& h = make_handler(/*is_near=*/true);
    Result<Stream*> s = n.connection->open_stream(std::span(&kId, 1), &h);
    if (!s.ok()) {
      handlers_.pop_back();
      return nullptr;
    }
    h.stream = *s;
    return &h;
  }
  void on_stream(swarm::PeerConnection&, Stream& stream, std::string_view) override {
    Handler& h = make_handler(/*is_near=*/false);
    h.stream = &stream;
    stream.set_handler(&h);
    hit(kFarStream);
  }
  bool all_closed() const {
    return std::all_of(handlers_.begin(), handlers_.end(),
                       [](const auto& h) { return h->num_closed == 1; });
  }
  void hit(Hook hook) {
    if (hook >= kNumHooks) return;
    ++hits_[hook];
    if (hook == wanted_ && on_hook_) on_hook_();
  }
  // A few hops of the network, and little time.
  void pause() {
    bool over = false;
    place_->loop().after(milliseconds(6), [&] { over = true; });
    EXPECT_TRUE(place_->run_until([&] { return over; }));
  }
  static Buffer text(std::string_view s) { return Buffer::take(to_vector(as_bytes(s))); }

  std::unique_ptr<Place> place_;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::array<int, kNumHooks> hits_{};
  Hook wanted_ = kNumHooks;
  std::function<void()> on_hook_;
};

TEST_P(Edges, AThousandStreamsAtOnceWaitForTheirTurn) {
  Node& server = make_node(true);
  Node& client = make_node(false);
  connect(client, server);
  constexpr size_t kNum = 1000;
  std::vector<Handler*> near;
  for (size_t i = 0; i < kNum; ++i) {
    near.push_back(open(client));
    ASSERT_NE(near.back(), nullptr);
    ASSERT_TRUE(near.back()->stream->write(text("stream " + std::to_string(i))).ok());
  }
  // Those that are allowed arrive, and no more, as long as none ends.
  const size_t limit = GetParam().max_streams;
  EXPECT_TRUE(place_->run_until([&] { return handlers_.size() - kNum >= limit - 8; }));
  pause();
  EXPECT_LE(handlers_.size() - kNum, limit);
  for (Handler* h : near) h->stream->close_write();
  EXPECT_TRUE(place_->run_until([&] { return all_closed(); }));
  for (size_t i = 0; i < kNum; ++i) EXPECT_EQ(near[i]->received, "stream " + std::to_string(i));
}

TEST_P(Edges, StreamsThatWaitEndWithTheConnection) {
  Node& server = make_node(true);
  Node& client = make_node(false);
  connect(client, server);
  for (size_t i = 0; i < 2 * limits::kStreamsPerConnection; ++i) {
    Handler* h = open(client);
    ASSERT_NE(h, nullptr);
    if (i % 3 == 0) static_cast<void>(h->stream->write(text("x")));
    if (i % 5 == 0) h->stream->abort(1);
  }
  client.connection->close();
  EXPECT_TRUE(place_->run_until([&] { return all_closed() && client.num_disconnected == 1; }));
}

TEST_P(Edges, ExtremeCodesArriveAsTheyAre) {
  Node& server = make_node(true);
  Node& client = make_node(false);
  connect(client, server);
  for (const uint64_t code :
       {uint64_t{0}, uint64_t{63}, uint64_t{16384}, transport::kMaxErrorCode, UINT64_MAX}) {
    handlers_.clear();
    Handler* near = open(client);
    ASSERT_TRUE(near->stream->write(text("hello")).ok());
    ASSERT_TRUE(place_->run_until([&] { return near->received == "hello"; }));
    Handler* far = handlers_.back().get();
    near->stream->reset(code);
    ASSERT_TRUE(place_->run_until([&] { return far->reset_code.has_value(); }));
    EXPECT_EQ(*far->reset_code, GetParam().on_the_wire(code));
    if (far->stream) far->stream->stop_reading(0);
    if (near->stream) near->stream->stop_reading(code);
    ASSERT_TRUE(place_->run_until([&] { return all_closed(); }));
  }
}

TEST_P(Edges, WritingAfterTheEndIsRefused) {
  Node& server = make_node(true);
  Node& client = make_node(false);
  connect(client, server);
  Handler* h = open(client);
  ASSERT_TRUE(h->stream->write(text("x")).ok());
  h->stream->close_write();
  h->stream->close_write();
  EXPECT_EQ(h->stream->write(text("y")).status(), KITH_ERR_CLOSED);
  Handler* reset = open(client);
  reset->stream->reset(0);
  EXPECT_EQ(reset->stream->write(text("y")).status(), KITH_ERR_CLOSED);
  reset->stream->stop_reading(0);
  EXPECT_TRUE(place_->run_until([&] { return all_closed(); }));
}

TEST_P(Edges, AStoppedWriterIsTold) {
  if (!GetParam().tells_stop) return;  // its streams have no such message
  Node& server = make_node(true);
  Node& client = make_node(false);
  connect(client, server);
  Handler* near = open(client);
  ASSERT_TRUE(near->stream->write(text("x")).ok());
  ASSERT_TRUE(place_->run_until([&] { return near->received == "x"; }));
  Stream* far = handlers_.back()->stream;
  far->stop_reading(9);
  if (!GetParam().has_halves) far->close_write();
  ASSERT_TRUE(place_->run_until([&] { return near->stop_code.has_value(); }));
  EXPECT_EQ(*near->stop_code, 9U);
  EXPECT_TRUE(place_->run_until([&] { return all_closed() || !near->stream; }));
}

TEST_P(Edges, AWrongPeerNamesBothIds) {
  Node& server = make_node(true);
  Node& client = make_node(false);
  Node& other = make_node(false);
  const wire::Multiaddr wrong = server.host->swarm()
                                    .listen_addresses()[0]
                                    .with(wire::proto::kP2p, other.host->id().bytes())
                                    .value();
  client.claim = client.host->swarm().connect({}, std::span(&wrong, 1), &client).value();
  ASSERT_TRUE(place_->run_until([&] { return client.num_outcomes == 1; }));
  EXPECT_EQ(client.failure.status(), KITH_ERR_PEER_ID_MISMATCH);
  for (Node* n : {&server, &other}) {
    EXPECT_NE(client.failure.detail().find(n->host->id().to_string()), std::string_view::npos)
        << client.failure.to_string();
  }
  EXPECT_EQ(client.num_connected, 0);
}

TEST_P(Edges, ADialToOneselfIsRefused) {
  Node& node = make_node(true);
  const std::vector<wire::Multiaddr> own = node.host->swarm().listen_addresses();
  node.claim = node.host->swarm().connect({}, own, &node).value();
  ASSERT_TRUE(place_->run_until([&] { return node.num_outcomes == 1; }));
  EXPECT_EQ(node.failure.status(), KITH_ERR_INVALID_ARGUMENT) << node.failure.to_string();
  pause();
  EXPECT_EQ(node.num_connected, 0);
}

TEST_P(Edges, BothMayDialAtOnce) {
  Node& a = make_node(true);
  Node& b = make_node(true);
  dial(a, b);
  dial(b, a);
  ASSERT_TRUE(place_->run_until([&] { return a.num_outcomes == 1 && b.num_outcomes == 1; }));
  EXPECT_EQ(a.failure.status(), KITH_OK) << a.failure.to_string();
  EXPECT_EQ(b.failure.status(), KITH_OK) << b.failure.to_string();
  ASSERT_TRUE(place_->run_until([&] { return a.connection && b.connection; }));
  for (Node* n : {&a, &b}) {
    Handler* h = open(*n);
    ASSERT_NE(h, nullptr);
    ASSERT_TRUE(h->stream->write(text("both ways")).ok());
    h->stream->close_write();
    EXPECT_TRUE(place_->run_until([&] { return h->num_closed == 1; }));
    EXPECT_EQ(h->received, "both ways");
  }
}

// One stream that makes every callback happen: echo and ends, resets, stops, and a writer that has to wait.
TEST_P(Edges, TheConnectionMayEndInsideEveryCallback) {
  std::array<int, kNumHooks> seen{};
  for (size_t hook = 0; hook <= kNumHooks; ++hook) {
    for (const bool close_far : {false, true}) {
      SCOPED_TRACE("hook " + std::to_string(hook) + (close_far ? " far" : " near"));
      handlers_.clear();
      nodes_.clear();
      Node& server = make_node(true);
      Node& client = make_node(false, /*watched=*/true);
      wanted_ = static_cast<Hook>(hook);
      hits_ = {};
      bool acted = false;
      on_hook_ = [&] {
        Node& n = close_far ? server : client;
        if (!n.connection || acted) return;
        acted = true;
        n.connection->close();
        static_cast<void>(open(n));  // refused, or it ends with the connection
      };
      dial(client, server);
      ASSERT_TRUE(place_->run_until([&] { return client.num_outcomes == 1; }));
      pause();
      for (int kind = 0; kind < 4 && client.connection; ++kind) {
        Handler* h = open(client);
        if (!h) break;
        static_cast<void>(h->stream->write(text("hello")));
        if (kind == 0) h->stream->close_write();
        pause();
        if (h->num_closed) continue;
        if (kind == 1) h->stream->reset(1);
        if (kind == 2) h->stream->stop_reading(2);
        if (kind == 3) {
          const Buffer block = Buffer::take(ByteVector(64 * 1024, 'b'));
          Handler* far = handlers_.back().get();
          far->echo = false;
          while (h->stream->write(block).ok()) {
          }
          pause();
          if (far->stream) far->stream->abort(3);
        }
        pause();
        if (h->stream) h->stream->abort(0);
        pause();
      }
      if (client.connection) client.connection->close();
      ASSERT_TRUE(place_->run_until([&] {
        return client.num_disconnected == client.num_connected &&
               server.num_disconnected == server.num_connected;
      }));
      EXPECT_EQ(client.num_connected, 1);
      EXPECT_TRUE(all_closed());
      for (size_t i = 0; i < kNumHooks; ++i) seen[i] += hits_[i];
      stop(client);
      stop(server);
    }
  }
  for (size_t i = 0; i < kNumHooks; ++i)
    EXPECT_GT(seen[i], 0) << "callback " << i << " never happened";
}

TEST_P(Edges, ANodeMayStopInsideEveryCallback) {
  for (size_t hook = 0; hook < kNumHooks; ++hook) {
    SCOPED_TRACE("hook " + std::to_string(hook));
    handlers_.clear();
    nodes_.clear();
    Node& server = make_node(true);
    Node& client = make_node(false, /*watched=*/true);
    wanted_ = static_cast<Hook>(hook);
    bool acted = false;
    on_hook_ = [&] {
      if (!std::exchange(acted, true)) {
        EXPECT_TRUE(begin_stop(client).ok());
      }
    };
    dial(client, server);
    ASSERT_TRUE(place_->run_until([&] { return client.num_outcomes == 1; }));
    if (Handler* h = client.connection ? open(client) : nullptr) {
      static_cast<void>(h->stream->write(text("hello")));
      h->stream->close_write();
    }
    pause();
    if (!acted && client.connection) client.connection->close();
    pause();
    stop(client);
    stop(server);
    EXPECT_TRUE(all_closed());
  }
}

TEST_P(Edges, ANodeMayStopAtAnyMomentOfADial) {
  for (int turns = 0; turns < 16; ++turns) {
    SCOPED_TRACE(turns);
    handlers_.clear();
    nodes_.clear();
    Node& server = make_node(true);
    Node& client = make_node(true);
    dial(client, server);
    int left = turns;
    place_->run_until([&] { return left-- == 0; });
    stop(turns % 2 == 0 ? client : server);
    EXPECT_TRUE(place_->run_until([&] { return client.num_outcomes == 1 || !client.host; }));
    stop(client);
    stop(server);
    EXPECT_EQ(client.num_connected, client.num_disconnected);
    EXPECT_EQ(client.num_outcomes, 1);
  }
}

TEST_P(Edges, GivingUpAClaimAtAnyMomentIsSilent) {
  Node& server = make_node(true);
  for (int turns = 0; turns < 16; ++turns) {
    SCOPED_TRACE(turns);
    Node& client = make_node(false);
    dial(client, server);
    int left = turns;
    place_->run_until([&] { return left-- == 0; });
    const int outcomes = client.num_outcomes;
    client.claim.reset();
    pause();
    EXPECT_EQ(client.num_outcomes, outcomes);
    stop(client);
  }
}

TEST_P(Edges, ManyNodesOnOneLoop) {
  constexpr size_t kNum = 24;
  std::vector<Node*> all;
  for (size_t i = 0; i < kNum; ++i) all.push_back(&make_node(true));
  for (size_t i = 1; i < kNum; ++i) dial(*all[i], *all[i / 2]);
  ASSERT_TRUE(place_->run_until([&] {
    return std::all_of(all.begin() + 1, all.end(), [](Node* n) { return n->num_outcomes == 1; });
  }));
  for (size_t i = 1; i < kNum; ++i) {
    EXPECT_EQ(all[i]->failure.status(), KITH_OK);
    swarm::PeerConnection* c = all[i]->host->swarm().find(all[i / 2]->host->id());
    ASSERT_NE(c, nullptr);
    Handler& h = make_handler(/*is_near=*/true);
    h.stream = c->open_stream(std::span(&kId, 1), &h).value();
    ASSERT_TRUE(h.stream->write(text(std::to_string(i))).ok());
    h.stream->close_write();
  }
  EXPECT_TRUE(place_->run_until([&] { return all_closed(); }));
}

INSTANTIATE_TEST_SUITE_P(Transports, Edges, testing::ValuesIn(kTransports), name_of);

}  // namespace
}  // namespace kith::test
