// Frames and Session: data through every split, control frames in between, and every frame that is refused.
#include "protocol/websocket/frames.h"

#include <gtest/gtest.h>

#include "fuzz/input.h"
#include "protocol/websocket/session.h"

namespace kith::websocket {
namespace {

void zeros(MutableBytes out) { std::fill(out.begin(), out.end(), uint8_t{0}); }
uint8_t next_random = 1;
void counting(MutableBytes out) {
  for (uint8_t& b : out) b = next_random++;
}

ByteVector hex(std::string_view text) { return *from_hex(text); }
std::string hex_of(OutputBytes& out) { return to_hex(out.bytes()); }

// One end with all that came out of it.
struct End {
  explicit End(bool is_dialer, Random random = zeros) : frames(is_dialer, random) {}
  size_t receive(Bytes in) {
    ByteVector chunk = to_vector(in);
    if (!status.ok()) return in.size();
    const Result<MutableBytes> data = frames.receive(chunk, out);
    if (data.ok()) {
      append(received, *data);
    } else {
      status = data.error();
    }
    return in.size();
  }
  Frames frames;
  OutputBytes out;
  ByteVector received;
  Status status;
};

TEST(WebsocketFrames, AreThoseOfTheRfc) {
  // Section 5.7, with binary instead of text.
  End listener(/*is_dialer=*/false);
  const auto key = [](MutableBytes out) {
    constexpr uint8_t kKey[] = {0x37, 0xfa, 0x21, 0x3d};
    std::copy_n(kKey, out.size(), out.begin());
  };
  End dialer(/*is_dialer=*/true, key);
  dialer.frames.send(as_bytes("Hello"), dialer.out);
  EXPECT_EQ(hex_of(dialer.out), "828537fa213d7f9f4d5158");
  listener.receive(dialer.out.bytes());
  EXPECT_EQ(as_text(listener.received), "Hello");
  listener.frames.send(as_bytes("Hello"), listener.out);
  EXPECT_EQ(hex_of(listener.out), "820548656c6c6f");
  dialer.receive(
      hex("020348656c"
          "80026c6f"));
  EXPECT_EQ(as_text(dialer.received), "Hello");
}

TEST(WebsocketFrames, LongDataGoesInFramesOfABoundedSize) {
  for (const bool is_dialer : {true, false}) {
    End from(is_dialer, counting), to(!is_dialer);
    const ByteVector data = fuzz::random_bytes(7, Frames::kDataBytes * 2 + 70'000);
    from.frames.send(data, from.out);
    const size_t header = is_dialer ? 14 : 10;
    EXPECT_EQ(from.out.size(), data.size() + 4 * header - 6);  // the last is shorter than 64 KiB
    for (const size_t piece :
         {size_t{1}, size_t{1000}, size_t{4096}, size_t{100'000}, from.out.size()}) {
      End other(!is_dialer);
      for (Bytes rest = from.out.bytes(); !rest.empty();
           rest = rest.subspan(std::min(rest.size(), piece))) {
        other.receive(rest.first(std::min(rest.size(), piece)));
      }
      ASSERT_TRUE(other.status.ok());
      ASSERT_TRUE(equal(other.received, data)) << piece;
    }
  }
}

// Fragments, empty frames, all forms of the length, pings and pongs within a message.
TEST(WebsocketFrames, AreTakenHoweverTheyAreCut) {
  const auto frame = [](const char* head, size_t n, uint8_t fill) {
    ByteVector out = hex(head);
    out.insert(out.end(), n, fill);
    return out;
  };
  ByteVector in, data;
  const auto add = [&](const ByteVector& bytes) { append(in, bytes); };
  add(frame("0203", 3, 'a'));
  add(frame("8904", 4, 'p'));
  add(frame("0000", 0, 0));
  add(frame("8a00", 0, 0));
  add(frame("007e0080", 128, 'b'));
  add(frame("8000", 0, 0));
  add(frame("8200", 0, 0));
  add(frame("8201", 1, 'c'));
  data.insert(data.end(), 3, 'a');
  data.insert(data.end(), 128, 'b');
  data.push_back('c');
  fuzz::for_each_split(in.size(), [&](const std::vector<size_t>& cuts) {
    End dialer(/*is_dialer=*/true);
    fuzz::feed(dialer, in, cuts);
    ASSERT_TRUE(dialer.status.ok()) << dialer.status.error().to_string();
    ASSERT_TRUE(equal(dialer.received, data));
    dialer.frames.answer_ping(dialer.out);
    ASSERT_EQ(hex_of(dialer.out), "8a840000000070707070");
  });
}

TEST(WebsocketFrames, AHugeFrameIsAStreamLikeAnyOther) {
  End dialer(/*is_dialer=*/true);
  dialer.receive(hex("827f7fffffffffffffff"));
  for (int i = 0; i < 100; ++i) dialer.receive(ByteVector(10'000, 'x'));
  EXPECT_TRUE(dialer.status.ok());
  EXPECT_EQ(dialer.received.size(), 1'000'000U);
}

TEST(WebsocketFrames, OnlyTheLastPingIsOwedAnAnswer) {
  End dialer(/*is_dialer=*/true);
  for (int i = 0; i < 10'000; ++i) dialer.receive(hex("890131"));
  dialer.receive(hex("890132"));
  EXPECT_TRUE(dialer.out.empty());
  dialer.frames.answer_ping(dialer.out);
  EXPECT_EQ(hex_of(dialer.out), "8a810000000032");
  dialer.frames.answer_ping(dialer.out);
  EXPECT_EQ(dialer.out.size(), 7U);
}

struct Bad {
  const char* frame;
  const char* close;  // what we say
};

TEST(WebsocketFrames, WhatBreaksTheRulesEndsItWithACode) {
  const Bad cases[] = {
      {"820161", "880203ea"},  // to a listener: not masked
      {"c28100000000"
       "61",
       "880203ea"},                  // a reserved bit
      {"838000000000", "880203ea"},  // opcodes that do not exist
      {"8b8000000000", "880203ea"},
      {"808000000000", "880203ea"},  // continues nothing
      {"028000000000"
       "828000000000",
       "880203ea"},                      // a message within a message
      {"818000000000", "880203eb"},      // text
      {"098000000000", "880203ea"},      // a control frame in fragments
      {"89fe007e00000000", "880203ea"},  // one that is too long
      {"82fe007d00000000", "880203ea"},  // lengths longer than need be
      {"82ff000000000000ffff00000000", "880203ea"},
      {"82ff800000000000000000000000", "880203ea"},  // and out of range
      {"88810000000003", "880203ea"},                // half a close code
      {"8882000000000000", "880203ea"},              // codes that nobody may send
      {"888200000000"
       "03ed",
       "880203ea"},
      {"888200000000"
       "03ee",
       "880203ea"},
      {"888200000000"
       "03f7",
       "880203ea"},
      {"888200000000"
       "0bb7",
       "880203ea"},
      {"888200000000"
       "1388",
       "880203ea"},
  };
  for (const Bad& c : cases) {
    for (const size_t piece : {size_t{1}, size_t{100}}) {
      SCOPED_TRACE(c.frame);
      End listener(/*is_dialer=*/false);
      const ByteVector in = hex(c.frame);
      for (Bytes rest = in; !rest.empty(); rest = rest.subspan(std::min(rest.size(), piece))) {
        listener.receive(rest.first(std::min(rest.size(), piece)));
      }
      // wslay tells of a frame with its first byte of payload, or its end.
      if (listener.status.ok()) listener.receive(hex("61"));
      EXPECT_EQ(listener.status.status(), KITH_ERR_PROTOCOL_VIOLATION);
      EXPECT_TRUE(listener.received.empty());
      EXPECT_EQ(hex_of(listener.out), c.close);
    }
  }
  End dialer(/*is_dialer=*/true);
  dialer.receive(hex("8281000000006182"));
  EXPECT_EQ(dialer.status.status(), KITH_ERR_PROTOCOL_VIOLATION) << "a server must not mask";
}

TEST(WebsocketFrames, ACloseIsAnsweredOnceAndEndsEverything) {
  for (const auto& [in, code, answer] : {std::tuple{"888200000000"
                                                    "03e8",
                                                    1000, "880203e8"},
                                         {"888000000000", 1005, "8800"},
                                         {"888500000000"
                                          "0fa0"
                                          "627965",
                                          4000, "88020fa0"}}) {
    End listener(/*is_dialer=*/false);
    listener.receive(
        hex("828100000000"
            "61" +
            std::string(in) + "838000000000"));
    EXPECT_TRUE(listener.status.ok());
    EXPECT_EQ(as_text(listener.received), "a");
    EXPECT_EQ(listener.frames.received_code(), code);
    EXPECT_EQ(hex_of(listener.out), answer);
    listener.receive(hex("818000000000"));
    listener.frames.close(kCloseNormal, listener.out);
    listener.frames.answer_ping(listener.out);
    EXPECT_TRUE(listener.status.ok());
    EXPECT_EQ(hex_of(listener.out), answer);
  }
}

TEST(WebsocketSession, GoesFromTheHandshakeToTheCloseInOneStream) {
  OutputBytes to_listener, to_dialer;
  Session dialer = Session::dial("h", counting, to_listener);
  Session listener = Session::listen(counting);
  const auto move = [](OutputBytes& from, Session& to, OutputBytes& answer) {
    ByteVector chunk = to_vector(from.bytes());
    from.clear();
    const Result<MutableBytes> data = to.receive(chunk, answer);
    KITH_CHECK(data.ok());
    return std::string(as_text(*data));
  };
  dialer.send(as_bytes("lost"), to_listener);  // not open yet
  EXPECT_EQ(move(to_listener, listener, to_dialer), "");
  EXPECT_EQ(listener.state(), Session::State::kOpen);
  // The answer and the first data in one chunk.
  listener.send(as_bytes("hello"), to_dialer);
  EXPECT_EQ(move(to_dialer, dialer, to_listener), "hello");
  dialer.send(as_bytes("last"), to_listener);
  dialer.close(to_listener);
  EXPECT_EQ(dialer.state(), Session::State::kClosed);
  EXPECT_EQ(move(to_listener, listener, to_dialer), "last");
  EXPECT_EQ(listener.state(), Session::State::kClosed);
  EXPECT_EQ(listener.end().status(), KITH_OK);
  EXPECT_EQ(move(to_dialer, dialer, to_listener), "");
}

TEST(WebsocketSession, ACloseForAReasonIsAnError) {
  OutputBytes out, request;
  Session dialer = Session::dial("h", zeros, request);
  ByteVector in = to_vector(as_bytes(
      "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept_of("AAAAAAAAAAAAAAAAAAAAAA==") + "\r\n\r\n"));
  append(in, hex("880203f1"));
  ASSERT_TRUE(dialer.receive(in, out).ok());
  EXPECT_EQ(dialer.end().status(), KITH_ERR_CONNECTION_LOST);
  EXPECT_EQ(dialer.end().detail(), "the peer closes with code 1009");
}

}  // namespace
}  // namespace kith::websocket
