// Multihash framing. Vectors: multiformats/multihash tests/values/test_cases.csv (sha2-256 rows).
#include "wire/multihash.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace kith::wire {
namespace {

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

constexpr const char* kSha256Vectors[] = {
    "1220ffb31f07aa15348368c90c73a834dbf9f8710365860fa0fd4ddce9ac2782cc17",
    "12203afa34fba2f3572ac56d80f52002e8727dd95f17a2e7c9376a3147a96d3e78ac",
    "1220ef387c6fea7ab702d470a9432c4cde44199c8d06c6eaa5a1f2c61cfb0b70a97f",
    "12208a54b2b6b031da07e72055828cbf41ad2562a6f3675fcc84857577cbd1a935c1",
    "1220b17e5d52e94b25c5fe098c233133c5d43556b35d2a50c59cf617fc61df1713fd",
    "1220b8018a7f12b6da3892608167fc5ead90fc57fd1e83aefe9453b623022d5f2b9b",
    "1220e96d0371442d2a8eae119eefe1d8710e8c59562a8fe70adcba25322de2a0f854",
    "12204341e7832a0625d578451df1d6f07b36fdec4505484ede11615893a5d1162bdc",
    "1220c94ab4830a2f1eef4e378a499d91f09f1a909a249c48b27d3366ee6d97c2fc2e",
    "12202efcc65fc37070bb5973df7a99bbb2bc19a7dfe05c448dd2e052ace46df9a80b",
    "1220ddc3fcda5d7fc1f3c48a284aca1b5440b54ee8dd1e2c4dbb7bcb77db696f71e2",
    "1220cf9991b40b273af2ef5c3d41668539d7adfc2637dad7102593ea36b200355124",
    "12208988c716536184426e96e1714964c18a3ec7c3df537d692b410728bf79e16868",
    "1220f28cd11dcb49a131f9b8773035bdc2605a6c2d6459782b987d08c5a8c1fd1814",
    "12209eeab680ac6bd543dfc34b3d90aa6e5a4bb27961faef39680e3f549516dc948e",
    "1220f000499860abadcf61edec7453c0a9112c5083ed9fa27c350ded0a8ed27ea236",
    "122088af105116b3006c14cc9c38e5bd9049386dc82785fbb15a69a907fb9da8c831",
    "122066b0aa772b7562dbf534ae653ab686735baf7ed3614caad398868d8e2b84a289",
    "12204577ee99ca45b00bae3afe7f3a50cbafb109ef1a165ec698cb29a62daf1addab",
    "1220f6a17055da6921b92a23f6fa4e2434160dec6ccfe1ce5979415ccf6467a8d8ac",
};

TEST(Multihash, RoundTripsTheSha256Vectors) {
  for (const char* vector : kSha256Vectors) {
    const ByteVector bytes = hex(vector);
    const Result<Multihash> m = decode_multihash(bytes);
    ASSERT_TRUE(m.ok()) << m.error().to_string();
    EXPECT_EQ(m->code, kMultihashSha256);
    EXPECT_EQ(to_hex(m->digest), std::string(vector).substr(4));
    EXPECT_EQ(encode_multihash(m->code, m->digest), bytes);
  }
}

TEST(Multihash, TakesIdentityAndUnknownFunctions) {
  const ByteVector identity = hex("0003616263");
  EXPECT_EQ(as_text(decode_multihash(identity)->digest), "abc");
  EXPECT_TRUE(decode_multihash(hex("0000")).ok());
  const ByteVector md5 =
      hex("d50110"
          "000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(decode_multihash(md5)->code, 0xd5U);
}

TEST(Multihash, RefusesEveryTruncationAndAnyRest) {
  for (const char* vector : {kSha256Vectors[0], "0003616263", "d50103616263"}) {
    ByteVector bytes = hex(vector);
    for (size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_EQ(decode_multihash(Bytes(bytes).first(n)).status(), KITH_ERR_MALFORMED);
    }
    bytes.push_back(0);
    EXPECT_EQ(decode_multihash(bytes).status(), KITH_ERR_MALFORMED);
  }
}

TEST(Multihash, RefusesSha256OfAnotherLength) {
  for (const size_t size : {0U, 20U, 31U, 33U, 64U}) {
    ByteVector bytes = {0x12, static_cast<uint8_t>(size)};
    bytes.resize(2 + size);
    const Result<Multihash> m = decode_multihash(bytes);
    EXPECT_EQ(m.status(), KITH_ERR_MALFORMED);
    EXPECT_EQ(m.error().detail(), "a sha2-256 digest has 32 bytes, not " + std::to_string(size));
  }
}

TEST(Multihash, HoldsTheLimitOfTheDigest) {
  const ByteVector most =
      encode_multihash(kMultihashIdentity, ByteVector(limits::kMultihashDigestBytes));
  EXPECT_TRUE(decode_multihash(most).ok());
  ByteVector more = hex("008102");
  more.resize(3 + limits::kMultihashDigestBytes + 1);
  EXPECT_EQ(decode_multihash(more).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(decode_multihash(hex("00ffffffffffffffff7f")).status(), KITH_ERR_LIMIT);
}

TEST(Multihash, RefusesNonMinimalVarints) {
  EXPECT_EQ(decode_multihash(hex("80000161")).status(), KITH_ERR_MALFORMED);
  EXPECT_EQ(decode_multihash(hex("00810061")).status(), KITH_ERR_MALFORMED);
}

TEST(MultihashDeathTest, RefusesToWriteWhatIsNoMultihash) {
  EXPECT_DEATH(encode_multihash(kMultihashSha256, ByteVector(31)), "invariant");
  EXPECT_DEATH(encode_multihash(0, ByteVector(limits::kMultihashDigestBytes + 1)), "invariant");
}

}  // namespace
}  // namespace kith::wire
