// The primitives of the secure channels against the examples of their specifications.
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/chacha20_poly1305.h"
#include "crypto/hkdf.h"
#include "crypto/x25519.h"
#include "crypto/x25519_vectors.h"

namespace kith::crypto {
namespace {

ByteVector hex(const char* text) { return from_hex(text).value(); }

X25519Key private_key(const char* text) { return X25519Key::from_private(hex(text)).value(); }

X25519PublicKey point(const char* text) {
  X25519PublicKey out;
  const ByteVector bytes = hex(text);
  KITH_CHECK(bytes.size() == out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// RFC 7748, sections 5.2 and 6.1.
TEST(X25519, AgreesWithTheExamplesOfItsSpecification) {
  const X25519Key scalar =
      private_key("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const X25519PublicKey u =
      point("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  EXPECT_EQ(to_hex(scalar.shared_secret(u).value()),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");

  const X25519Key bob =
      private_key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  EXPECT_EQ(to_hex(bob.public_key()),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const X25519PublicKey alice =
      point("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(to_hex(bob.shared_secret(alice).value()),
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  EXPECT_EQ(X25519Key::from_private(hex("77")).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST(X25519, RefusesPointsOfSmallOrder) {
  const X25519Key key =
      private_key("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  for (const X25519PublicKey& u : points_of_small_order()) {
    EXPECT_EQ(key.shared_secret(u).status(), KITH_ERR_HANDSHAKE) << to_hex(u);
  }
}

// RFC 5869, appendix A, test cases 1 and 3.
TEST(Hkdf, AgreesWithTheExamplesOfItsSpecification) {
  const ByteVector input(22, 0x0b);
  EXPECT_EQ(to_hex(hkdf_sha256(hex("000102030405060708090a0b0c"), input,
                               hex("f0f1f2f3f4f5f6f7f8f9"), 42)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(to_hex(hkdf_sha256({}, input, {}, 42)),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

class Aead : public testing::Test {
 protected:
  const ByteVector key_ = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const ByteVector ad_ = hex("50515253c0c1c2c3c4c5c6c7");
  const ChaCha20Poly1305::Nonce nonce_ = {7,    0,    0,    0,    0x40, 0x41,
                                          0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
  ChaCha20Poly1305 sealer_{key_, ChaCha20Poly1305::Direction::kSeal};
  ChaCha20Poly1305 opener_{key_, ChaCha20Poly1305::Direction::kOpen};

  ByteVector seal(std::vector<Bytes> parts) {
    size_t size = ChaCha20Poly1305::kTagBytes;
    for (const Bytes b : parts) size += b.size();
    ByteVector out(size);
    sealer_.seal(nonce_, ad_, parts, out.data());
    return out;
  }
};

// RFC 8439, section 2.8.2.
TEST_F(Aead, AgreesWithTheExampleOfItsSpecification) {
  const Bytes text = as_bytes(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.");
  ByteVector sealed = seal({text});
  EXPECT_EQ(
      to_hex(sealed),
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
      "da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
      "5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
  ASSERT_TRUE(opener_.open(nonce_, ad_, sealed));
  EXPECT_TRUE(equal(Bytes(sealed).first(text.size()), text));
}

TEST_F(Aead, SealsTheSameHoweverThePlaintextIsCut) {
  ByteVector text(40000);
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<uint8_t>(i * i >> 8);
  const ByteVector whole = seal({text});
  const Bytes all(text);
  for (const size_t cut :
       {1UL, 15UL, 63UL, 64UL, 65UL, 1023UL, 1024UL, 1025UL, 8191UL, 8192UL, 8193UL, 39999UL}) {
    EXPECT_EQ(seal({all.first(cut), {}, all.subspan(cut)}), whole) << cut;
    std::vector<Bytes> parts;
    for (Bytes rest = all; !rest.empty(); rest = rest.subspan(parts.back().size())) {
      parts.push_back(rest.first(std::min(rest.size(), cut)));
    }
    EXPECT_EQ(seal(parts), whole) << cut;
  }
}

TEST_F(Aead, LeavesZerosWhenTheTagDoesNotFit) {
  const ByteVector sealed = seal({as_bytes("attack at dawn")});
  for (size_t i = 0; i < sealed.size(); ++i) {
    ByteVector bad = sealed;
    bad[i] ^= 0x20;
    ASSERT_FALSE(opener_.open(nonce_, ad_, bad)) << i;
    EXPECT_TRUE(std::all_of(bad.begin(), bad.begin() + 14, [](uint8_t b) { return b == 0; }));
  }
  ByteVector good = sealed, short_one(15), no_ad = sealed;
  EXPECT_FALSE(opener_.open(nonce_, {}, no_ad));
  EXPECT_FALSE(opener_.open(nonce_, ad_, short_one));
  EXPECT_TRUE(opener_.open(nonce_, ad_, good));
}

}  // namespace
}  // namespace kith::crypto
