// kith/tls.h.
#include "kith/tls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

constexpr int64_t kNow = 1'800'000'000;

class TlsH : public testing::Test {
 protected:
  TlsH() : certificate(KITH_TLS_CERTIFICATE_MAX), key(KITH_TLS_CERTIFICATE_MAX) {
    EXPECT_EQ(KITH_OK, kith_key_generate(&host_key, KITH_KEY_ED25519, 0));
    size_t len = certificate.size(), key_len = key.size();
    EXPECT_EQ(KITH_OK,
              kith_tls_make(host_key, kNow, certificate.data(), &len, key.data(), &key_len));
    certificate.resize(len);
    key.resize(key_len);
  }
  ~TlsH() override { kith_key_free(host_key); }
  kith_key* host_key = nullptr;
  std::vector<uint8_t> certificate, key;
};

TEST_F(TlsH, ACertificateProvesItsPeerId) {
  char want[KITH_PEER_ID_TEXT_MAX], id[KITH_PEER_ID_TEXT_MAX];
  ASSERT_EQ(KITH_OK, kith_key_peer_id(host_key, want));
  kith_error error{};
  ASSERT_EQ(KITH_OK, kith_tls_verify(certificate.data(), certificate.size(), kNow, id, &error))
      << error.message;
  EXPECT_STREQ(want, id);
  EXPECT_EQ(0x30, key.at(0));
}

TEST_F(TlsH, EveryTypeOfKeyMakesOne) {
  for (const kith_key_type type : {KITH_KEY_RSA, KITH_KEY_SECP256K1, KITH_KEY_ECDSA}) {
    kith_key* k = nullptr;
    ASSERT_EQ(KITH_OK, kith_key_generate(&k, type, 0));
    uint8_t cert[KITH_TLS_CERTIFICATE_MAX], priv[KITH_TLS_CERTIFICATE_MAX];
    size_t cert_len = sizeof cert, priv_len = sizeof priv;
    ASSERT_EQ(KITH_OK, kith_tls_make(k, kNow, cert, &cert_len, priv, &priv_len));
    char id[KITH_PEER_ID_TEXT_MAX], want[KITH_PEER_ID_TEXT_MAX];
    EXPECT_EQ(KITH_OK, kith_tls_verify(cert, cert_len, kNow, id, nullptr));
    EXPECT_EQ(KITH_OK, kith_key_peer_id(k, want));
    EXPECT_STREQ(want, id);
    kith_key_free(k);
  }
}

TEST_F(TlsH, TheSizesAskedForAreRoomEnough) {
  for (int i = 0; i < 30; ++i) {
    size_t len = 0, key_len = 0;
    ASSERT_EQ(KITH_OK, kith_tls_make(host_key, kNow, nullptr, &len, nullptr, &key_len));
    EXPECT_LE(len, size_t{KITH_TLS_CERTIFICATE_MAX});
    std::vector<uint8_t> c(len), k(key_len);
    ASSERT_EQ(KITH_OK, kith_tls_make(host_key, kNow, c.data(), &len, k.data(), &key_len));
    size_t small = 10, small_key = key_len;
    EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL,
              kith_tls_make(host_key, kNow, c.data(), &small, k.data(), &small_key));
    EXPECT_LT(10u, small);
    small = c.size(), small_key = 1;
    EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL,
              kith_tls_make(host_key, kNow, c.data(), &small, k.data(), &small_key));
    EXPECT_LT(1u, small_key);
  }
}

TEST_F(TlsH, RefusesOtherTimesAndChangedBytes) {
  char id[KITH_PEER_ID_TEXT_MAX] = "as it was";
  kith_error error{};
  const int64_t century = int64_t{200} * 365 * 86400;
  for (const int64_t when : {int64_t{0}, kNow + century, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(KITH_ERR_BAD_CERTIFICATE,
              kith_tls_verify(certificate.data(), certificate.size(), when, id, &error))
        << when;
    EXPECT_STRNE("", error.message);
  }
  for (size_t i = 0; i < certificate.size(); i += 7) {
    std::vector<uint8_t> changed = certificate;
    changed[i] ^= 0x41;
    EXPECT_NE(KITH_OK, kith_tls_verify(changed.data(), changed.size(), kNow, id, nullptr)) << i;
  }
  for (size_t cut = 0; cut < certificate.size(); cut += 13) {
    EXPECT_NE(KITH_OK, kith_tls_verify(certificate.data(), cut, kNow, id, nullptr)) << cut;
  }
  std::vector<uint8_t> longer = certificate;
  longer.push_back(0);
  EXPECT_NE(KITH_OK, kith_tls_verify(longer.data(), longer.size(), kNow, id, nullptr));
  EXPECT_STREQ("as it was", id);
}

TEST_F(TlsH, AbsurdTimesMakeNoCrash) {
  for (const int64_t when : {int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{1} << 40}) {
    size_t len = 0, key_len = 0;
    kith_tls_make(host_key, when, nullptr, &len, nullptr, &key_len);
  }
}

}  // namespace
