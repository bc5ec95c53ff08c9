#include "crypto/salsa20.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kith::crypto {
namespace {

ByteVector hex(const char* text) { return from_hex(text).value(); }

ByteVector stream(Bytes key, Bytes nonce, size_t size) {
  ByteVector out(size);
  Salsa20(key, nonce).apply(out);
  return out;
}

std::string part(const ByteVector& bytes, size_t begin, size_t size) {
  return to_hex(Bytes(bytes).subspan(begin, size));
}

// The verified test vectors of eSTREAM (ECRYPT) for Salsa20 with a key of 256 bits: set 1, vector
// 0.
TEST(Salsa20, AgreesWithEcrypt) {
  ByteVector key(32);
  key[0] = 0x80;
  const ByteVector out = stream(key, ByteVector(8), 512);
  EXPECT_EQ(part(out, 0, 64),
            "e3be8fdd8beca2e3ea8ef9475b29a6e7003951e1097a5c38d23b7a5fad9f6844"
            "b22c97559e2723c7cbbd3fe4fc8d9a0744652a83e72a9c461876af4d7ef1a117");
  EXPECT_EQ(part(out, 192, 64),
            "57be81f47b17d9ae7c4ff15429a73e10acf250ed3a90a93c711308a74c6216a9"
            "ed84cd126da7f28e8abf8bb63517e1ca98e712f4fb2e1a6aed9fdc73291faa17");
  EXPECT_EQ(part(out, 256, 64),
            "958211c4ba2ebd5838c635edb81f513a91a294e194f1c039aeec657dce40aa7e"
            "7c0af57cacefa40c9f14b71a4b3456a63e162ec7d8d10b8ffb1810d71001b618");
}

// "Cryptography in NaCl", sections 8 to 10: the key is HSalsa20 of a shared secret, the output what
// a message is encrypted with.
TEST(Salsa20, AgreesWithNaCl) {
  const ByteVector key = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
  const ByteVector nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
  EXPECT_EQ(part(stream(key, nonce, 32), 0, 32),
            "eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880");
  const ByteVector second = hex("dc908dda0b9344a953629b733820778880f3ceb421bb61b91cbd4c3e66256ce4");
  EXPECT_EQ(stream(second, Bytes(nonce).subspan(16), 1000), stream(key, nonce, 1000));
}

TEST(Salsa20, IsTheSameInAnyPieces) {
  const ByteVector key(32, 3), nonce(24, 4);
  const ByteVector whole = stream(key, nonce, 2000);
  for (const size_t piece : {1UL, 7UL, 63UL, 64UL, 255UL, 256UL, 257UL, 1000UL}) {
    Salsa20 cipher(key, nonce);
    ByteVector out(whole.size());
    for (size_t at = 0; at < out.size(); at += piece) {
      cipher.apply(MutableBytes(out).subspan(at, std::min(piece, out.size() - at)));
    }
    EXPECT_EQ(out, whole) << piece;
  }
}

}  // namespace
}  // namespace kith::crypto
