// The connection part of kith/host.h: references, identify, ping, perf.
#include "kith/host.h"
#include "tests/capi/node.h"

namespace kith_test {
namespace {

class ConnectionH : public Pair {
 protected:
  void SetUp() override {
    Pair::SetUp();
    connect();
  }
  kith_status ping(Outcome& o, uint32_t count, int64_t interval_ms, int32_t new_stream) {
    const kith_ping_handler h = o.ping_handler();
    const kith_status status =
        kith_connection_ping(client.connection, count, interval_ms, new_stream, &h);
    o.attached = status == KITH_OK;
    return status;
  }
  kith_status perf(Outcome& o, uint64_t upload, uint64_t download) {
    const kith_perf_handler h = o.perf_handler();
    const kith_status status = kith_connection_perf(client.connection, upload, download, &h);
    o.attached = status == KITH_OK;
    return status;
  }
};

TEST_F(ConnectionH, KnowsBothEnds) {
  kith_connection* dialed = client.connection;
  kith_connection* accepted = server.connection;
  EXPECT_STREQ(kith_host_peer_id(server.host), kith_connection_peer_id(dialed));
  EXPECT_STREQ(kith_host_peer_id(client.host), kith_connection_peer_id(accepted));
  EXPECT_STREQ(kith_connection_remote_address(dialed), kith_connection_local_address(accepted));
  EXPECT_STREQ(kith_connection_local_address(dialed), kith_connection_remote_address(accepted));
  EXPECT_EQ(0, kith_connection_is_inbound(dialed));
  EXPECT_EQ(1, kith_connection_is_inbound(accepted));
}

TEST_F(ConnectionH, ReferencesOutliveTheConnection) {
  kith_connection* c = kith_connection_ref(client.connection);
  EXPECT_EQ(c, client.connection);
  EXPECT_EQ(KITH_OK, kith_connection_close(c));
  EXPECT_EQ(0, client.disconnected);
  ASSERT_TRUE(loop.until([&] { return client.disconnected == 1 && server.disconnected == 1; }));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_close(c));
  StreamLog log;
  kith_stream* out = nullptr;
  const kith_stream_handler h = log.handler();
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_open_stream(c, &out, &kEcho, 1, &h));
  kith_identify id{};
  id.struct_size = sizeof id;
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_identify(c, &id));
  Outcome& o = outcome();
  EXPECT_EQ(KITH_ERR_CLOSED, ping(o, 1, 0, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, perf(o, 1, 1));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_stop_perf(c));
  EXPECT_EQ(0, o.destroyed + log.destroyed);
  EXPECT_STREQ(kith_host_peer_id(server.host), kith_connection_peer_id(c));
  kith_connection_unref(c);
}

TEST_F(ConnectionH, IdentifySaysWhatThePeerIs) {
  ASSERT_TRUE(loop.until([&] { return client.identified == 1 && server.identified == 1; }));
  kith_identify id{};
  id.struct_size = sizeof id;
  ASSERT_EQ(KITH_OK, kith_connection_identify(client.connection, &id));
  EXPECT_EQ(std::string("kith/") + kith_version(), id.agent);
  EXPECT_STREQ("ipfs/0.1.0", id.protocol_version);
  EXPECT_STREQ(kith_connection_local_address(client.connection), id.observed_address);
  ASSERT_EQ(1u, id.num_listen_addrs);
  EXPECT_EQ(0u, server.address().find(id.listen_addrs[0])) << id.listen_addrs[0];
  const std::vector<std::string> protocols(id.protocols, id.protocols + id.num_protocols);
  for (const char* want : {kEcho, kManual, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0"}) {
    EXPECT_EQ(1, std::count(protocols.begin(), protocols.end(), want)) << want;
  }
  // Twice gives the same texts; an older program's struct is filled as far as it goes.
  kith_identify older{};
  older.struct_size = offsetof(kith_identify, protocol_version);
  ASSERT_EQ(KITH_OK, kith_connection_identify(client.connection, &older));
  EXPECT_EQ(id.agent, older.agent);
  EXPECT_EQ(nullptr, older.protocol_version);
  EXPECT_EQ(offsetof(kith_identify, protocol_version), older.struct_size);
  for (const size_t bad : {size_t{0}, sizeof id + 1, SIZE_MAX}) {
    id.struct_size = bad;
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_connection_identify(client.connection, &id));
  }
}

TEST_F(ConnectionH, IdentifyWouldBlockBeforeItsEvent) {
  EXPECT_EQ(KITH_ERR_WOULD_BLOCK, client.identify_when_connected);
  EXPECT_EQ(KITH_ERR_WOULD_BLOCK, server.identify_when_connected);
}

TEST_F(ConnectionH, PingsOnOneStreamOrOnMany) {
  for (const int32_t new_stream : {0, 1}) {
    Outcome& o = outcome();
    ASSERT_EQ(KITH_OK, ping(o, 5, 1, new_stream));
    ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
    EXPECT_EQ(5, o.round_trips);
    EXPECT_EQ(1, o.ok) << o.error.message;
  }
}

TEST_F(ConnectionH, RefusesPingsOutOfRange) {
  Outcome& o = outcome();
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, ping(o, 0, 1, 0));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, ping(o, 1, -1, 0));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, ping(o, 1, INT64_MAX, 0));
}

TEST_F(ConnectionH, AWaitingPingEndsWithTheConnection) {
  Outcome& o = outcome();
  ASSERT_EQ(KITH_OK, ping(o, UINT32_MAX, int64_t{1} << 40, 0));
  ASSERT_TRUE(loop.until([&] { return o.round_trips == 1; }));
  ASSERT_EQ(KITH_OK, kith_connection_close(server.connection));
  ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
  EXPECT_EQ(KITH_ERR_CLOSED, o.error.status) << o.error.message;
}

TEST_F(ConnectionH, PingAndPerfOfAPeerThatServesNeitherFail) {
  // The client serves perf, but no ping.
  Node third;
  kith_host_config c = third.config();
  c.serve_ping = 0;
  c.listen_addrs = &kAnyPort;
  c.num_listen_addrs = 1;
  third.open(loop.runtime, c);
  const std::string address = third.address();
  const char* a = address.c_str();
  Outcome& dialed = outcome();
  const kith_connect_handler h = dialed.connect_handler();
  ASSERT_EQ(KITH_OK, kith_host_connect(client.host, &a, 1, &h, nullptr));
  dialed.attached = true;
  ASSERT_TRUE(loop.until([&] { return dialed.is_over(); }));
  Outcome& p = outcome();
  ASSERT_EQ(KITH_OK, ping(p, 1, 0, 0));
  Outcome& q = outcome();
  ASSERT_EQ(KITH_OK, perf(q, 10, 10));
  ASSERT_TRUE(loop.until([&] { return p.is_over() && q.is_over(); }));
  EXPECT_EQ(KITH_ERR_PROTOCOL_NOT_SUPPORTED, p.error.status) << p.error.message;
  EXPECT_EQ(KITH_ERR_PROTOCOL_NOT_SUPPORTED, q.error.status) << q.error.message;
  kith_connection_unref(std::exchange(third.connection, nullptr));
  third.close();
  ASSERT_TRUE(loop.until([&] { return third.closed == 1; }));
}

TEST_F(ConnectionH, PerfMovesWhatWasAskedFor) {
  const std::pair<uint64_t, uint64_t> sizes[] = {{0, 0}, {1, 0}, {0, 1}, {300'000, 2'000'000}};
  for (const auto& [upload, download] : sizes) {
    Outcome& o = outcome();
    ASSERT_EQ(KITH_OK, perf(o, upload, download));
    ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
    EXPECT_EQ(1, o.ok) << o.error.message;
    EXPECT_EQ(upload, o.result.uploaded);
    EXPECT_EQ(download, o.result.downloaded);
    EXPECT_LE(0, o.result.upload_ns);
    EXPECT_LE(0, o.result.download_ns);
  }
}

TEST_F(ConnectionH, APerfThatIsStoppedSaysWhatItMoved) {
  EXPECT_EQ(KITH_OK, kith_connection_stop_perf(client.connection)) << "there is none: harmless";
  for (const bool upload : {true, false}) {
    Outcome& o = outcome();
    ASSERT_EQ(KITH_OK, perf(o, upload ? UINT64_MAX : 0, upload ? 0 : UINT64_MAX));
    ASSERT_TRUE(loop.until([&] { return o.progress == 1; }));
    ASSERT_EQ(KITH_OK, kith_connection_stop_perf(client.connection));
    EXPECT_FALSE(o.is_over()) << "in a later turn";
    ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
    EXPECT_EQ(1, o.ok) << o.error.message;
    EXPECT_EQ(upload, o.result.uploaded != 0);
    EXPECT_EQ(!upload, o.result.downloaded != 0);
  }
  // The connection goes on, and its next measurement is its own.
  Outcome& o = outcome();
  ASSERT_EQ(KITH_OK, perf(o, 1000, 2000));
  ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
  EXPECT_EQ(2000u, o.result.downloaded) << o.error.message;
}

TEST_F(ConnectionH, APerfWithoutEndEndsWithTheConnection) {
  Outcome& o = outcome();
  ASSERT_EQ(KITH_OK, perf(o, UINT64_MAX, UINT64_MAX));
  for (int i = 0; i < 5; ++i) loop.step(1);
  ASSERT_EQ(KITH_OK, kith_connection_close(client.connection));
  ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
  EXPECT_EQ(1, o.failed);
}

TEST_F(ConnectionH, CallbacksMayCloseTheirConnectionOrHost) {
  for (const bool host : {false, true}) {
    static Pair* self;
    self = this;
    static bool whole_host;
    whole_host = host;
    Outcome& o = outcome();
    kith_ping_handler h = o.ping_handler();
    h.on_round_trip = [](void* user, int64_t) {
      Node& n = self->client;
      ++Outcome::of(user).round_trips;
      if (whole_host) return n.close();
      EXPECT_EQ(KITH_OK, kith_connection_close(n.connection));
    };
    ASSERT_EQ(KITH_OK, kith_connection_ping(client.connection, 3, 0, 0, &h));
    o.attached = true;
    ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
    EXPECT_EQ(1, o.failed);
    EXPECT_EQ(1, o.round_trips);
    if (!host) {
      ASSERT_TRUE(loop.until([&] { return client.disconnected == 1; }));
      connect();
    }
  }
  EXPECT_TRUE(loop.until([&] { return client.closed == 1; }));
}

}  // namespace
}  // namespace kith_test
