// What every transport does, seen from a host: the behaviors that applications rely on, the same everywhere.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/asan.h"
#include "tests/conformance/transports.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr std::string_view kRawId = "/kith-test/raw/1";

// A stream handler whose events the test scripts and counts.
struct Script final : swarm::ProtocolStream {
  std::function<size_t(transport::Stream&, Bytes)> data = [](transport::Stream&, Bytes d) {
    return d.size();
  };
  std::function<void(transport::Stream&)> open = [](transport::Stream&) {};
  std::function<void(transport::Stream&)> read_closed = [](transport::Stream&) {};
  std::function<void(transport::Stream&)> writable = [](transport::Stream&) {};
  transport::Stream* stream = nullptr;
  uint64_t received = 0;
  int num_read_closed = 0;
  int num_closed = 0;
  std::optional<uint64_t> reset_code, stop_code;
  Error end{KITH_OK, ""};

  void on_open(transport::Stream& s, std::string_view) override { open(s); }
  size_t on_data(transport::Stream& s, Bytes d) override {
    EXPECT_EQ(num_closed, 0);
    const size_t n = data(s, d);
    received += n;
    return n;
  }
  void on_read_closed(transport::Stream& s) override {
    ++num_read_closed;
    read_closed(s);
  }
  void on_reset(transport::Stream&, uint64_t code) override { reset_code = code; }
  void on_stop(transport::Stream&, uint64_t code) override { stop_code = code; }
  void on_writable(transport::Stream& s) override { writable(s); }
  void on_closed(transport::Stream&, const Error& e) override {
    ++num_closed;
    end = e;
    stream = nullptr;
  }
};

class Conformance : public testing::TestWithParam<TransportKind>,
                    public swarm::ConnectHandler,
                    public swarm::ProtocolHandler {
 protected:
  void SetUp() override {
    place_ = GetParam().make();
    server_ = place_->make_host({}, /*listens=*/true).value();
    client_ = place_->make_host({}, /*listens=*/false).value();
    ASSERT_TRUE(server_->swarm().protocols().add(kEchoId, &echo_).ok());
    ASSERT_TRUE(server_->swarm().protocols().add(kRawId, this).ok());
    connect();
  }
  void TearDown() override {
    stop(std::move(client_));
    stop(std::move(server_));
  }
  void connect() {
    connection_ = nullptr;
    connect_ = client_->swarm().connect({}, server_->addresses(), this).value();
    ASSERT_TRUE(place_->run_until([&] { return connection_ != nullptr; }));
  }
  void stop(std::unique_ptr<host::Host> host) {
    if (!host) return;
    bool done = false;
    ASSERT_TRUE(host->stop([](void* flag) { *static_cast<bool*>(flag) = true; }, &done).ok());
    ASSERT_TRUE(place_->run_until([&] { return done; }));
  }
  void on_connect(swarm::PeerConnection& c) override { connection_ = &c; }
  void on_connect_failed(const Error& e) override { ADD_FAILURE() << e.to_string(); }
  // The server's end of a raw stream is `far_`.
  void on_stream(swarm::PeerConnection&, transport::Stream& stream, std::string_view) override {
    stream.set_handler(&far_);
    far_.stream = &stream;
  }
  // Opens a raw stream and waits until both ends have it.
  void open_raw() {
    near_.stream = connection_->open_stream(std::span(&kRawId, 1), &near_).value();
    ASSERT_TRUE(place_->run_until([&] { return far_.stream != nullptr; }));
    place_->settle();
  }
  std::string echo(uint64_t size, uint32_t seed = 1) {
    EchoClient client(size, seed);
    if (Status s = client.open(*connection_); !s.ok()) return s.error().to_string();
    place_->run_until([&] { return client.done(); });
    return client.failure();
  }
  static Buffer text(std::string_view s) { return Buffer::take(to_vector(as_bytes(s))); }

  std::unique_ptr<Place> place_;
  EchoServer echo_;
  Script near_, far_;
  std::unique_ptr<swarm::Connect> connect_;
  swarm::PeerConnection* connection_ = nullptr;
  std::unique_ptr<host::Host> server_, client_;
};

TEST_P(Conformance, EchoesAnySize) {
  for (const uint64_t size : {0ULL, 1ULL, 1000ULL, 65'536ULL}) EXPECT_EQ(echo(size), "") << size;
}

TEST_P(Conformance, CarriesABigTransferByteByByte) {
  EXPECT_EQ(echo((kHasAsan ? 8 : 32) * kMiB), "");
}

TEST_P(Conformance, TenThousandStreamsOneAfterTheOther) {
  for (uint32_t i = 0; i < (kHasAsan ? 2000 : 10'000); ++i) {
    ASSERT_EQ(echo(100, i + 1), "") << i;
  }
}

TEST_P(Conformance, TwoHundredStreamsAtOnce) {
  std::vector<std::unique_ptr<EchoClient>> clients;
  for (uint32_t i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<EchoClient>(10'000, i + 1));
    ASSERT_TRUE(clients.back()->open(*connection_).ok());
  }
  ASSERT_TRUE(place_->run_until([&] {
    return std::all_of(clients.begin(), clients.end(), [](auto& c) { return c->done(); });
  }));
  for (auto& c : clients) EXPECT_EQ(c->failure(), "");
}

TEST_P(Conformance, EachSideClosesByItself) {
  open_raw();
  ASSERT_TRUE(near_.stream->write(text("to the server")).ok());
  near_.stream->close_write();
  ASSERT_TRUE(place_->run_until([&] { return far_.num_read_closed == 1; }));
  EXPECT_EQ(far_.received, 13U);
  EXPECT_EQ(near_.stream->write(text("more")).status(), KITH_ERR_CLOSED);
  ASSERT_TRUE(far_.stream->write(text("and back, after the other side has closed")).ok());
  far_.stream->close_write();
  ASSERT_TRUE(place_->run_until([&] { return near_.num_closed == 1 && far_.num_closed == 1; }));
  EXPECT_EQ(near_.received, 41U);
  EXPECT_EQ(near_.end.status(), KITH_OK);
  EXPECT_EQ(far_.end.status(), KITH_OK);
}

TEST_P(Conformance, TheCodesOfResetAndStopArrive) {
  open_raw();
  near_.stream->reset(77);
  ASSERT_TRUE(place_->run_until([&] { return far_.reset_code.has_value(); }));
  EXPECT_EQ(far_.reset_code, GetParam().on_the_wire(77));
  if (!GetParam().has_halves) {
    EXPECT_EQ(far_.stop_code, GetParam().on_the_wire(77));
    ASSERT_TRUE(place_->run_until([&] { return near_.num_closed == 1 && far_.num_closed == 1; }));
    if (!GetParam().tells_stop) return;
    near_ = Script();
    far_ = Script();
    open_raw();
    near_.stream->close_write();
  }
  near_.stream->stop_reading(88);
  ASSERT_TRUE(place_->run_until([&] { return far_.stop_code.has_value(); }));
  EXPECT_EQ(far_.stop_code, 88U);
  ASSERT_TRUE(place_->run_until([&] { return near_.num_closed == 1 && far_.num_closed == 1; }));
  EXPECT_EQ(echo(1000), "");
}

TEST_P(Conformance, AReaderThatStopsStopsTheWriterAndResumes) {
  constexpr uint64_t kTotal = 64 * kMiB;
  open_raw();
  far_.data = [](transport::Stream&, Bytes) { return size_t{0}; };
  const Buffer chunk = Buffer::take(ByteVector(64 * 1024, 7));
  uint64_t written = 0;
  const auto pump = [&](transport::Stream& s) {
    while (written < kTotal && s.write(chunk).ok()) written += chunk.size();
    if (written == kTotal) s.close_write();
  };
  near_.writable = pump;
  pump(*near_.stream);
  if (!GetParam().has_flow_control) {  // bounded memory all the same
    ASSERT_TRUE(place_->run_until([&] { return near_.num_closed == 1 && far_.num_closed == 1; }));
    EXPECT_TRUE(far_.reset_code.has_value());
    EXPECT_EQ(echo(1000), "");
    return;
  }
  place_->settle();
  EXPECT_LT(written, 24 * kMiB);  // windows and budget, not the whole
  EXPECT_EQ(far_.num_read_closed, 0);
  far_.data = [](transport::Stream&, Bytes d) { return d.size(); };
  far_.stream->resume();
  ASSERT_TRUE(place_->run_until([&] { return far_.num_read_closed == 1; }));
  EXPECT_EQ(far_.received, kTotal);
  near_.stream->stop_reading(0);
  far_.stream->reset(0);
}

TEST_P(Conformance, ALargeWriteMakesRoomBeforeAllOfItHasArrived) {
  // The memory transport gives room back for whole writes only.
  if (!GetParam().has_flow_control || std::string_view(GetParam().name) == "memory") return;
  open_raw();
  far_.data = [](transport::Stream&, Bytes) { return size_t{0}; };
  int num_writable = 0;
  near_.writable = [&](transport::Stream&) { ++num_writable; };
  // More than the reader's first window, which is all that arrives.
  ASSERT_TRUE(near_.stream->write(Buffer::take(ByteVector(320 * 1024, 7))).ok());
  EXPECT_EQ(near_.stream->write(text("more")).status(), KITH_ERR_WOULD_BLOCK);
  EXPECT_TRUE(place_->run_until([&] { return num_writable == 1; }));
  near_.stream->abort(0);
}

TEST_P(Conformance, HeldBytesStayWhereTheyAreUntilTheyAreConsumed) {
  open_raw();
  Bytes held;
  far_.data = [&](transport::Stream&, Bytes d) {
    held = d;
    return size_t{3};
  };
  ASSERT_TRUE(near_.stream->write(text("abcdefghij")).ok());
  ASSERT_TRUE(place_->run_until([&] { return !held.empty(); }));
  ASSERT_TRUE(near_.stream->write(text("klm")).ok());
  place_->settle();
  EXPECT_EQ(as_text(held), "abcdefghij");  // nothing has moved or overwritten it
  std::string rest;
  far_.data = [&](transport::Stream&, Bytes d) {
    rest += as_text(d);
    return d.size();
  };
  far_.stream->consume(2);
  place_->settle();
  EXPECT_EQ(rest, "");
  far_.stream->resume();
  ASSERT_TRUE(place_->run_until([&] { return rest.size() == 8; }));
  EXPECT_EQ(rest, "fghijklm");
  near_.stream->abort(0);
}

TEST_P(Conformance, AnUnsupportedProtocolIsRefusedAndNothingElse) {
  EchoClient client(10, 1);
  ASSERT_TRUE(client.open(*connection_, kUnknownId).ok());
  ASSERT_TRUE(place_->run_until([&] { return client.done(); }));
  EXPECT_EQ(client.end().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << client.end().to_string();
  EXPECT_EQ(echo(1000), "");
}

TEST_P(Conformance, OneConnectionServesAllDialsOfAPeer) {
  swarm::PeerConnection* first = connection_;
  connect();
  EXPECT_EQ(connection_, first);
  EXPECT_EQ(client_->swarm().connections().size(), 1U);
}

TEST_P(Conformance, ClosingTheConnectionEndsItsStreamsOnce) {
  open_raw();
  connection_->close();
  ASSERT_TRUE(place_->run_until([&] {
    return near_.num_closed == 1 && far_.num_closed == 1 &&
           client_->swarm().connections().empty() && server_->swarm().connections().empty();
  }));
  EXPECT_EQ(near_.end.status(), KITH_ERR_CLOSED) << near_.end.to_string();
  EXPECT_EQ(far_.end.status(), KITH_ERR_CLOSED) << far_.end.to_string();
  connect();
  EXPECT_EQ(echo(1000), "");
}

TEST_P(Conformance, TheConnectionMayBeClosedFromInsideAnyCallback) {
  for (int where = 0; where < 3; ++where) {
    SCOPED_TRACE(where);
    near_ = Script();
    far_ = Script();
    far_.data = [](transport::Stream& s, Bytes d) {
      EXPECT_TRUE(s.write(text("answer")).ok());
      return d.size();
    };
    far_.read_closed = [](transport::Stream& s) { s.close_write(); };
    if (where == 0) near_.open = [&](transport::Stream&) { connection_->close(); };
    if (where == 1)
      near_.data = [&](transport::Stream&, Bytes d) {
        connection_->close();
        return d.size();
      };
    if (where == 2) near_.read_closed = [&](transport::Stream&) { connection_->close(); };
    near_.stream = connection_->open_stream(std::span(&kRawId, 1), &near_).value();
    ASSERT_TRUE(near_.stream->write(text("question")).ok());
    near_.stream->close_write();
    ASSERT_TRUE(place_->run_until([&] {
      return near_.num_closed == 1 && client_->swarm().connections().empty() &&
             server_->swarm().connections().empty();
    }));
    connect();
  }
  EXPECT_EQ(echo(1000), "");
}

TEST_P(Conformance, AStreamOpenedWhileTheConnectionClosesEndsOnce) {
  connection_->close();
  Result<transport::Stream*> stream = connection_->open_stream(std::span(&kRawId, 1), &near_);
  if (stream.ok()) {
    ASSERT_TRUE(place_->run_until([&] { return near_.num_closed == 1; }));
  } else {
    EXPECT_EQ(stream.status(), KITH_ERR_CLOSED);
  }
  place_->settle();
  EXPECT_EQ(near_.num_closed, stream.ok() ? 1 : 0);
}

TEST_P(Conformance, StoppingANodeEndsEverythingAtItsPeerToo) {
  open_raw();
  stop(std::move(server_));
  ASSERT_TRUE(place_->run_until(
      [&] { return near_.num_closed == 1 && client_->swarm().connections().empty(); }));
  EXPECT_NE(near_.end.status(), KITH_OK);
}

TEST_P(Conformance, StoppingANodeWhileItDialsDeliversNothing) {
  auto other = place_->make_host({}, /*listens=*/false).value();
  struct Never final : swarm::ConnectHandler {
    void on_connect(swarm::PeerConnection&) override { ADD_FAILURE() << "connected"; }
    void on_connect_failed(const Error& e) override { failed = e.status(); }
    kith_status failed = KITH_OK;
  } never;
  auto dial = other->swarm().connect({}, server_->addresses(), &never).value();
  stop(std::move(other));
  EXPECT_EQ(never.failed, KITH_ERR_CANCELED);
}

TEST_P(Conformance, PingAndIdentifyWork) {
  ASSERT_TRUE(place_->run_until([&] { return connection_->identified().has_value(); }));
  EXPECT_EQ(connection_->identified()->agent_version, "kith/" KITH_VERSION);
  struct Pings final : service::PingHandler {
    int count = 0;
    bool ended = false;
    void on_round_trip(Duration) override { ++count; }
    void on_ping_end(const Error& e) override {
      EXPECT_EQ(e.status(), KITH_OK) << e.to_string();
      ended = true;
    }
  } pings;
  service::PingOptions options;
  options.count = 5;
  auto session = client_->ping().start(*connection_, options, &pings).value();
  ASSERT_TRUE(place_->run_until([&] { return pings.ended; }));
  EXPECT_EQ(pings.count, 5);
}

INSTANTIATE_TEST_SUITE_P(Transports, Conformance, testing::ValuesIn(kTransports), name_of);

// QUIC alone.

TEST(QuicPorts, DialsFromTheListeningPort) {
  auto a = TestNode::create();
  auto b = TestNode::create({}, {"/ip4/127.0.0.1/udp/0/quic-v1"}, &a->runtime());
  ASSERT_TRUE(a->connect(b->address())) << a->failure;
  ASSERT_TRUE(a->run_until([&] { return b->num_connected == 1; }));
  EXPECT_EQ((*b->host().swarm().connections().begin())->remote_address(),
            a->host().swarm().listen_addresses()[0]);
}

TEST(QuicPorts, OnePortServesBothFamilies) {
  auto a = TestNode::create();
  const std::string port =
      a->host().swarm().listen_addresses()[0].find(wire::proto::kUdp)->value_text();
  ASSERT_TRUE(a->host()
                  .swarm()
                  .listen(wire::Multiaddr::parse("/ip6/::1/udp/" + port + "/quic-v1").value())
                  .ok());
  auto b = TestNode::create({}, {}, &a->runtime());
  const std::string id = a->host().id().to_string();
  swarm::PeerConnection* c = b->connect("/ip6/::1/udp/" + port + "/quic-v1/p2p/" + id);
  ASSERT_TRUE(c) << b->failure;
  EXPECT_EQ(b->echo(*c, 1000), "");
  c->close();
  ASSERT_TRUE(b->run_until([&] { return b->host().swarm().connections().empty(); }));
  c = b->connect("/ip4/127.0.0.1/udp/" + port + "/quic-v1/p2p/" + id);
  ASSERT_TRUE(c) << b->failure;
  EXPECT_EQ(b->echo(*c, 1000), "");
}

TEST(QuicPorts, APortInUseIsAClearError) {
  auto a = TestNode::create();
  const wire::Multiaddr taken = a->host().swarm().listen_addresses()[0];
  auto elsewhere =
      TestNode::create({}, {});  // another runtime: the kernel alone would let both have the port
  const auto s = elsewhere->host().swarm().listen(taken);
  EXPECT_EQ(s.status(), KITH_ERR_ADDRESS_IN_USE) << s.error().to_string();
}

TEST(QuicPorts, ANodeRestartsOnItsPort) {
  auto a = TestNode::create();
  const std::string address = a->host().swarm().listen_addresses()[0].to_string();
  a.reset();
  auto b = TestNode::create({}, {address});
  ASSERT_TRUE(b);
  EXPECT_EQ(b->host().swarm().listen_addresses()[0].to_string(), address);
}

}  // namespace
}  // namespace kith::test
