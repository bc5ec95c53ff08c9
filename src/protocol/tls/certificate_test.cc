// The libp2p certificate: everybody's vectors, one test per MUST of the specification, and
// mutations.
#include "protocol/tls/certificate.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/key_vectors.h"
#include "crypto/x509.h"
#include "identity/key_proto.h"
#include "protocol/tls/certificate_vectors.h"

namespace kith::tls {
namespace {

namespace der = crypto::der;
using crypto::KeyType;
using crypto::PrivateKey;

constexpr char kLibp2pOid[] = "2b0601040183a25a0101";
constexpr int64_t kYear = 365 * 24 * 60 * 60;

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

PrivateKey host_key() { return PrivateKey::ed25519_from_seed(ByteVector(32, 7)).value(); }

TEST(TlsCertificate, VectorsHaveTheOutcomesThatTheirSourcesGive) {
  for (const CertificateVector& vector : kCertificateVectors) {
    SCOPED_TRACE(vector.name);
    const auto peer = verify_certificate(hex(vector.certificate), vector.now_unix_s);
    EXPECT_EQ(peer.status(), vector.status);
    if (peer.ok()) {
      EXPECT_EQ(peer->id.to_string(), vector.expected);
      EXPECT_TRUE(peer->id.matches(peer->key));
    } else {
      EXPECT_NE(peer.error().detail().find(vector.expected), std::string_view::npos)
          << peer.error().to_string();
    }
  }
}

TEST(TlsCertificate, OfEveryHostKeyTypeProvesItsPeerId) {
  for (const crypto::KeyVector& vector : crypto::kKeyVectors) {
    SCOPED_TRACE(vector.name);
    const PrivateKey key = identity::decode_private_key(hex(vector.private_key)).value();
    const auto credentials = make_credentials(key, kNow);
    ASSERT_TRUE(credentials.ok()) << credentials.error().to_string();
    const auto peer = verify_certificate(credentials->certificate_der, kNow);
    ASSERT_TRUE(peer.ok()) << peer.error().to_string();
    EXPECT_EQ(peer->id, identity::PeerId::from_public_key(key.public_key()));
    EXPECT_TRUE(peer->key == key.public_key());
    EXPECT_LT(credentials->certificate_der.size(), limits::kCertificateBytes / 2);
  }
}

TEST(TlsCertificate, IsSmallFreshAndComesWithItsKey) {
  const Credentials a = make_credentials(host_key(), kNow).value();
  const Credentials b = make_credentials(host_key(), kNow).value();
  EXPECT_LT(a.certificate_der.size(), 450U);
  EXPECT_NE(a.certificate_der, b.certificate_der);
  EXPECT_FALSE(a.pkcs12.empty());
  // The P-256 key at the end of the PKCS#8 is the certificate's.
  const auto certificate = crypto::parse_certificate(a.certificate_der);
  ASSERT_TRUE(certificate.ok());
  const Bytes point = certificate->subject_public_key_info.last(65);
  EXPECT_TRUE(equal(Bytes(a.private_key_der).last(65), point));
}

TEST(TlsCertificate, IsValidForClocksOfAllTimes) {
  const ByteVector made = make_credentials(host_key(), kNow)->certificate_der;
  for (int64_t now : {int64_t{157766400}, kNow - 10 * kYear, kNow, kNow + 99 * kYear}) {
    EXPECT_TRUE(verify_certificate(made, now).ok()) << now;
  }
  EXPECT_TRUE(make_credentials(host_key(), 0).ok());  // a clock that was never set
  EXPECT_TRUE(make_credentials(host_key(), 253402300799 - 100 * kYear).ok());
  for (int64_t now : {int64_t{-1}, 253402300799 - 100 * kYear + 1, INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(make_credentials(host_key(), now).status(), KITH_ERR_INVALID_ARGUMENT) << now;
  }
}

TEST(TlsCertificate, IsRefusedBeforeAndAfterItsPeriod) {
  // The first vector: 1975-01-01 13:00:00 to 4096-01-01 13:00:00.
  const ByteVector made = hex(kCertificateVectors[0].certificate);
  EXPECT_EQ(verify_certificate(made, 157813199).error().detail(),
            "not valid yet: only in 1 seconds");
  EXPECT_TRUE(verify_certificate(made, 157813200).ok());
  EXPECT_TRUE(verify_certificate(made, 67090165200).ok());
  EXPECT_EQ(verify_certificate(made, 67090165201).error().detail(), "expired 1 seconds ago");
  EXPECT_EQ(verify_certificate(made, INT64_MIN).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(verify_certificate(made, INT64_MAX).status(), KITH_ERR_BAD_CERTIFICATE);
}

ByteVector element(uint8_t tag, Bytes content) {
  ByteVector out;
  crypto::append_der(out, tag, content);
  return out;
}
ByteVector join(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) append(out, part);
  return out;
}
ByteVector extension(std::string_view oid, Bytes value, bool critical = false) {
  return element(der::kSequence,
                 join({element(der::kOid, hex(oid)), critical ? hex("0101ff") : ByteVector(),
                       element(der::kOctetString, value)}));
}

// A certificate made piece by piece, properly signed at the end whatever went into it.
struct Builder {
  PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  PrivateKey host = host_key();
  std::string prefix = "libp2p-tls-handshake:";

  ByteVector host_message() const { return identity::encode_public_key(host.public_key()); }
  ByteVector host_signature() const {
    ByteVector message;
    append(message, std::string_view(prefix));
    append(message, key.public_key().data());
    return host.sign(message).value();
  }
  ByteVector signed_key() const { return signed_key(host_message()); }
  ByteVector signed_key(Bytes message) const {
    return element(der::kSequence, join({element(der::kOctetString, message),
                                         element(der::kOctetString, host_signature())}));
  }

  ByteVector certificate(const std::vector<ByteVector>& extensions,
                         const PrivateKey* signer = nullptr) const {
    const ByteVector algorithm = hex("300a06082a8648ce3d040302");
    ByteVector list;
    for (const ByteVector& e : extensions) append(list, e);
    const ByteVector tbs = element(
        der::kSequence,
        join({hex("a003020102020101"), algorithm, hex("3000"),
              element(der::kSequence, join({element(der::kUtcTime, as_bytes("750101000000Z")),
                                            element(der::kUtcTime, as_bytes("491231235959Z"))})),
              hex("3000"), key.public_key().data(),
              extensions.empty() ? ByteVector()
                                 : element(der::context(3), element(der::kSequence, list))}));
    ByteVector signature;
    crypto::append_der_bit_string(signature, (signer ? *signer : key).sign(tbs).value());
    return element(der::kSequence, join({tbs, algorithm, signature}));
  }

  // The certificate with one libp2p extension of the given value.
  ByteVector with_value(Bytes value) const { return certificate({extension(kLibp2pOid, value)}); }
};

std::string outcome(Bytes certificate, kith_status expected_status) {
  const auto peer = verify_certificate(certificate, kNow);
  EXPECT_EQ(peer.status(), expected_status);
  return peer.ok() ? "verified" : std::string(peer.error().detail());
}

TEST(TlsCertificate, MayHaveItsExtensionCriticalOrNot) {
  const Builder b;
  for (bool critical : {false, true}) {
    const ByteVector made = b.certificate({extension(kLibp2pOid, b.signed_key(), critical)});
    EXPECT_EQ(outcome(made, KITH_OK), "verified");
  }
}

TEST(TlsCertificate, MustHaveTheExtensionExactlyOnce) {
  const Builder b;
  const ByteVector ours = extension(kLibp2pOid, b.signed_key());
  EXPECT_EQ(outcome(b.certificate({}), KITH_ERR_BAD_CERTIFICATE),
            "the libp2p extension is missing");
  EXPECT_EQ(
      outcome(b.certificate({extension("551d11", ByteVector{0x30, 0})}), KITH_ERR_BAD_CERTIFICATE),
      "the libp2p extension is missing");
  EXPECT_EQ(outcome(b.certificate({ours, ours}), KITH_ERR_BAD_CERTIFICATE),
            "extension 1.3.6.1.4.1.53594.1.1 occurs twice");
  // One arc more or fewer is another extension.
  for (const char* oid : {"2b0601040183a25a01", "2b0601040183a25a010101", "2b0601040183a25a0102"}) {
    EXPECT_EQ(outcome(b.certificate({extension(oid, b.signed_key())}), KITH_ERR_BAD_CERTIFICATE),
              "the libp2p extension is missing");
  }
}

TEST(TlsCertificate, MayHaveOtherExtensionsUnlessTheyAreCritical) {
  const Builder b;
  const ByteVector ours = extension(kLibp2pOid, b.signed_key());
  const ByteVector value = {0x30, 0};
  EXPECT_EQ(
      outcome(b.certificate({extension("551d11", value), ours, extension("2a03", value)}), KITH_OK),
      "verified");
  for (const auto& list : {std::vector<ByteVector>{extension("551d13", value, true), ours},
                           std::vector<ByteVector>{ours, extension("551d13", value, true)}}) {
    EXPECT_EQ(outcome(b.certificate(list), KITH_ERR_BAD_CERTIFICATE),
              "extension 2.5.29.19 is critical and unknown");
  }
}

TEST(TlsCertificate, MustHaveADerSignedKey) {
  const Builder b;
  const ByteVector good = b.signed_key();
  EXPECT_EQ(outcome(b.with_value(good), KITH_OK), "verified");
  const std::string expected = "the libp2p extension is not a DER SignedKey";
  const ByteVector key = element(der::kOctetString, b.host_message());
  const ByteVector signature = element(der::kOctetString, b.host_signature());
  ByteVector trailing = good, long_form = good, set = good;
  trailing.push_back(0);
  long_form.insert(long_form.begin() + 1, 0x81);
  set[0] = der::kSet;
  for (const ByteVector& value :
       {ByteVector(), hex("3000"), trailing, long_form, set, join({key, signature}),
        element(der::kSequence, key), element(der::kSequence, join({key, signature, hex("0500")})),
        element(der::kSequence, join({hex("0500"), key, signature})),
        element(der::kSequence, join({key, element(der::kBitString, b.host_signature())}))}) {
    EXPECT_EQ(outcome(b.with_value(value), KITH_ERR_BAD_CERTIFICATE), expected) << to_hex(value);
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(outcome(b.with_value(Bytes(good).first(size)), KITH_ERR_BAD_CERTIFICATE), expected);
  }
}

TEST(TlsCertificate, MustHaveAHostKeyThatIsOne) {
  const Builder b;
  ByteVector trailing = b.host_message();
  trailing.push_back(0);
  EXPECT_EQ(outcome(b.with_value(b.signed_key(trailing)), KITH_ERR_BAD_CERTIFICATE),
            "the host key: something follows the data");
  EXPECT_EQ(outcome(b.with_value(b.signed_key({})), KITH_ERR_BAD_CERTIFICATE),
            "the host key: it does not begin with the key type");
  EXPECT_EQ(outcome(b.with_value(b.signed_key(hex("08051200"))), KITH_ERR_UNSUPPORTED_KEY),
            "the host key: key type 5 is not known");
}

TEST(TlsCertificate, MustNotHaveAnRsaHostKeyOf16384Bits) {
  const Builder b;
  ByteVector message = hex("080012a610");
  message.resize(5 + 2086, 0x30);
  EXPECT_EQ(outcome(b.with_value(b.signed_key(message)), KITH_ERR_UNSUPPORTED_KEY),
            "the host key: 2091 bytes are more than any key takes");
  // And one that is only just too long for a key.
  message = hex("080012c108");
  message.resize(5 + limits::kRsaMaxSpkiBytes + 1, 0x30);
  EXPECT_EQ(outcome(b.with_value(b.signed_key(message)), KITH_ERR_UNSUPPORTED_KEY),
            "the host key: the key takes 1089 bytes, more than 8192 bits need");
}

TEST(TlsCertificate, MustBeVouchedForByItsHostKey) {
  Builder b;
  const std::string expected = "the host key did not sign the certificate's key";
  const Builder other;  // the same host key, which signed another key
  EXPECT_EQ(outcome(b.with_value(other.signed_key()), KITH_ERR_BAD_SIGNATURE), expected);
  const ByteVector others_message = identity::encode_public_key(
      PrivateKey::ed25519_from_seed(ByteVector(32, 8)).value().public_key());
  EXPECT_EQ(outcome(b.with_value(b.signed_key(others_message)), KITH_ERR_BAD_SIGNATURE), expected);
  b.prefix = "";
  EXPECT_EQ(outcome(b.with_value(b.signed_key()), KITH_ERR_BAD_SIGNATURE), expected);
  b.prefix = "noise-libp2p-static-key:";
  EXPECT_EQ(outcome(b.with_value(b.signed_key()), KITH_ERR_BAD_SIGNATURE), expected);
}

TEST(TlsCertificate, MustBeSignedWithItsOwnKey) {
  const Builder b, other;
  const std::vector<ByteVector> ours = {extension(kLibp2pOid, b.signed_key())};
  EXPECT_EQ(outcome(b.certificate(ours), KITH_OK), "verified");
  EXPECT_EQ(outcome(b.certificate(ours, &other.key), KITH_ERR_BAD_SIGNATURE),
            "the self-signature does not verify");
}

TEST(TlsCertificate, MustNotBeLargerThanTheLimit) {
  const Builder b;
  const ByteVector ours = extension(kLibp2pOid, b.signed_key());
  const size_t base = b.certificate({ours}).size();
  size_t largest_taken = 0;
  for (size_t filler = limits::kCertificateBytes - base - 40;
       filler < limits::kCertificateBytes - base + 20; ++filler) {
    const ByteVector made = b.certificate({ours, extension("2a03", ByteVector(filler))});
    const bool fits = made.size() <= limits::kCertificateBytes;
    EXPECT_EQ(verify_certificate(made, kNow).ok(), fits) << made.size();
    if (fits) largest_taken = std::max(largest_taken, made.size());
  }
  EXPECT_GE(largest_taken, limits::kCertificateBytes - 4);
}

TEST(TlsCertificate, IsRefusedWithAnyOtherByte) {
  const ByteVector good = make_credentials(host_key(), kNow)->certificate_der;
  ASSERT_TRUE(verify_certificate(good, kNow).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(verify_certificate(Bytes(good).first(size), kNow).status(), KITH_ERR_BAD_CERTIFICATE);
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (uint8_t bits : {uint8_t{0x01}, uint8_t{0x80}, uint8_t{0xff}}) {
      ByteVector changed = good;
      changed[at] ^= bits;
      EXPECT_FALSE(verify_certificate(changed, kNow).ok()) << at;
    }
  }
}

// One random change: a byte, some bytes out, some in, or a piece of it copied elsewhere.
void mutate(ByteVector& der, std::mt19937& random) {
  const auto below = [&](size_t n) { return random() % n; };
  const size_t at = below(der.size());
  const auto position = der.begin() + static_cast<ptrdiff_t>(at);
  const size_t length = std::min(1 + below(8), der.size() - at);
  switch (below(4)) {
    case 0:
      der[at] = static_cast<uint8_t>(random());
      break;
    case 1:
      der.erase(position, position + static_cast<ptrdiff_t>(length));
      break;
    case 2:
      der.insert(position, length, static_cast<uint8_t>(random()));
      break;
    default:
      std::copy_n(der.begin() + static_cast<ptrdiff_t>(below(der.size() - length + 1)), length,
                  position);
  }
}

TEST(TlsCertificate, IsRefusedAfterAnyMutation) {
  std::mt19937 random(20260101);
  std::vector<ByteVector> good;
  for (size_t i : {size_t{0}, size_t{1}, size_t{4}, size_t{9}}) {
    good.push_back(hex(kCertificateVectors[i].certificate));
  }
  size_t num_unchanged = 0;
  constexpr size_t kRounds = 100000;
  for (size_t i = 0; i < kRounds; ++i) {
    const ByteVector& original = good[i % good.size()];
    ByteVector changed = original;
    for (size_t n = 1 + random() % 3; n > 0 && !changed.empty(); --n) mutate(changed, random);
    const bool same = changed == original;
    num_unchanged += same;
    ASSERT_EQ(verify_certificate(changed, kNow).ok(), same) << i << " " << to_hex(changed);
  }
  EXPECT_LT(num_unchanged, kRounds / 50);
}

}  // namespace
}  // namespace kith::tls
