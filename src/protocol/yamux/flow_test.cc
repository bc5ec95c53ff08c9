// Flow control, held bytes, budgets and fairness of yamux.
#include <gtest/gtest.h>

#include <random>

#include "fuzz/input.h"
#include "protocol/yamux/session.h"
#include "protocol/yamux/test_frames.h"

namespace kith::yamux {
namespace {

using fuzz::exchange;
using Frames = std::vector<Frame>;

constexpr size_t kKiB = 1024;

std::string text_of(const End::Seen& seen) { return std::string(as_text(seen.received)); }

// A server with one stream that the peer has opened.
struct Reader : Subject {
  explicit Reader(const Config& config = {}) : Subject(false, config) {
    KITH_CHECK(give({kWindowUpdate, kSyn, 1, 0}).ok());
    flush();
  }
  End::Seen& in() { return streams[0]; }
};

TEST(YamuxFlow, KeepsWhatIsNotConsumedAndGivesItAgain) {
  Reader server;
  size_t appetite = 2;
  server.on_bytes = [&](End::Seen&, Bytes data) { return std::min(data.size(), appetite); };
  ASSERT_TRUE(server.give_data(0, 1, "abcdef").ok());
  EXPECT_EQ(text_of(server.in()), "ab");
  EXPECT_EQ(as_text(server.session.held(*server.in().stream)), "cdef");
  EXPECT_EQ(server.session.held_bytes(), 4U);
  ASSERT_TRUE(server.give_data(kFin, 1, "gh").ok());  // not shown while something is held
  EXPECT_EQ(text_of(server.in()), "ab");

  server.session.consume(*server.in().stream, 1);
  server.session.resume(*server.in().stream);
  EXPECT_EQ(text_of(server.in()), "ab");  // in the flush, not before
  server.flush();
  EXPECT_EQ(text_of(server.in()), "abde");
  EXPECT_EQ(server.in().num_read_closed, 0U);

  appetite = 100;
  server.session.resume(*server.in().stream);
  server.flush();
  EXPECT_EQ(text_of(server.in()), "abdefgh");
  EXPECT_EQ(server.in().num_read_closed, 1U);
  EXPECT_EQ(server.session.held_bytes(), 0U);
  server.session.resume(*server.in().stream);  // harmless
}

TEST(YamuxFlow, GoesOnWhenAllThatWasHeldIsConsumed) {
  Reader server;
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  ASSERT_TRUE(server.give_data(0, 1, "held").ok());
  server.on_bytes = nullptr;
  server.consume(server.in(), 4);
  ASSERT_TRUE(server.give_data(kFin, 1, ", direct").ok());
  EXPECT_EQ(text_of(server.in()), "held, direct");
  EXPECT_EQ(server.in().num_read_closed, 1U);
}

TEST(YamuxFlow, TellsOfTheEndOnceHeldBytesAreConsumed) {
  Reader server;
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  ASSERT_TRUE(server.give_data(kFin, 1, "held").ok());
  server.flush();
  EXPECT_EQ(server.in().num_read_closed, 0U);
  server.consume(server.in(), 4);
  server.flush();
  EXPECT_EQ(server.in().num_read_closed, 1U);
}

TEST(YamuxFlow, AViewIntoABufferStaysValidWhileHeld) {
  Reader server;
  Bytes view;
  server.on_bytes = [&](End::Seen&, Bytes data) {
    view = data;
    return size_t{3};
  };
  bool is_released = false;
  const ByteVector frame = data_frame(0, 1, "abcdef");
  {
    const Buffer plaintext = Buffer::wrap(
        frame, [](void* ctx, const uint8_t*, size_t) { *static_cast<bool*>(ctx) = true; },
        &is_released);
    ASSERT_TRUE(server.session.receive(plaintext, 0).ok());
  }
  EXPECT_FALSE(is_released);
  EXPECT_EQ(server.session.held(*server.in().stream).data(), view.data() + 3);
  EXPECT_EQ(as_text(view), "abcdef");
  server.consume(server.in(), 3);
  EXPECT_TRUE(is_released);
  EXPECT_EQ(text_of(server.in()), "abcdef");
}

// One byte that waits keeps the block that it came in, so only so many of these are kept.
TEST(YamuxFlow, WaitingBytesKeepABoundedNumberOfBlocks) {
  Subject server(false);
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  int num_kept = 0;
  const std::string big(40'000, 'x');
  std::vector<ByteVector> frames;
  for (size_t i = 0; i < limits::kStreamsPerConnection; ++i) {
    const std::string_view data = i % 2 == 0 ? "x" : std::string_view(big);
    frames.push_back(data_frame(kSyn, static_cast<uint32_t>(2 * i + 1), data));
    ++num_kept;
    const Buffer block = Buffer::wrap(
        frames.back(), [](void* n, const uint8_t*, size_t) { --*static_cast<int*>(n); }, &num_kept);
    ASSERT_TRUE(server.session.receive(block, 0).ok());
  }
  EXPECT_EQ(num_kept, static_cast<int>(limits::kMuxerPinnedBlocks));
  size_t total = 0;
  for (End::Seen& seen : server.streams) {
    EXPECT_EQ(server.session.held(*seen.stream)[0], 'x');
    const size_t size = seen.id % 4 == 1 ? 1 : big.size();
    server.consume(seen, size);
    total += seen.received.size();
  }
  EXPECT_EQ(total, limits::kStreamsPerConnection / 2 * (big.size() + 1));
  EXPECT_EQ(server.session.held_bytes(), 0U);
  EXPECT_EQ(num_kept, 0);
  // There is room for blocks again.
  server.streams[0].received.clear();
  ++num_kept;
  const ByteVector frame = data_frame(0, 1, "y");
  ASSERT_TRUE(
      server.session
          .receive(Buffer::wrap(
                       frame, [](void* n, const uint8_t*, size_t) { --*static_cast<int*>(n); },
                       &num_kept),
                   0)
          .ok());
  EXPECT_EQ(num_kept, 1);
  server.consume(server.streams[0], 1);
}

TEST(YamuxFlow, ReturnsCreditWhenHalfTheWindowIsConsumed) {
  Reader server;
  const std::string piece(32 * kKiB, 'x');
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(server.give_data(0, 1, piece).ok());
  EXPECT_EQ(server.frames(), Frames{});
  ASSERT_TRUE(server.give_data(0, 1, piece).ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, 0, 1, 128 * kKiB}}));

  // What is held is not credited, so that the peer has to wait.
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(server.give_data(0, 1, piece).ok());
  EXPECT_EQ(server.frames(), Frames{});
  EXPECT_EQ(server.give_data(0, 1, "x").status(), KITH_ERR_PROTOCOL_VIOLATION);
}

TEST(YamuxFlow, HoldsSmallPiecesInLittleMoreThanTheirBytes) {
  Reader server;
  server.on_bytes = [](End::Seen&, Bytes) { return size_t{0}; };
  ByteVector expected;
  for (size_t i = 0; i < 10000; ++i) {
    const char c = static_cast<char>(i);
    ASSERT_TRUE(server.give_data(0, 1, std::string_view(&c, 1)).ok());
    expected.push_back(static_cast<uint8_t>(c));
  }
  EXPECT_GE(server.session.held(*server.in().stream).size(), 4000U);
  server.on_bytes = nullptr;
  server.session.resume(*server.in().stream);
  server.flush();
  EXPECT_EQ(server.in().received, expected);
}

// Sends `total` bytes to `server` in pieces, `interval` apart, and returns the credit that came back.
size_t feed_window(Reader& server, size_t total, Duration interval) {
  const std::string piece(32 * kKiB, 'x');
  size_t credit = 0;
  for (size_t fed = 0; fed < total; fed += piece.size()) {
    server.now += interval;
    EXPECT_TRUE(server.give_data(0, 1, piece).ok());
    for (const Frame& f : server.frames()) credit += f.type == kWindowUpdate ? f.length : 0;
  }
  return credit;
}

// Lets `server` measure a round trip.
void measure(Subject& server, Duration rtt) {
  server.now = server.session.next_timeout();
  KITH_CHECK(server.session.on_timeout(server.now).ok());
  const Frames ping = server.frames();
  server.now += rtt;
  KITH_CHECK(server.give({kPing, kAck, 0, ping.at(0).length}).ok());
}

TEST(YamuxFlow, GrowsTheWindowOfAFastStream) {
  Reader server;
  measure(server, milliseconds(100));
  feed_window(server, 128 * kKiB, 0);  // an epoch begins
  // 256 KiB in each round trip: doubled with each update, up to the limit.
  const size_t sent = 32 * 1024 * kKiB;
  const size_t credit = feed_window(server, sent, milliseconds(5));
  EXPECT_GT(credit, sent);
  EXPECT_LE(credit, sent + limits::kYamuxWindow);
  EXPECT_GE(credit + 8 * 1024 * kKiB, sent + limits::kYamuxWindow / 2);
}

TEST(YamuxFlow, LeavesTheWindowOfASlowStream) {
  Reader server;
  measure(server, milliseconds(100));
  feed_window(server, 128 * kKiB, 0);
  EXPECT_EQ(feed_window(server, 1024 * kKiB, milliseconds(100)), 1024 * kKiB);
}

TEST(YamuxFlow, BoundsTheGrowthOfAllWindowsTogether) {
  Config config;
  config.max_window_growth = 300 * kKiB;
  Reader server(config);
  measure(server, milliseconds(100));
  feed_window(server, 128 * kKiB, 0);
  const size_t sent = 4 * 1024 * kKiB;
  EXPECT_LE(feed_window(server, sent, microseconds(10)), sent + config.max_window_growth);
  // The growth is given back with the stream, for the next.
  ASSERT_TRUE(server.give({kWindowUpdate, kRst, 1, 0}).ok());
  ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 3, 0}).ok());
  server.flush();
  const std::string piece(128 * kKiB, 'x');
  ASSERT_TRUE(server.give_data(0, 3, piece).ok());
  EXPECT_EQ(server.frames(), (Frames{{kWindowUpdate, 0, 3, (128 + 256) * kKiB}}));
}

// As fast as the peer gets credit, on many streams: what it may have under way in all.
TEST(YamuxFlow, AConnectionOwesNoMoreThanItsLimit) {
  constexpr uint32_t kStreams = 8;
  Subject server(false);
  measure(server, milliseconds(100));
  std::vector<size_t> windows(kStreams, kInitialWindow);
  for (uint32_t i = 0; i < kStreams; ++i) {
    ASSERT_TRUE(server.give({kWindowUpdate, kSyn, 2 * i + 1, 0}).ok());
  }
  const std::string piece(64 * kKiB, 'x');
  for (int round = 0; round < 1000; ++round) {
    for (uint32_t i = 0; i < kStreams; ++i) {
      ASSERT_TRUE(server.give_data(0, 2 * i + 1, piece).ok());
      windows[i] -= piece.size();
    }
    for (const Frame& f : server.frames()) {
      if (f.type == kWindowUpdate && f.id != 0) windows[f.id / 2] += f.length;
    }
    server.now += microseconds(10);
  }
  size_t total = 0;
  for (const size_t window : windows) {
    EXPECT_LE(window, limits::kYamuxWindow);
    total += window;
  }
  EXPECT_LE(total, kStreams * kInitialWindow + limits::kYamuxWindowGrowth);
  // What is on its way back is less than half of it.
  EXPECT_GE(total, (kStreams * kInitialWindow + limits::kYamuxWindowGrowth) / 2);
}

TEST(YamuxFlow, SendsNoMoreThanThePeersWindow) {
  Subject client(true);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, std::string(300 * kKiB, 'x')).ok());
  size_t total = 0;
  for (const Frame& f : client.frames()) {
    EXPECT_LE(f.length, 16 * kKiB);
    total += f.length;
  }
  EXPECT_EQ(total, 256 * kKiB);
  EXPECT_FALSE(client.session.has_output());
  ASSERT_TRUE(client.give({kWindowUpdate, 0, 1, 10}).ok());
  EXPECT_EQ(client.frames(), (Frames{{kData, 0, 1, 10}}));
}

TEST(YamuxFlow, RefusesWritesBeyondTheBudgetAndTellsWhenThereIsRoom) {
  Subject client(true);
  End::Seen& out = *client.open();
  ASSERT_TRUE(client.write(out, std::string(200 * kKiB, 'x')).ok());
  ASSERT_TRUE(client.write(out, std::string(200 * kKiB, 'x')).ok());  // all or nothing
  EXPECT_EQ(client.write(out, "x").status(), KITH_ERR_WOULD_BLOCK);
  client.flush(200 * kKiB);
  EXPECT_EQ(out.num_writable, 0U);
  client.flush();
  EXPECT_EQ(client.write(out, "x").status(), KITH_OK);
  EXPECT_EQ(out.num_writable, 0U);  // 144 KiB are left
  ASSERT_TRUE(client.give({kWindowUpdate, kAck, 1, 100 * kKiB}).ok());
  client.flush();
  EXPECT_EQ(out.num_writable, 1U);
}

TEST(YamuxFlow, ASmallStreamDoesNotWaitForABulkOne) {
  Subject client(true);
  End::Seen& bulk = *client.open();
  End::Seen& small = *client.open();
  client.flush();
  ASSERT_TRUE(client.write(bulk, std::string(200 * kKiB, 'b')).ok());
  client.flush(40 * kKiB);
  ASSERT_TRUE(client.write(small, "s").ok());
  ASSERT_TRUE(client.give({kPing, kSyn, 0, 5}).ok());
  const Frames frames = headers_of(client.flush(36 * kKiB));
  ASSERT_GE(frames.size(), 3U);
  EXPECT_EQ(frames[0], (Frame{kPing, kAck, 0, 5}));
  EXPECT_EQ(frames[1].id, bulk.id);  // its turn had come already
  EXPECT_EQ(frames[2], (Frame{kData, 0, 3, 1}));
}

TEST(YamuxFlow, StreamsTakeTurns) {
  Subject client(true);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.write(*client.open(), std::string(40 * kKiB, 'x')).ok());
  }
  std::vector<uint32_t> ids;
  for (const Frame& f : client.frames()) {
    if (f.type == kData) ids.push_back(f.id);
  }
  EXPECT_EQ(ids, (std::vector<uint32_t>{1, 3, 5, 1, 3, 5, 1, 3, 5}));
}

TEST(YamuxFlow, FillsAnyRoom) {
  for (const size_t room : {13U, 14U, 100U, 65519U}) {
    Subject client(true);
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(client.write(*client.open(), std::string(100, 'x')).ok());
    }
    size_t total = 0;
    for (const Frame& f : headers_of(client.flush(SIZE_MAX, room))) {
      if (f.type == kData) total += f.length;
    }
    EXPECT_EQ(total, 20000U) << room;
  }
}

TEST(YamuxFlow, ReleasesBuffersWhenTheyAreSentOrDropped) {
  Subject client(true);
  End::Seen& out = *client.open();
  int num_released = 0;
  const ByteVector bytes(1000);
  const auto lend = [&] {
    return Buffer::wrap(
        bytes, [](void* ctx, const uint8_t*, size_t) { ++*static_cast<int*>(ctx); }, &num_released);
  };
  ASSERT_TRUE(client.session.write(*out.stream, lend()).ok());
  ASSERT_TRUE(client.session.write(*out.stream, lend()).ok());
  EXPECT_EQ(num_released, 0);
  client.flush();
  EXPECT_EQ(num_released, 2);
  ASSERT_TRUE(client.session.write(*out.stream, lend()).ok());
  client.session.reset(*out.stream, 0);
  EXPECT_EQ(num_released, 2);  // a release callback never runs inside the caller's own call
  client.flush();
  EXPECT_EQ(num_released, 3);
}

TEST(YamuxFlow, AReleaseCallbackMayWriteAgain) {
  Subject client(true);
  struct Loop {
    Subject& client;
    End::Seen& out;
    ByteVector bytes = ByteVector(500);
    int left = 10;
    void go() {
      if (left-- == 0) return client.session.close_write(*out.stream);
      const auto again = [](void* ctx, const uint8_t*, size_t) { static_cast<Loop*>(ctx)->go(); };
      KITH_CHECK(client.session.write(*out.stream, Buffer::wrap(bytes, again, this)).ok());
    }
  } loop{client, *client.open()};
  loop.go();
  size_t num_data = 0;
  while (client.session.has_output()) {
    for (const Frame& f : client.frames()) num_data += f.type == kData;
  }
  EXPECT_EQ(num_data, 10U);
}

TEST(YamuxFlow, EightMebibytesArriveAsTheyWereSent) {
  std::mt19937_64 random(8);
  const ByteVector sent = fuzz::random_bytes(8, 8 * 1024 * kKiB);
  End client(true), server(false);
  server.on_bytes = [&](End::Seen&, Bytes data) {
    return random() % 4 == 0 ? random() % data.size() : data.size();
  };
  End::Seen& out = *client.open();
  size_t at = 0;
  TimePoint now = 0;
  for (size_t round = 0; server.streams.empty() || server.streams[0].num_read_closed == 0;
       ++round) {
    ASSERT_LT(round, 100000U);
    now += microseconds(100);
    while (at < sent.size()) {
      const size_t n = std::min<size_t>(sent.size() - at, 1 + random() % (64 * kKiB));
      if (!client.session.write(*out.stream, Buffer::static_bytes(Bytes(sent).subspan(at, n)))
               .ok()) {
        break;
      }
      at += n;
      if (at == sent.size()) client.session.close_write(*out.stream);
    }
    const ByteVector to_server = client.flush(random() % (128 * kKiB));
    for (size_t i = 0; i < to_server.size();) {
      const size_t n = std::min<size_t>(to_server.size() - i, 1 + random() % (20 * kKiB));
      ASSERT_TRUE(server.session.receive(Bytes(to_server).subspan(i, n), now).ok());
      i += n;
    }
    if (!server.streams.empty()) server.session.resume(*server.streams[0].stream);
    ASSERT_TRUE(client.session.receive(server.flush(), now).ok());
  }
  EXPECT_TRUE(server.streams[0].received == sent);
  EXPECT_EQ(server.session.held_bytes(), 0U);
}

}  // namespace
}  // namespace kith::yamux
