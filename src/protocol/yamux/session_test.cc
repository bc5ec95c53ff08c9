// The life of yamux streams, between two sessions and frame by frame.
#include "protocol/yamux/session.h"

#include <gtest/gtest.h>

#include "fuzz/input.h"
#include "protocol/yamux/test_frames.h"

namespace kith::yamux {
namespace {

using fuzz::exchange;
using Frames = std::vector<Frame>;

std::string text_of(const End::Seen& seen) { return std::string(as_text(seen.received)); }

TEST(Yamux, CarriesARequestAndItsReply) {
  End client(true), server(false);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "request").ok());
  client.session.close_write(*out.stream);
  exchange(client, server);

  ASSERT_EQ(server.streams.size(), 1U);
  End::Seen& in = server.streams[0];
  EXPECT_EQ(text_of(in), "request");
  EXPECT_EQ(in.num_read_closed, 1U);
  EXPECT_FALSE(in.stream->can_read());
  ASSERT_TRUE(server.write(in, "reply").ok());
  server.session.close_write(*in.stream);
  exchange(client, server);

  EXPECT_EQ(text_of(out), "reply");
  EXPECT_EQ(out.num_read_closed, 1U);
  EXPECT_EQ(out.num_closed, 1U);
  EXPECT_EQ(in.num_closed, 1U);
  EXPECT_EQ(client.session.num_streams() + server.session.num_streams(), 0U);
}

TEST(Yamux, GivesOddIdsToTheClientAndEvenOnesToTheServer) {
  End client(true), server(false);
  EXPECT_EQ(client.open()->id, 1U);
  EXPECT_EQ(client.open()->id, 3U);
  EXPECT_EQ(server.open()->id, 2U);
  EXPECT_EQ(server.open()->id, 4U);
  exchange(client, server);
  EXPECT_EQ(client.streams.size(), 4U);
  EXPECT_EQ(server.streams.size(), 4U);
}

TEST(Yamux, OpensNothingWhenItsIdsAreUsedUp) {
  for (const bool is_client : {true, false}) {
    Config config;
    config.first_id = UINT32_MAX - 3;
    Subject end(is_client, config);
    const uint32_t last = is_client ? UINT32_MAX : UINT32_MAX - 1;
    EXPECT_EQ(end.open()->id, last - 2);
    End::Seen& out = *end.open();
    EXPECT_EQ(out.id, last);
    const Result<muxer::Stream*> none = end.session.open(nullptr);
    EXPECT_EQ(none.status(), KITH_ERR_LIMIT);
    EXPECT_EQ(none.error().detail(), "no stream ids are left");
    // The connection goes on with the streams there are.
    ASSERT_TRUE(end.write(out, "x").ok());
    EXPECT_EQ(end.frames(), (Frames{{kWindowUpdate, kSyn, last - 2, 0},
                                    {kWindowUpdate, kSyn, last, 0},
                                    {kData, 0, last, 1}}));
  }
}

TEST(Yamux, AnnouncesAStreamByAWindowUpdateAndSendsDataWithIt) {
  Subject client(true);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "multistream").ok());
  ASSERT_TRUE(client.write(out, " header").ok());
  client.session.close_write(*out.stream);
  // Both writes in one frame; the end in its own, because js and go look at the flags of a frame before its data.
  EXPECT_EQ(client.frames(),
            (Frames{{kWindowUpdate, kSyn, 1, 0}, {kData, 0, 1, 18}, {kWindowUpdate, kFin, 1, 0}}));
}

TEST(Yamux, AcceptsAnAnnouncementOfAnyForm) {
  for (const uint32_t credit : {0U, 256U * 1024, UINT32_MAX}) {
    Subject server(false);
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, credit}).ok());
    ASSERT_TRUE(server.give_data(0, 1, "data").ok());
    EXPECT_EQ(text_of(server.streams.at(0)), "data");
  }
  Subject server(false);
  ASSERT_TRUE(server.give_data(kSyn, 1, "data at once").ok());
  ASSERT_TRUE(server.give_data(kSyn, 3, "").ok());
  ASSERT_TRUE(server.give_data(kSyn | kFin, 5, "all of it").ok());
  EXPECT_EQ(text_of(server.streams.at(0)), "data at once");
  EXPECT_EQ(server.streams.at(1).num_read_closed, 0U);
  EXPECT_EQ(text_of(server.streams.at(2)), "all of it");
  EXPECT_EQ(server.streams.at(2).num_read_closed, 1U);
}

TEST(Yamux, AcknowledgesAStreamAtOnceOrWithItsFirstData) {
  Subject server(false);
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, 0}).ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kAck, 1, 0}}));

  server.on_new = [&](End::Seen& seen) { ASSERT_TRUE(server.write(seen, "hello").ok()); };
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 3, 0}).ok());
  EXPECT_EQ(server.frames(), (Frames{{kData, kAck, 3, 5}}));

  server.on_new = [&](End::Seen& seen) { server.session.close_write(*seen.stream); };
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 5, 0}).ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kAck | kFin, 5, 0}}));
}

TEST(Yamux, ReceivesTheSameInEverySplit) {
  ByteVector in = encode({kPing, kSyn, 0, 7});
  append(in, data_frame(kSyn, 1, "first"));
  append(in, encode({kWindowUpdate, kSyn, 3, 10}));
  append(in, data_frame(0, 3, "second"));
  append(in, data_frame(kFin, 1, "!"));
  append(in, encode({kWindowUpdate, kRst, 3, 5}));
  fuzz::for_each_split(in.size(), [&](const std::vector<size_t>& cuts) {
    Subject server(false);
    size_t begin = 0;
    for (size_t i = 0; i <= cuts.size(); ++i) {
      const size_t end = i < cuts.size() ? cuts[i] : in.size();
      const ByteVector piece(in.begin() + static_cast<ptrdiff_t>(begin),
                             in.begin() + static_cast<ptrdiff_t>(end));
      ASSERT_TRUE(server.session.receive(piece, 0).ok());
      begin = end;
    }
    ASSERT_EQ(server.streams.size(), 2U);
    EXPECT_EQ(text_of(server.streams[0]), "first!");
    EXPECT_EQ(server.streams[0].num_read_closed, 1U);
    EXPECT_EQ(text_of(server.streams[1]), "second");
    EXPECT_EQ(server.streams[1].code, 5U);
    EXPECT_EQ(server.frames(), (Frames{{kPing, kAck, 0, 7}, {kWindowUpdate, kAck, 1, 0}}));
    EXPECT_EQ(server.streams[1].num_closed, 1U);
  });
}

TEST(Yamux, ResetsCarryTheirCode) {
  End client(true), server(false);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "x").ok());
  exchange(client, server);
  ASSERT_TRUE(client.write(out, "never sent").ok());
  client.session.reset(*out.stream, 0x1234567);
  EXPECT_FALSE(out.stream->can_write());
  client.session.reset(*out.stream, 1);  // harmless
  client.session.stop_reading(*out.stream, 1);
  client.session.close_write(*out.stream);
  EXPECT_EQ(client.write(out, "y").status(), KITH_ERR_CLOSED);
  EXPECT_EQ(out.num_closed, 0U);  // not from inside our own call
  exchange(client, server);
  EXPECT_EQ(out.num_closed, 1U);
  EXPECT_EQ(out.num_resets, 0U);
  End::Seen& in = server.streams[0];
  EXPECT_EQ(text_of(in), "x");
  EXPECT_EQ(in.code, 0x1234567U);
  EXPECT_EQ(in.num_resets, 1U);
  EXPECT_EQ(in.num_read_closed, 0U);
  EXPECT_EQ(in.num_closed, 1U);
}

TEST(Yamux, SendsALargeResetCodeAsOutOfRange) {
  Subject server(false);
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 1, 0}).ok());
  server.session.reset(*server.streams[0].stream, uint64_t{1} << 32);
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kRst, 1, kCodeOutOfRange}}));
}

TEST(Yamux, ForgetsAStreamThatWasResetBeforeItWasAnnounced) {
  Subject client(true);
  End::Seen& out = *client.open();
  client.session.reset(*out.stream, 1);
  EXPECT_EQ(client.frames(), Frames{});
  EXPECT_EQ(out.num_closed, 1U);
}

TEST(Yamux, IgnoresWhatCrossesTheEndOfAStream) {
  Subject server(false);
  ASSERT_TRUE(server.give_data(kSyn, 1, "x").ok());
  server.session.reset(*server.streams[0].stream, 9);
  server.flush();
  ASSERT_TRUE(server.give_data(0, 1, std::string(16 * 1024, 'x')).ok());
  ASSERT_TRUE(server.give({kWindowUpdate, 0, 1, 1000}).ok());
  ASSERT_TRUE(server.give({kWindowUpdate, kFin, 1, 0}).ok());
  ASSERT_TRUE(server.give({kWindowUpdate, kRst, 1, 0}).ok());
  EXPECT_EQ(server.frames(), Frames{});
  EXPECT_EQ(text_of(server.streams[0]), "x");
  // rust ends streams that it never announced.
  ASSERT_TRUE(server.give({kData, kRst, 3, 0}).ok());
  ASSERT_TRUE(server.give({kData, kFin, 3, 0}).ok());
  ASSERT_TRUE(server.give_data(kSyn, 5, "y").ok());
  EXPECT_EQ(text_of(server.streams.at(1)), "y");
}

TEST(Yamux, AHandlerMayEndAStreamInAnyCallback) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) {
    if (seen.id == 1) server.session.reset(*seen.stream, 4);
  };
  server.on_bytes = [&](End::Seen& seen, Bytes data) {
    server.session.reset(*seen.stream, 5);
    return data.size();
  };
  ASSERT_TRUE(server.give_data(kSyn, 1, "dropped").ok());
  ASSERT_TRUE(server.give_data(kSyn | kFin, 3, "read").ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kRst, 1, 4}, {kWindowUpdate, kRst, 3, 5}}));
  EXPECT_EQ(text_of(server.streams[0]), "");
  EXPECT_EQ(server.streams[1].num_read_closed, 0U);
  EXPECT_EQ(server.streams[1].num_closed, 1U);
}

TEST(Yamux, DropsABoundedAmountAfterStopReading) {
  Subject server(false);
  ASSERT_TRUE(server.give_data(kSyn, 1, "x").ok());
  End::Seen& in = server.streams[0];
  server.session.stop_reading(*in.stream, 77);
  EXPECT_FALSE(in.stream->can_read());
  const std::string piece(64 * 1024, 'x');
  size_t dropped = 0;
  while (in.num_closed == 0) {
    ASSERT_TRUE(server.give_data(0, 1, piece).ok());
    dropped += piece.size();
    const Frames frames = server.frames();
    if (in.num_closed != 0) {
      EXPECT_EQ(frames.back(), (Frame{kWindowUpdate, kRst, 1, 77}));
    }
  }
  EXPECT_GT(dropped, limits::kMuxerDroppedBytes);
  EXPECT_LE(dropped, limits::kMuxerDroppedBytes + piece.size());
  EXPECT_EQ(text_of(in), "x");
}

TEST(Yamux, AStreamThatIsNotReadEndsBehindOurEnd) {
  Subject server(false);
  ASSERT_TRUE(server.give_data(kSyn, 1, "x").ok());
  End::Seen& in = server.streams[0];
  server.session.stop_reading(*in.stream, 7);
  ASSERT_TRUE(server.write(in, "reply").ok());
  server.session.close_write(*in.stream);
  EXPECT_EQ(
      server.frames(),
      (Frames{{kData, kAck, 1, 5}, {kWindowUpdate, kFin, 1, 0}, {kWindowUpdate, kRst, 1, 7}}));
  EXPECT_EQ(in.num_closed, 1U);
}

TEST(Yamux, StopsReadingWhenOneSideHasEndedAlready) {
  Subject server(false);
  ASSERT_TRUE(server.give_data(kSyn, 1, "x").ok());
  ASSERT_TRUE(server.give_data(kSyn | kFin, 3, "y").ok());
  // Our side has ended: a reset is all that is left to say.
  server.session.close_write(*server.streams[0].stream);
  server.flush();
  server.session.stop_reading(*server.streams[0].stream, 7);
  // The peer's side has ended: nothing is left to stop.
  server.session.stop_reading(*server.streams[1].stream, 7);
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, kRst, 1, 7}}));
  EXPECT_EQ(server.streams[0].num_closed, 1U);
  EXPECT_EQ(server.streams[1].num_closed, 0U);
  EXPECT_TRUE(server.streams[1].stream->can_write());
}

TEST(Yamux, SaysGoAwayAndNothingElse) {
  Subject client(true);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "x").ok());
  client.session.go_away(kNormal);
  client.session.go_away(kInternalError);  // the first one counts
  EXPECT_TRUE(client.session.going_away());
  EXPECT_EQ(client.frames(), (Frames{{kGoAway, 0, 0, kNormal}}));
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_CLOSED);
  EXPECT_EQ(client.write(out, "y").status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(client.give({kPing, kSyn, 0, 1}).ok());
  EXPECT_FALSE(client.session.has_output());
  EXPECT_EQ(client.session.next_timeout(), kNever);
}

TEST(Yamux, LetsStreamsFinishAfterThePeersGoAway) {
  Subject client(true);
  End::Seen& out = *client.open();
  client.flush();
  ASSERT_TRUE(client.give({kGoAway, 0, 0, kNormal}).ok());
  EXPECT_TRUE(client.session.going_away());
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_CLOSED);
  ASSERT_TRUE(client.write(out, "x").ok());
  EXPECT_EQ(client.frames(), (Frames{{kData, 0, 1, 1}}));
  const Status status = client.give({kGoAway, 0, 0, kInternalError});
  EXPECT_EQ(status.status(), KITH_ERR_CONNECTION_LOST);
}

TEST(Yamux, HoldsBackStreamsUntilThePeerAnswers) {
  Subject client(true, {}, /*is_answered=*/false);
  for (size_t i = 0; i < 12; ++i) ASSERT_TRUE(client.write(*client.open(), "x").ok());
  EXPECT_EQ(client.frames().size(), 2 * limits::kMuxerEarlyStreams);
  client.session.reset(*client.streams[0].stream, 0);  // a stream that ended was early all the same
  client.session.reset(*client.streams[11].stream, 0);
  EXPECT_EQ(client.frames(), (Frames{{kWindowUpdate, kRst, 1, 0}}));
  ASSERT_TRUE(client.give({kWindowUpdate, kAck, 3, 0}).ok());
  EXPECT_EQ(client.frames(), (Frames{{kWindowUpdate, kSyn, 17, 0},
                                     {kWindowUpdate, kSyn, 19, 0},
                                     {kWindowUpdate, kSyn, 21, 0},
                                     {kData, 0, 17, 1},
                                     {kData, 0, 19, 1},
                                     {kData, 0, 21, 1}}));
}

TEST(Yamux, StreamsBeyondWhatThePeerAllowsWait) {
  Config config;
  config.max_outbound_streams = 2;
  Subject client(true, config);
  for (size_t i = 0; i < 2 + limits::kMuxerWaitingStreams; ++i) ASSERT_NE(client.open(), nullptr);
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(client.frames().size(), 2U);
  ASSERT_TRUE(client.give({kWindowUpdate, kRst, 3, 0}).ok());
  EXPECT_EQ(client.frames(), (Frames{{kWindowUpdate, kSyn, 5, 0}}));
  EXPECT_NE(client.open(), nullptr);
}

TEST(Yamux, StreamsThatWaitEndWhenThePeerGoesAway) {
  Config config;
  config.max_outbound_streams = 2;
  Subject client(true, config);
  for (size_t i = 0; i < 5; ++i) ASSERT_TRUE(client.write(*client.open(), "x").ok());
  client.flush();
  ASSERT_TRUE(client.give({kGoAway, 0, 0, kNormal}).ok());
  EXPECT_EQ(client.frames(), (Frames{}));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(client.streams[i].num_resets, i < 2 ? 0U : 1U);
    EXPECT_EQ(client.streams[i].num_closed, i < 2 ? 0U : 1U);
  }
}

TEST(Yamux, OpensNoMoreStreamsAtOnceThanPeersBear) {
  Subject client(true);
  for (size_t i = 0; i < limits::kMuxerOutboundStreams + 10; ++i) ASSERT_NE(client.open(), nullptr);
  size_t num_announced = 0;
  while (client.session.has_output()) num_announced += client.frames().size();
  EXPECT_EQ(num_announced, limits::kMuxerOutboundStreams);
  client.session.reset(*client.streams[0].stream, 0);
  EXPECT_EQ(client.frames().size(), 2U);  // the reset, and the first that waited
}

TEST(Yamux, MeasuresRoundTripsAndKeepsTheConnectionAlive) {
  End client(true, {}, seconds(100));
  Frames frames = headers_of(client.flush());
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(client.session.rtt(), 0);
  const auto pong = [&](TimePoint now) {
    return client.session.receive(encode({kPing, kAck, 0, frames[0].length}), now);
  };
  ASSERT_TRUE(pong(seconds(100) + milliseconds(40)).ok());
  EXPECT_EQ(client.session.rtt(), milliseconds(40));

  const TimePoint next = client.session.next_timeout();
  EXPECT_EQ(next, seconds(130) + milliseconds(40));
  ASSERT_TRUE(client.session.on_timeout(next - 1).ok());
  EXPECT_FALSE(client.session.has_output());
  ASSERT_TRUE(client.session.on_timeout(next).ok());
  frames = headers_of(client.flush());
  ASSERT_EQ(frames.size(), 1U);
  // A late answer moves the estimate by a quarter, an early one all the way.
  ASSERT_TRUE(pong(next + seconds(1)).ok());
  EXPECT_EQ(client.session.rtt(), milliseconds(50));
}

TEST(Yamux, GivesUpOnAPeerThatSaysNothingAfterAPing) {
  End client(true);
  client.flush();
  // Any byte counts: the answer may be stuck behind data.
  ASSERT_TRUE(client.session.receive(encode({kPing, kAck, 0, 999}), seconds(15)).ok());
  EXPECT_EQ(client.session.next_timeout(), seconds(35));
  EXPECT_EQ(client.session.on_timeout(seconds(35)).status(), KITH_ERR_TIMEOUT);
  EXPECT_EQ(headers_of(client.flush()), (Frames{{kGoAway, 0, 0, kInternalError}}));
}

TEST(Yamux, AsksForOneFlushAtATime) {
  Subject client(true);
  const size_t before = client.num_flushes_asked;
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "x").ok());
  ASSERT_TRUE(client.write(out, "y").ok());
  EXPECT_EQ(client.num_flushes_asked, before + 1);
  client.flush();
  EXPECT_FALSE(client.is_flush_asked);
  ASSERT_TRUE(client.write(out, "z").ok());
  EXPECT_EQ(client.num_flushes_asked, before + 2);
}

TEST(Yamux, SessionsCanShareTheirPools) {
  Pools pools;
  Config config;
  config.pools = &pools;
  for (int round = 0; round < 3; ++round) {
    End client(true, config), server(false, config);
    server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
    ASSERT_TRUE(client.write(*client.open(), std::string(10000, 'x')).ok());
    exchange(client, server);
    EXPECT_EQ(server.session.held_bytes(), 10000U);  // and the session goes with streams and bytes
  }
}

}  // namespace
}  // namespace kith::yamux
