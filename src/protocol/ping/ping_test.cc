#include "protocol/ping/ping.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "fuzz/input.h"
#include "fuzz/pair.h"

namespace kith::ping {
namespace {

const ByteVector kPayload = fuzz::random_bytes(1, limits::kPingBytes);

// Everything that `responder` echoes for `in`, given in pieces that `cuts` make and sent as
// `send_bytes` at a time.
ByteVector echo_of(Responder& responder, Bytes in, const std::vector<size_t>& cuts,
                   size_t send_bytes) {
  ByteVector out;
  auto send_all = [&] {
    while (!responder.pending().empty()) {
      const Bytes part =
          responder.pending().first(std::min(send_bytes, responder.pending().size()));
      append(out, part);
      responder.sent(part.size());
    }
  };
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : in.size();
    while (begin < end) {
      begin += responder.receive(in.subspan(begin, end - begin));
      send_all();
    }
  }
  return out;
}

TEST(PingResponder, EchoesBlocksInEverySplit) {
  const ByteVector blocks = fuzz::random_bytes(2, 3 * limits::kPingBytes);
  fuzz::for_each_split(blocks.size(), [&](const std::vector<size_t>& cuts) {
    Responder responder;
    EXPECT_EQ(echo_of(responder, blocks, cuts, 5), blocks);
    EXPECT_TRUE(responder.end_of_input().ok());
  });
}

TEST(PingResponder, EchoesNothingBeforeABlockIsWhole) {
  Responder responder;
  EXPECT_EQ(responder.receive(Bytes(kPayload).first(31)), 31U);
  EXPECT_TRUE(responder.pending().empty());
  EXPECT_EQ(responder.receive(Bytes(kPayload).subspan(31)), 1U);
  EXPECT_TRUE(equal(responder.pending(), kPayload));
}

TEST(PingResponder, TakesNothingWhileAnEchoIsPending) {
  Responder responder;
  const ByteVector flood = fuzz::random_bytes(3, 4096);
  EXPECT_EQ(responder.receive(flood), limits::kPingBytes);
  EXPECT_EQ(responder.receive(Bytes(flood).subspan(32)), 0U);
  responder.sent(31);
  EXPECT_EQ(responder.receive(Bytes(flood).subspan(32)), 0U);
  responder.sent(1);
  EXPECT_EQ(responder.receive(Bytes(flood).subspan(32)), limits::kPingBytes);
  EXPECT_TRUE(equal(responder.pending(), Bytes(flood).subspan(32, 32)));
}

TEST(PingResponder, TellsAnEndWithinABlock) {
  Responder responder;
  EXPECT_TRUE(responder.end_of_input().ok());
  responder.receive(Bytes(kPayload).first(1));
  EXPECT_EQ(responder.end_of_input().status(), KITH_ERR_PROTOCOL_VIOLATION);
  responder.receive(Bytes(kPayload).subspan(1));
  EXPECT_TRUE(responder.end_of_input().ok());
  EXPECT_EQ(responder.pending().size(), limits::kPingBytes);  // still to be sent
}

TEST(Pinger, MeasuresARoundTrip) {
  Pinger pinger;
  EXPECT_EQ(pinger.rtt(), kNever);
  EXPECT_TRUE(pinger.pending().empty());
  ASSERT_TRUE(pinger.start(kPayload, milliseconds(100)).ok());
  EXPECT_TRUE(equal(pinger.pending(), kPayload));
  pinger.sent(32);
  EXPECT_EQ(pinger.receive(kPayload, milliseconds(142)), 32U);
  EXPECT_EQ(pinger.state(), Pinger::State::kIdle);
  EXPECT_EQ(pinger.rtt(), milliseconds(42));
}

TEST(Pinger, MeasuresUntilTheLastByteOfTheEchoInEverySplit) {
  fuzz::for_each_split(kPayload.size(), [&](const std::vector<size_t>& cuts) {
    Pinger pinger;
    ASSERT_TRUE(pinger.start(kPayload, 0).ok());
    pinger.sent(32);
    TimePoint now = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= cuts.size(); ++i) {
      const size_t end = i < cuts.size() ? cuts[i] : kPayload.size();
      EXPECT_EQ(pinger.state(), Pinger::State::kWaiting);
      pinger.receive(Bytes(kPayload).subspan(begin, end - begin), ++now);
      begin = end;
    }
    EXPECT_EQ(pinger.state(), Pinger::State::kIdle);
    EXPECT_EQ(pinger.rtt(), now);
  });
}

TEST(Pinger, FailsOnAnyOtherBytes) {
  for (size_t i = 0; i < kPayload.size(); ++i) {
    ByteVector echo = kPayload;
    echo[i] ^= 1;
    fuzz::for_each_split(echo.size(), [&](const std::vector<size_t>& cuts) {
      if (cuts.size() > 1 && i % 8 != 0) return;
      Pinger pinger;
      ASSERT_TRUE(pinger.start(kPayload, 0).ok());
      size_t begin = 0;
      for (size_t end : cuts) {
        pinger.receive(Bytes(echo).subspan(begin, end - begin), 1);
        begin = end;
      }
      EXPECT_EQ(pinger.receive(Bytes(echo).subspan(begin), 1), echo.size() - begin);
      EXPECT_EQ(pinger.state(), Pinger::State::kFailed);
      EXPECT_EQ(pinger.error().status(), KITH_ERR_PROTOCOL_VIOLATION);
      EXPECT_EQ(pinger.error().detail(), "the echo differs from the ping");
      EXPECT_EQ(pinger.rtt(), kNever);
    });
  }
}

TEST(Pinger, FailsOnBytesThatItDidNotAskFor) {
  Pinger unasked;
  unasked.receive(Bytes(kPayload).first(1), 0);
  EXPECT_EQ(unasked.error().detail(), "the peer sent bytes without being pinged");
  Pinger twice;
  ASSERT_TRUE(twice.start(kPayload, 0).ok());
  twice.sent(32);
  ByteVector echo = kPayload;
  echo.push_back(0);
  twice.receive(echo, 7);
  EXPECT_EQ(twice.state(), Pinger::State::kFailed);
  EXPECT_EQ(twice.rtt(), 7);  // the ping itself was answered
  EXPECT_EQ(twice.start(kPayload, 8).status(), KITH_ERR_INVALID_STATE);
}

TEST(Pinger, RefusesASecondPingBeforeTheEcho) {
  Pinger pinger;
  ASSERT_TRUE(pinger.start(kPayload, 0).ok());
  EXPECT_EQ(pinger.start(kPayload, 1).status(), KITH_ERR_INVALID_STATE);
}

TEST(Pinger, RefusesAPayloadOfAnotherSize) {
  Pinger pinger;
  EXPECT_EQ(pinger.start(Bytes(kPayload).first(31), 0).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(pinger.start({}, 0).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(pinger.state(), Pinger::State::kIdle);
}

TEST(Pinger, FailsWhenThePeerEndsTheStreamWithoutAnEcho) {
  Pinger pinger;
  pinger.end_of_input();
  EXPECT_EQ(pinger.state(), Pinger::State::kIdle);
  ASSERT_TRUE(pinger.start(kPayload, 0).ok());
  pinger.end_of_input();
  EXPECT_EQ(pinger.error().status(), KITH_ERR_CLOSED);
}

TEST(Pinger, NeverMeasuresLessThanNothing) {
  Pinger pinger;
  ASSERT_TRUE(pinger.start(kPayload, 10).ok());
  pinger.sent(32);
  pinger.receive(kPayload, 9);
  EXPECT_EQ(pinger.rtt(), 0);
}

// A pinger whose clock the simulation sets.
struct ClockedPinger {
  Pinger pinger;
  TimePoint now = 0;
  size_t receive(Bytes in) { return pinger.receive(in, now); }
  Bytes pending() const { return pinger.pending(); }
  void sent(size_t n) { pinger.sent(n); }
};

TEST(Ping, RepeatsOnOneStreamInEveryInterleaving) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    ClockedPinger dialer;
    Responder listener;
    fuzz::Pair pair(dialer, listener);
    const ByteVector decisions = fuzz::random_bytes(seed, 400);
    fuzz::FuzzInput in(decisions);
    for (int round = 0; round < 5; ++round) {
      const TimePoint begin = dialer.now;
      ASSERT_TRUE(dialer.pinger.start(fuzz::random_bytes(seed + 1, 32), begin).ok());
      for (int i = 0; i < 20; ++i) {
        ++dialer.now;
        pair.step(in);
      }
      pair.settle();
      ASSERT_EQ(dialer.pinger.state(), Pinger::State::kIdle);
      EXPECT_GT(dialer.pinger.rtt(), 0);
      EXPECT_LE(dialer.pinger.rtt(), dialer.now - begin);
    }
  }
}

}  // namespace
}  // namespace kith::ping
