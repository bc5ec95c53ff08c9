// Stream of kith.hpp: the bytes, the ends, the errors, and coroutines that go away at the wrong moment.
#include <chrono>
#include <optional>

#include "tests/cpp_api/node.h"

namespace {

using namespace std::chrono_literals;  // NOLINT: 1ms
using kith_test::CppApi;
using kith_test::kEcho;
using kith_test::kSink;
using kith_test::make_host;
using kith_test::random_bytes;
using kith_test::read_all;

kith::Task<> write_all(kith::Stream& stream, const std::vector<uint8_t>& bytes) {
  EXPECT_TRUE((co_await stream.write(bytes)).ok());
  stream.close_write();
}

TEST_F(CppApi, EchoesAMebibyteWithHalfClose) {
  run([&]() -> kith::Task<> {
    const std::vector<uint8_t> sent = random_bytes(1 << 20, 1);
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    EXPECT_EQ(stream->protocol(), kEcho);
    EXPECT_TRUE(stream->connection() == *connection);
    kith::TaskGroup writer;
    writer.start(write_all(*stream, sent));
    const auto received = co_await read_all(*stream);
    CO_ASSERT_OK(received);
    EXPECT_TRUE(*received == sent);
    co_await writer.join();
    EXPECT_TRUE((co_await stream->closed()).ok());
    EXPECT_FALSE(stream->connection());
    EXPECT_EQ((co_await stream->write("more")).status(), KITH_ERR_CLOSED);
  });
}

TEST_F(CppApi, SendsAMebibyteEachWayOnOneStream) {
  const std::vector<uint8_t> there = random_bytes(1 << 20, 2);
  const std::vector<uint8_t> back = random_bytes(1 << 20, 3);
  bool served = false;
  ASSERT_TRUE(server
                  .handle("/both",
                          [&](kith::Stream stream) -> kith::Task<> {
                            kith::TaskGroup writer;
                            writer.start(write_all(stream, back));
                            const auto got = co_await read_all(stream);
                            EXPECT_TRUE(got.ok() && *got == there);
                            co_await writer.join();
                            served = true;
                          })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = connection->start_stream("/both");
    CO_ASSERT_OK(stream);
    kith::TaskGroup writer;
    writer.start(write_all(*stream, there));
    const auto got = co_await read_all(*stream);
    EXPECT_TRUE(got.ok() && *got == back);
    co_await writer.join();
    EXPECT_TRUE((co_await stream->closed()).ok());
    while (!served) co_await runtime.sleep(1ms);
  });
}

TEST_F(CppApi, ReadsByTheMessage) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    const std::vector<uint8_t> sent = random_bytes(100'000, 4);
    std::vector<uint8_t> got;
    kith::TaskGroup writer;
    writer.start(write_all(*stream, sent));
    std::vector<uint8_t> message(40'000);
    for (int i = 0; i < 2; ++i) {
      CO_ASSERT_OK(co_await stream->read_exactly(message));
      got.insert(got.end(), message.begin(), message.end());
    }
    // In odd pieces, leaving some of each view.
    while (got.size() < 99'990) {
      const auto view = co_await stream->read();
      CO_ASSERT_OK(view);
      const size_t n = std::min({(view->size() + 2) / 3, size_t{99'990} - got.size()});
      got.insert(got.end(), view->begin(), view->begin() + static_cast<std::ptrdiff_t>(n));
      stream->consume(n);
    }
    uint8_t few[7];
    const auto some = co_await stream->read(few);
    CO_ASSERT_OK(some);
    got.insert(got.end(), few, few + *some);
    const auto too_many = co_await stream->read_exactly(message);
    EXPECT_EQ(too_many.status(), KITH_ERR_CLOSED);
    got.insert(got.end(), message.begin(),
               message.begin() + (100'000 - 99'990) - static_cast<long>(*some));
    EXPECT_TRUE(got == sent);
    const auto end = co_await stream->read(few);
    CO_ASSERT_OK(end);
    EXPECT_EQ(*end, 0U);
    co_await writer.join();
  });
}

TEST_F(CppApi, SaysThatThePeerDoesNotSpeakTheProtocol) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    const auto refused = co_await connection->open_stream("/unknown/1.0.0");
    EXPECT_EQ(refused.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
    auto early = connection->start_stream("/unknown/1.0.0");
    CO_ASSERT_OK(early);
    EXPECT_TRUE((co_await early->write("hello")).ok());
    EXPECT_EQ((co_await early->read()).status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
    EXPECT_EQ((co_await early->closed()).status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
    const std::string_view several[] = {"/unknown/2.0.0", kEcho};
    const auto agreed = co_await connection->open_stream(several);
    CO_ASSERT_OK(agreed);
    EXPECT_EQ(agreed->protocol(), kEcho);
    EXPECT_EQ((co_await connection->open_stream("")).status(), KITH_ERR_INVALID_ARGUMENT);
    EXPECT_EQ((co_await kith::Connection().open_stream(kEcho)).status(), KITH_ERR_INVALID_ARGUMENT);
  });
}

TEST_F(CppApi, ReadFailsWhenThePeerGoes) {
  std::optional<kith::Host> peer(make_host(runtime, kith_test::listening()));
  ASSERT_TRUE(peer->handle(kEcho, kith_test::echo).ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(peer->addresses().at(0));
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    const auto leave = [&]() -> kith::Task<> {
      co_await runtime.sleep(5ms);
      peer.reset();
    };
    kith::TaskGroup group;
    group.start(leave());
    const auto data = co_await stream->read();
    EXPECT_FALSE(data.ok());
    EXPECT_NE(data.status(), KITH_OK);
    EXPECT_FALSE((co_await stream->write("x")).ok());
    while (connection->close().status() != KITH_ERR_CLOSED) co_await runtime.sleep(1ms);
    EXPECT_EQ((co_await connection->open_stream(kEcho)).status(), KITH_ERR_CLOSED);
    EXPECT_FALSE((co_await stream->closed()).ok());
  });
}

TEST_F(CppApi, TellsTheCodesOfResetAndStop) {
  ASSERT_TRUE(server
                  .handle("/abort",
                          [](kith::Stream stream) -> kith::Task<> {
                            (void)co_await stream.read();
                            stream.reset(21);
                            stream.stop_reading(22);
                            EXPECT_EQ((co_await stream.read()).status(), KITH_ERR_CLOSED);
                            EXPECT_FALSE((co_await stream.write("x")).ok());
                          })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream("/abort");
    CO_ASSERT_OK(stream);
    EXPECT_TRUE((co_await stream->write("go")).ok());
    const auto data = co_await stream->read();
    EXPECT_EQ(data.status(), KITH_ERR_RESET);
    EXPECT_EQ(stream->reset_code(), 21U);
    while (!stream->stop_code()) co_await runtime.sleep(1ms);
    EXPECT_EQ(stream->stop_code(), 22U);
    EXPECT_EQ((co_await stream->write("x")).status(), KITH_ERR_RESET);
  });
}

TEST_F(CppApi, WriteWaitsForRoomAndNoLonger) {
  std::optional<kith::Stream> parked;
  ASSERT_TRUE(server
                  .handle(kSink,
                          [&](kith::Stream stream) -> kith::Task<> {
                            parked.emplace(std::move(stream));
                            co_return;
                          })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kSink);
    CO_ASSERT_OK(stream);
    const std::vector<uint8_t> piece(64 * 1024);
    size_t written = 0;
    bool done = false;
    const auto write = [&]() -> kith::Task<> {
      for (int i = 0; i < 1000; ++i) {
        const kith::Status status = co_await stream->write(piece);
        CO_ASSERT_OK(status);
        written += piece.size();
      }
      stream->close_write();
      done = true;
    };
    kith::TaskGroup group;
    group.start(write());
    co_await runtime.sleep(50ms);
    EXPECT_LT(written, size_t{8} << 20) << "nobody reads";
    EXPECT_EQ((co_await stream->write("x")).status(), KITH_ERR_INVALID_STATE) << "a second writer";
    CO_ASSERT_TRUE(parked.has_value());
    size_t read = 0;
    for (;;) {
      const auto data = co_await parked->read();
      CO_ASSERT_OK(data);
      if (data->empty()) break;
      read += data->size();
      parked->consume(data->size());
    }
    EXPECT_TRUE(done);
    EXPECT_EQ(read, size_t{1000} * 64 * 1024);
  });
  parked.reset();
}

TEST_F(CppApi, DestroyingATaskThatWaitsLeavesTheStreamUsable) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    kith::TaskGroup group;
    const auto open = [&]() -> kith::Task<> {
      (void)co_await connection->open_stream(kEcho);
      ADD_FAILURE() << "resumed";
    };
    group.start(open());
    group.cancel();
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    const auto read = [&]() -> kith::Task<> {
      (void)co_await stream->read();
      ADD_FAILURE() << "resumed";
    };
    group.start(read());
    EXPECT_EQ((co_await stream->read()).status(), KITH_ERR_INVALID_STATE) << "a second reader";
    group.cancel();
    EXPECT_TRUE((co_await stream->write("still here")).ok());
    uint8_t text[10];
    CO_ASSERT_OK(co_await stream->read_exactly(text));
    EXPECT_EQ(std::string(text, text + 10), "still here");
  });
}

TEST_F(CppApi, AReaderMayDestroyItsOwnTaskGroupAndStream) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    // The stream is destroyed by the coroutine that its own on_data resumed.
    const auto once = [](kith::Connection c) -> kith::Task<> {
      auto stream = co_await c.open_stream(kEcho);
      CO_ASSERT_OK(stream);
      (void)co_await stream->write("x");
      const auto data = co_await stream->read();
      EXPECT_TRUE(data.ok());
    };
    co_await once(*connection);
    co_await once(*connection);
    // A waiting reader and a waiting writer end in one on_closed.
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    const auto close = [&]() -> kith::Task<> {
      co_await runtime.sleep(5ms);
      (void)connection->close();
    };
    kith::TaskGroup group;
    const auto wait = [&]() -> kith::Task<> { EXPECT_FALSE((co_await stream->closed()).ok()); };
    group.start(close());
    group.start(wait());
    EXPECT_FALSE((co_await stream->read()).ok());
    co_await group.join();
  });
}

TEST_F(CppApi, WhatWasWrittenArrivesThoughTheStreamIsLetGoOf) {
  const std::vector<uint8_t> sent = random_bytes(300'000, 5);
  ASSERT_TRUE(server
                  .handle("/push",
                          [&](kith::Stream stream) -> kith::Task<> {
                            (void)co_await stream.write(sent);
                            stream.close_write();
                          })
                  .ok());
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream("/push");
    CO_ASSERT_OK(stream);
    const auto got = co_await read_all(*stream);
    CO_ASSERT_OK(got);
    EXPECT_TRUE(*got == sent);
  });
}

TEST_F(CppApi, ServesManyStreamsAtOnce) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    constexpr int kStreams = 600;  // more than the peer allows at a time
    int good = 0;
    const auto one = [&](uint32_t seed) -> kith::Task<> {
      const std::vector<uint8_t> sent = random_bytes(1000 + seed, seed);
      auto stream = co_await connection->open_stream(kEcho);
      CO_ASSERT_OK(stream);
      kith::TaskGroup writer;
      writer.start(write_all(*stream, sent));
      const auto got = co_await read_all(*stream);
      CO_ASSERT_OK(got);
      good += *got == sent ? 1 : 0;
    };
    kith::TaskGroup group;
    for (uint32_t i = 0; i < kStreams; ++i) group.start(one(i));
    co_await group.join();
    EXPECT_EQ(good, kStreams);
  });
}

}  // namespace
