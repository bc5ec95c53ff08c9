// What a host's configuration says about the network: limits of inbound connections, private networks, and what TCP
// connections are made of.
#include <cstring>
#include <functional>

#include "kith/host.h"
#include "tests/capi/node.h"

namespace kith_test {
namespace {

constexpr const char* kTcp = "/ip4/127.0.0.1/tcp/0";
constexpr const char* kKeyA =
    "/key/swarm/psk/1.0.0/\n/base16/\n"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
constexpr const char* kKeyAInBase64 =
    "/key/swarm/psk/1.0.0/\n/base64/\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
constexpr const char* kKeyB =
    "/key/swarm/psk/1.0.0/\n/base16/\n"
    "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

class Network : public testing::Test {
 protected:
  // A host as `change` wants it; nodes live until the end of the test.
  Node& make(const std::function<void(kith_host_config&)>& change) {
    Node& node = nodes_.emplace_back();
    kith_host_config c = configuration(node);
    change(c);
    node.open(loop_.runtime, c);
    return node;
  }
  kith_error refused(const std::function<void(kith_host_config&)>& change) {
    kith_host_config c;
    kith_host_config_init(&c, sizeof c);
    change(c);
    kith_host* host = nullptr;
    kith_error error{};
    EXPECT_NE(KITH_OK, kith_host_new(loop_.runtime, &host, &c, &error));
    EXPECT_EQ(nullptr, host);
    return error;
  }
  Node& server(const char* address, const std::function<void(kith_host_config&)>& change) {
    return make([&](kith_host_config& c) {
      c.listen_addrs = &address;
      c.num_listen_addrs = 1;
      change(c);
    });
  }
  static void with_key(kith_host_config& c, const char* file) {
    c.network_key = reinterpret_cast<const uint8_t*>(file);
    c.network_key_len = strlen(file);
  }
  // The outcome of a connect.
  Outcome& connect(Node& from, const std::string& address) {
    Outcome& o = outcomes_.emplace_back();
    const char* text = address.c_str();
    const kith_connect_handler h = o.connect_handler();
    kith_error error{};
    o.attached = kith_host_connect(from.host, &text, 1, &h, &error) == KITH_OK;
    EXPECT_TRUE(o.attached) << error.message;
    EXPECT_TRUE(loop_.until([&] { return o.is_over(); }));
    return o;
  }
  void TearDown() override {
    loop_.free();
    for (Node& n : nodes_) kith_connection_unref(std::exchange(n.connection, nullptr));
  }

  Loop loop_;
  std::deque<Node> nodes_;
  std::deque<Outcome> outcomes_;
  std::vector<std::string> refusals_;

 private:
  kith_host_config configuration(Node& node) {
    kith_host_config c = node.config();
    node.handler = {};
    node.handler.struct_size = sizeof node.handler;
    node.handler.user = this;
    node.handler.on_inbound_failed = [](void* user, const char*, const kith_error* error) {
      static_cast<Network*>(user)->refusals_.emplace_back(error->message);
    };
    return c;
  }
};

class Limits : public Network, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Over, Limits, testing::Values(kAnyPort, kTcp),
                         [](const auto& p) { return p.param == kTcp ? "Tcp" : "Quic"; });

TEST_P(Limits, OneAddressHasOnlySoManyConnections) {
  Node& s = server(GetParam(), [](kith_host_config& c) {
    c.limit_loopback = 1;
    c.max_inbound_per_address = 2;
  });
  for (int i = 0; i < 4; ++i) {
    const Outcome& o = connect(make([](kith_host_config&) {}), s.address());
    EXPECT_EQ(i < 2 ? 1 : 0, o.ok) << o.error.message;
  }
  ASSERT_EQ(1U, refusals_.size());  // told once
  EXPECT_EQ("accept: too many connections from 127.0.0.1/32 (2)", refusals_[0]);
}

TEST_P(Limits, AnAddressMayNotOpenConnectionsTooFast) {
  Node& s = server(GetParam(), [](kith_host_config& c) {
    c.limit_loopback = 1;
    c.inbound_burst_per_address = 3;
    c.inbound_interval_per_address_ms = 3'600'000;
  });
  for (int i = 0; i < 4; ++i) {
    Node& client = make([](kith_host_config&) {});
    const Outcome& o = connect(client, s.address());
    EXPECT_EQ(i < 3 ? 1 : 0, o.ok) << o.error.message;
    client.close();
    EXPECT_TRUE(loop_.until([&] { return client.closed == 1; }));
  }
  ASSERT_EQ(1U, refusals_.size());
  EXPECT_EQ("accept: connections from 127.0.0.1/32 come too fast", refusals_[0]);
}

TEST_P(Limits, OnePeerHasOnlySoManyConnections) {
  kith_key* key = nullptr;
  ASSERT_EQ(KITH_OK, kith_key_generate(&key, KITH_KEY_ED25519, 0));
  Node& s = server(GetParam(), [](kith_host_config& c) { c.max_inbound_per_peer = 2; });
  for (int i = 0; i < 3; ++i) connect(make([&](kith_host_config& c) { c.key = key; }), s.address());
  ASSERT_TRUE(loop_.until([&] { return !refusals_.empty(); }));
  EXPECT_NE(std::string::npos, refusals_[0].find("too many connections of ")) << refusals_[0];
  EXPECT_NE(std::string::npos, refusals_[0].find(kith_host_peer_id(nodes_.back().host)));
  const Outcome& other = connect(make([](kith_host_config&) {}), s.address());
  EXPECT_EQ(1, other.ok) << other.error.message;
  kith_key_free(key);
}

TEST_P(Limits, AllConnectionsTogetherAreLimited) {
  Node& s = server(GetParam(), [](kith_host_config& c) { c.max_inbound_connections = 2; });
  for (int i = 0; i < 3; ++i) {
    const Outcome& o = connect(make([](kith_host_config&) {}), s.address());
    EXPECT_EQ(i < 2 ? 1 : 0, o.ok) << o.error.message;
  }
  ASSERT_EQ(1U, refusals_.size());
  EXPECT_EQ("accept: too many connections (2)", refusals_[0]);
}

TEST_F(Network, TransportsShareTheLimits) {
  Node& s = server(kTcp, [](kith_host_config& c) { c.max_inbound_connections = 1; });
  ASSERT_EQ(KITH_OK, kith_host_listen(s.host, kAnyPort, nullptr));
  ASSERT_EQ(2U, kith_host_num_addresses(s.host));
  const std::string tcp = kith_host_address(s.host, 0), quic = kith_host_address(s.host, 1);
  EXPECT_EQ(1, connect(make([](kith_host_config&) {}), quic).ok);
  EXPECT_EQ(0, connect(make([](kith_host_config&) {}), tcp).ok);
}

TEST_F(Network, LoopbackIsFreeByDefault) {
  Node& s = server(kTcp, [](kith_host_config&) {});
  for (int i = 0; i < 20; ++i) {
    const Outcome& o = connect(make([](kith_host_config&) {}), s.address());
    EXPECT_EQ(1, o.ok) << o.error.message;
  }
}

TEST_F(Network, AnIntervalOutOfRangeIsRefused) {
  for (const int64_t bad : {int64_t{-1}, INT64_MAX}) {
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, refused([&](kith_host_config& c) {
                                           c.inbound_interval_per_address_ms = bad;
                                         }).status);
  }
}

TEST_F(Network, OnlyWhoHasTheKeyIsInAPrivateNetwork) {
  Node& s = server(kTcp, [](kith_host_config& c) { with_key(c, kKeyA); });
  for (const char* same : {kKeyA, kKeyAInBase64}) {
    const Outcome& o = connect(make([&](kith_host_config& c) { with_key(c, same); }), s.address());
    EXPECT_EQ(1, o.ok) << o.error.message;
  }
  EXPECT_EQ(0, connect(make([](kith_host_config& c) { with_key(c, kKeyB); }), s.address()).ok);
}

TEST_F(Network, QuicIsOffInAPrivateNetworkAndSaysSo) {
  Node& node = make([](kith_host_config& c) { with_key(c, kKeyA); });
  kith_error error{};
  EXPECT_EQ(KITH_ERR_NOT_SUPPORTED, kith_host_listen(node.host, kAnyPort, &error));
  EXPECT_STREQ("listen: /ip4/127.0.0.1/udp/0/quic-v1: QUIC is off in a private network",
               error.message);
  const Outcome& o = connect(node, "/ip4/127.0.0.1/udp/9/quic-v1");
  EXPECT_EQ(KITH_ERR_NOT_SUPPORTED, o.error.status);
  EXPECT_NE(nullptr, strstr(o.error.message, "QUIC is off in a private network"));
  EXPECT_EQ(KITH_ERR_NOT_SUPPORTED, refused([](kith_host_config& c) {
                                      with_key(c, kKeyA);
                                      c.listen_addrs = &kAnyPort;
                                      c.num_listen_addrs = 1;
                                    }).status);
}

TEST_F(Network, ABadKeyFileIsAClearError) {
  const kith_error no_header = refused([](kith_host_config& c) { with_key(c, "secret"); });
  EXPECT_EQ(KITH_ERR_MALFORMED, no_header.status);
  EXPECT_NE(nullptr, strstr(no_header.message, "/key/swarm/psk/1.0.0/")) << no_header.message;
  const kith_error too_short =
      refused([](kith_host_config& c) { with_key(c, "/key/swarm/psk/1.0.0/\n/base16/\n0011\n"); });
  EXPECT_EQ(KITH_ERR_MALFORMED, too_short.status);
  EXPECT_NE(nullptr, strstr(too_short.message, "32 bytes")) << too_short.message;
  // An empty file must not make a public node.
  EXPECT_EQ(KITH_ERR_MALFORMED, refused([](kith_host_config& c) { with_key(c, ""); }).status);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT,
            refused([](kith_host_config& c) { c.network_key_len = 32; }).status);
}

TEST_F(Network, TcpIsMadeOfWhatWasChosen) {
  static const char* const kNoise[] = {"/noise"};
  static const char* const kMplex[] = {"/mplex/6.7.0"};
  static const char* const kBoth[] = {"/yamux/1.0.0", "/mplex/6.7.0"};
  Node& s = server(kTcp, [](kith_host_config& c) {
    c.security = kNoise;
    c.num_security = 1;
    c.muxers = kMplex;
    c.num_muxers = 1;
  });
  const Outcome& without = connect(make([](kith_host_config&) {}), s.address());
  EXPECT_EQ(0, without.ok);  // mplex is off unless asked for
  const Outcome& with = connect(make([](kith_host_config& c) {
                                  c.muxers = kBoth;
                                  c.num_muxers = 2;
                                }),
                                s.address());
  EXPECT_EQ(1, with.ok) << with.error.message;
}

TEST_F(Network, UnknownProtocolsOfTcpAreRefused) {
  static const char* const kUnknown[] = {"/noise", "/secio/1.0.0"};
  static const char* const kTwice[] = {"/yamux/1.0.0", "/yamux/1.0.0"};
  static const char* const kNull[] = {nullptr};
  const kith_error unknown = refused([](kith_host_config& c) {
    c.security = kUnknown;
    c.num_security = 2;
  });
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, unknown.status);
  EXPECT_STREQ("host: security: '/secio/1.0.0' is not one of those known", unknown.message);
  const kith_error twice = refused([](kith_host_config& c) {
    c.muxers = kTwice;
    c.num_muxers = 2;
  });
  EXPECT_STREQ("host: muxers: '/yamux/1.0.0' comes twice", twice.message);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, refused([](kith_host_config& c) {
                                         c.muxers = kNull;
                                         c.num_muxers = 1;
                                       }).status);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT,
            refused([](kith_host_config& c) { c.num_security = 1; }).status);
}

}  // namespace
}  // namespace kith_test
