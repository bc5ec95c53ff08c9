// SHA-256 (vectors of FIPS 180-4's examples), random bytes, constant-time comparison.
#include <gtest/gtest.h>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "crypto/sha256.h"

namespace kith::crypto {
namespace {

TEST(Sha256, GivesTheExamplesOfTheStandard) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(ByteVector(1000000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, GivesTheSameInPiecesOfEverySize) {
  ByteVector message;
  for (int i = 0; i < 300; ++i) message.push_back(static_cast<uint8_t>(i * 7));
  Sha256 hash;  // one object for all: finish makes it ready again
  for (size_t piece = 1; piece <= message.size(); ++piece) {
    for (size_t at = 0; at < message.size(); at += piece) {
      hash.update(Bytes(message).subspan(at, std::min(piece, message.size() - at)));
    }
    EXPECT_EQ(hash.finish(), sha256(message)) << piece;
  }
  EXPECT_EQ(hash.finish(), sha256({}));
}

TEST(Random, FillsTheWholeBufferAnewEachTime) {
  ByteVector a(64), b(64);
  ASSERT_TRUE(random_bytes(a).ok());
  ASSERT_TRUE(random_bytes(b).ok());
  EXPECT_NE(a, b);
  EXPECT_NE(ByteVector(a.end() - 16, a.end()), ByteVector(16));
  EXPECT_TRUE(random_bytes({}).ok());
}

TEST(Secret, ComparesContentAndSize) {
  const ByteVector a = {1, 2, 3}, b = {1, 2, 4};
  EXPECT_TRUE(constant_time_equal(a, ByteVector{1, 2, 3}));
  EXPECT_FALSE(constant_time_equal(a, b));
  EXPECT_FALSE(constant_time_equal(a, Bytes(a).first(2)));
  EXPECT_TRUE(constant_time_equal({}, {}));
}

TEST(Secret, CleanseOverwrites) {
  ByteVector secret(32, 0x5a);
  cleanse(secret);
  EXPECT_EQ(secret, ByteVector(32));
}

TEST(Secret, BytesGrowAndConvertLikeAVector) {
  SecretBytes bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<uint8_t>(i));
  const Bytes view = bytes;
  EXPECT_EQ(view.size(), 1000U);
  EXPECT_EQ(view[999], static_cast<uint8_t>(999));
}

}  // namespace
}  // namespace kith::crypto
