// kith/identity.h.
#include "kith/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace {

struct Key {
  explicit Key(kith_key_type type) { EXPECT_EQ(KITH_OK, kith_key_generate(&key, type, 0)); }
  ~Key() { kith_key_free(key); }
  kith_key* key = nullptr;
};

std::vector<uint8_t> encode_public(const kith_key* key) {
  size_t len = 0;
  EXPECT_EQ(KITH_OK, kith_key_encode_public(key, nullptr, &len));
  std::vector<uint8_t> out(len);
  EXPECT_EQ(KITH_OK, kith_key_encode_public(key, out.data(), &len));
  return out;
}

class EveryType : public testing::TestWithParam<kith_key_type> {};

TEST_P(EveryType, RoundTripsThroughItsEncoding) {
  const Key a(GetParam());
  EXPECT_EQ(GetParam(), kith_key_get_type(a.key));
  size_t len = 0;
  ASSERT_EQ(KITH_OK, kith_key_encode(a.key, nullptr, &len));
  const size_t needed = len;
  std::vector<uint8_t> bytes(needed, 0xaa);
  len = needed - 1;
  EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL, kith_key_encode(a.key, bytes.data(), &len));
  EXPECT_EQ(needed, len);
  EXPECT_EQ(std::vector<uint8_t>(needed, 0xaa), bytes);
  ASSERT_EQ(KITH_OK, kith_key_encode(a.key, bytes.data(), &len));

  kith_key* b = nullptr;
  kith_error error{};
  ASSERT_EQ(KITH_OK, kith_key_decode(&b, bytes.data(), bytes.size(), &error)) << error.message;
  EXPECT_EQ(encode_public(a.key), encode_public(b));
  kith_key_free(b);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{3}, needed / 2, needed - 1}) {
    b = nullptr;
    EXPECT_NE(KITH_OK, kith_key_decode(&b, bytes.data(), cut, &error)) << cut;
    EXPECT_EQ(nullptr, b);
    EXPECT_STRNE("", error.message);
  }
}

TEST_P(EveryType, SignsAndVerifies) {
  const Key a(GetParam());
  const std::vector<uint8_t> pub = encode_public(a.key);
  const uint8_t message[] = {1, 2, 3};
  // The size that is asked for must be room enough for any signature: theirs vary.
  for (int i = 0; i < 40; ++i) {
    size_t len = 0;
    ASSERT_EQ(KITH_OK, kith_key_sign(a.key, nullptr, &len, message, sizeof message));
    std::vector<uint8_t> signature(len);
    ASSERT_EQ(KITH_OK, kith_key_sign(a.key, signature.data(), &len, message, sizeof message));
    if (i != 0) continue;
    EXPECT_EQ(KITH_OK,
              kith_verify(pub.data(), pub.size(), message, sizeof message, signature.data(), len));
    EXPECT_EQ(KITH_ERR_BAD_SIGNATURE,
              kith_verify(pub.data(), pub.size(), message, 2, signature.data(), len));
    EXPECT_EQ(KITH_ERR_BAD_SIGNATURE,
              kith_verify(pub.data(), pub.size(), message, sizeof message, nullptr, 0));
    EXPECT_NE(KITH_OK, kith_verify(pub.data(), pub.size() - 1, message, sizeof message,
                                   signature.data(), len));
    if (GetParam() == KITH_KEY_RSA) return;  // of one size, and slow
  }
  uint8_t small[4];
  size_t len = sizeof small;
  EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL, kith_key_sign(a.key, small, &len, message, sizeof message));
  EXPECT_LT(sizeof small, len);
}

TEST_P(EveryType, HasOnePeerIdInAllItsForms) {
  const Key a(GetParam());
  const std::vector<uint8_t> pub = encode_public(a.key);
  char id[KITH_PEER_ID_TEXT_MAX], of_public[KITH_PEER_ID_TEXT_MAX];
  char base58[KITH_PEER_ID_TEXT_MAX], cid[KITH_PEER_ID_TEXT_MAX], again[KITH_PEER_ID_TEXT_MAX];
  ASSERT_EQ(KITH_OK, kith_key_peer_id(a.key, id));
  ASSERT_EQ(KITH_OK, kith_peer_id_of_public_key(pub.data(), pub.size(), of_public));
  EXPECT_STREQ(id, of_public);
  ASSERT_EQ(KITH_OK, kith_peer_id_parse(id, base58, cid, nullptr));
  EXPECT_STREQ(id, base58);
  ASSERT_EQ(KITH_OK, kith_peer_id_parse(cid, again, nullptr, nullptr));
  EXPECT_STREQ(id, again);
  EXPECT_EQ(KITH_OK, kith_peer_id_parse(id, nullptr, nullptr, nullptr));
}

INSTANTIATE_TEST_SUITE_P(IdentityH, EveryType,
                         testing::Values(KITH_KEY_RSA, KITH_KEY_ED25519, KITH_KEY_SECP256K1,
                                         KITH_KEY_ECDSA));

TEST(IdentityH, RefusesTypesAndSizesThatDoNotExist) {
  kith_key* key = nullptr;
  for (const kith_key_type type : {-1, 4, INT32_MAX}) {
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_key_generate(&key, type, 0));
  }
  for (const uint32_t bits : {1u, 1024u, 2047u, 8193u, UINT32_MAX}) {
    EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_key_generate(&key, KITH_KEY_RSA, bits)) << bits;
  }
  EXPECT_EQ(nullptr, key);
  EXPECT_EQ(-1, kith_key_get_type(nullptr));
}

TEST(IdentityH, RefusesWhatIsNoPeerId) {
  char out[KITH_PEER_ID_TEXT_MAX] = "as it was";
  for (const char* bad : {"", "1", "Qm", "12D3KooW0000", "b", "\xff\xfe"}) {
    kith_error error{};
    EXPECT_EQ(KITH_ERR_MALFORMED, kith_peer_id_parse(bad, out, out, &error)) << error.message;
    EXPECT_STRNE("", error.message);
  }
  EXPECT_STREQ("as it was", out);
  const std::string huge(100'000, '1');
  EXPECT_EQ(KITH_ERR_LIMIT, kith_peer_id_parse(huge.c_str(), out, out, nullptr));
  EXPECT_STREQ("as it was", out);
  const uint8_t junk[] = {8, 9, 18, 0};
  EXPECT_NE(KITH_OK, kith_peer_id_of_public_key(junk, sizeof junk, out));
}

TEST(IdentityH, AKeyMayBeUsedFromSeveralThreads) {
  const Key a(KITH_KEY_ECDSA);
  const auto work = [&] {
    for (int i = 0; i < 20; ++i) {
      uint8_t out[256];
      size_t len = sizeof out;
      EXPECT_EQ(KITH_OK, kith_key_sign(a.key, out, &len, out, 0));
    }
  };
  std::thread other(work);
  work();
  other.join();
}

}  // namespace
