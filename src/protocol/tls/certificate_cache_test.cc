#include "protocol/tls/certificate_cache.h"

#include <gtest/gtest.h>

namespace kith::tls {
namespace {

constexpr int64_t kNow = 1'700'000'000;

ByteVector certificate_of(uint8_t seed) {
  const auto key = crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
  return make_credentials(key, kNow).value().certificate_der;
}
identity::PeerId peer_of(uint8_t seed) {
  const auto key = crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
  return identity::PeerId::from_public_key(key.public_key());
}

TEST(CertificateCache, VerifiesEachCertificateOnce) {
  CertificateCache cache;
  const ByteVector a = certificate_of(1), b = certificate_of(2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.verify(a, kNow).value(), peer_of(1));
    EXPECT_EQ(cache.verify(b, kNow).value(), peer_of(2));
  }
  EXPECT_EQ(cache.hits(), 4U);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(CertificateCache, TwoCertificatesOfOnePeerAreTwoEntries) {
  CertificateCache cache;
  EXPECT_EQ(cache.verify(certificate_of(1), kNow).value(), peer_of(1));
  EXPECT_EQ(cache.verify(certificate_of(1), kNow).value(), peer_of(1));  // another key in it
  EXPECT_EQ(cache.hits(), 0U);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(CertificateCache, AKnownCertificateStillExpires) {
  CertificateCache cache;
  const ByteVector a = certificate_of(1);
  const VerifiedPeer verified = verify_certificate(a, kNow).value();
  ASSERT_TRUE(cache.verify(a, kNow).ok());
  EXPECT_TRUE(cache.verify(a, verified.not_after_unix_s).ok());
  EXPECT_EQ(cache.verify(a, verified.not_after_unix_s + 1).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_TRUE(cache.verify(a, verified.not_before_unix_s).ok());
  EXPECT_EQ(cache.verify(a, verified.not_before_unix_s - 1).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(cache.hits(), 2U);
}

TEST(CertificateCache, NeverTakesAnAlteredCertificateForAKnownOne) {
  CertificateCache cache;
  const ByteVector a = certificate_of(1);
  ASSERT_TRUE(cache.verify(a, kNow).ok());
  for (size_t i = 0; i < a.size(); ++i) {
    ByteVector altered = a;
    altered[i] ^= 1;
    EXPECT_FALSE(cache.verify(altered, kNow).ok()) << i;
    EXPECT_FALSE(cache.verify(altered, kNow).ok()) << i;  // a failure is not remembered
  }
  EXPECT_EQ(cache.hits(), 0U);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(CertificateCache, ForgetsTheOneUsedLongestAgo) {
  CertificateCache cache(2);
  const ByteVector a = certificate_of(1), b = certificate_of(2), c = certificate_of(3);
  ASSERT_TRUE(cache.verify(a, kNow).ok());
  ASSERT_TRUE(cache.verify(b, kNow).ok());
  ASSERT_TRUE(cache.verify(a, kNow).ok());
  ASSERT_TRUE(cache.verify(c, kNow).ok());
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.hits(), 1U);
  ASSERT_TRUE(cache.verify(a, kNow).ok());
  EXPECT_EQ(cache.hits(), 2U);
  ASSERT_TRUE(cache.verify(b, kNow).ok());
  EXPECT_EQ(cache.hits(), 2U);
}

TEST(CertificateCache, WithoutCapacityKeepsNothing) {
  CertificateCache cache(0);
  const ByteVector a = certificate_of(1);
  EXPECT_EQ(cache.verify(a, kNow).value(), peer_of(1));
  EXPECT_EQ(cache.verify(a, kNow).value(), peer_of(1));
  EXPECT_EQ(cache.verify(ByteVector(limits::kCertificateBytes + 1), kNow).status(),
            KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.hits(), 0U);
}

}  // namespace
}  // namespace kith::tls
