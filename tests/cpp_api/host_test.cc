// Host and Connection of kith.hpp.
#include <chrono>
#include <memory>
#include <optional>

#include "tests/cpp_api/node.h"

namespace {

using namespace std::chrono_literals;  // NOLINT: 1ms
using kith_test::CppApi;
using kith_test::kEcho;
using kith_test::make_host;
using kith_test::make_runtime;

TEST_F(CppApi, Connects) {
  run([&]() -> kith::Task<> {
    const auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    EXPECT_EQ(connection->peer_id(), server.peer_id());
    EXPECT_FALSE(connection->is_inbound());
    EXPECT_EQ(std::string(connection->remote_address()) + "/p2p/" + std::string(server.peer_id()),
              address());
    std::vector<std::string> addresses = {"/ip4/127.0.0.1/udp/1/quic-v1", address()};
    const auto again = co_await client.connect_any(std::move(addresses));
    CO_ASSERT_OK(again);
    EXPECT_TRUE(*again == *connection);
  });
}

TEST_F(CppApi, TellsWhatHappensToConnections) {
  std::vector<std::string> events;
  std::optional<kith::Connection> kept;
  kith::HostConfig config = kith_test::listening();
  config.agent = "test/1";
  config.log_level = KITH_LOG_INFO;
  config.on_connected = [&](kith::Connection c) {
    events.push_back("connected");
    kept = std::move(c);
  };
  config.on_identified = [&](kith::Connection c) {
    const auto peer = c.identify();
    ASSERT_TRUE(peer.ok());
    events.push_back("identified " + std::string(peer->agent.substr(0, 5)));
  };
  config.on_disconnected = [&](kith::Connection, const kith::Error&) {
    events.push_back("disconnected");
    runtime.quit();
  };
  size_t lines = 0;
  config.on_log = [&](kith_log_level, std::string_view, std::string_view) { ++lines; };
  kith::Host host = make_host(runtime, std::move(config));
  run([&]() -> kith::Task<> {
    const auto connection = co_await client.connect(host.addresses().at(0));
    CO_ASSERT_OK(connection);
    while (events.size() < 2) co_await runtime.sleep(1ms);
  });
  client.close();
  EXPECT_EQ(client.connect("/ip4/127.0.0.1/udp/1/quic-v1").await_ready(), true);
  ASSERT_TRUE(runtime.run().ok());
  EXPECT_EQ(events, (std::vector<std::string>{"connected", "identified kith/", "disconnected"}));
  ASSERT_TRUE(kept.has_value());
  EXPECT_TRUE(kept->is_inbound());
  EXPECT_EQ(kept->peer_id(), client.peer_id());
  EXPECT_EQ(kept->close().status(), KITH_ERR_CLOSED);
  EXPECT_EQ(kept->identify().status(), KITH_ERR_CLOSED);
  EXPECT_GT(lines, 0U);
}

TEST_F(CppApi, Pings) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    for (int i = 0; i < 20; ++i) {
      const auto rtt = co_await connection->ping();
      CO_ASSERT_OK(rtt);
      EXPECT_GT(*rtt, 0ns);
      EXPECT_LT(*rtt, 10s);
    }
    (void)connection->close();
    EXPECT_EQ((co_await connection->ping()).status(), KITH_ERR_CLOSED);
  });
}

TEST_F(CppApi, MeasuresWhatGoesThrough) {
  kith::HostConfig config = kith_test::listening();
  config.serve_perf = true;
  kith::Host perf = make_host(runtime, std::move(config));
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(perf.addresses().at(0));
    CO_ASSERT_OK(connection);
    const auto moved = co_await connection->perf(100'000, 200'000);
    CO_ASSERT_OK(moved);
    EXPECT_EQ(moved->uploaded, 100'000U);
    EXPECT_EQ(moved->downloaded, 200'000U);
    EXPECT_GT(moved->upload_time, 0ns);
    runtime.spawn([](kith::Runtime& r, kith::Connection c) -> kith::Task<> {
      co_await r.sleep(20ms);
      EXPECT_TRUE(c.stop_perf().ok());
    }(runtime, *connection));
    const auto stopped = co_await connection->perf(UINT64_MAX, 0);
    CO_ASSERT_OK(stopped);
    EXPECT_GT(stopped->uploaded, 0U);
    auto other = co_await client.connect(address());
    CO_ASSERT_OK(other);
    EXPECT_EQ((co_await other->perf(1, 1)).status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  });
}

TEST_F(CppApi, RefusesAnotherPeerThanAskedFor) {
  const std::string other = kith::Key::generate().value().peer_id().value();
  std::string wrong = address();
  wrong.replace(wrong.rfind('/') + 1, std::string::npos, other);
  run([&]() -> kith::Task<> {
    const auto connection = co_await client.connect(wrong);
    EXPECT_EQ(connection.status(), KITH_ERR_PEER_ID_MISMATCH);
    CO_ASSERT_TRUE(!connection.ok());
    EXPECT_NE(std::string(connection.error().message()).find(other), std::string::npos);
  });
}

TEST_F(CppApi, SaysWhyItCannotConnect) {
  run([&]() -> kith::Task<> {
    const auto malformed = co_await client.connect("/ip4/1.2.3/udp/1/quic-v1");
    EXPECT_EQ(malformed.status(), KITH_ERR_MALFORMED);
    const auto unknown = co_await client.connect("/ip4/127.0.0.1/tcp/1/tls");
    EXPECT_EQ(unknown.status(), KITH_ERR_NO_ADDRESS);
    const auto none = co_await client.connect_any({});
    EXPECT_EQ(none.status(), KITH_ERR_INVALID_ARGUMENT);
  });
}

TEST_F(CppApi, SaysWhyItCannotListen) {
  EXPECT_EQ(client.listen("/ip4/127.0.0.1/tcp/0/tls").status(), KITH_ERR_NOT_SUPPORTED);
  kith::HostConfig config;
  config.listen = {"/ip4/127.0.0.1/nonsense"};
  const auto host = kith::Host::create(runtime, config);
  ASSERT_FALSE(host.ok());
  EXPECT_NE(std::string(host.error().message()).find("nonsense"), std::string::npos);
  EXPECT_TRUE(client.addresses().empty());
  EXPECT_TRUE(client.listen("/ip4/127.0.0.1/udp/0/quic-v1").ok());
  EXPECT_EQ(client.addresses().size(), 1U);
}

TEST_F(CppApi, RefusesAProtocolTwiceAndABadId) {
  EXPECT_EQ(server.handle(kEcho, kith_test::echo).status(), KITH_ERR_INVALID_STATE);
  EXPECT_EQ(server.handle("", kith_test::echo).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(server.unhandle("/unknown").status(), KITH_ERR_INVALID_STATE);
  EXPECT_TRUE(server.unhandle(kEcho).ok());
  EXPECT_TRUE(server.handle(kEcho, kith_test::echo).ok());
}

TEST_F(CppApi, KeepsATaskAndItsCapturesAfterUnhandle) {
  constexpr const char* kOnce = "/kith-test/once/1.0.0";
  const auto shared = std::make_shared<int>(5);
  ASSERT_TRUE(server
                  .handle(kOnce,
                          [shared](kith::Stream stream) -> kith::Task<> {
                            uint8_t byte[1];
                            while ((co_await stream.read(byte)).ok() && *shared == 5) {
                              byte[0] = static_cast<uint8_t>(byte[0] + *shared);
                              if (!(co_await stream.write(byte)).ok()) break;
                            }
                          })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kOnce);
    CO_ASSERT_OK(stream);
    uint8_t byte[1] = {1};
    EXPECT_TRUE((co_await stream->write(byte)).ok());
    CO_ASSERT_OK(co_await stream->read_exactly(byte));
    EXPECT_TRUE(server.unhandle(kOnce).ok());
    EXPECT_GT(shared.use_count(), 1);
    EXPECT_TRUE((co_await stream->write(byte)).ok());
    CO_ASSERT_OK(co_await stream->read_exactly(byte));
    EXPECT_EQ(byte[0], 11);
    const auto refused = co_await connection->open_stream(kOnce);
    EXPECT_EQ(refused.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  });
  for (int i = 0; i < 100 && shared.use_count() > 1; ++i) {
    run([&]() -> kith::Task<> { co_await runtime.sleep(1ms); });
    EXPECT_TRUE(server.handle(kOnce, kith_test::echo).ok());  // what has ended is let go of here
    EXPECT_TRUE(server.unhandle(kOnce).ok());
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST_F(CppApi, DestroyingAHostCancelsTheTasksThatServe) {
  const auto shared = std::make_shared<int>(0);
  std::optional<kith::Host> host(make_host(runtime, kith_test::listening()));
  ASSERT_TRUE(host->handle("/stuck",
                           [shared](kith::Stream stream) -> kith::Task<> {
                             const auto local = shared;
                             (void)co_await stream.read();
                             ADD_FAILURE() << "resumed";
                           })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(host->addresses().at(0));
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream("/stuck");
    CO_ASSERT_OK(stream);
    while (shared.use_count() < 3) co_await runtime.sleep(1ms);
    host.reset();
    const auto data = co_await stream->read();
    EXPECT_FALSE(data.ok());
  });
  run([&]() -> kith::Task<> {
    while (shared.use_count() > 1) co_await runtime.sleep(1ms);
  });
}

TEST(Host, OutlivesItsRuntimeAndAnswersClosed) {
  std::optional<kith::Runtime> runtime(make_runtime());
  kith::Host host = make_host(*runtime, kith_test::listening());
  ASSERT_TRUE(host.handle(kEcho, kith_test::echo).ok());
  const std::string id(host.peer_id());
  runtime.reset();
  EXPECT_EQ(host.peer_id(), id);
  EXPECT_TRUE(host.addresses().empty());
  EXPECT_EQ(host.handle("/x", kith_test::echo).status(), KITH_ERR_CLOSED);
  EXPECT_EQ(host.unhandle(kEcho).status(), KITH_ERR_CLOSED);
  EXPECT_EQ(host.listen("/ip4/127.0.0.1/udp/0/quic-v1").status(), KITH_ERR_CLOSED);
}

TEST(Host, IsServedByAThreadOfKiths) {
  kith::Runtime runtime = make_runtime();
  std::optional<kith::Host> server(make_host(runtime, kith_test::listening()));
  ASSERT_TRUE(server->handle(kEcho, kith_test::echo).ok());
  const std::string address = server->addresses().at(0);
  ASSERT_TRUE(runtime.start().ok());
  EXPECT_EQ(kith::Host::create(runtime).status(), KITH_ERR_WRONG_THREAD);

  kith::Runtime mine = make_runtime();
  kith::Host client = make_host(mine);
  const auto body = [&]() -> kith::Task<kith::Result<std::string>> {
    auto connection = co_await client.connect(address);
    if (!connection.ok()) co_return connection.error();
    auto stream = co_await connection->open_stream(kEcho);
    if (!stream.ok()) co_return stream.error();
    (void)co_await stream->write("across threads");
    stream->close_write();
    const auto all = co_await kith_test::read_all(*stream);
    if (!all.ok()) co_return all.error();
    co_return std::string(all->begin(), all->end());
  };
  const kith::Result<std::string> text = mine.run(body());
  ASSERT_TRUE(text.ok()) << text.error().message();
  EXPECT_EQ(*text, "across threads");
  server.reset();  // from this thread, while its own runs
}

TEST_F(CppApi, DestroyingATaskThatConnectsLeavesNothingBehind) {
  run([&]() -> kith::Task<> {
    const auto dial = [&](std::string to) -> kith::Task<> {
      (void)co_await client.connect(std::move(to));
      ADD_FAILURE() << "resumed";
    };
    kith::TaskGroup group;
    group.start(dial(address()));
    group.start(dial("/ip4/127.0.0.1/udp/1/quic-v1"));
    EXPECT_EQ(group.size(), 2U);
    group.cancel();
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    const auto ping = [&]() -> kith::Task<> {
      (void)co_await connection->ping();
      ADD_FAILURE() << "resumed";
    };
    group.start(ping());
    group.cancel();
    CO_ASSERT_OK(co_await connection->ping());
  });
}

}  // namespace
