// Unsigned varints. Vectors: multiformats/unsigned-varint README.md.
#include "wire/varint.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace kith::wire {
namespace {

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

struct Vector {
  uint64_t value;
  const char* bytes;
};
constexpr Vector kVectors[] = {
    {0, "00"},       {1, "01"},         {127, "7f"},
    {128, "8001"},   {255, "ff01"},     {300, "ac02"},
    {16383, "ff7f"}, {16384, "808001"}, {kMaxVarint, "ffffffffffffffff7f"},
};

TEST(Varint, EncodesAndDecodesTheVectorsOfTheSpec) {
  for (const Vector& v : kVectors) {
    const ByteVector bytes = hex(v.bytes);
    ByteVector out = {0xee};
    append_varint(out, v.value);
    EXPECT_EQ(to_hex(out), std::string("ee") + v.bytes);
    EXPECT_EQ(varint_size(v.value), bytes.size());
    const VarintDecode d = decode_varint(bytes);
    EXPECT_EQ(d.state, DecodeState::kDone);
    EXPECT_EQ(d.value, v.value);
    EXPECT_EQ(d.size, bytes.size());
  }
}

TEST(Varint, RoundTripsTheEdgesOfEverySize) {
  for (unsigned bit = 0; bit < 63; ++bit) {
    for (const uint64_t value :
         {uint64_t{1} << bit, (uint64_t{1} << bit) - 1, (uint64_t{1} << bit) + 1}) {
      uint8_t buffer[limits::kVarintBytes];
      const size_t size = write_varint(buffer, value);
      EXPECT_EQ(size, varint_size(value));
      const VarintDecode d = decode_varint(Bytes(buffer).first(size));
      EXPECT_EQ(d.state, DecodeState::kDone);
      EXPECT_EQ(d.value, value);
      EXPECT_EQ(d.size, size);
    }
  }
}

TEST(Varint, AsksForMoreAtEverySplit) {
  for (const Vector& v : kVectors) {
    const ByteVector bytes = hex(v.bytes);
    for (size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_EQ(decode_varint(Bytes(bytes).first(n)).state, DecodeState::kNeedMore);
    }
  }
}

TEST(Varint, IgnoresWhatFollows) {
  const VarintDecode d = decode_varint(hex("ac02ffff"));
  EXPECT_EQ(d.state, DecodeState::kDone);
  EXPECT_EQ(d.value, 300U);
  EXPECT_EQ(d.size, 2U);
}

TEST(Varint, RefusesNonMinimalForms) {
  for (const char* bad :
       {"8000", "8100", "808000", "ff00", "80808080808080808000", "808080808080808000"}) {
    EXPECT_EQ(decode_varint(hex(bad)).state, DecodeState::kMalformed) << bad;
  }
}

TEST(Varint, RefusesMoreThanNineBytesAsSoonAsItIsCertain) {
  EXPECT_EQ(decode_varint(hex("ffffffffffffffff")).state, DecodeState::kNeedMore);
  EXPECT_EQ(decode_varint(hex("ffffffffffffffffff")).state, DecodeState::kMalformed);
  EXPECT_EQ(decode_varint(hex("ffffffffffffffffff01")).state, DecodeState::kMalformed);
  EXPECT_EQ(decode_varint(hex("80808080808080808001")).state, DecodeState::kMalformed);
}

TEST(VarintDeathTest, RefusesToWriteWhatDoesNotFit) {
  uint8_t one[1];
  EXPECT_DEATH(write_varint(one, 128), "invariant");
  ByteVector out;
  EXPECT_DEATH(append_varint(out, kMaxVarint + 1), "invariant");
  EXPECT_DEATH(varint_size(~uint64_t{0}), "invariant");
}

}  // namespace
}  // namespace kith::wire
