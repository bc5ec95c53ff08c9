// Streams before they have a protocol, in both roles: against another swarm, and against peers that say anything.
#include "swarm/negotiation.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "swarm/test_net.h"

namespace kith::swarm {
namespace {

using test::kHeader;
using test::line;
using test::RawPeer;
using test::TestConnect;
using test::TestProtocol;
using test::TestStream;
using test::TestSwarm;

constexpr Duration kLatency = milliseconds(10);

// a opens, b serves.
struct Negotiating : testing::Test {
  Negotiating() {
    network.latency = kLatency;
    b = std::make_unique<TestSwarm>(loop, network, 2);
    a = std::make_unique<TestSwarm>(loop, network, 1);
    connection = &a->connected_to(*b);
  }
  ~Negotiating() override {
    a->stop();
    b->stop();
  }
  transport::Stream* open(TestStream& h, std::vector<std::string_view> protocols) {
    return a->open(*connection, h, protocols);
  }
  bool idle() { return loop.run_until_idle(seconds(3600)); }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  TestProtocol echo, other;
  TestStream stream, second;
  std::unique_ptr<TestSwarm> b, a;
  PeerConnection* connection;
};

TEST_F(Negotiating, OneProtocolIsAgreedInOneRoundTrip) {
  ASSERT_TRUE(b->swarm.protocols().add("/echo/1", &echo).ok());
  const TimePoint start = loop.now();
  open(stream, {"/echo/1"});
  EXPECT_EQ(stream.log, "");
  ASSERT_TRUE(loop.run_until([&] { return !stream.log.empty(); }));
  EXPECT_EQ(loop.now() - start, 2 * kLatency);
  EXPECT_EQ(stream.log, "open(/echo/1) ");
  EXPECT_EQ(echo.last_protocol, "/echo/1");
}

TEST_F(Negotiating, ThePayloadTravelsWithTheProposal) {
  ASSERT_TRUE(b->swarm.protocols().add("/echo/1", &echo).ok());
  echo.accept = [&](transport::Stream& s, TestStream& h) {
    h.take = [&](transport::Stream& far, Bytes data) {
      EXPECT_TRUE(b->write(&far, as_text(data)).ok());
      return data.size();
    };
    h.read_closed = [](transport::Stream& far) { far.close_write(); };
    static_cast<void>(s);
  };
  const TimePoint start = loop.now();
  transport::Stream* s = open(stream, {"/echo/1"});
  ASSERT_TRUE(a->write(s, "hello").ok());
  s->close_write();
  ASSERT_TRUE(loop.run_until([&] { return stream.received == "hello"; }));
  EXPECT_EQ(loop.now() - start, 2 * kLatency);  // proposal, answer and echo in one round trip
  EXPECT_EQ(stream.log.substr(0, 14), "open(/echo/1) ");
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "open(/echo/1) fin closed ");
  EXPECT_EQ(echo.last().log, "fin closed ");
  EXPECT_EQ(stream.end.status(), KITH_OK);
}

TEST_F(Negotiating, TheEndWaitsForTheAgreement) {
  RawPeer raw(loop, network, 3);
  TestConnect c;
  ASSERT_TRUE(a->connect(c, {}, {raw.listener->address()}).ok());
  ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
  transport::Stream* s = a->open(*c.connection, stream, {"/p"});
  ASSERT_TRUE(a->write(s, "x").ok());
  s->close_write();
  EXPECT_EQ(a->write(s, "y").status(), KITH_ERR_CLOSED);
  loop.run_for(seconds(1));
  ASSERT_EQ(raw.streams.size(), 1U);
  EXPECT_EQ(raw.streams[0]->received, kHeader + line("/p") + "x");
  EXPECT_EQ(raw.streams[0]->log, "");  // no end yet
  ASSERT_TRUE(raw.write(raw.raw[0], kHeader + line("/p")).ok());
  loop.run_for(seconds(1));
  EXPECT_EQ(raw.streams[0]->log, "fin ");
}

TEST_F(Negotiating, TheEndTravelsWithTheProposalToPeersKnownToTakeIt) {
  for (const std::string agent :
       {"kith/0.1.0", "rust-libp2p/0.57", "js-libp2p/3.3", "", "akith/"}) {
    SCOPED_TRACE(agent);
    RawPeer raw(loop, network, 3);
    TestConnect c;
    ASSERT_TRUE(a->connect(c, {}, {raw.listener->address()}).ok());
    ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    identify::IdentifyMessage message;
    message.agent_version = agent;
    c.connection->set_identified(std::move(message));
    TestStream one, several;
    a->open(*c.connection, one, {"/p"})->close_write();
    a->open(*c.connection, several, {"/p", "/q"})->close_write();
    loop.run_for(seconds(1));
    ASSERT_EQ(raw.streams.size(), 2U);
    const bool takes_it = agent.starts_with("kith/") || agent.starts_with("rust");
    EXPECT_EQ(raw.streams[0]->log, takes_it ? "fin " : "");
    EXPECT_EQ(raw.streams[1]->log, "");  // there may be a second proposal
    c.connection->close();
    loop.run_for(seconds(1));
  }
}

TEST_F(Negotiating, AnEarlyEndDoesNotHinderTheNextProposal) {
  ASSERT_TRUE(b->swarm.protocols().add("/second", &echo).ok());
  transport::Stream* s = open(stream, {"/first", "/second"});
  s->close_write();  // before the first is declined
  EXPECT_TRUE(loop.run_until([&] { return !echo.streams.empty(); }));
  loop.run_for(seconds(1));
  EXPECT_EQ(stream.log, "open(/second) ");
  EXPECT_EQ(echo.last().log, "fin ");
}

TEST_F(Negotiating, TheFirstProtocolOfSeveralThatIsSupportedIsTaken) {
  ASSERT_TRUE(b->swarm.protocols().add("/b", &echo).ok());
  ASSERT_TRUE(b->swarm.protocols().add("/c", &other).ok());
  open(stream, {"/a", "/b", "/c"});
  loop.run_for(seconds(1));
  EXPECT_EQ(stream.log, "open(/b) ");
  EXPECT_TRUE(other.streams.empty());
}

TEST_F(Negotiating, NaToAllNamesThem) {
  transport::Stream* s = open(stream, {"/a", "/b"});
  static_cast<void>(s);
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  EXPECT_NE(stream.end.detail().find("/a, /b"), std::string_view::npos);
  ASSERT_EQ(b->stream_failures.size(), 1U);
}

TEST_F(Negotiating, APayloadAfterNaIsNoOffense) {
  transport::Stream* s = open(stream, {"/unknown"});
  ASSERT_TRUE(a->write(s, "payload that is no multistream").ok());
  s->close_write();
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  ASSERT_EQ(b->stream_failures.size(), 1U);
  EXPECT_EQ(b->stream_failures[0].status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  EXPECT_TRUE(connection->is_open());
}

TEST_F(Negotiating, ChecksTheProposals) {
  const std::vector<std::string_view> none;
  EXPECT_EQ(connection->open_stream(none, &stream).status(), KITH_ERR_INVALID_ARGUMENT);
  const std::vector<std::string_view> bad = {"/ok", "bad\n"};
  EXPECT_EQ(connection->open_stream(bad, &stream).status(), KITH_ERR_INVALID_ARGUMENT);
  const std::vector<std::string_view> many(17, "/x");
  EXPECT_EQ(connection->open_stream(many, &stream).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "");
}

TEST_F(Negotiating, AHandlerThatDoesNotTakeTheStreamAbortsIt) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  echo.refuse = true;
  open(stream, {"/p"});
  EXPECT_TRUE(idle());
  EXPECT_TRUE(stream.closed);
  EXPECT_NE(stream.log.find("reset0"), std::string::npos);
}

TEST_F(Negotiating, DetachingLeavesNothingBehind) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  transport::Stream* s = open(stream, {"/p"});
  ASSERT_TRUE(a->write(s, "fire and forget").ok());
  s->detach();
  s->close_write();
  s->stop_reading(0);
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "");
  ASSERT_EQ(echo.streams.size(), 1U);
  // The stop overtook nothing: the handler has the payload and knows that nobody reads.
  EXPECT_EQ(echo.last().received, "fire and forget");
  EXPECT_NE(echo.last().log.find("stop0"), std::string::npos);
  EXPECT_TRUE(echo.last().closed);
}

TEST_F(Negotiating, DetachingWithAnEndHeldBackReleasesIt) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  transport::Stream* s = open(stream, {"/p"});
  s->close_write();
  s->detach();
  s->stop_reading(0);
  EXPECT_TRUE(idle());
  EXPECT_TRUE(echo.last().closed);
}

TEST_F(Negotiating, AbortingEarlyIsToldAsClosed) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  transport::Stream* s = open(stream, {"/p"});
  s->abort(3);
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_CLOSED);
}

TEST_F(Negotiating, OnOpenMayDoAnything) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  stream.open = [&](transport::Stream& s) { s.detach(), s.abort(0); };
  open(stream, {"/p"});
  second.open = [&](transport::Stream&) { connection->close(); };
  EXPECT_TRUE(loop.run_until([&] { return !echo.streams.empty(); }));
  loop.run_for(seconds(1));
  EXPECT_EQ(stream.log, "open(/p) ");
  open(second, {"/p"});
  EXPECT_TRUE(idle());
  EXPECT_EQ(second.log, "open(/p) closed ");
  EXPECT_EQ(a->num_disconnected, 1);
}

TEST_F(Negotiating, AClosedConnectionOpensNothing) {
  connection->close();
  const std::vector<std::string_view> ids = {"/p"};
  EXPECT_EQ(connection->open_stream(ids, &stream).status(), KITH_ERR_CLOSED);
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "");
}

TEST_F(Negotiating, AConnectionThatEndsMidwayEndsTheStream) {
  ASSERT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  open(stream, {"/p"});
  loop.run_for(kLatency / 2);
  b->swarm.find(a->id)->close();
  EXPECT_TRUE(idle());
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_CLOSED);
  EXPECT_NE(stream.end.detail().find("by the peer"), std::string_view::npos);
}

// Peers that answer as they like. `raw` listens; a opens to it.
struct OutboundToRaw : testing::Test {
  OutboundToRaw() {
    network.latency = kLatency;
    raw = std::make_unique<RawPeer>(loop, network, 3);
    a = std::make_unique<TestSwarm>(loop, network, 1);
    TestConnect c;
    EXPECT_TRUE(a->connect(c, {}, {raw->listener->address()}).ok());
    EXPECT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    connection = c.connection;
  }
  ~OutboundToRaw() override {
    a->stop();
    raw.reset();
  }
  // Opens, and lets the peer do something when the proposal arrives.
  void open(std::vector<std::string_view> protocols,
            std::function<void(transport::Stream&)> answer) {
    raw->accept = [answer](transport::Stream& s, TestStream&) { answer(s); };
    a->open(*connection, stream, protocols);
    loop.run_for(seconds(1));
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  TestStream stream;
  std::unique_ptr<RawPeer> raw;
  std::unique_ptr<TestSwarm> a;
  PeerConnection* connection;
};

TEST_F(OutboundToRaw, SilenceEndsAfterTheDeadline) {
  const TimePoint start = loop.now();
  open({"/p"}, [](transport::Stream&) {});
  EXPECT_EQ(stream.log, "");
  ASSERT_TRUE(loop.run_until([&] { return stream.closed; }));
  EXPECT_EQ(stream.end.status(), KITH_ERR_TIMEOUT);
  EXPECT_GE(loop.now() - start, limits::kNegotiationTimeout);
  EXPECT_LE(loop.now() - start, limits::kNegotiationTimeout + 4 * kLatency);
  EXPECT_EQ(limits::kNegotiationTimeout, seconds(10));
  loop.run_for(seconds(1));
  EXPECT_NE(raw->streams[0]->log.find("reset0"), std::string::npos);
}

TEST_F(OutboundToRaw, ASlowAnswerDoesNotExtendTheDeadline) {
  transport::Stream* far = nullptr;
  open({"/p", "/q"}, [&](transport::Stream& s) { far = &s; });
  const std::string answer = kHeader;
  for (size_t i = 0; i < 9; ++i) {
    ASSERT_TRUE(raw->write(far, answer.substr(i, 1)).ok());
    loop.run_for(seconds(1));
  }
  loop.run_for(milliseconds(100));
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(stream.end.status(), KITH_ERR_TIMEOUT);
}

TEST_F(OutboundToRaw, WrongAnswersEndInAViolation) {
  open({"/p"},
       [&](transport::Stream& s) { EXPECT_TRUE(raw->write(&s, kHeader + line("/q")).ok()); });
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(stream.end.status(), KITH_ERR_PROTOCOL_VIOLATION);
  EXPECT_NE(raw->streams[0]->log.find("reset0"), std::string::npos);
}

TEST_F(OutboundToRaw, APeerThatClosesMidwaySaysSo) {
  open({"/p"}, [&](transport::Stream& s) {
    EXPECT_TRUE(raw->write(&s, kHeader).ok());
    s.close_write();
  });
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(stream.end.status(), KITH_ERR_CLOSED);
  EXPECT_NE(stream.end.detail().find("/p"), std::string_view::npos);
}

TEST_F(OutboundToRaw, APeerThatResetsMidwaySaysSo) {
  open({"/p"}, [](transport::Stream& s) { s.abort(77); });
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_RESET);
  EXPECT_NE(stream.end.detail().find("77"), std::string_view::npos);
}

TEST_F(OutboundToRaw, AResetThatOvertookTheRefusalIsTheRefusal) {
  open({"/p"}, [](transport::Stream& s) { s.abort(0x1001); });
  EXPECT_EQ(stream.log, "closed ");
  EXPECT_EQ(stream.end.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
}

TEST_F(OutboundToRaw, AStopBeforeTheAgreementIsToldAfterOnOpen) {
  open({"/p"}, [&](transport::Stream& s) {
    s.stop_reading(5);
    EXPECT_TRUE(raw->write(&s, kHeader + line("/p") + "answer").ok());
    s.close_write();
  });
  EXPECT_EQ(stream.log, "open(/p) stop5 fin closed ");
  EXPECT_EQ(stream.received, "answer");
  EXPECT_EQ(stream.end.status(), KITH_OK);
}

TEST_F(OutboundToRaw, BytesBehindTheAgreementGoToTheHandler) {
  open({"/p"}, [&](transport::Stream& s) {
    EXPECT_TRUE(raw->write(&s, kHeader + line("/p") + "and more").ok());
    s.close_write();
  });
  EXPECT_EQ(stream.log, "open(/p) fin ");
  EXPECT_EQ(stream.received, "and more");
}

TEST_F(OutboundToRaw, EveryCutOfTheAnswerIsTheSame) {
  const std::string answer = kHeader + line("na") + line("/q") + "data";
  for (size_t cut = 0; cut <= answer.size(); ++cut) {
    TestStream h;
    raw->accept = [&](transport::Stream& s, TestStream&) {
      EXPECT_TRUE(raw->write(&s, answer.substr(0, cut)).ok());
      EXPECT_TRUE(raw->write(&s, answer.substr(cut)).ok());
      s.close_write();
    };
    transport::Stream* s = a->open(*connection, h, {"/p", "/q"});
    loop.run_for(seconds(1));
    EXPECT_EQ(h.log, "open(/q) fin ") << cut;
    EXPECT_EQ(h.received, "data") << cut;
    s->close_write();
    loop.run_for(seconds(1));
    EXPECT_TRUE(h.closed);
  }
}

// Peers that propose as they like. `raw` dials; b serves.
struct InboundFromRaw : testing::Test {
  InboundFromRaw() {
    network.latency = kLatency;
    b = std::make_unique<TestSwarm>(
        loop, network, 2,
        transport::memory::MemoryConfig{.stream_window_bytes = 256 * 1024,
                                        .max_inbound_streams = 1000});
    raw = std::make_unique<RawPeer>(loop, network, 3);
    raw->dial(b->address());
    EXPECT_TRUE(b->swarm.protocols().add("/p", &echo).ok());
  }
  ~InboundFromRaw() override {
    b->stop();
    raw.reset();
  }
  TestStream& handler() { return *handlers.emplace_back(std::make_unique<TestStream>()); }
  bool failed_with(kith_status status) {
    return b->stream_failures.size() == 1 && b->stream_failures[0].status() == status;
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  TestProtocol echo;
  std::vector<std::unique_ptr<TestStream>> handlers;
  std::unique_ptr<TestSwarm> b;
  std::unique_ptr<RawPeer> raw;
};

TEST_F(InboundFromRaw, AnEagerPeerIsServedInOneFlight) {
  TestStream& h = handler();
  transport::Stream* s = raw->open(h);
  ASSERT_TRUE(raw->write(s, kHeader + line("/p") + "payload").ok());
  s->close_write();
  loop.run_for(seconds(1));
  EXPECT_EQ(echo.last().received, "payload");
  EXPECT_EQ(echo.last().log, "fin ");
  EXPECT_EQ(h.received, kHeader + line("/p"));
}

TEST_F(InboundFromRaw, SilenceEndsAfterTheDeadline) {
  TestStream& h = handler();
  transport::Stream* s = raw->open(h);
  ASSERT_TRUE(raw->write(s, kHeader).ok());
  loop.run_for(seconds(10));
  EXPECT_TRUE(b->stream_failures.empty());
  loop.run_for(milliseconds(100));
  EXPECT_TRUE(failed_with(KITH_ERR_TIMEOUT));
  EXPECT_NE(h.log.find("reset0"), std::string::npos);
}

TEST_F(InboundFromRaw, AnAgreedStreamHasNoDeadline) {
  TestStream& h = handler();
  ASSERT_TRUE(raw->write(raw->open(h), kHeader + line("/p")).ok());
  loop.run_for(seconds(600));
  EXPECT_TRUE(b->stream_failures.empty());
  EXPECT_FALSE(h.closed);
}

TEST_F(InboundFromRaw, AWrongHeaderIsAViolation) {
  TestStream& h = handler();
  ASSERT_TRUE(raw->write(raw->open(h), line("/multistream/2.0.0")).ok());
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_PROTOCOL_VIOLATION));
  EXPECT_NE(h.log.find("reset0"), std::string::npos);
  EXPECT_NE(h.log.find("stop0"), std::string::npos);
}

TEST_F(InboundFromRaw, EndsAndResetsMidwayAreReported) {
  TestStream& ended = handler();
  transport::Stream* s = raw->open(ended);
  ASSERT_TRUE(raw->write(s, kHeader).ok());
  s->close_write();
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_CLOSED));
  b->stream_failures.clear();
  TestStream& reset = handler();
  s = raw->open(reset);
  ASSERT_TRUE(raw->write(s, kHeader).ok());
  s->abort(4);
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_RESET));
}

TEST_F(InboundFromRaw, APeerThatWantsNoAnswerIsServed) {
  TestStream& h = handler();
  transport::Stream* s = raw->open(h);
  s->stop_reading(6);  // in front of the proposal, as QUIC may order it
  ASSERT_TRUE(raw->write(s, kHeader + line("/p") + "push").ok());
  s->close_write();
  loop.run_for(seconds(1));
  EXPECT_EQ(echo.last().received, "push");
  EXPECT_EQ(echo.last().log, "stop6 fin closed ");
  EXPECT_TRUE(b->stream_failures.empty());
}

TEST_F(InboundFromRaw, ProposalsAreBounded) {
  TestStream& h = handler();
  transport::Stream* s = raw->open(h);
  std::string text = kHeader;
  for (size_t i = 0; i <= limits::kMultistreamProposals; ++i) text += line("/no");
  ASSERT_TRUE(raw->write(s, text).ok());
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_LIMIT));
}

TEST_F(InboundFromRaw, StreamsWithoutAProtocolAreBounded) {
  std::vector<transport::Stream*> open;
  for (size_t i = 0; i < limits::kNegotiatingStreams; ++i) {
    open.push_back(raw->open(handler()));
    ASSERT_TRUE(raw->write(open.back(), kHeader).ok());
  }
  loop.run_for(seconds(1));
  EXPECT_TRUE(b->stream_failures.empty());
  TestStream& refused = handler();
  ASSERT_TRUE(raw->write(raw->open(refused), kHeader).ok());
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_LIMIT));
  EXPECT_NE(refused.log.find("reset0"), std::string::npos);
  // One that gets its protocol makes room.
  ASSERT_TRUE(raw->write(open[0], line("/p")).ok());
  loop.run_for(seconds(1));
  TestStream& taken = handler();
  ASSERT_TRUE(raw->write(raw->open(taken), kHeader + line("/p")).ok());
  loop.run_for(seconds(1));
  EXPECT_EQ(taken.received, kHeader + line("/p"));
  // The others run into their deadline, and all memory of them is gone.
  loop.run_for(seconds(10));
  EXPECT_EQ(b->stream_failures.size(), limits::kNegotiatingStreams);
  TestStream& after = handler();
  ASSERT_TRUE(raw->write(raw->open(after), kHeader + line("/p")).ok());
  loop.run_for(seconds(1));
  EXPECT_EQ(after.received, kHeader + line("/p"));
}

TEST_F(InboundFromRaw, AConnectionThatEndsMidwayFreesTheNegotiations) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(raw->write(raw->open(handler()), kHeader).ok());
  loop.run_for(seconds(1));
  raw->connection->close(0);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(b->num_disconnected, 1);
}

TEST_F(InboundFromRaw, ListsTheProtocols) {
  TestStream& h = handler();
  ASSERT_TRUE(raw->write(raw->open(h), kHeader + line("ls")).ok());
  loop.run_for(seconds(1));
  EXPECT_NE(h.received.find("/p\n"), std::string::npos);
}

}  // namespace
}  // namespace kith::swarm
