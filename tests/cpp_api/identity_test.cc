// Keys, texts and certificates of kith.hpp.
#include <ctime>

#include "tests/cpp_api/node.h"

namespace {

TEST(Key, SignsAndComesBackFromItsEncoding) {
  const std::vector<uint8_t> message = kith_test::random_bytes(100, 1);
  for (const kith_key_type type :
       {KITH_KEY_ED25519, KITH_KEY_SECP256K1, KITH_KEY_ECDSA, KITH_KEY_RSA}) {
    const auto key = kith::Key::generate(type);
    ASSERT_TRUE(key.ok());
    EXPECT_EQ(key->type(), type);
    const auto again = kith::Key::decode(key->encode().value());
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(key->peer_id().value(), again->peer_id().value());
    const auto public_key = again->encode_public().value();
    EXPECT_EQ(kith::peer_id_of_public_key(public_key).value(), key->peer_id().value());
    auto signature = key->sign(message).value();
    EXPECT_TRUE(kith::verify(public_key, message, signature).ok());
    signature.back() ^= 1;
    EXPECT_FALSE(kith::verify(public_key, message, signature).ok());
  }
}

TEST(Key, RefusesBytesThatAreNone) {
  const auto key = kith::Key::decode(kith_test::random_bytes(40, 2));
  ASSERT_FALSE(key.ok());
  EXPECT_STRNE(key.error().message(), "");
}

TEST(PeerId, HasTwoTexts) {
  // libp2p/specs peer-ids/peer-ids.md
  const auto id = kith::parse_peer_id("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id->base58, "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N");
  EXPECT_EQ(kith::parse_peer_id(id->cid).value().base58, id->base58);
  EXPECT_EQ(kith::parse_peer_id("nonsense").status(), KITH_ERR_MALFORMED);
}

TEST(Multiaddr, GoesToBinaryAndBack) {
  const std::string text = "/ip4/127.0.0.1/udp/4001/quic-v1";
  const auto binary = kith::parse_multiaddr(text);
  ASSERT_TRUE(binary.ok());
  EXPECT_EQ(kith::format_multiaddr(*binary).value(), text);
  const auto parts = kith::multiaddr_components(*binary);
  ASSERT_TRUE(parts.ok());
  ASSERT_EQ(parts->size(), 3U);
  EXPECT_STREQ(parts->at(1).name, "udp");
  const auto bad = kith::parse_multiaddr("/ip4/300.0.0.1");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(std::string(bad.error().message()).find("300.0.0.1"), std::string::npos);
}

TEST(Tls, CertificateProvesThePeerId) {
  const kith::Key key = std::move(kith::Key::generate()).value();
  const int64_t now = std::time(nullptr);
  auto credentials = kith::make_tls_credentials(key, now);
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(kith::verify_tls_certificate(credentials->certificate, now).value(),
            key.peer_id().value());
  credentials->certificate.pop_back();
  EXPECT_EQ(kith::verify_tls_certificate(credentials->certificate, now).status(),
            KITH_ERR_BAD_CERTIFICATE);
}

}  // namespace
