// The memory transport on virtual time: what the transport interfaces promise, event by event.
#include "transport/memory/memory.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_loop.h"

namespace kith::transport::memory {
namespace {

identity::PeerId peer_id(uint8_t n) {
  ByteVector multihash = {0x12, 32};  // sha2-256
  multihash.resize(34, n);
  return identity::PeerId::decode(multihash).value();
}

wire::Multiaddr at(uint64_t port) {
  return wire::Multiaddr::parse("/memory/" + std::to_string(port)).value();
}

// Writes down all that happens on a stream.
struct TestStream final : StreamHandler {
  size_t on_data(Stream& s, Bytes data) override {
    log += "data(" + std::string(as_text(data)) + ")";
    const size_t n = take ? take(s, data) : data.size();
    received += as_text(data.first(n));
    held = data.subspan(n);
    return n;
  }
  void on_read_closed(Stream&) override { log += "fin "; }
  void on_reset(Stream&, uint64_t code) override { log += "reset" + std::to_string(code) + " "; }
  void on_stop(Stream&, uint64_t code) override { log += "stop" + std::to_string(code) + " "; }
  void on_writable(Stream& s) override {
    log += "writable ";
    if (writable) writable(s);
  }
  void on_closed(Stream&, const Error& error) override {
    EXPECT_FALSE(closed);
    closed = true;
    end = error;
    log += "closed ";
  }
  void on_detached(Stream&) override { log += "detached "; }
  std::function<size_t(Stream&, Bytes)> take;
  std::function<void(Stream&)> writable;
  std::string log;
  std::string received;
  Bytes held;
  bool closed = false;
  Error end{KITH_OK, ""};
};

struct TestConnection final : ConnectionHandler {
  void on_stream(Connection&, Stream& s) override {
    ++num_streams;
    if (accept) return accept(s);
    s.set_handler(&inbound);
    stream = &s;
  }
  void on_closed(Connection&, const Error& error) override {
    EXPECT_FALSE(closed);
    closed = true;
    end = error;
    connection = nullptr;
  }
  std::function<void(Stream&)> accept;
  TestStream inbound;
  Stream* stream = nullptr;
  Connection* connection = nullptr;
  size_t num_streams = 0;
  bool closed = false;
  Error end{KITH_OK, ""};
};

struct TestNode final : ListenerHandler, DialHandler {
  TestNode(runtime::Loop& loop, MemoryNetwork& network, uint8_t id, MemoryConfig config = {})
      : transport(std::make_unique<MemoryTransport>(loop, network, peer_id(id), config)) {}
  void on_connection(Connection& c) override {
    connections.push_back(std::make_unique<TestConnection>());
    connections.back()->connection = &c;
    c.set_handler(connections.back().get());
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error&) override { FAIL(); }
  void on_connected(Connection& c) override {
    ++num_outcomes;
    on_connection(c);
  }
  void on_failed(const Error& error) override {
    ++num_outcomes;
    failure = error;
  }
  TestConnection& only() { return *connections.at(0); }
  std::unique_ptr<MemoryTransport> transport;
  std::vector<std::unique_ptr<TestConnection>> connections;
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Dial> dial;
  int num_outcomes = 0;
  Error failure{KITH_OK, ""};
};

struct Memory : testing::Test {
  // Nodes a and b, connected unless a test says otherwise.
  void make(Duration latency = milliseconds(10), MemoryConfig config = {}) {
    network.latency = latency;
    a = std::make_unique<TestNode>(loop, network, 1, config);
    b = std::make_unique<TestNode>(loop, network, 2, config);
    b->listener = b->transport->listen(at(0), b.get()).value();
  }
  void connect() {
    a->dial = a->transport->dial(b->listener->address(), {peer_id(2)}, a.get()).value();
    ASSERT_TRUE(loop.run_until([&] { return a->num_outcomes == 1; }));
    ASSERT_EQ(a->connections.size(), 1U);
    ASSERT_EQ(b->connections.size(), 1U);
  }
  // A handler that lives as long as the connections.
  TestStream& handler() { return *handlers.emplace_back(std::make_unique<TestStream>()); }
  Stream* open(TestStream& h) { return a->only().connection->open_stream(&h).value(); }
  bool idle() { return loop.run_until_idle(seconds(3600)); }
  Status write(Stream* s, std::string_view text) {
    return s->write(loop.buffers().copy(as_bytes(text)));
  }
  static void shutdown(runtime::SimLoop& loop, TestNode& node) {
    node.listener.reset();
    bool done = false;
    node.transport->shutdown([](void* d) { *static_cast<bool*>(d) = true; }, &done);
    EXPECT_FALSE(done);  // in a later turn
    EXPECT_TRUE(loop.run_until([&] { return done; }));
  }
  ~Memory() override {
    if (a) shutdown(loop, *a);
    if (b) shutdown(loop, *b);
  }
  runtime::SimLoop loop;
  MemoryNetwork network;
  std::vector<std::unique_ptr<TestStream>> handlers;
  std::unique_ptr<TestNode> a, b;
};

TEST_F(Memory, KnowsItsAddresses) {
  make();
  EXPECT_TRUE(a->transport->can_dial(at(5)));
  EXPECT_FALSE(a->transport->can_dial(at(0)));
  EXPECT_TRUE(a->transport->can_listen(at(0)));
  for (const char* other :
       {"/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/memory/5", "/memory/5/p2p-circuit"}) {
    const wire::Multiaddr address = wire::Multiaddr::parse(other).value();
    EXPECT_FALSE(a->transport->can_dial(address)) << other;
    EXPECT_FALSE(a->transport->can_listen(address)) << other;
  }
}

TEST_F(Memory, ListensOnFreePortsAndRefusesTakenOnes) {
  make();
  TestNode c(loop, network, 3);
  auto first = c.transport->listen(at(100), &c);
  EXPECT_EQ(first.value()->address(), at(100));
  EXPECT_EQ(c.transport->listen(at(100), &c).status(), KITH_ERR_ADDRESS_IN_USE);
  EXPECT_NE(c.transport->listen(at(0), &c).value()->address(), b->listener->address());
  std::move(first).value().reset();
  EXPECT_TRUE(c.transport->listen(at(100), &c).ok());
}

TEST_F(Memory, ADialTakesOneRoundTrip) {
  make(milliseconds(25));
  connect();
  EXPECT_EQ(loop.now(), milliseconds(50));
  EXPECT_EQ(a->only().connection->remote_peer(), peer_id(2));
  EXPECT_EQ(b->only().connection->remote_peer(), peer_id(1));
  EXPECT_EQ(a->only().connection->direction(), Direction::kOutbound);
  EXPECT_EQ(b->only().connection->direction(), Direction::kInbound);
  EXPECT_EQ(a->only().connection->remote_address(), b->listener->address());
  EXPECT_EQ(b->only().connection->local_address(), b->listener->address());
  EXPECT_TRUE(a->only().connection->is_open());
}

TEST_F(Memory, DialsFailWithWords) {
  make();
  auto nobody = a->transport->dial(at(77), {}, a.get()).value();
  EXPECT_TRUE(idle());
  EXPECT_EQ(a->failure.status(), KITH_ERR_CONNECTION_REFUSED);
  EXPECT_NE(a->failure.detail().find("/memory/77"), std::string_view::npos);
  auto other = a->transport->dial(b->listener->address(), {peer_id(9)}, a.get()).value();
  EXPECT_TRUE(idle());
  EXPECT_EQ(a->failure.status(), KITH_ERR_PEER_ID_MISMATCH);
  for (const uint8_t id : {uint8_t{2}, uint8_t{9}}) {
    EXPECT_NE(a->failure.detail().find(peer_id(id).to_string()), std::string_view::npos);
  }
  EXPECT_EQ(a->num_outcomes, 2);
  EXPECT_TRUE(b->connections.empty());
}

TEST_F(Memory, DestroyingADialCancelsIt) {
  make();
  a->dial = a->transport->dial(b->listener->address(), {}, a.get()).value();
  loop.run_for(milliseconds(19));
  a->dial.reset();
  EXPECT_TRUE(idle());
  EXPECT_EQ(a->num_outcomes, 0);
}

TEST_F(Memory, ADialMayBeCanceledByTheOtherEndsCallback) {
  make();
  struct Canceler final : ListenerHandler {
    void on_connection(Connection& c) override {
      c.set_handler(&handler);
      node->dial.reset();
    }
    void on_inbound_failed(const wire::Multiaddr&, const Error&) override {}
    TestConnection handler;
    TestNode* node;
  } canceler;
  canceler.node = a.get();
  b->listener = b->transport->listen(at(50), &canceler).value();
  a->dial = a->transport->dial(at(50), {}, a.get()).value();
  EXPECT_TRUE(idle());
  EXPECT_EQ(a->num_outcomes, 0);
  EXPECT_TRUE(canceler.handler.closed);
}

TEST_F(Memory, CarriesBytesBothWays) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  const TimePoint start = loop.now();
  ASSERT_TRUE(write(s, "hello ").ok());
  ASSERT_TRUE(write(s, "there").ok());
  ASSERT_TRUE(write(s, "").ok());  // nothing
  EXPECT_EQ(b->only().num_streams, 0U);
  ASSERT_TRUE(loop.run_until([&] { return b->only().inbound.received.size() == 11; }));
  EXPECT_EQ(loop.now() - start, milliseconds(10));
  EXPECT_EQ(b->only().num_streams, 1U);
  EXPECT_EQ(b->only().stream->id(), s->id());
  ASSERT_TRUE(write(b->only().stream, "yes").ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.received, "yes");
  EXPECT_EQ(b->only().inbound.log, "data(hello )data(there)");
}

TEST_F(Memory, AStreamIsSilentUntilItsFirstBytes) {
  make();
  connect();
  TestStream& near = handler();
  open(near);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().num_streams, 0U);
}

TEST_F(Memory, HalfClosesEachWayAndEndsOnce) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "x").ok());
  s->close_write();
  s->close_write();
  EXPECT_EQ(write(s, "y").status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(x)fin ");
  EXPECT_EQ(near.log, "");
  ASSERT_TRUE(write(b->only().stream, "z").ok());  // the other direction still works
  b->only().stream->close_write();
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.log, "data(z)fin closed ");
  EXPECT_EQ(b->only().inbound.log, "data(x)fin closed ");
  EXPECT_EQ(near.end.status(), KITH_OK);
}

TEST_F(Memory, ResetAndStopCarryTheirCodes) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "x").ok());
  EXPECT_TRUE(idle());
  s->reset(42);
  s->reset(43);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(x)reset42 ");
  s->stop_reading(UINT64_MAX);
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.log, "closed ");
  EXPECT_EQ(b->only().inbound.log,
            "data(x)reset42 stop" + std::to_string(kMaxErrorCode) + " closed ");
}

TEST_F(Memory, AResetOvertakesHeldAndUnreadData) {
  make();
  connect();
  b->only().inbound.take = [](Stream&, Bytes) { return size_t{0}; };
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "a").ok());
  ASSERT_TRUE(write(s, "b").ok());
  EXPECT_TRUE(idle());
  s->reset(5);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(a)reset5 ");
  // Nothing is held any more: these do nothing.
  b->only().stream->consume(1);
  b->only().stream->resume();
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(a)reset5 ");
}

TEST_F(Memory, WritingStopsAtTheWindowAndGoesOn) {
  make(milliseconds(10), {.stream_window_bytes = 1000, .max_inbound_streams = 256});
  connect();
  b->only().inbound.take = [](Stream&, Bytes) { return size_t{0}; };
  TestStream& near = handler();
  Stream* s = open(near);
  size_t written = 0;
  const std::string block(300, 'q');
  while (write(s, block).ok()) written += block.size();
  EXPECT_EQ(written, 1200U);  // what passes the window whole, and no more
  EXPECT_EQ(write(s, block).status(), KITH_ERR_WOULD_BLOCK);
  EXPECT_TRUE(idle());  // and nothing spins while the reader holds
  EXPECT_EQ(near.log, "");
  EXPECT_EQ(b->only().inbound.held.size(), 300U);
  b->only().inbound.take = nullptr;
  b->only().stream->resume();
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.log, "writable ");
  EXPECT_EQ(b->only().inbound.received.size(), 1200U);
}

TEST_F(Memory, HeldViewsStayValidWhileMoreArrives) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  b->only().inbound.take = [](Stream&, Bytes) { return size_t{2}; };
  ASSERT_TRUE(write(s, "abcdef").ok());
  EXPECT_TRUE(idle());
  const Bytes held = b->only().inbound.held;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(write(s, "more").ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(as_text(held), "cdef");
  b->only().inbound.take = nullptr;
  b->only().stream->consume(3);
  EXPECT_TRUE(idle());
  EXPECT_EQ(as_text(held.subspan(3)), "f");
  EXPECT_EQ(b->only().inbound.log, "data(abcdef)");
  b->only().stream->consume(1);  // the last one: the rest comes
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.received.size(), 2 + 50 * 4U);
}

TEST_F(Memory, ResumeDeliversTheRestAgain) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  size_t allowed = 2;
  b->only().inbound.take = [&](Stream&, Bytes data) { return std::min(allowed, data.size()); };
  ASSERT_TRUE(write(s, "abcdef").ok());
  s->close_write();
  EXPECT_TRUE(idle());
  b->only().stream->consume(1);
  allowed = 0;
  b->only().stream->resume();
  EXPECT_EQ(b->only().inbound.log, "data(abcdef)");  // in a later turn
  EXPECT_TRUE(idle());
  allowed = 100;
  b->only().stream->resume();
  b->only().stream->resume();
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(abcdef)data(def)data(def)fin ");
}

TEST_F(Memory, TheOtherDirectionGoesOnWhileAReaderHolds) {
  make(milliseconds(10), {.stream_window_bytes = 10, .max_inbound_streams = 256});
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  b->only().inbound.take = [](Stream&, Bytes) { return size_t{0}; };
  ASSERT_TRUE(write(s, "held").ok());
  ASSERT_TRUE(write(s, "queued").ok());
  EXPECT_TRUE(idle());
  int left = 100;
  b->only().inbound.writable = [&](Stream& far) {
    while (left > 0 && write(&far, "0123456789").ok()) --left;
  };
  b->only().inbound.writable(*b->only().stream);
  EXPECT_TRUE(idle());  // its credit is not stuck behind the held data
  EXPECT_EQ(near.received.size(), 1000U);
}

TEST_F(Memory, AHandlerThatHandsOverLeavesTheRest) {
  make();
  connect();
  TestStream& second = handler();
  b->only().inbound.take = [&](Stream& s, Bytes) {
    s.set_handler(&second);
    return size_t{3};
  };
  TestStream& near = handler();
  ASSERT_TRUE(write(open(near), "abcdef").ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.received, "abc");
  EXPECT_EQ(second.log, "data(def)");
}

TEST_F(Memory, ADetachedStreamIsSilent) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "x").ok());
  s->detach();
  s->detach();
  EXPECT_EQ(near.log, "detached ");
  s->close_write();
  EXPECT_TRUE(idle());
  ASSERT_TRUE(write(b->only().stream, "dropped").ok());
  b->only().stream->close_write();
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.log, "detached ");
  EXPECT_EQ(b->only().inbound.log, "data(x)fin closed ");
}

TEST_F(Memory, AStreamNobodyTakesIsAborted) {
  make();
  connect();
  b->only().accept = [](Stream&) {};
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "x").ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.log, "reset0 stop0 closed ");
}

TEST_F(Memory, HoldingTheEndBack) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  s->hold_fin(true);
  ASSERT_TRUE(write(s, "x").ok());
  s->close_write();
  EXPECT_EQ(write(s, "y").status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(s->write_before_end(loop.buffers().copy(as_bytes("z"))).ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(x)data(z)");
  s->hold_fin(false);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(x)data(z)fin ");
}

TEST_F(Memory, AResetIsNotTheEndThatWasHeldBack) {
  make();
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  s->hold_fin(true);
  ASSERT_TRUE(write(s, "x").ok());
  s->close_write();
  s->abort(9);
  s->hold_fin(false);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(x)reset9 stop9 closed ");
}

TEST_F(Memory, StreamsBeyondTheLimitWait) {
  make(milliseconds(10), {.stream_window_bytes = 1000, .max_inbound_streams = 2});
  connect();
  std::vector<Stream*> far;
  std::string received;
  b->only().accept = [&](Stream& s) {
    TestStream& h = handler();
    h.take = [&](Stream&, Bytes data) {
      received += as_text(data);
      return data.size();
    };
    s.set_handler(&h);
    far.push_back(&s);
  };
  TestStream* near[5];
  Stream* s[5];
  for (int i = 0; i < 5; ++i) {
    near[i] = &handler();
    s[i] = open(*near[i]);
    ASSERT_TRUE(write(s[i], std::to_string(i)).ok());
    if (i < 4) s[i]->close_write();
  }
  EXPECT_TRUE(idle());
  EXPECT_EQ(received, "01");
  // One that waits may end before it began; the peer never hears of it.
  s[3]->abort(0);
  EXPECT_TRUE(idle());
  EXPECT_TRUE(near[3]->closed);
  far[0]->close_write();
  EXPECT_TRUE(idle());
  EXPECT_TRUE(near[0]->closed);
  EXPECT_EQ(received, "012");
  far[1]->close_write();
  EXPECT_TRUE(idle());
  EXPECT_EQ(received, "0124");
  EXPECT_EQ(b->only().num_streams, 4U);
}

TEST_F(Memory, AWaitingStreamFeelsBackPressure) {
  make(milliseconds(10), {.stream_window_bytes = 10, .max_inbound_streams = 0});
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  EXPECT_TRUE(write(s, "0123456789").ok());
  EXPECT_EQ(write(s, "x").status(), KITH_ERR_WOULD_BLOCK);
  EXPECT_TRUE(idle());
  a->only().connection->close(0);
  EXPECT_TRUE(idle());
  EXPECT_TRUE(near.closed);
}

TEST_F(Memory, ClosingEndsStreamsThenTheConnectionOnBothSides) {
  make(milliseconds(10));
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "x").ok());
  EXPECT_TRUE(idle());
  const TimePoint start = loop.now();
  Connection* c = a->only().connection;
  c->close(7);
  c->close(8);
  EXPECT_FALSE(c->is_open());
  EXPECT_FALSE(near.closed);  // in a later turn
  EXPECT_EQ(c->open_stream(&near).status(), KITH_ERR_CLOSED);
  ASSERT_TRUE(loop.run_until([&] { return a->only().closed; }));
  EXPECT_EQ(loop.now(), start);
  EXPECT_TRUE(near.closed);
  EXPECT_EQ(near.end.status(), KITH_ERR_CLOSED);
  EXPECT_EQ(a->only().end.detail(), "closed here");
  EXPECT_TRUE(b->only().connection->is_open());  // the news is on its way
  ASSERT_TRUE(loop.run_until([&] { return b->only().closed; }));
  EXPECT_EQ(loop.now() - start, milliseconds(10));
  EXPECT_EQ(b->only().end.detail(), "closed by the peer with code 7");
  EXPECT_EQ(b->only().inbound.end.status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(idle());
}

TEST_F(Memory, AStreamThatIsOpenedOnADeadConnectionEndsWithIt) {
  make(milliseconds(10));
  connect();
  a->only().connection->close(0);
  ASSERT_TRUE(loop.run_until([&] { return a->only().closed; }));
  TestStream& late = handler();
  Stream* s = b->only().connection->open_stream(&late).value();
  ASSERT_TRUE(write(s, "into the void").ok());
  EXPECT_TRUE(idle());
  EXPECT_EQ(late.log, "closed ");
  EXPECT_EQ(late.end.status(), KITH_ERR_CLOSED);
}

TEST_F(Memory, DataWrittenBeforeTheCloseStillArrives) {
  make(milliseconds(10));
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  ASSERT_TRUE(write(s, "last words").ok());
  loop.run_for(milliseconds(3));
  a->only().connection->close(0);
  EXPECT_TRUE(idle());
  EXPECT_EQ(b->only().inbound.log, "data(last words)closed ");
}

TEST_F(Memory, ShutdownEndsDialsAndConnections) {
  make();
  connect();
  TestStream& near = handler();
  open(near);
  TestNode c(loop, network, 3);
  c.dial = c.transport->dial(b->listener->address(), {}, &c).value();
  shutdown(loop, c);
  EXPECT_EQ(c.failure.status(), KITH_ERR_CANCELED);
  EXPECT_EQ(c.transport->dial(b->listener->address(), {}, &c).status(), KITH_ERR_CLOSED);
  EXPECT_EQ(c.transport->listen(at(0), &c).status(), KITH_ERR_CLOSED);
  shutdown(loop, *a);
  EXPECT_TRUE(near.closed);
  EXPECT_TRUE(a->only().closed);
  a.reset();
  EXPECT_TRUE(idle());
  EXPECT_TRUE(b->only().closed);
}

TEST_F(Memory, ZeroLatencyKeepsTheOrderAndTheTurns) {
  make(0);
  connect();
  TestStream& near = handler();
  Stream* s = open(near);
  b->only().inbound.take = [&](Stream& far, Bytes data) {
    EXPECT_TRUE(write(&far, as_text(data)).ok());
    return data.size();
  };
  for (const char* word : {"a", "b", "c"}) ASSERT_TRUE(write(s, word).ok());
  EXPECT_EQ(near.log, "");  // never inside the call
  EXPECT_TRUE(idle());
  EXPECT_EQ(near.received, "abc");
  EXPECT_EQ(loop.now(), 0);
}

}  // namespace
}  // namespace kith::transport::memory
