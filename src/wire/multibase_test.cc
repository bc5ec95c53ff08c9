// Multibase. Vectors: multiformats/multibase tests/*.csv.
#include "wire/multibase.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/limits.h"

namespace kith::wire {
namespace {

using namespace std::string_literals;

constexpr Base kBases[] = {Base::kBase16,      Base::kBase16Upper, Base::kBase32,
                           Base::kBase32Upper, Base::kBase36,      Base::kBase36Upper,
                           Base::kBase58Btc,   Base::kBase64,      Base::kBase64Url};

std::string decoded(std::string_view text) {
  const Result<ByteVector> r = decode_multibase(text);
  return r.ok() ? std::string(as_text(*r)) : r.error().to_string();
}

struct Vector {
  std::string plain;
  std::vector<std::string> texts;
};

// basic.csv, leading_zero.csv, two_leading_zeros.csv
const Vector kVectors[] = {
    {"yes mani !",
     {"f796573206d616e692021", "F796573206D616E692021", "bpfsxgidnmfxgsibb", "BPFSXGIDNMFXGSIBB",
      "k2lcpzo5yikidynfl", "K2LCPZO5YIKIDYNFL", "z7paNL19xttacUY", "meWVzIG1hbmkgIQ",
      "ueWVzIG1hbmkgIQ"}},
    {"\0yes mani !"s,
     {"f00796573206d616e692021", "F00796573206D616E692021", "bab4wk4zanvqw42jaee",
      "BAB4WK4ZANVQW42JAEE", "k02lcpzo5yikidynfl", "K02LCPZO5YIKIDYNFL", "z17paNL19xttacUY",
      "mAHllcyBtYW5pICE", "uAHllcyBtYW5pICE"}},
    {"\0\0yes mani !"s,
     {"f0000796573206d616e692021", "F0000796573206D616E692021", "baaahszltebwwc3tjeaqq",
      "BAAAHSZLTEBWWC3TJEAQQ", "k002lcpzo5yikidynfl", "K002LCPZO5YIKIDYNFL", "z117paNL19xttacUY",
      "mAAB5ZXMgbWFuaSAh", "uAAB5ZXMgbWFuaSAh"}},
};

TEST(Multibase, EncodesAndDecodesTheVectors) {
  for (const Vector& v : kVectors) {
    ASSERT_EQ(v.texts.size(), std::size(kBases));
    for (const std::string& text : v.texts) {
      Base base{};
      const Result<ByteVector> r = decode_multibase(text, &base);
      ASSERT_TRUE(r.ok()) << text << r.error().to_string();
      EXPECT_EQ(as_text(*r), v.plain) << text;
      EXPECT_EQ(static_cast<char>(base), text[0]);
      EXPECT_EQ(encode_multibase(base, as_bytes(v.plain)), text);
      EXPECT_EQ(encode_base(base, as_bytes(v.plain)), text.substr(1));
      EXPECT_EQ(decode_base(base, text.substr(1)).value(), *r);
    }
  }
}

TEST(Multibase, IgnoresCaseWhereTheBaseDoes) {  // case_insensitivity.csv
  for (const char* text :
       {"f68656c6c6f20776F726C64", "F68656c6c6f20776F726C64", "bnbswy3dpeB3W64TMMQ",
        "Bnbswy3dpeB3W64TMMQ", "kfUvrsIvVnfRbjWaJo", "KfUVrSIVVnFRbJWAJo"}) {
    EXPECT_EQ(decoded(text), "hello world") << text;
  }
}

TEST(Multibase, RoundTripsRandomBytesInEveryBase) {
  std::mt19937 random(2);
  for (size_t size = 0; size <= 64; ++size) {
    for (int round = 0; round < 4; ++round) {
      ByteVector bytes(size);
      for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
      for (size_t i = 0; i < size && i < static_cast<size_t>(round); ++i) bytes[i] = 0;
      for (const Base base : kBases) {
        EXPECT_EQ(decode_multibase(encode_multibase(base, bytes)).value(), bytes);
      }
    }
  }
}

TEST(Multibase, EmptyBytesAreThePrefixAlone) {
  for (const Base base : kBases) {
    EXPECT_EQ(encode_multibase(base, {}), std::string(1, static_cast<char>(base)));
    EXPECT_TRUE(decode_multibase(encode_multibase(base, {})).value().empty());
  }
}

TEST(Multibase, SaysWhatIsWrong) {
  EXPECT_EQ(decoded(""), "multibase: the text is empty (KITH_ERR_MALFORMED)");
  EXPECT_EQ(decoded("Qm"), "multibase: 'Q' names no known base (KITH_ERR_MALFORMED)");
  EXPECT_EQ(
      decoded("z1230"),
      "multibase: character '0' at offset 3 is not a digit of base58btc (KITH_ERR_MALFORMED)");
  EXPECT_EQ(decoded("f123"),
            "multibase: 3 digits of base16 are no whole number of bytes (KITH_ERR_MALFORMED)");
  EXPECT_EQ(decoded("bab"),
            "multibase: the last digit of base32 has stray bits (KITH_ERR_MALFORMED)");
}

TEST(Multibase, RefusesPaddingStrayBitsAndForeignCharacters) {
  for (const char* bad : {"fg0",       "f0",        "f 0",
                          "b1a",       "bab======", "bA=",
                          "ba",        "baaa",      "baaaaaa",
                          "baf",       "mAA==",     "mAAA=",
                          "mA",        "mAAAAA",    "mAB",
                          "mAAB",      "mAA-_",     "uAA+/",
                          "uAA\n",     "zl",        "zI",
                          "zO",        "z0",        "k-",
                          "k\xc3\xa4", "1",         "\xf0\x9f\x9a\x80"}) {
    EXPECT_EQ(decode_multibase(bad).status(), KITH_ERR_MALFORMED) << bad;
  }
}

TEST(Multibase, HoldsTheLimitOfBigNumbers) {
  for (const Base base : {Base::kBase36, Base::kBase58Btc}) {
    // The largest number, and the most leading zeros.
    for (const uint8_t fill : {uint8_t{0xff}, uint8_t{0}}) {
      const ByteVector most(limits::kBigNumberBytes, fill);
      EXPECT_EQ(decode_base(base, encode_base(base, most)).value(), most);
    }
    for (const char digit : {'1', 'z'}) {
      EXPECT_TRUE(decode_base(base, std::string(limits::kBigNumberTextBytes, digit)).ok());
      const auto r = decode_base(base, std::string(limits::kBigNumberTextBytes + 1, digit));
      EXPECT_EQ(r.status(), KITH_ERR_LIMIT);
    }
  }
  EXPECT_TRUE(
      decode_multibase("u" + std::string(1 << 20, 'A')).ok());  // linear, so without a limit here
}

TEST(Multibase, DecodesBase58IntoTheRoomOfItsCaller) {
  NumberRoom room;
  for (const size_t num_zeros : {size_t{0}, size_t{1}, size_t{200}}) {
    ByteVector bytes(num_zeros);
    append(bytes, "yes mani !");
    const Result<Bytes> r = decode_base58(encode_base(Base::kBase58Btc, bytes), room);
    ASSERT_TRUE(r.ok()) << r.error().to_string();
    EXPECT_TRUE(equal(*r, bytes)) << num_zeros;
    EXPECT_EQ(r->data(), room.data());
  }
  EXPECT_EQ(decode_base58(std::string(limits::kBigNumberTextBytes, '1'), room)->size(),
            room.size());
  EXPECT_EQ(decode_base58("0", room).status(), KITH_ERR_MALFORMED);
}

TEST(MultibaseDeathTest, RefusesToWriteTooBigANumber) {
  EXPECT_DEATH(encode_multibase(Base::kBase58Btc, ByteVector(limits::kBigNumberBytes + 1)),
               "invariant");
}

}  // namespace
}  // namespace kith::wire
