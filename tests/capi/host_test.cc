// The host part of kith/host.h: life, listening, protocols, connecting.
#include "kith/host.h"

#include <cstddef>
#include <cstring>

#include "tests/capi/node.h"
#include "tests/support/web_pem.h"

namespace kith_test {
namespace {

class HostH : public testing::Test {
 protected:
  kith_status make(const kith_host_config& c, kith_error* error = nullptr) {
    return kith_host_new(loop.runtime, &made, &c, error);
  }
  Node node;
  kith_host* made = nullptr;
  Loop loop;
};

TEST_F(HostH, HasTheIdentityThatItWasGiven) {
  kith_key* key = nullptr;
  ASSERT_EQ(KITH_OK, kith_key_generate(&key, KITH_KEY_SECP256K1, 0));
  char id[KITH_PEER_ID_TEXT_MAX];
  ASSERT_EQ(KITH_OK, kith_key_peer_id(key, id));
  kith_host_config c = node.config();
  c.key = key;
  node.open(loop.runtime, c);
  kith_key_free(key);
  EXPECT_STREQ(id, kith_host_peer_id(node.host));
  EXPECT_EQ(0u, kith_host_num_addresses(node.host));
  EXPECT_EQ(nullptr, kith_host_address(node.host, 0));
  ASSERT_EQ(KITH_OK, kith_host_listen(node.host, kAnyPort, nullptr));
  ASSERT_EQ(KITH_OK, kith_host_listen(node.host, kAnyPort, nullptr));
  ASSERT_EQ(2u, kith_host_num_addresses(node.host));
  const std::string address = kith_host_address(node.host, 1);
  EXPECT_NE(std::string::npos, address.find(std::string("/p2p/") + id)) << address;
  EXPECT_EQ(std::string::npos, address.find("/udp/0/")) << address;
  EXPECT_EQ(nullptr, kith_host_address(node.host, 2));
  EXPECT_LT(0, node.logged);
}

TEST_F(HostH, RefusesBadConfigurationsWithASentence) {
  const char* bad_addrs[] = {"/ip4/1.2.3", nullptr, "/ip4/127.0.0.1/tcp/0/tls/ws", "/p2p-circuit"};
  for (const char*& address : bad_addrs) {
    kith_host_config c = node.config();
    c.listen_addrs = &address;
    c.num_listen_addrs = 1;
    kith_error error{};
    EXPECT_NE(KITH_OK, make(c, &error));
    EXPECT_STRNE("", error.message);
  }
  const std::string huge(100'000, 'a');
  const std::vector<void (*)(kith_host_config&)> changes = {
      [](kith_host_config& c) { c.num_listen_addrs = 3; },
      [](kith_host_config& c) { c.idle_timeout_ms = 0; },
      [](kith_host_config& c) { c.idle_timeout_ms = -1; },
      [](kith_host_config& c) { c.idle_timeout_ms = INT64_MAX; },
      [](kith_host_config& c) { c.keep_alive_ms = -1; },
      [](kith_host_config& c) { c.keep_alive_ms = INT64_MAX; },
      [](kith_host_config& c) { c.wss_certificate_chain = kith::test::kWebCertificatePem; },
      [](kith_host_config& c) { c.wss_private_key = kith::test::kWebKeyPem; },
      [](kith_host_config& c) { c.wss_certificate_chain = c.wss_private_key = "no PEM"; },
      [](kith_host_config& c) { c.struct_size = 0; },
      [](kith_host_config& c) { ++c.struct_size; },
      [](kith_host_config& c) { c.struct_size = SIZE_MAX; }};
  for (size_t i = 0; i < changes.size(); ++i) {
    kith_host_config c = node.config();
    changes[i](c);
    kith_error error{};
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, make(c, &error)) << i;
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, error.status) << i;
    EXPECT_STRNE("", error.message) << i;
  }
  kith_host_config c = node.config();
  c.agent = huge.c_str();
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, make(c));
  EXPECT_EQ(nullptr, made);
}

TEST_F(HostH, ListensOnWebSocketInTlsWithACertificate) {
  kith_host_config c = node.config();
  c.wss_certificate_chain = kith::test::kWebCertificatePem;
  c.wss_private_key = kith::test::kWebKeyPem;
  node.open(loop.runtime, c);
  ASSERT_EQ(KITH_OK, kith_host_listen(node.host, "/ip4/127.0.0.1/tcp/0/wss", nullptr));
  ASSERT_EQ(1u, kith_host_num_addresses(node.host));
  const std::string address = kith_host_address(node.host, 0);
  EXPECT_NE(std::string::npos, address.find("/tls/ws/p2p/")) << address;
}

TEST_F(HostH, AnOlderProgramsConfigurationGetsTheDefaults) {
  kith_host_config c = node.config();
  c.struct_size = offsetof(kith_host_config, serve_ping);
  c.idle_timeout_ms = -1;  // behind its end: must not be read
  node.open(loop.runtime, c);
}

TEST_F(HostH, AnOlderProgramsSmallerStructsAreNeitherWrittenNorReadPastTheirEnd) {
  kith_host_config c;
  std::memset(&c, 0xaa, sizeof c);
  const kith_host_config untouched = c;
  constexpr size_t kSize = offsetof(kith_host_config, serve_perf);
  kith_host_config_init(&c, kSize);
  EXPECT_EQ(kSize, c.struct_size);
  EXPECT_EQ(1, c.serve_ping);
  EXPECT_EQ(0, std::memcmp(&c.serve_perf, &untouched.serve_perf, sizeof c - kSize));
  kith_host_handler h;
  std::memset(&h, 0xaa, sizeof h);
  h.struct_size = offsetof(kith_host_handler, on_identified);
  h.user = &node;
  h.on_connected = nullptr;
  c.handler = &h;
  kith_error error{};
  ASSERT_EQ(KITH_OK, make(c, &error)) << error.message;
  // A newer program's fields are not dropped in silence.
  kith_host_config_init(&c, sizeof c + 1);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, make(c, &error));
}

TEST_F(HostH, AnAddressThatFailsIsNamed) {
  node.open(loop.runtime, true);
  const std::string address = node.address();
  const std::string taken = address.substr(0, address.find("/p2p/"));
  const char* addrs[] = {kAnyPort, taken.c_str()};
  kith_host_config c;
  kith_host_config_init(&c, sizeof c);
  c.listen_addrs = addrs;
  c.num_listen_addrs = 2;
  kith_error error{};
  EXPECT_EQ(KITH_ERR_ADDRESS_IN_USE, make(c, &error));
  EXPECT_NE(std::string::npos, std::string(error.message).find(taken)) << error.message;
  EXPECT_EQ(KITH_ERR_ADDRESS_IN_USE, kith_host_listen(node.host, taken.c_str(), &error));
  EXPECT_EQ(KITH_ERR_NOT_SUPPORTED,
            kith_host_listen(node.host, "/ip4/127.0.0.1/tcp/0/tls", &error));
  EXPECT_EQ(KITH_ERR_MALFORMED, kith_host_listen(node.host, "nonsense", &error));
}

TEST_F(HostH, ClosesInALaterTurnAndAnswersUntilThen) {
  node.open(loop.runtime, true);
  kith_host* h = node.host;
  node.close();
  EXPECT_EQ(0, node.closed);
  EXPECT_EQ(KITH_ERR_CLOSED, kith_host_close(h, nullptr, nullptr));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_host_listen(h, kAnyPort, nullptr));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_host_unhandle(h, kEcho));
  EXPECT_EQ(0u, kith_host_num_addresses(h));
  const kith_connect_handler c = {sizeof c, nullptr, nullptr, nullptr, nullptr};
  const char* address = kAnyPort;
  EXPECT_EQ(KITH_ERR_CLOSED, kith_host_connect(h, &address, 1, &c, nullptr));
  EXPECT_TRUE(loop.until([&] { return node.closed == 1; }));
}

class ProtocolsH : public Pair {};

TEST_F(ProtocolsH, HaveOneHandlerEach) {
  kith_protocol_handler h = {sizeof h, this, nullptr, nullptr};
  h.user_destroy = [](void*) { ADD_FAILURE() << "taken although refused"; };
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_host_handle(server.host, "/no-on-stream", &h));
  h.on_stream = [](void*, kith_stream*, const char*) {};
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_handle(server.host, kEcho, &h));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_handle(server.host, "/ipfs/ping/1.0.0", &h));
  const std::string huge = "/" + std::string(2000, 'x');
  for (const char* bad : {"", "/a\n", huge.c_str()}) {
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_host_handle(server.host, bad, &h)) << bad;
  }
  h.struct_size = 0;
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_host_handle(server.host, "/x", &h));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_unhandle(server.host, "/nobody"));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_unhandle(server.host, "/ipfs/ping/1.0.0"));
  EXPECT_EQ(KITH_OK, kith_host_unhandle(server.host, kEcho));
  EXPECT_EQ(1, protocols_destroyed);
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_unhandle(server.host, kEcho));
}

TEST_F(ProtocolsH, AStreamThatIsNotTakenIsAborted) {
  serve("/kith-test/drop", [](void* user, kith_stream* s, const char* id) {
    EXPECT_STREQ("/kith-test/drop", id);
    static_cast<Pair*>(user)->logs.emplace_back().stream = kith_stream_ref(s);
  });
  connect();
  StreamLog& s = open({"/kith-test/drop"});
  ASSERT_TRUE(loop.until([&] { return s.destroyed != 0 && logs.size() == 2; }));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(logs[1].stream, nullptr, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_set_handler(logs[1].stream, nullptr));
}

TEST_F(ProtocolsH, MayBeUnhandledByTheirOwnHandler) {
  serve("/kith-test/once", [](void* user, kith_stream* s, const char* id) {
    auto* self = static_cast<ProtocolsH*>(user);
    EXPECT_EQ(KITH_OK, kith_host_unhandle(self->server.host, id));
    self->accept(s);
  });
  connect();
  StreamLog& a = open({"/kith-test/once"});
  ASSERT_TRUE(loop.until([&] { return a.opened == 1; }));
  StreamLog& b = open({"/kith-test/once"});
  ASSERT_TRUE(loop.until([&] { return b.destroyed == 1; }));
  EXPECT_EQ(KITH_ERR_PROTOCOL_NOT_SUPPORTED, b.end.status) << b.end.message;
  EXPECT_EQ(1, server.stream_failed);
}

class ConnectH : public Pair {
 protected:
  kith_status dial(Outcome& o, std::vector<const char*> addrs, kith_error* error = nullptr) {
    const kith_connect_handler h = o.connect_handler();
    const kith_status status =
        kith_host_connect(client.host, addrs.data(), addrs.size(), &h, error);
    o.attached = status == KITH_OK;
    return status;
  }
};

TEST_F(ConnectH, UsesAConnectionThatExists) {
  connect();
  connect();
  EXPECT_EQ(1, client.connected);
  EXPECT_EQ(1, server.connected);
}

TEST_F(ConnectH, AnotherPeerThanExpectedIsAMismatch) {
  Node third;
  third.open(loop.runtime, false);
  const std::string address = server.address();
  const std::string wrong =
      address.substr(0, address.find("/p2p/") + 5) + kith_host_peer_id(third.host);
  Outcome& o = outcome();
  ASSERT_EQ(KITH_OK, dial(o, {wrong.c_str()}));
  EXPECT_EQ(0, o.failed);
  ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
  EXPECT_EQ(KITH_ERR_PEER_ID_MISMATCH, o.error.status) << o.error.message;
  EXPECT_TRUE(loop.until([&] { return server.inbound_failed + server.disconnected > 0; }));
  third.close();
  EXPECT_TRUE(loop.until([&] { return third.closed == 1; }));
}

TEST_F(ConnectH, RefusesBadListsAtOnce) {
  Outcome& o = outcome();
  kith_error error{};
  const std::string good = server.address();
  const std::string own = std::string("/p2p/") + kith_host_peer_id(client.host);
  EXPECT_EQ(KITH_ERR_MALFORMED, dial(o, {good.c_str(), "junk"}, &error));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, dial(o, {good.c_str(), nullptr}, &error));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, dial(o, {}, &error));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, dial(o, {good.c_str(), own.c_str()}, &error));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, dial(o, {own.c_str()}, &error));
  EXPECT_EQ(KITH_ERR_LIMIT, dial(o, std::vector<const char*>(65, good.c_str()), &error));
  EXPECT_EQ(KITH_ERR_LIMIT, error.status);
  EXPECT_EQ(0, o.destroyed);
}

TEST_F(ConnectH, AnAddressThatNobodyCanDialFailsLater) {
  for (const char* address :
       {"/ip4/127.0.0.1/tcp/1/tls", "/p2p-circuit", "/dns4/x/udp/1/quic-v1"}) {
    Outcome& o = outcome();
    const kith_status status = dial(o, {address});
    if (status == KITH_OK) {
      ASSERT_TRUE(loop.until([&] { return o.is_over(); }));
    }
    EXPECT_EQ(KITH_ERR_NO_ADDRESS, status == KITH_OK ? o.error.status : status) << address;
  }
}

TEST_F(ConnectH, ClosingTheHostCancelsDials) {
  Outcome& o = outcome();
  ASSERT_EQ(KITH_OK, dial(o, {"/ip4/127.0.0.1/udp/9/quic-v1"}));
  client.close();
  ASSERT_TRUE(loop.until([&] { return client.closed == 1; }));
  EXPECT_EQ(1, o.failed);
  EXPECT_EQ(1, o.destroyed);
}

TEST_F(ConnectH, NothingComesAfterOnClosed) {
  connect();
  for (int i = 0; i < 4; ++i) {
    StreamLog& s = open({kEcho});
    s.to_send = random_bytes(200'000, 3);
    s.pump();
  }
  for (int i = 0; i < 5; ++i) loop.step(1);
  kith_connection* kept = kith_connection_ref(client.connection);
  client.close();
  ASSERT_TRUE(loop.until([&] { return client.closed == 1; }));
  EXPECT_EQ(1, client.disconnected);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(1, logs[i].closed);
    EXPECT_EQ(1, logs[i].destroyed);
    EXPECT_NE(KITH_OK, logs[i].end.status);
  }
  const int logged = client.logged;
  ASSERT_TRUE(loop.until([&] { return server.disconnected == 1; }));
  for (int i = 0; i < 10; ++i) loop.step(5);
  EXPECT_EQ(logged, client.logged);
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_ping(kept, 1, 0, 0, nullptr));
  EXPECT_STREQ(kith_host_peer_id(server.host), kith_connection_peer_id(kept));
  kith_connection_unref(kept);
}

}  // namespace
}  // namespace kith_test
