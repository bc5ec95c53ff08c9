// The ping service on virtual time: sessions, answers, limits, and peers that behave badly.
#include "service/ping.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "swarm/test_net.h"

namespace kith::service {
namespace {

using swarm::test::kHeader;
using swarm::test::line;
using swarm::test::RawPeer;
using swarm::test::TestStream;
using swarm::test::TestSwarm;

constexpr Duration kLatency = milliseconds(10);

void counting(MutableBytes out) {
  static uint8_t next = 0;
  for (uint8_t& b : out) b = next++;
}

struct Results final : PingHandler {
  void on_round_trip(Duration rtt) override {
    EXPECT_EQ(num_ends, 0);
    rtts.push_back(rtt);
    if (round_trip) round_trip();
  }
  void on_ping_end(const Error& error) override {
    ++num_ends;
    end = error;
    if (ended) ended();
  }
  std::function<void()> round_trip, ended;
  std::vector<Duration> rtts;
  int num_ends = 0;
  Error end{KITH_OK, ""};
};

struct Pinging : testing::Test {
  Pinging() {
    network.latency = kLatency;
    b = std::make_unique<TestSwarm>(loop, network, 2);
    a = std::make_unique<TestSwarm>(loop, network, 1);
    pings_b = std::make_unique<PingService>(b->swarm, counting, /*serve=*/true);
    pings_a = std::make_unique<PingService>(a->swarm, counting, /*serve=*/false);
    connection = &a->connected_to(*b);
  }
  ~Pinging() override {
    session.reset();
    a->stop();
    b->stop();
  }
  void start(PingOptions options) {
    session = pings_a->start(*connection, options, &results).value();
  }
  void run() {
    ASSERT_TRUE(loop.run_until([&] { return results.num_ends != 0; }));
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  std::unique_ptr<TestSwarm> b, a;
  std::unique_ptr<PingService> pings_b, pings_a;
  swarm::PeerConnection* connection;
  Results results;
  std::unique_ptr<PingSession> session;
};

TEST_F(Pinging, MeasuresOneRoundTripAlsoOnANewStream) {
  start({});
  run();
  EXPECT_EQ(results.rtts, (std::vector<Duration>{2 * kLatency}));
  EXPECT_EQ(results.end.status(), KITH_OK);
  loop.run_for(seconds(1000));
  EXPECT_EQ(results.num_ends, 1);
}

TEST_F(Pinging, KeepsTheIntervalOnOneStream) {
  const TimePoint began = loop.now();
  start({.count = 5, .interval = seconds(1), .new_stream = false});
  run();
  EXPECT_EQ(results.rtts, std::vector<Duration>(5, 2 * kLatency));
  EXPECT_EQ(loop.now() - began, seconds(4) + 2 * kLatency);
}

TEST_F(Pinging, GoesOnAtOnceWithoutAnInterval) {
  const TimePoint began = loop.now();
  start({.count = 100, .interval = 0, .new_stream = false});
  run();
  EXPECT_EQ(results.rtts.size(), 100U);
  EXPECT_EQ(loop.now() - began, 100 * 2 * kLatency);
}

TEST_F(Pinging, UsesAStreamForEachIfAsked) {
  start({.count = 20, .interval = milliseconds(1), .new_stream = true});
  run();
  EXPECT_EQ(results.rtts.size(), 20U);
  EXPECT_TRUE(b->stream_failures.empty());
}

TEST_F(Pinging, OutlivesTheOtherSidesIdleTimeout) {
  // b ends a ping stream that is silent for a minute; the next ping takes a new one.
  start({.count = 3, .interval = limits::kPingIdleTimeout + seconds(30), .new_stream = false});
  run();
  EXPECT_EQ(results.end.status(), KITH_OK) << results.end.to_string();
  EXPECT_EQ(results.rtts.size(), 3U);
}

TEST_F(Pinging, RefusesACountOfZero) {
  EXPECT_EQ(pings_a->start(*connection, {.count = 0, .interval = 0, .new_stream = false}, &results)
                .status(),
            KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(results.num_ends, 0);
}

TEST_F(Pinging, DestroyingTheSessionIsSilent) {
  start({.count = 10, .interval = seconds(1), .new_stream = false});
  ASSERT_TRUE(loop.run_until([&] { return results.rtts.size() == 3; }));
  session.reset();
  loop.run_for(seconds(60));
  EXPECT_EQ(results.rtts.size(), 3U);
  EXPECT_EQ(results.num_ends, 0);
  // And while the echo is due.
  start({});
  session.reset();
  loop.run_for(seconds(60));
  EXPECT_EQ(results.num_ends, 0);
}

TEST_F(Pinging, TheEndMayDestroyTheSession) {
  results.ended = [&] { session.reset(); };
  start({.count = 2, .interval = 0, .new_stream = false});
  run();
  EXPECT_EQ(results.rtts.size(), 2U);
  start({.count = 2, .interval = 0, .new_stream = false});
  connection->close();
  loop.run_for(seconds(1));
  EXPECT_EQ(results.num_ends, 2);
}

TEST_F(Pinging, AnEndedSessionHearsNoMore) {
  start({});
  run();
  connection->close();
  loop.run_for(seconds(60));
  EXPECT_EQ(results.num_ends, 1);  // though the session still exists
}

TEST_F(Pinging, AnEndedConnectionEndsSessionsInEveryState) {
  Results waiting, resting;
  auto first =
      pings_a
          ->start(*connection, {.count = 9, .interval = seconds(5), .new_stream = true}, &resting)
          .value();
  loop.run_for(seconds(1));
  auto second =
      pings_a
          ->start(*connection, {.count = 9, .interval = seconds(5), .new_stream = false}, &waiting)
          .value();
  connection->close();
  loop.run_for(seconds(1));
  EXPECT_EQ(resting.num_ends, 1);  // had no stream at that time
  EXPECT_EQ(waiting.num_ends, 1);
  EXPECT_EQ(resting.end.status(), KITH_ERR_CLOSED);
  EXPECT_EQ(waiting.end.status(), KITH_ERR_CLOSED);
}

TEST_F(Pinging, OneEndMayDestroyOtherSessions) {
  Results r[3];
  std::unique_ptr<PingSession> s[3];
  for (int i = 0; i < 3; ++i) {
    s[i] =
        pings_a->start(*connection, {.count = 9, .interval = seconds(5), .new_stream = true}, &r[i])
            .value();
    r[i].ended = [&] {
      for (auto& p : s) p.reset();
    };
  }
  loop.run_for(seconds(1));  // all between two pings
  connection->close();
  loop.run_for(seconds(1));
  EXPECT_EQ(r[0].num_ends + r[1].num_ends + r[2].num_ends, 1);
}

TEST_F(Pinging, StartingFailsOnAClosedConnection) {
  connection->close();
  EXPECT_EQ(pings_a->start(*connection, {}, &results).status(), KITH_ERR_CLOSED);
  loop.run_for(seconds(1));
  EXPECT_EQ(results.num_ends, 0);
}

TEST_F(Pinging, APeerWithoutPingSaysSo) {
  b->swarm.protocols().remove(ping::kProtocolId);
  start({});
  run();
  EXPECT_EQ(results.end.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
}

// A raw peer on either side.
struct PingingRaw : testing::Test {
  PingingRaw() {
    network.latency = kLatency;
    raw = std::make_unique<RawPeer>(loop, network, 3);
    node = std::make_unique<TestSwarm>(loop, network, 1);
    pings = std::make_unique<PingService>(node->swarm, counting, /*serve=*/true);
  }
  ~PingingRaw() override {
    session.reset();
    node->stop();
    raw.reset();
  }
  // The node pings the raw peer, whose streams `accept` handles.
  void ping(std::function<void(transport::Stream&, TestStream&)> accept, PingOptions options = {}) {
    raw->accept = std::move(accept);
    swarm::test::TestConnect c;
    ASSERT_TRUE(node->connect(c, {}, {raw->listener->address()}).ok());
    ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    session = pings->start(*c.connection, options, &results).value();
  }
  TestStream& handler() { return *handlers.emplace_back(std::make_unique<TestStream>()); }
  // The raw peer opens a ping stream and sends `text` with the proposal.
  transport::Stream* open(TestStream& h, std::string_view text) {
    if (!raw->connection) raw->dial(node->address());
    transport::Stream* s = raw->open(h);
    EXPECT_TRUE(raw->write(s, kHeader + line(ping::kProtocolId) + std::string(text)).ok());
    return s;
  }
  static std::string block(char c) { return std::string(limits::kPingBytes, c); }
  const std::string agreed = kHeader + line(ping::kProtocolId);
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  std::vector<std::unique_ptr<TestStream>> handlers;
  std::unique_ptr<RawPeer> raw;
  std::unique_ptr<TestSwarm> node;
  std::unique_ptr<PingService> pings;
  Results results;
  std::unique_ptr<PingSession> session;
};

TEST_F(PingingRaw, EchoesBlockAfterBlockInAnyPieces) {
  TestStream& h = handler();
  transport::Stream* s = open(h, block('a') + block('b') + "ccc");
  loop.run_for(seconds(1));
  EXPECT_EQ(h.received, agreed + block('a') + block('b'));
  for (size_t i = 3; i < limits::kPingBytes; ++i) {
    ASSERT_TRUE(raw->write(s, "c").ok());
    loop.run_for(milliseconds(1));
  }
  loop.run_for(seconds(1));
  EXPECT_EQ(h.received, agreed + block('a') + block('b') + block('c'));
  s->close_write();
  loop.run_for(seconds(1));
  EXPECT_EQ(h.log, "fin closed ");
}

TEST_F(PingingRaw, AnEndWithinABlockIsAViolation) {
  TestStream& h = handler();
  transport::Stream* s = open(h, block('a') + "half");
  s->close_write();
  loop.run_for(seconds(1));
  EXPECT_NE(h.log.find("reset0"), std::string::npos);
  ASSERT_EQ(node->stream_failures.size(), 1U);
  EXPECT_EQ(node->stream_failures[0].status(), KITH_ERR_PROTOCOL_VIOLATION);
}

TEST_F(PingingRaw, ServesAFewStreamsOfAConnection) {
  TestStream* h[limits::kPingStreamsPerConnection + 1];
  transport::Stream* s[limits::kPingStreamsPerConnection + 1];
  for (size_t i = 0; i <= limits::kPingStreamsPerConnection; ++i) {
    h[i] = &handler();
    s[i] = open(*h[i], block('x'));
    loop.run_for(seconds(1));
  }
  EXPECT_EQ(limits::kPingStreamsPerConnection, 2U);
  for (size_t i = 0; i < limits::kPingStreamsPerConnection; ++i)
    EXPECT_EQ(h[i]->received, agreed + block('x'));
  EXPECT_EQ(h[2]->received, agreed);
  EXPECT_NE(h[2]->log.find("reset0"), std::string::npos);
  ASSERT_EQ(node->stream_failures.size(), 1U);
  EXPECT_EQ(node->stream_failures[0].status(), KITH_ERR_LIMIT);
  // One that ends makes room, again and again.
  for (int i = 0; i < 50; ++i) {
    s[0]->close_write();
    loop.run_for(seconds(1));
    EXPECT_TRUE(h[0]->closed);
    h[0] = &handler();
    s[0] = open(*h[0], block('y'));
    loop.run_for(seconds(1));
    ASSERT_EQ(h[0]->received, agreed + block('y'));
  }
}

TEST_F(PingingRaw, AnIdleStreamIsEnded) {
  TestStream& h = handler();
  transport::Stream* s = open(h, block('a'));
  loop.run_for(seconds(55));
  EXPECT_EQ(h.log, "");
  ASSERT_TRUE(raw->write(s, block('b')).ok());
  loop.run_for(seconds(55));
  EXPECT_EQ(h.log, "");  // a ping starts the time anew
  EXPECT_EQ(limits::kPingIdleTimeout, seconds(60));
  loop.run_for(seconds(10));
  EXPECT_NE(h.log.find("reset0"), std::string::npos);
  EXPECT_NE(h.log.find("stop0"), std::string::npos);
}

TEST_F(PingingRaw, APeerThatReadsNoEchoesIsPaused) {
  TestStream& h = handler();
  h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  transport::Stream* s = open(h, "");
  size_t written = 0;
  const std::string blocks(32 * 1024, 'z');
  for (int i = 0; i < 30; ++i) {
    while (raw->write(s, blocks).ok()) written += blocks.size();
    loop.run_for(seconds(1));
  }
  EXPECT_LT(written, 2U << 20);  // two windows, and no memory of ours beyond
  h.take = nullptr;
  s->resume();
  s->close_write();
  loop.run_for(seconds(5));
  EXPECT_EQ(h.received.size(), agreed.size() + written);
  EXPECT_EQ(h.log.substr(h.log.size() - 11), "fin closed ");
}

TEST_F(PingingRaw, TheLastEchoIsSentBeforeTheEnd) {
  // The echo of the last block waits for room when the end arrives.
  TestStream& h = handler();
  h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  const size_t window = transport::memory::MemoryConfig().stream_window_bytes;
  transport::Stream* s = open(h, "");
  const std::string fill(window - window % 32, 'f');
  ASSERT_TRUE(raw->write(s, fill).ok());
  loop.run_for(seconds(1));
  while (raw->write(s, block('g')).ok()) {
  }
  loop.run_for(seconds(1));
  static_cast<void>(raw->write(s, block('h')));
  s->close_write();
  loop.run_for(seconds(1));
  h.take = nullptr;
  s->resume();
  loop.run_for(seconds(5));
  EXPECT_EQ((h.received.size() - agreed.size()) % limits::kPingBytes, 0U);
  EXPECT_EQ(h.log.substr(h.log.size() - 11), "fin closed ");
  EXPECT_TRUE(node->stream_failures.empty());
}

// Answers a ping stream with whatever the test says.
std::function<void(transport::Stream&, TestStream&)> answering(RawPeer& raw,
                                                               const std::string& text,
                                                               bool close = false,
                                                               bool reset = false) {
  return [&raw, text, close, reset](transport::Stream& s, TestStream&) {
    EXPECT_TRUE(raw.write(&s, kHeader + line(ping::kProtocolId) + text).ok());
    if (close) s.close_write();
    if (reset) s.abort(5);
  };
}

TEST_F(PingingRaw, NoEchoEndsInATimeout) {
  ping(answering(*raw, ""));
  const TimePoint began = loop.now();
  ASSERT_TRUE(loop.run_until([&] { return results.num_ends == 1; }));
  EXPECT_EQ(results.end.status(), KITH_ERR_TIMEOUT);
  EXPECT_EQ(loop.now() - began, limits::kPingTimeout);
  EXPECT_EQ(limits::kPingTimeout, seconds(20));
}

TEST_F(PingingRaw, AWrongEchoIsAViolation) {
  ping(answering(*raw, block('!')));
  ASSERT_TRUE(loop.run_until([&] { return results.num_ends == 1; }));
  EXPECT_EQ(results.end.status(), KITH_ERR_PROTOCOL_VIOLATION);
  EXPECT_TRUE(results.rtts.empty());
}

TEST_F(PingingRaw, AnEndOrResetInsteadOfAnEchoIsAnError) {
  ping(answering(*raw, "", /*close=*/true));
  ASSERT_TRUE(loop.run_until([&] { return results.num_ends == 1; }));
  EXPECT_EQ(results.end.status(), KITH_ERR_CLOSED);
  session.reset();
  Results second;
  raw->accept = answering(*raw, "", false, /*reset=*/true);
  session = pings->start(*node->swarm.find(raw->id), {}, &second).value();
  ASSERT_TRUE(loop.run_until([&] { return second.num_ends == 1; }));
  EXPECT_EQ(second.end.status(), KITH_ERR_RESET);
}

TEST_F(PingingRaw, ServersThatAnswerOncePerStreamAreServedToo) {
  // Echoes one block and closes, as some implementations do; the session opens a stream for the next.
  int num_streams = 0;
  ping(
      [&](transport::Stream& s, TestStream& h) {
        ++num_streams;
        EXPECT_TRUE(raw->write(&s, kHeader + line(ping::kProtocolId)).ok());
        h.take = [&, got = std::string()](transport::Stream& far, Bytes data) mutable {
          got += as_text(data);
          if (got.size() == agreed.size() + limits::kPingBytes) {
            EXPECT_TRUE(raw->write(&far, got.substr(agreed.size())).ok());
            far.close_write();
          }
          return data.size();
        };
      },
      {.count = 4, .interval = seconds(1), .new_stream = false});
  ASSERT_TRUE(loop.run_until([&] { return results.num_ends == 1; }));
  EXPECT_EQ(results.end.status(), KITH_OK) << results.end.to_string();
  EXPECT_EQ(results.rtts.size(), 4U);
  EXPECT_EQ(num_streams, 4);
}

}  // namespace
}  // namespace kith::service
