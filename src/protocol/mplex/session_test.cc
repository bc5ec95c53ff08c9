// Mplex: the life of streams, and what a hostile peer can send.
#include "protocol/mplex/session.h"

#include <gtest/gtest.h>

#include "fuzz/input.h"
#include "fuzz/muxer_end.h"
#include "wire/varint.h"

namespace kith::mplex {
namespace {

using End = fuzz::MuxerEnd<Session>;
using fuzz::exchange;

struct Message {
  uint64_t id;
  int tag;
  std::string data;
  bool operator==(const Message&) const = default;
};
using Messages = std::vector<Message>;

std::ostream& operator<<(std::ostream& out, const Message& m) {
  return out << "{" << m.id << ", tag " << m.tag << ", " << m.data.size() << " bytes}";
}

ByteVector encode(uint64_t id, int tag, std::string_view data = {}) {
  ByteVector out;
  wire::append_varint(out, id << 3 | static_cast<uint64_t>(tag));
  wire::append_varint(out, data.size());
  append(out, data);
  return out;
}

Messages messages_of(Bytes bytes) {
  Messages out;
  while (!bytes.empty()) {
    const auto header = wire::decode_varint(bytes);
    const auto length = wire::decode_varint(bytes.subspan(header.size));
    bytes = bytes.subspan(header.size + length.size);
    out.push_back({header.value >> 3, static_cast<int>(header.value & 7),
                   std::string(as_text(bytes.first(length.value)))});
    bytes = bytes.subspan(length.value);
  }
  return out;
}

// A session whose peer is the test.
struct Subject : End {
  explicit Subject(bool is_client, const Config& config = {}) : End(is_client, config) { flush(); }
  Status give(uint64_t id, int tag, std::string_view data = {}) {
    return session.receive(encode(id, tag, data), now);
  }
  Messages messages() { return messages_of(flush()); }
  TimePoint now = 0;
};

std::string text_of(const End::Seen& seen) { return std::string(as_text(seen.received)); }

TEST(Mplex, CarriesARequestAndItsReply) {
  End client(true), server(false);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "request").ok());
  client.session.close_write(*out.stream);
  exchange(client, server);
  End::Seen& in = server.streams.at(0);
  EXPECT_EQ(text_of(in), "request");
  EXPECT_EQ(in.num_read_closed, 1U);
  ASSERT_TRUE(server.write(in, "reply").ok());
  server.session.close_write(*in.stream);
  exchange(client, server);
  EXPECT_EQ(text_of(out), "reply");
  EXPECT_EQ(out.num_closed, 1U);
  EXPECT_EQ(in.num_closed, 1U);
  EXPECT_EQ(client.session.num_streams() + server.session.num_streams(), 0U);
}

TEST(Mplex, SendsTheBytesOfTheSpec) {
  Subject client(true);
  client.open();
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, "hi").ok());
  client.session.close_write(*out.stream);
  EXPECT_EQ(to_hex(client.flush()),
            "0000"      // stream 0, without a name
            "0800"      // stream 1
            "0a026869"  // "hi" from its initiator
            "0c00");    // its end
  Subject server(false);
  ASSERT_TRUE(server.give(300, kNewStream, "a name").ok());
  ASSERT_TRUE(server.write(server.streams.at(0), "hi").ok());
  EXPECT_EQ(to_hex(server.flush()), "e112026869");
}

TEST(Mplex, BothSidesMayUseTheSameId) {
  Subject end(true);
  End::Seen& out = *end.open();
  end.flush();
  ASSERT_TRUE(end.give(0, kNewStream).ok());
  ASSERT_TRUE(end.give(0, kMessageInitiator, "theirs").ok());
  ASSERT_TRUE(end.give(0, kMessageReceiver, "ours").ok());
  EXPECT_EQ(text_of(out), "ours");
  EXPECT_EQ(text_of(end.streams.at(1)), "theirs");
}

TEST(Mplex, ReceivesTheSameInEverySplit) {
  ByteVector in = encode(7, kNewStream, "name");
  append(in, encode(7, kMessageInitiator, "first"));
  append(in, encode(1000, kNewStream));
  append(in, encode(1000, kMessageInitiator, "second"));
  append(in, encode(7, kCloseInitiator));
  append(in, encode(1000, kResetInitiator));
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
    EXPECT_EQ(text_of(server.streams[0]), "first");
    EXPECT_EQ(server.streams[0].num_read_closed, 1U);
    EXPECT_EQ(text_of(server.streams[1]), "second");
    EXPECT_EQ(server.streams[1].num_resets, 1U);
    server.flush();
    EXPECT_EQ(server.streams[1].num_closed, 1U);
  });
}

TEST(Mplex, ResetsEndBothSides) {
  Subject server(false);
  ASSERT_TRUE(server.give(1, kNewStream).ok());
  ASSERT_TRUE(server.give(1, kMessageInitiator, "x").ok());
  End::Seen& out = *server.open();
  server.flush();
  server.session.reset(*server.streams[0].stream, 5);
  server.session.reset(*out.stream, 5);
  EXPECT_EQ(server.messages(), (Messages{{1, kResetReceiver, ""}, {0, kResetInitiator, ""}}));
  EXPECT_EQ(server.streams[0].num_closed, 1U);
  EXPECT_EQ(out.num_closed, 1U);
  ASSERT_TRUE(server.give(1, kMessageInitiator, "late").ok());
  ASSERT_TRUE(server.give(1, kCloseInitiator).ok());
  EXPECT_EQ(text_of(server.streams[0]), "x");
}

TEST(Mplex, KeepsWhatIsNotConsumedAndGivesItAgain) {
  Subject server(false);
  ASSERT_TRUE(server.give(1, kNewStream).ok());
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{2}; };
  ASSERT_TRUE(server.give(1, kMessageInitiator, "abcdef").ok());
  ASSERT_TRUE(server.give(1, kMessageInitiator, "gh").ok());
  ASSERT_TRUE(server.give(1, kCloseInitiator).ok());
  End::Seen& in = server.streams[0];
  server.consume(in, 1);
  EXPECT_EQ(as_text(server.session.held(*in.stream)), "defgh");
  server.on_bytes = nullptr;
  server.session.resume(*in.stream);
  EXPECT_EQ(text_of(in), "abc");
  server.flush();
  EXPECT_EQ(text_of(in), "abcdefgh");
  EXPECT_EQ(in.num_read_closed, 1U);
}

TEST(Mplex, ResetsAStreamWhoseReaderIsTooSlow) {
  Subject server(false);
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  ASSERT_TRUE(server.give(1, kNewStream).ok());
  const std::string piece(limits::kMplexMessageBytes, 'x');
  for (size_t i = 0; i < 4; ++i) ASSERT_TRUE(server.give(1, kMessageInitiator, piece).ok());
  EXPECT_EQ(server.session.held_bytes(), limits::kMplexHeldBytes);
  ASSERT_TRUE(server.give(1, kMessageInitiator, "x").ok());
  EXPECT_EQ(server.session.held_bytes(), 0U);
  EXPECT_EQ(server.streams[0].num_resets, 1U);
  EXPECT_EQ(server.messages(), (Messages{{1, kResetReceiver, ""}}));
  EXPECT_EQ(server.streams[0].num_closed, 1U);

  // And all streams together.
  for (uint64_t id = 10; server.streams.back().num_resets == 0 || id == 10; ++id) {
    ASSERT_TRUE(server.give(id, kNewStream).ok());
    for (size_t i = 0; i < 4; ++i) ASSERT_TRUE(server.give(id, kMessageInitiator, piece).ok());
    ASSERT_LE(server.session.held_bytes(), limits::kMplexHeldTotal);
    ASSERT_LT(id, 30U);
  }
}

TEST(Mplex, DropsABoundedAmountAfterStopReading) {
  Subject server(false);
  ASSERT_TRUE(server.give(1, kNewStream).ok());
  ASSERT_TRUE(server.give(2, kNewStream).ok());
  for (End::Seen& in : server.streams) server.session.stop_reading(*in.stream, 7);
  const std::string piece(limits::kMplexMessageBytes, 'x');
  ASSERT_TRUE(server.give(1, kMessageInitiator, piece).ok());
  EXPECT_EQ(server.messages(), Messages{});
  ASSERT_TRUE(server.give(1, kMessageInitiator, "x").ok());
  EXPECT_EQ(server.messages(), (Messages{{1, kResetReceiver, ""}}));
  EXPECT_EQ(server.streams[0].num_closed, 1U);
  // Behind our end nothing more is said.
  server.session.close_write(*server.streams[1].stream);
  EXPECT_EQ(server.messages(), (Messages{{2, kCloseReceiver, ""}}));
  EXPECT_EQ(server.streams[1].num_closed, 1U);
}

TEST(Mplex, StreamsTakeTurnsAndWritesAreBudgeted) {
  Subject client(true);
  End::Seen& bulk = *client.open();
  ASSERT_TRUE(client.write(bulk, std::string(300 * 1024, 'b')).ok());
  EXPECT_EQ(client.write(bulk, "x").status(), KITH_ERR_WOULD_BLOCK);
  ASSERT_TRUE(client.write(*client.open(), "small").ok());
  const Messages messages = messages_of(client.flush(34000));
  ASSERT_GE(messages.size(), 4U);
  EXPECT_EQ(messages[1].data.size(), 16U * 1024);
  EXPECT_EQ(messages[3], (Message{1, kMessageInitiator, "small"}));
  client.flush();
  EXPECT_EQ(bulk.num_writable, 1U);
}

TEST(Mplex, FillsAnyRoom) {
  for (const size_t room : {13U, 100U, 65519U}) {
    Subject client(true);
    ASSERT_TRUE(client.session.receive(encode(9, kNewStream), 0).ok());  // it is there
    size_t total = 0;
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(client.write(*client.open(), std::string(200, 'x')).ok());
    }
    for (const Message& m : messages_of(client.flush(SIZE_MAX, room))) total += m.data.size();
    EXPECT_EQ(total, 20000U);
  }
}

TEST(Mplex, HoldsBackStreamsUntilThePeerSaysSomething) {
  Subject client(true);
  for (size_t i = 0; i < 10; ++i) client.open();
  EXPECT_EQ(client.messages().size(), limits::kMuxerEarlyStreams);
  ASSERT_TRUE(client.give(0, kMessageReceiver, "x").ok());
  EXPECT_EQ(client.messages().size(), 10 - limits::kMuxerEarlyStreams);
  for (size_t i = 10; i < limits::kMplexOutboundStreams + limits::kMuxerWaitingStreams; ++i) {
    ASSERT_NE(client.open(), nullptr);
  }
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_LIMIT);
  client.session.go_away(0);
  EXPECT_FALSE(client.session.has_output());
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_CLOSED);
}

TEST(Mplex, OpensNothingWhenItsIdsAreUsedUp) {
  Config config;
  config.first_id = (uint64_t{1} << 60) - 2;
  Subject client(true, config);
  EXPECT_EQ(client.open()->id, config.first_id);
  EXPECT_EQ(client.open()->id, config.first_id + 1);
  EXPECT_EQ(client.session.open(nullptr).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(client.messages(),
            (Messages{{config.first_id, kNewStream, ""}, {config.first_id + 1, kNewStream, ""}}));
}

TEST(MplexHostile, ViolationsEndTheConnection) {
  const ByteVector kRows[] = {
      {0x07, 0x00},                                                  // tag 7
      {0x80, 0x00},                                                  // not minimal
      {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},  // more than 63 bits
      {0x0a, 0x81, 0x80, 0x40},                                      // 1 MiB and a byte
      {0x0a, 0x80, 0x00},                                            // a length that is not minimal
      encode(1, kNewStream),                                         // exists
  };
  for (const ByteVector& row : kRows) {
    Subject server(false);
    ASSERT_TRUE(server.give(1, kNewStream).ok());
    EXPECT_EQ(server.session.receive(row, 0).status(), KITH_ERR_PROTOCOL_VIOLATION) << to_hex(row);
    EXPECT_TRUE(server.session.going_away());
  }
}

TEST(MplexHostile, StreamsBeyondTheLimitAreReset) {
  Config config;
  config.max_inbound_streams = 1;
  Subject server(false, config);
  ASSERT_TRUE(server.give(1, kNewStream).ok());
  ASSERT_TRUE(server.give(2, kNewStream, "name").ok());
  ASSERT_TRUE(server.give(2, kMessageInitiator, "dropped").ok());
  EXPECT_EQ(server.streams.size(), 1U);
  EXPECT_EQ(server.messages(), (Messages{{2, kResetReceiver, ""}}));
}

TEST(MplexHostile, ChurnEndsTheConnection) {
  for (const bool is_read : {false, true}) {
    Subject server(false);
    size_t num = 0;
    for (; num < 10000; ++num) {
      if (!server.give(num, kNewStream).ok()) break;
      if (is_read && !server.give(num, kMessageInitiator, "x").ok()) break;
      if (!server.give(num, kResetInitiator).ok()) break;
      server.flush();
    }
    EXPECT_EQ(num, limits::kMuxerChurnBurst);
  }
}

TEST(MplexHostile, AnswersThatAreNotReadAreBounded) {
  Subject server(false);
  server.on_new = [&](End::Seen& seen) { server.session.reset(*seen.stream, 1); };
  size_t num = 0;
  while (server.give(num, kNewStream).ok()) {
    ++num;
    server.now += milliseconds(10);
  }
  EXPECT_EQ(num, limits::kMuxerOwedResets);
}

}  // namespace
}  // namespace kith::mplex
