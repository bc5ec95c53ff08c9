// Length-prefixed messages, whole and in every kind of piece.
#include "wire/frame.h"

#include <gtest/gtest.h>

#include <random>

namespace kith::wire {
namespace {

constexpr size_t kMax = 300;

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

ByteVector frame_of(size_t size, uint8_t fill) {
  ByteVector out;
  append_frame(out, ByteVector(size, fill));
  return out;
}

TEST(Frame, EncodesTheLengthInFront) {
  ByteVector out;
  append_frame(out, as_bytes("na\n"));
  EXPECT_EQ(to_hex(out), "036e610a");  // libp2p/specs connections/README.md
  append_frame(out, {});
  EXPECT_EQ(to_hex(out), "036e610a00");
  out.clear();
  append_frame(out, as_bytes("/multistream/1.0.0\n"));
  EXPECT_EQ(to_hex(out), "132f6d756c746973747265616d2f312e302e300a");
  EXPECT_EQ(to_hex(frame_of(200, 1)).substr(0, 6), "c80101");
}

TEST(Frame, DecodesWithoutCopying) {
  const ByteVector in = hex("036e610a00ff");
  const FrameDecode first = decode_frame(in, kMax);
  ASSERT_EQ(first.state, FrameState::kDone);
  EXPECT_EQ(as_text(first.payload), "na\n");
  EXPECT_EQ(first.payload.data(), in.data() + 1);
  EXPECT_EQ(first.size, 4U);
  const FrameDecode second = decode_frame(Bytes(in).subspan(4), kMax);
  ASSERT_EQ(second.state, FrameState::kDone);
  EXPECT_TRUE(second.payload.empty());
  EXPECT_EQ(second.size, 1U);
}

TEST(Frame, AsksForMoreAtEverySplit) {
  const ByteVector in = frame_of(200, 7);
  for (size_t n = 0; n < in.size(); ++n) {
    EXPECT_EQ(decode_frame(Bytes(in).first(n), kMax).state, FrameState::kNeedMore);
  }
  EXPECT_EQ(decode_frame(in, kMax).state, FrameState::kDone);
}

TEST(Frame, HoldsTheMaximumExactly) {
  EXPECT_EQ(decode_frame(frame_of(kMax, 1), kMax).state, FrameState::kDone);
  EXPECT_EQ(decode_frame(frame_of(kMax + 1, 1), kMax).state, FrameState::kTooLarge);
  EXPECT_EQ(decode_frame(frame_of(1, 1), 0).state, FrameState::kTooLarge);
  EXPECT_EQ(decode_frame(frame_of(0, 1), 0).state, FrameState::kDone);
}

TEST(Frame, RefusesAHugeLengthBeforeAnyPayload) {
  // 2^31, 2^62 and the largest varint.
  for (const char* bad : {"8080808008", "808080808080808040", "ffffffffffffffff7f"}) {
    EXPECT_EQ(decode_frame(hex(bad), kMax).state, FrameState::kTooLarge) << bad;
    FrameReader reader(kMax);
    size_t consumed = 1;
    EXPECT_EQ(reader.receive(hex(bad), &consumed), FrameState::kTooLarge) << bad;
    EXPECT_EQ(consumed, 0U);
  }
}

TEST(Frame, RefusesLengthsThatAreNoVarint) {
  for (const char* bad : {"8000", "ffffffffffffffffff", "80808080808080808001"}) {
    EXPECT_EQ(decode_frame(hex(bad), kMax).state, FrameState::kMalformed) << bad;
    FrameReader reader(kMax);
    FrameState state = FrameState::kNeedMore;
    for (const uint8_t byte : hex(bad)) {
      size_t consumed = 0;
      state = reader.receive({&byte, 1}, &consumed);
      if (state != FrameState::kNeedMore) break;
    }
    EXPECT_EQ(state, FrameState::kMalformed) << bad;
  }
}

// Feeds `in` in the given piece sizes, the last one repeated, and returns the messages.
std::vector<ByteVector> read_all(Bytes in, const std::vector<size_t>& pieces) {
  std::vector<ByteVector> messages;
  FrameReader reader(kMax);
  for (size_t i = 0; !in.empty(); ++i) {
    Bytes piece = in.first(std::min(in.size(), pieces[std::min(i, pieces.size() - 1)]));
    in = in.subspan(piece.size());
    while (!piece.empty()) {
      size_t consumed = 0;
      const FrameState state = reader.receive(piece, &consumed);
      piece = piece.subspan(consumed);
      if (state == FrameState::kDone) {
        messages.push_back(to_vector(reader.payload()));
      } else {
        EXPECT_EQ(state, FrameState::kNeedMore);
        EXPECT_TRUE(piece.empty());
        EXPECT_TRUE(reader.payload().empty());
      }
    }
  }
  return messages;
}

TEST(FrameReader, GivesTheSameMessagesHoweverTheyAreCut) {
  std::vector<ByteVector> want;
  ByteVector in;
  for (const size_t size : {size_t{0}, size_t{3}, size_t{127}, size_t{128}, size_t{0}, kMax}) {
    want.emplace_back(size, static_cast<uint8_t>(size + 1));
    append_frame(in, want.back());
  }
  EXPECT_EQ(read_all(in, {in.size()}), want);
  EXPECT_EQ(read_all(in, {1}), want);
  for (size_t n = 1; n < in.size(); ++n) EXPECT_EQ(read_all(in, {n, in.size()}), want) << n;
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<size_t> pieces(200);
    for (size_t& n : pieces) n = 1 + random() % 9;
    EXPECT_EQ(read_all(in, pieces), want);
  }
}

TEST(FrameReader, DoesNotCopyAMessageThatCameWhole) {
  const ByteVector in = hex("036e610a");
  FrameReader reader(kMax);
  size_t consumed = 0;
  ASSERT_EQ(reader.receive(in, &consumed), FrameState::kDone);
  EXPECT_EQ(reader.payload().data(), in.data() + 1);
}

TEST(FrameReader, TakesEmptyInput) {
  FrameReader reader(kMax);
  size_t consumed = 0;
  EXPECT_EQ(reader.receive({}, &consumed), FrameState::kNeedMore);
  EXPECT_EQ(reader.receive({}, &consumed), FrameState::kNeedMore);
  EXPECT_EQ(reader.receive(hex("00"), &consumed), FrameState::kDone);
  EXPECT_EQ(consumed, 1U);
}

TEST(FrameReader, StaysRefused) {
  FrameReader reader(kMax);
  size_t consumed = 0;
  EXPECT_EQ(reader.receive(hex("ff"), &consumed), FrameState::kNeedMore);
  EXPECT_EQ(reader.receive(hex("7f00"), &consumed), FrameState::kTooLarge);
  EXPECT_EQ(reader.receive(hex("00"), &consumed), FrameState::kTooLarge);
  EXPECT_EQ(consumed, 0U);
  EXPECT_TRUE(reader.payload().empty());
}

}  // namespace
}  // namespace kith::wire
