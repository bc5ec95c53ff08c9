// What a hostile peer can send over yamux, and how little comes of it. Rows M4 to M7 are the advisories that hit go-yamux,
// rust-yamux and the HTTP/2 servers.
#include <gtest/gtest.h>

#include "protocol/yamux/seen_ids.h"
#include "protocol/yamux/session.h"
#include "protocol/yamux/test_frames.h"

namespace kith::yamux {
namespace {

using Frames = std::vector<Frame>;

TEST(YamuxHostile, ViolationsEndTheConnectionWithAGoAway) {
  const struct {
    const char* what;
    ByteVector bytes;
  } kRows[] = {
      {"unknown version", ByteVector{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}},
      {"unknown type", encode({4, 0, 0, 0})},
      {"data without a stream", encode({kData, kSyn, 0, 0})},
      {"a window update without a stream", encode({kWindowUpdate, 0, 0, 1})},
      {"a ping on a stream", encode({kPing, kSyn, 1, 1})},
      {"a go-away on a stream", encode({kGoAway, 0, 1, 0})},
      {"a stream with an id of ours", encode({kWindowUpdate, kSyn, 2, 0})},
      {"a stream that exists", encode({kWindowUpdate, kSyn, 1, 0})},
      {"a stream id that was used", encode({kWindowUpdate, kSyn, 3, 0})},
      {"more data than the window", encode({kData, 0, 1, kInitialWindow + 1})},
      {"M5: more data than the window in the first frame", encode({kData, kSyn, 5, 262145})},
      {"more data than any window, for nobody", encode({kData, 0, 99, limits::kYamuxWindow + 1})},
      {"data behind the end", data_frame(0, 7, "x")},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.what);
    Subject server(false);
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, 0}).ok());
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 3, 0}).ok());
    ASSERT_TRUE(server.give({kWindowUpdate, kRst, 3, 0}).ok());
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn | kFin, 7, 0}).ok());
    server.flush();
    const size_t num_streams = server.streams.size();
    EXPECT_EQ(server.session.receive(row.bytes, 0).status(), KITH_ERR_PROTOCOL_VIOLATION);
    EXPECT_EQ(server.streams.size(), num_streams);
    EXPECT_EQ(server.frames(), (Frames{{kGoAway, 0, 0, kProtocolError}}));
    EXPECT_TRUE(server.session.going_away());
    EXPECT_TRUE(server.give({kWindowUpdate, kSyn, 11, 0}).ok());  // nobody listens any more
    EXPECT_EQ(server.streams.size(), num_streams);
  }
}

TEST(YamuxHostile, FramesOfAStreamThatWasNotAnnouncedAreAViolation) {
  for (const int flags : {0, int{kAck}, int{kFin}, int{kRst}}) {
    Subject client(true);
    client.open();
    EXPECT_EQ(client.give({kWindowUpdate, flags, 1, 1}).status(), KITH_ERR_PROTOCOL_VIOLATION);
  }
}

TEST(YamuxHostile, M4WindowsSaturate) {
  Subject client(true);
  End::Seen& out = *client.open();
  client.flush();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.give({kWindowUpdate, kAck, 1, UINT32_MAX}).ok());
  }
  ASSERT_TRUE(client.write(out, std::string(1024 * 1024, 'x')).ok());
  size_t total = 0;
  for (const Frame& f : client.frames()) total += f.length;
  EXPECT_EQ(total, 1024U * 1024);
}

TEST(YamuxHostile, M6PingsAreAnsweredOnceHoweverMany) {
  Subject server(false);
  for (uint32_t i = 0; i < 1500; ++i) ASSERT_TRUE(server.give({kPing, kSyn, 0, i}).ok());
  EXPECT_EQ(server.frames(), (Frames{{kPing, kAck, 0, 1499}}));
}

TEST(YamuxHostile, M6APingFloodEndsTheConnection) {
  Subject server(false);
  size_t num = 0;
  Status status;
  while ((status = server.give({kPing, kSyn, 0, 1})).ok()) ++num;
  EXPECT_EQ(status.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(num, limits::kMuxerChurnBurst);
  EXPECT_EQ(server.frames(), (Frames{{kGoAway, 0, 0, kProtocolError}}));
}

TEST(YamuxHostile, M6AnswersThatAreNotReadAreBounded) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) { server.session.reset(*seen.stream, 1); };
  size_t num = 0;
  Status status;
  // Slowly, so that the churn budget does not come first, and never flushed.
  while (
      (status = server.give({kWindowUpdate, kSyn, static_cast<uint32_t>(2 * num + 1), 0})).ok()) {
    ++num;
    server.now += milliseconds(10);
  }
  EXPECT_EQ(status.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(num, limits::kMuxerOwedResets);
}

// How many frames of `make(i)` are taken at `per_second` before the connection ends, at most `limit`.
template <typename Make>
size_t count_taken(Subject& server, size_t per_second, size_t limit, Make make) {
  size_t num = 0;
  while (num < limit && server.session.receive(make(num), server.now).ok()) {
    ++num;
    server.now += seconds(1) / static_cast<Duration>(per_second);
    server.flush();
  }
  return num;
}

TEST(YamuxHostile, M7OpenAndResetChurnEndsTheConnection) {
  const auto open_and_reset = [](size_t i) {
    const auto id = static_cast<uint32_t>(2 * i + 1);
    ByteVector out = encode({kWindowUpdate, kSyn, id, 0});
    append(out, encode({kWindowUpdate, kRst, id, 0}));
    return out;
  };
  Subject fast(false);
  EXPECT_LT(count_taken(fast, 100000, 10000, open_and_reset), limits::kMuxerChurnBurst * 11 / 10);
  EXPECT_EQ(fast.frames(), (Frames{{kGoAway, 0, 0, kProtocolError}}));
  Subject slow(false);
  EXPECT_EQ(count_taken(slow, 900, 10000, open_and_reset), 10000U);
  EXPECT_EQ(slow.session.num_streams(), 0U);
}

TEST(YamuxHostile, M7FramesOfNoUseEndTheConnection) {
  const Frame kUseless[] = {
      {kData, 0, 1, 0},                                                          // empty
      {kWindowUpdate, 0, 1, 0},                                                  // the same
      {kWindowUpdate, 0, 99, 1},                                                 // for nobody
      {kData, kFin, 99, 0},      {kData, kRst, 99, 0}, {kPing, kAck, 0, 12345},  // nobody asked
  };
  for (const Frame& frame : kUseless) {
    SCOPED_TRACE(testing::PrintToString(frame));
    Subject server(false);
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, 0}).ok());
    EXPECT_LT(count_taken(server, 100000, 10000, [&](size_t) { return encode(frame); }),
              limits::kMuxerChurnBurst * 11 / 10);
  }
}

TEST(YamuxHostile, StreamsThatDoTheirWorkAreNoChurn) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) {
    ASSERT_TRUE(server.write(seen, "reply").ok());
    server.session.close_write(*seen.stream);
  };
  const auto request = [](size_t i) {
    const auto id = static_cast<uint32_t>(2 * i + 1);
    ByteVector out = data_frame(kSyn | kFin, id, "request");
    // As js does: credit for what it read, when the stream has ended here.
    if (i > 0) append(out, encode({kWindowUpdate, 0, id - 2, 5}));
    return out;
  };
  EXPECT_EQ(count_taken(server, 1000000, 20000, request), 20000U);
}

// A server answers and needs no more of the request, whose end comes late: nothing of that is the peer's fault.
TEST(YamuxHostile, RequestsThatAreAnsweredBeforeTheirEndAreNoChurn) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) {
    ASSERT_TRUE(server.write(seen, "reply").ok());
    server.session.close_write(*seen.stream);
    server.session.stop_reading(*seen.stream, 0);
  };
  const auto request = [](size_t i) {
    const auto id = static_cast<uint32_t>(2 * i + 1);
    ByteVector out = data_frame(kSyn, id, "request");
    if (i > 0) append(out, encode({kWindowUpdate, kFin, id - 2, 0}));
    if (i % 1000 == 0) append(out, encode({kPing, kSyn, 0, 1}));
    return out;
  };
  EXPECT_EQ(count_taken(server, 100000, 20000, request), 20000U);
}

TEST(YamuxHostile, WhatWeRefuseLeavesAnHonestPeerItsPings) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) { server.session.reset(*seen.stream, 1); };
  const auto request = [](size_t i) {
    ByteVector out = encode({kWindowUpdate, kSyn, static_cast<uint32_t>(2 * i + 1), 0});
    if (i % 1000 == 0) append(out, encode({kPing, kSyn, 0, 1}));
    return out;
  };
  EXPECT_EQ(count_taken(server, 100000, 20000, request), 20000U);
}

TEST(YamuxHostile, AStreamThatThePeerDroppedWithoutAWordMakesPlaceForANewOne) {
  Config config;
  config.max_inbound_streams = 2;
  Subject server(false, config);
  server.on_new = [&](End::Seen& seen) {
    ASSERT_TRUE(server.write(seen, std::string(kInitialWindow + 1, 'x')).ok());
  };
  const auto open = [&](uint32_t id) { return server.give({kWindowUpdate, kSyn, id, 0}); };
  for (const uint32_t id : {1U, 3U}) ASSERT_TRUE(open(id).ok());
  server.flush();
  ASSERT_TRUE(server.give({kWindowUpdate, kFin, 1, 0}).ok());
  server.now += limits::kYamuxStuckStream - 1;
  ASSERT_TRUE(open(5).ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kRst, 5, kResourceLimitExceeded}}));
  server.now += 1;
  ASSERT_TRUE(open(7).ok());
  EXPECT_EQ(server.streams[0].num_resets, 1U);
  EXPECT_EQ(server.streams[1].num_resets, 0U);  // its peer may still want to say something
  EXPECT_EQ(server.frames()[0], (Frame{kWindowUpdate, kRst, 1, kResourceLimitExceeded}));
  EXPECT_EQ(server.streams.back().id, 7U);
  EXPECT_EQ(server.streams[0].num_closed, 1U);
}

TEST(YamuxHostile, StreamsBeyondTheLimitAreReset) {
  Config config;
  config.max_inbound_streams = 2;
  Subject server(false, config);
  for (const uint32_t id : {1U, 3U, 5U}) ASSERT_TRUE(server.give_data(kSyn, id, "x").ok());
  EXPECT_EQ(server.streams.size(), 2U);
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kRst, 5, kResourceLimitExceeded},
                                     {kWindowUpdate, kAck, 1, 0},
                                     {kWindowUpdate, kAck, 3, 0}}));
  ASSERT_TRUE(server.give_data(kFin, 5, "late").ok());
  ASSERT_TRUE(server.give({kWindowUpdate, kRst, 1, 0}).ok());
  ASSERT_TRUE(server.give_data(kSyn, 7, "x").ok());
  EXPECT_EQ(server.streams.size(), 3U);
}

TEST(YamuxHostile, StreamIdsMayComeInAnyOrder) {
  Subject server(false);
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, UINT32_MAX, 0}).ok());
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, 0}).ok());
  EXPECT_EQ(server.streams.size(), 2U);
}

TEST(YamuxSeenIds, RememberRecentOnesInAnyOrder) {
  SeenIds ids;
  EXPECT_TRUE(ids.insert(5));
  EXPECT_TRUE(ids.insert(1));
  EXPECT_TRUE(ids.insert(3));
  for (const uint32_t id : {1U, 3U, 5U}) EXPECT_FALSE(ids.insert(id));
  const uint32_t far = 5 + 2 * SeenIds::kWindow - 2;
  EXPECT_TRUE(ids.insert(far));
  EXPECT_FALSE(ids.insert(5));  // the oldest that is remembered
  EXPECT_TRUE(ids.insert(far + 2));
  EXPECT_TRUE(ids.insert(5));  // not any more
  EXPECT_TRUE(ids.insert(7));
  EXPECT_FALSE(ids.insert(7));
  EXPECT_TRUE(ids.insert(UINT32_MAX));
  EXPECT_FALSE(ids.insert(UINT32_MAX));
  EXPECT_TRUE(ids.insert(UINT32_MAX - 2));
}

}  // namespace
}  // namespace kith::yamux
