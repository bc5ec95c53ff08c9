// kith/stream.h: data, flow control, ends, lent memory, references.
#include "kith/stream.h"

#include "tests/capi/node.h"

namespace kith_test {
namespace {

constexpr uint8_t kByte[] = {42};

class StreamH : public Pair {
 protected:
  void SetUp() override {
    Pair::SetUp();
    connect();
  }
  // `num` bytes from `from`, which the other end has been given.
  void send(StreamLog* from, StreamLog* to, size_t num) {
    const size_t before = to->delivered_last;
    const std::vector<uint8_t> data(num, 7);
    ASSERT_EQ(KITH_OK, kith_stream_write(from->stream, data.data(), num));
    ASSERT_TRUE(loop.until([&] { return to->delivered_last != before; }));
  }
};

TEST_F(StreamH, DataMayTravelWithTheOnlyProposal) {
  StreamLog& s = open({kEcho});
  EXPECT_STREQ("", kith_stream_protocol(s.stream));
  EXPECT_EQ(client.connection, kith_stream_connection(s.stream));
  EXPECT_EQ(KITH_OK, kith_stream_write(s.stream, kByte, 1));
  EXPECT_EQ(KITH_OK, kith_stream_close_write(s.stream));
  EXPECT_EQ(KITH_OK, kith_stream_close_write(s.stream));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(s.stream, kByte, 1));
  ASSERT_TRUE(loop.until([&] { return s.destroyed == 1; }));
  EXPECT_EQ(1u, s.received.size());
  EXPECT_EQ(KITH_OK, s.end.status) << s.end.message;
  EXPECT_STREQ(kEcho, kith_stream_protocol(s.stream));
}

TEST_F(StreamH, WithSeveralProtocolsWritingWaitsForTheAgreement) {
  StreamLog& s = open({"/kith-test/nobody", kEcho});
  int released = 0;
  const auto release = [](void* ctx, const uint8_t*, size_t) { ++*static_cast<int*>(ctx); };
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_stream_write(s.stream, kByte, 1));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_stream_write_lent(s.stream, kByte, 1, release, &released));
  ASSERT_TRUE(loop.until([&] { return s.opened == 1; }));
  EXPECT_EQ(kEcho, s.protocol);
  EXPECT_EQ(0, released);
  EXPECT_EQ(KITH_OK, kith_stream_write(s.stream, kByte, 1));
  EXPECT_EQ(KITH_OK, kith_stream_close_write(s.stream));
  ASSERT_TRUE(loop.until([&] { return s.destroyed == 1; }));
  EXPECT_EQ(1u, s.received.size());
}

TEST_F(StreamH, ProtocolsThatThePeerLacksEndTheStream) {
  for (const std::vector<const char*>& ids :
       {std::vector<const char*>{"/x"}, std::vector<const char*>{"/x", "/y", "/z"}}) {
    StreamLog& s = open(ids);
    ASSERT_TRUE(loop.until([&] { return s.destroyed == 1; }));
    EXPECT_EQ(KITH_ERR_PROTOCOL_NOT_SUPPORTED, s.end.status) << s.end.message;
    EXPECT_EQ(0, s.opened);
  }
}

TEST_F(StreamH, RefusesBadProtocolsAndTakesNothing) {
  StreamLog log;
  const kith_stream_handler h = log.handler();
  const std::string huge = "/" + std::string(5000, 'x');
  const std::vector<std::vector<const char*>> all = {{},
                                                     {nullptr},
                                                     {"/a", nullptr},
                                                     {""},
                                                     {"/a\n"},
                                                     {huge.c_str()},
                                                     std::vector<const char*>(17, "/a")};
  for (size_t i = 0; i < all.size(); ++i) {
    kith_stream* out = nullptr;
    EXPECT_EQ(
        KITH_ERR_INVALID_ARGUMENT,
        kith_connection_open_stream(client.connection, &out, all[i].data(), all[i].size(), &h))
        << i;
    EXPECT_EQ(nullptr, out);
  }
  EXPECT_EQ(0, log.destroyed);
}

TEST_F(StreamH, WhatIsNotConsumedIsHeldAndTakenLater) {
  open_manual();
  theirs->take = 3;
  send(ours, theirs, 10);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, 8));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, SIZE_MAX));
  EXPECT_EQ(KITH_OK, kith_stream_consume(theirs->stream, 0));
  EXPECT_EQ(KITH_OK, kith_stream_consume(theirs->stream, 5));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, 3));
  EXPECT_EQ(KITH_OK, kith_stream_consume(theirs->stream, 2));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, 1));
  send(ours, theirs, 20);
  // Part of it by hand, the rest comes again.
  EXPECT_EQ(KITH_OK, kith_stream_consume(theirs->stream, 7));
  theirs->take = SIZE_MAX;
  EXPECT_EQ(KITH_OK, kith_stream_resume(theirs->stream));
  EXPECT_EQ(KITH_OK, kith_stream_resume(theirs->stream));
  ASSERT_TRUE(loop.until([&] { return theirs->received.size() == 3 + 3 + 10; }));
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, 1));
}

TEST_F(StreamH, ConsumeAndResumeAreNotForInsideOnData) {
  open_manual();
  kith_stream_handler h = theirs->handler();
  h.user_destroy = [](void*) {};
  h.on_data = [](void* user, kith_stream* s, const uint8_t*, size_t len) {
    EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_stream_consume(s, 1));
    EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_stream_resume(s));
    static_cast<StreamLog*>(user)->delivered_last = len;
    return SIZE_MAX;  // more than there is
  };
  EXPECT_EQ(KITH_OK, kith_stream_set_handler(theirs->stream, &h));
  EXPECT_EQ(1, theirs->destroyed);
  theirs->destroyed = 0;
  send(ours, theirs, 10);
  h = theirs->handler();
  EXPECT_EQ(KITH_OK, kith_stream_set_handler(theirs->stream, &h));
  send(ours, theirs, 11);
  EXPECT_EQ(11u, theirs->received.size());
}

TEST_F(StreamH, AReplacedHandlerIsDestroyedOnceAndTheRestGoesToTheNext) {
  open_manual();
  StreamLog& next = logs.emplace_back();
  static StreamLog* heir;
  heir = &next;
  kith_stream_handler h = theirs->handler();
  h.user_destroy = nullptr;
  h.on_data = [](void*, kith_stream* s, const uint8_t*, size_t) -> size_t {
    const kith_stream_handler to = heir->handler();
    EXPECT_EQ(KITH_OK, kith_stream_set_handler(s, &to));
    heir->attached = true;
    return 4;
  };
  EXPECT_EQ(KITH_OK, kith_stream_set_handler(theirs->stream, &h));
  EXPECT_EQ(1, theirs->destroyed);
  ASSERT_EQ(KITH_OK,
            kith_stream_write(ours->stream, reinterpret_cast<const uint8_t*>("0123456"), 7));
  ASSERT_TRUE(loop.until([&] { return next.received.size() == 3; }));
  EXPECT_EQ('4', next.received[0]);
  h.struct_size = 3;
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_set_handler(theirs->stream, &h));
  EXPECT_EQ(0, next.destroyed);
}

TEST_F(StreamH, WritesBlockAndBecomePossibleAgain) {
  open_manual();
  theirs->take = 0;
  ours->to_send = random_bytes(8 << 20, 9);
  ours->close_after = true;
  ours->pump();
  EXPECT_LT(ours->sent, ours->to_send.size());
  EXPECT_EQ(KITH_ERR_WOULD_BLOCK, kith_stream_write(ours->stream, kByte, 1));
  ASSERT_TRUE(loop.until([&] { return theirs->delivered_last != 0; }));
  theirs->take = SIZE_MAX;
  EXPECT_EQ(KITH_OK, kith_stream_resume(theirs->stream));
  ASSERT_TRUE(loop.until([&] { return theirs->read_closed == 1; }));
  EXPECT_EQ(ours->to_send, theirs->received);
}

TEST_F(StreamH, ResetsAndStopsCarryTheirCodes) {
  open_manual();
  const uint64_t max = (uint64_t{1} << 62) - 1;
  for (const uint64_t bad : {max + 1, UINT64_MAX}) {
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_reset(ours->stream, bad));
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_stop_reading(ours->stream, bad));
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_abort(ours->stream, bad));
  }
  EXPECT_EQ(KITH_OK, kith_stream_reset(ours->stream, max));
  EXPECT_EQ(KITH_OK, kith_stream_stop_reading(ours->stream, 17));
  ASSERT_TRUE(loop.until([&] { return theirs->resets == 1 && theirs->stops == 1; }));
  EXPECT_EQ(max, theirs->reset_code);
  EXPECT_EQ(17u, theirs->stop_code);
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_stream_consume(theirs->stream, 1));
  ASSERT_TRUE(loop.until([&] { return ours->destroyed == 1; }));
}

TEST_F(StreamH, AbortEndsBothSidesAndEveryCallAfterIsClosed) {
  open_manual();
  EXPECT_EQ(KITH_OK, kith_stream_abort(ours->stream, 5));
  EXPECT_EQ(KITH_OK, kith_stream_abort(ours->stream, 5));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(ours->stream, kByte, 1));
  ASSERT_TRUE(loop.until([&] { return theirs->resets == 1 && theirs->stops == 1; }));
  EXPECT_EQ(5u, theirs->reset_code);
  ASSERT_TRUE(loop.until([&] { return ours->destroyed == 1; }));
  kith_stream* s = ours->stream;
  const kith_stream_handler h = ours->handler();
  const auto release = [](void*, const uint8_t*, size_t) { ADD_FAILURE(); };
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_set_handler(s, &h));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(s, kByte, 1));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write_lent(s, kByte, 1, release, nullptr));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_close_write(s));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_reset(s, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_stop_reading(s, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_abort(s, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_consume(s, 0));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_resume(s));
  EXPECT_EQ(nullptr, kith_stream_connection(s));
}

class LentH : public StreamH, public testing::WithParamInterface<int> {};

TEST_P(LentH, MemoryIsGivenBackExactlyOnce) {
  enum : int { kSuccess, kReset, kConnectionClosed, kHostClosed, kRuntimeFreed };
  static int released;
  released = 0;
  open_manual();
  theirs->take = GetParam() == kSuccess ? SIZE_MAX : 0;
  const std::vector<uint8_t> data = random_bytes(4 << 20, 5);
  const auto release = [](void* ctx, const uint8_t* bytes, size_t len) {
    const auto* lent = static_cast<const std::vector<uint8_t>*>(ctx);
    EXPECT_EQ(lent->data(), bytes);
    EXPECT_EQ(lent->size(), len);
    ++released;
  };
  void* ctx = const_cast<std::vector<uint8_t>*>(&data);
  kith_stream* s = ours->stream;
  ASSERT_EQ(KITH_OK, kith_stream_write_lent(s, data.data(), data.size(), release, ctx));
  EXPECT_EQ(KITH_ERR_WOULD_BLOCK,
            kith_stream_write_lent(s, data.data(), data.size(), release, ctx));
  for (int i = 0; i < 5; ++i) loop.step(1);
  if (GetParam() != kSuccess) {
    EXPECT_EQ(0, released);
  }
  if (GetParam() == kReset) {
    EXPECT_EQ(KITH_OK, kith_stream_reset(s, 1));
  }
  if (GetParam() == kConnectionClosed) {
    EXPECT_EQ(KITH_OK, kith_connection_close(client.connection));
  }
  if (GetParam() == kHostClosed) client.close();
  if (GetParam() == kRuntimeFreed) {
    loop.free();
    EXPECT_EQ(1, released);
    return;
  }
  ASSERT_TRUE(loop.until([&] { return released == 1; }));
  if (GetParam() == kSuccess) {
    ASSERT_TRUE(loop.until([&] { return theirs->received.size() == data.size(); }));
    EXPECT_EQ(data, theirs->received);
    EXPECT_EQ(KITH_OK, kith_stream_close_write(s));
    EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write_lent(s, data.data(), data.size(), release, ctx));
  }
  loop.free();
  EXPECT_EQ(1, released);
}

INSTANTIATE_TEST_SUITE_P(StreamH, LentH, testing::Range(0, 5));

TEST_F(StreamH, StreamsGoOnWithoutTheCallersReference) {
  StreamLog& s = open({kEcho});
  s.to_send = random_bytes(1000, 2);
  s.close_after = true;
  s.pump();
  kith_stream_unref(std::exchange(s.stream, nullptr));
  ASSERT_TRUE(loop.until([&] { return s.destroyed == 1; }));
  EXPECT_EQ(s.to_send, s.received);
}

TEST_F(StreamH, AStreamWithoutCallbacksDropsItsData) {
  kith_stream_handler h{};
  h.struct_size = sizeof h;
  kith_stream* s = nullptr;
  ASSERT_EQ(KITH_OK, kith_connection_open_stream(client.connection, &s, &kEcho, 1, &h));
  const std::vector<uint8_t> data = random_bytes(100'000, 2);
  ASSERT_EQ(KITH_OK, kith_stream_write(s, data.data(), data.size()));
  ASSERT_EQ(KITH_OK, kith_stream_close_write(s));
  ASSERT_TRUE(loop.until([&] { return kith_stream_connection(s) == nullptr; }));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(s, kByte, 1));
  kith_stream_unref(s);
}

TEST_F(StreamH, OtherThreadsAreRefused) {
  open_manual();
  std::thread([&, s = ours->stream] {
    const kith_stream_handler h = {};
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_set_handler(s, &h));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_write(s, kByte, 1));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_write_lent(s, kByte, 1, nullptr, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_close_write(s));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_reset(s, 0));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_stop_reading(s, 0));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_abort(s, 0));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_consume(s, 0));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_stream_resume(s));
    kith_connection* c = client.connection;
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_close(c));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_open_stream(c, nullptr, nullptr, 0, &h));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_identify(c, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_ping(c, 1, 0, 0, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_perf(c, 1, 0, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_connection_stop_perf(c));
  }).join();
  EXPECT_EQ(KITH_OK, kith_stream_write(ours->stream, kByte, 1));
}

}  // namespace
}  // namespace kith_test
