// Certificates: the structure rules one by one, all signature algorithms (certificates made with
// OpenSSL's own X.509 code), and what comes out of make_certificate.
#include "crypto/x509.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <optional>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/openssl.h"

namespace kith::crypto {
namespace {

constexpr char kExtensionOid[] = "2b0601040183a25a0101";  // 1.3.6.1.4.1.53594.1.1

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

ByteVector element(uint8_t tag, Bytes content) {
  ByteVector out;
  append_der(out, tag, content);
  return out;
}
ByteVector join(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) append(out, part);
  return out;
}
ByteVector time_element(std::string_view text) {
  return element(text.size() == 13 ? der::kUtcTime : der::kGeneralizedTime, as_bytes(text));
}
ByteVector extension(std::string_view oid, std::string_view critical = "") {
  return element(der::kSequence, join({element(der::kOid, hex(oid)), hex(critical),
                                       element(der::kOctetString, ByteVector{1})}));
}

// The parts of a certificate that parses; each test spoils one.
struct Parts {
  ByteVector version = hex("a003020102");
  ByteVector serial = hex("020101");
  ByteVector inner_algorithm = hex("300a06082a8648ce3d040302");
  ByteVector issuer = hex("3000");
  ByteVector not_before = time_element("750101000000Z");
  ByteVector not_after = time_element("40960101000000Z");
  ByteVector subject = hex("3000");
  ByteVector key =
      hex("3059301306072a8648ce3d020106082a8648ce3d030107034200" + std::string(130, '4'));
  ByteVector unique_ids;
  std::vector<ByteVector> extensions = {extension(kExtensionOid)};
  std::optional<ByteVector> raw_extensions;
  ByteVector outer_algorithm = inner_algorithm;
  ByteVector signature = hex("030200aa");
  ByteVector more_tbs, more;

  ByteVector encode() const {
    ByteVector list;
    for (const ByteVector& e : extensions) append(list, e);
    ByteVector tagged =
        raw_extensions.value_or(element(der::context(3), element(der::kSequence, list)));
    const ByteVector tbs =
        element(der::kSequence, join({version, serial, inner_algorithm, issuer,
                                      element(der::kSequence, join({not_before, not_after})),
                                      subject, key, unique_ids, tagged, more_tbs}));
    return element(der::kSequence, join({tbs, outer_algorithm, signature, more}));
  }
};

std::string refusal(const Parts& parts) {
  const ByteVector der = parts.encode();
  const auto certificate = parse_certificate(der);
  if (certificate.ok()) return "taken";
  EXPECT_EQ(certificate.status(), KITH_ERR_BAD_CERTIFICATE);
  return std::string(certificate.error().detail());
}

TEST(CertificateParser, FindsTheParts) {
  Parts parts;
  parts.extensions.push_back(extension("551d13", "0101ff"));
  const ByteVector der = parts.encode();
  const auto certificate = parse_certificate(der);
  ASSERT_TRUE(certificate.ok()) << certificate.error().to_string();
  EXPECT_TRUE(equal(certificate->subject_public_key_info, parts.key));
  EXPECT_TRUE(equal(certificate->signature_algorithm, parts.outer_algorithm));
  EXPECT_TRUE(equal(certificate->signature, hex("aa")));
  EXPECT_EQ(certificate->not_before_unix_s, 157766400);
  EXPECT_EQ(certificate->not_after_unix_s, 67090118400);
  ASSERT_EQ(certificate->extensions.size(), 2U);
  EXPECT_EQ(to_hex(certificate->extensions[0].oid), kExtensionOid);
  EXPECT_FALSE(certificate->extensions[0].critical);
  EXPECT_TRUE(equal(certificate->extensions[0].value, hex("01")));
  EXPECT_TRUE(certificate->extensions[1].critical);
}

TEST(CertificateParser, RefusesTruncationAtEveryByteAndTrailingBytes) {
  ByteVector der = Parts().encode();
  for (size_t size = 0; size < der.size(); ++size) {
    EXPECT_EQ(parse_certificate(Bytes(der).first(size)).status(), KITH_ERR_BAD_CERTIFICATE);
  }
  der.push_back(0);
  EXPECT_EQ(parse_certificate(der).error().detail(), "there are bytes after the certificate");
}

TEST(CertificateParser, RefusesOtherVersions) {
  const std::string expected = "not of version 3";
  Parts parts;
  parts.version = {};  // version 1 is the default
  EXPECT_EQ(refusal(parts), expected);
  for (const char* version :
       {"a003020100", "a003020101", "a003020103", "a00402020002", "a0050201020500"}) {
    parts.version = hex(version);
    EXPECT_EQ(refusal(parts), expected) << version;
  }
}

TEST(CertificateParser, RefusesSpoiledFields) {
  const auto spoiled = [](auto spoil) {
    Parts parts;
    spoil(parts);
    return refusal(parts);
  };
  EXPECT_EQ(spoiled([](Parts&) {}), "taken");
  EXPECT_EQ(spoiled([](Parts& p) { p.serial = hex("0200"); }), "the serial number is malformed");
  EXPECT_EQ(spoiled([](Parts& p) { p.serial = hex("0201ff"); }), "the serial number is malformed");
  EXPECT_EQ(spoiled([](Parts& p) { p.inner_algorithm = hex("300a06082a8648ce3d040303"); }),
            "the two signature algorithms differ");
  EXPECT_EQ(spoiled([](Parts& p) { p.issuer = hex("3100"); }), "the issuer is malformed");
  EXPECT_EQ(spoiled([](Parts& p) { p.subject = hex("3100"); }), "the subject is malformed");
  EXPECT_EQ(spoiled([](Parts& p) { p.key = hex("0500"); }), "the public key is malformed");
  EXPECT_EQ(spoiled([](Parts& p) { p.unique_ids = hex("810200aa"); }),
            "it has a unique identifier");
  EXPECT_EQ(spoiled([](Parts& p) { p.unique_ids = hex("820200aa"); }),
            "it has a unique identifier");
  EXPECT_EQ(spoiled([](Parts& p) { p.signature = hex("030201aa"); }), "not a DER certificate");
  EXPECT_EQ(spoiled([](Parts& p) { p.more = hex("0500"); }), "not a DER certificate");
  EXPECT_EQ(spoiled([](Parts& p) { p.more_tbs = hex("0500"); }),
            "the list of extensions is malformed");
}

TEST(CertificateParser, RefusesSpoiledExtensions) {
  const auto list = [](std::vector<ByteVector> extensions) {
    Parts parts;
    parts.extensions = std::move(extensions);
    return refusal(parts);
  };
  EXPECT_EQ(list({extension(kExtensionOid, "0101ff")}), "taken");
  EXPECT_EQ(list({}), "the list of extensions is malformed");
  // An explicit default and another TRUE are BER.
  const std::string not_der = "the critical flag of extension 1.3.6.1.4.1.53594.1.1 is not DER";
  EXPECT_EQ(list({extension(kExtensionOid, "010100")}), not_der);
  EXPECT_EQ(list({extension(kExtensionOid, "010101")}), not_der);
  EXPECT_EQ(list({extension("551d0f"), extension(kExtensionOid), extension("551d0f")}),
            "extension 2.5.29.15 occurs twice");
  EXPECT_EQ(list({hex("3000")}), "an extension has no object identifier");
  EXPECT_EQ(list({hex("30020600")}), "an extension has no object identifier");
  EXPECT_EQ(list({hex("30050603551d0f")}), "extension 2.5.29.15 is malformed");
  EXPECT_EQ(list({hex("30090603551d0f04000500")}), "extension 2.5.29.15 is malformed");
  EXPECT_EQ(list({hex("0500")}), "the list of extensions is malformed");
  Parts none;
  none.raw_extensions = ByteVector();
  EXPECT_EQ(refusal(none), "taken");  // what must be in it is protocol/tls's matter
  none.raw_extensions = hex("a3023000");
  EXPECT_EQ(refusal(none), "the list of extensions is malformed");
}

TEST(CertificateParser, TakesOnlySoManyExtensions) {
  Parts parts;
  parts.extensions.clear();
  for (size_t i = 0; i < limits::kCertificateExtensions; ++i) {
    parts.extensions.push_back(extension("55" + to_hex(ByteVector{static_cast<uint8_t>(i)})));
  }
  EXPECT_EQ(refusal(parts), "taken");
  parts.extensions.push_back(extension(kExtensionOid));
  EXPECT_EQ(refusal(parts), "there are too many extensions");
}

TEST(CertificateParser, ReadsTimesToTheSecond) {
  const auto seconds_of = [](std::string_view text) -> std::string {
    Parts parts;
    parts.not_before = time_element(text);
    const ByteVector der = parts.encode();
    const auto certificate = parse_certificate(der);
    return certificate.ok() ? std::to_string(certificate->not_before_unix_s) : "refused";
  };
  EXPECT_EQ(seconds_of("700101000000Z"), "0");
  EXPECT_EQ(seconds_of("19700101000000Z"), "0");
  EXPECT_EQ(seconds_of("500101000000Z"), "-631152000");
  EXPECT_EQ(seconds_of("491231235959Z"), "2524607999");
  EXPECT_EQ(seconds_of("20000229120000Z"), "951825600");
  EXPECT_EQ(seconds_of("00010101000000Z"), "-62135596800");
  EXPECT_EQ(seconds_of("99991231235959Z"), "253402300799");
  for (const char* bad :
       {"750101000000", "7501010000Z", "750101000000+0000", "20240126072035.2Z", "750001000000Z",
        "751301000000Z", "750100000000Z", "750132000000Z", "750431000000Z", "750229000000Z",
        "19000229000000Z", "750101240000Z", "750101006000Z", "750101000060Z", "75010100000 Z",
        "-50101000000Z", "", "Z"}) {
    EXPECT_EQ(seconds_of(bad), "refused") << bad;
  }
}

TEST(CertificateParser, NamesObjectIdentifiers) {
  EXPECT_EQ(oid_text(hex(kExtensionOid)), "1.3.6.1.4.1.53594.1.1");
  EXPECT_EQ(oid_text(hex("551d13")), "2.5.29.19");
  EXPECT_EQ(oid_text(hex("8837")), "2.999");
  EXPECT_EQ(oid_text(hex("80")), "80");      // padded
  EXPECT_EQ(oid_text(hex("5581")), "5581");  // cut off
  EXPECT_EQ(oid_text(hex("55" + std::string(20, 'f') + "7f")), "55" + std::string(20, 'f') + "7f");
}

// A certificate for `key`, signed with it by OpenSSL, with the given hash (null for EdDSA).
ByteVector openssl_certificate(EVP_PKEY* key, const EVP_MD* hash, int pss_salt = 0,
                               const EVP_MD* mask_hash = nullptr) {
  X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), 0);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), 1000);
  X509_set_pubkey(certificate.get(), key);
  MdCtxPtr ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_ctx = nullptr;
  EXPECT_EQ(EVP_DigestSignInit(ctx.get(), &pkey_ctx, hash, nullptr, key), 1);
  if (pss_salt) {
    EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, pss_salt);
    if (mask_hash) EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_ctx, mask_hash);
  }
  EXPECT_GT(X509_sign_ctx(certificate.get(), ctx.get()), 0);
  ByteVector out(static_cast<size_t>(i2d_X509(certificate.get(), nullptr)));
  uint8_t* to = out.data();
  i2d_X509(certificate.get(), &to);
  return out;
}

kith_status self_signature(Bytes der) {
  const auto certificate = parse_certificate(der);
  EXPECT_TRUE(certificate.ok()) << certificate.error().to_string();
  if (!certificate.ok()) return certificate.status();
  return verify_self_signature(*certificate).status();
}

void expect_verifies(const ByteVector& der) {
  EXPECT_EQ(self_signature(der), KITH_OK);
  ByteVector spoiled = der;
  spoiled.back() ^= 1;  // the end of the signature
  EXPECT_EQ(self_signature(spoiled), KITH_ERR_BAD_SIGNATURE);
  spoiled = der;
  const ByteVector serial = hex("020107");
  const auto at = std::search(spoiled.begin(), spoiled.end(), serial.begin(), serial.end());
  at[2] = 8;
  EXPECT_EQ(self_signature(spoiled), KITH_ERR_BAD_SIGNATURE);
}

TEST(SelfSignature, VerifiesEcdsaWithTheHashOfTheCurveOnly) {
  struct {
    const char* curve;
    const EVP_MD* hash;
  } const kCurves[] = {{"P-256", EVP_sha256()}, {"P-384", EVP_sha384()}, {"P-521", EVP_sha512()}};
  for (const auto& curve : kCurves) {
    SCOPED_TRACE(curve.curve);
    const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve.curve));
    for (const EVP_MD* hash : {EVP_sha256(), EVP_sha384(), EVP_sha512(), EVP_sha1()}) {
      const ByteVector der = openssl_certificate(key.get(), hash);
      if (hash == curve.hash) {
        expect_verifies(der);
      } else {
        EXPECT_EQ(self_signature(der), KITH_ERR_UNSUPPORTED_KEY) << EVP_MD_get0_name(hash);
      }
    }
  }
}

TEST(SelfSignature, RefusesOtherCurves) {
  const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "secp256k1"));
  EXPECT_EQ(self_signature(openssl_certificate(key.get(), EVP_sha256())), KITH_ERR_UNSUPPORTED_KEY);
}

TEST(SelfSignature, VerifiesRsaWithBothPaddings) {
  const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048}));
  for (const EVP_MD* hash : {EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
    SCOPED_TRACE(EVP_MD_get0_name(hash));
    expect_verifies(openssl_certificate(key.get(), hash));
    expect_verifies(openssl_certificate(key.get(), hash, EVP_MD_get_size(hash)));
    // TLS 1.3 fixes the salt and the mask's hash.
    EXPECT_EQ(self_signature(openssl_certificate(key.get(), hash, 20)), KITH_ERR_UNSUPPORTED_KEY);
    EXPECT_EQ(
        self_signature(openssl_certificate(key.get(), hash, EVP_MD_get_size(hash), EVP_sha1())),
        KITH_ERR_UNSUPPORTED_KEY);
  }
  EXPECT_EQ(self_signature(openssl_certificate(key.get(), EVP_sha1())), KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(self_signature(openssl_certificate(key.get(), EVP_sha224())), KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(self_signature(openssl_certificate(key.get(), EVP_sha1(), 20)),
            KITH_ERR_UNSUPPORTED_KEY);
}

TEST(SelfSignature, RefusesRsaKeysOfOtherSizes) {
  const PkeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024}));
  EXPECT_EQ(self_signature(openssl_certificate(key.get(), EVP_sha256())), KITH_ERR_UNSUPPORTED_KEY);
}

TEST(SelfSignature, VerifiesEd25519AndRefusesEd448) {
  const PkeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  expect_verifies(openssl_certificate(ed25519.get(), nullptr));
  const PkeyPtr ed448(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448"));
  EXPECT_EQ(self_signature(openssl_certificate(ed448.get(), nullptr)), KITH_ERR_UNSUPPORTED_KEY);
}

TEST(SelfSignature, RefusesKeysThatAreNotWhatTheySay) {
  const auto with_key = [](std::string_view key) {
    Parts parts;
    parts.key = hex(key);
    return self_signature(parts.encode());
  };
  const std::string ec = "301306072a8648ce3d020106082a8648ce3d030107";
  // The point 0x44.. is on no curve.
  EXPECT_EQ(self_signature(Parts().encode()), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(with_key("3019" + ec + "03020004"), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(with_key("3039" + ec +
                     "0322"
                     "0002" +
                     std::string(64, '1')),
            KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(with_key("301b" + ec + "030200040500"), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(with_key("3000"), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(with_key("300e300906072a8648ce3d0201030100"), KITH_ERR_UNSUPPORTED_KEY);
}

SelfSignedCertificate content_of(const ByteVector& oid, const ByteVector& value) {
  SelfSignedCertificate content;
  content.serial_number = 0x8123456789abcdefU >> 1;
  content.not_before_unix_s = 157766400;
  content.not_after_unix_s = 67090118400;
  content.extension = {oid, false, value};
  return content;
}

TEST(MakeCertificate, MakesWhatItsOwnParserAndOpensslRead) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid), value(200, 0x77);
  SelfSignedCertificate content = content_of(oid, value);
  for (bool critical : {false, true}) {
    content.extension.critical = critical;
    const auto der = make_certificate(key, content);
    ASSERT_TRUE(der.ok()) << der.error().to_string();
    const auto certificate = parse_certificate(*der);
    ASSERT_TRUE(certificate.ok()) << certificate.error().to_string();
    EXPECT_TRUE(verify_self_signature(*certificate).ok());
    EXPECT_TRUE(equal(certificate->subject_public_key_info, key.public_key().data()));
    EXPECT_EQ(certificate->not_before_unix_s, content.not_before_unix_s);
    EXPECT_EQ(certificate->not_after_unix_s, content.not_after_unix_s);
    ASSERT_EQ(certificate->extensions.size(), 1U);
    EXPECT_TRUE(equal(certificate->extensions[0].oid, oid));
    EXPECT_TRUE(equal(certificate->extensions[0].value, value));
    EXPECT_EQ(certificate->extensions[0].critical, critical);

    const uint8_t* in = der->data();
    const X509Ptr x509(d2i_X509(nullptr, &in, static_cast<long>(der->size())));
    ASSERT_TRUE(x509);
    EXPECT_EQ(in, der->data() + der->size());
    EXPECT_EQ(X509_verify(x509.get(), X509_get0_pubkey(x509.get())), 1);
    EXPECT_EQ(X509_NAME_cmp(X509_get_subject_name(x509.get()), X509_get_issuer_name(x509.get())),
              0);
    EXPECT_EQ(X509_get_ext_count(x509.get()), 1);
  }
}

TEST(MakeCertificate, WritesEveryTimeSoThatItReadsBack) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid), value = {1};
  SelfSignedCertificate content = content_of(oid, value);
  for (int64_t time : {int64_t{-62135596800}, int64_t{-631152001}, int64_t{-631152000}, int64_t{-1},
                       int64_t{0}, int64_t{951782400}, int64_t{951868799}, int64_t{2524607999},
                       int64_t{2524608000}, int64_t{4107542400}, int64_t{253402300799}}) {
    content.not_before_unix_s = content.not_after_unix_s = time;
    const auto der = make_certificate(key, content);
    ASSERT_TRUE(der.ok());
    EXPECT_EQ(parse_certificate(*der)->not_before_unix_s, time);
    EXPECT_EQ(parse_certificate(*der)->not_after_unix_s, time);
  }
}

TEST(MakeCertificate, RefusesOtherKeysAndImpossibleTimes) {
  const ByteVector oid = hex(kExtensionOid), value = {1};
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  SelfSignedCertificate content = content_of(oid, value);
  EXPECT_EQ(make_certificate(PrivateKey::generate(KeyType::kEd25519).value(), content).status(),
            KITH_ERR_INVALID_ARGUMENT);
  content.not_after_unix_s = 253402300800;
  EXPECT_EQ(make_certificate(key, content).status(), KITH_ERR_INVALID_ARGUMENT);
  content.not_after_unix_s = content.not_before_unix_s - 1;
  EXPECT_EQ(make_certificate(key, content).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST(Packing, GivesAPkcs12ThatLoadsWithNoPasswordOrAnEmptyOne) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid), value = {1};
  const ByteVector der = make_certificate(key, content_of(oid, value)).value();
  const auto packed = make_pkcs12(der, key);
  ASSERT_TRUE(packed.ok()) << packed.error().to_string();
  for (const char* password : {static_cast<const char*>(nullptr), ""}) {
    const uint8_t* in = packed->data();
    const Pkcs12Ptr pkcs12(d2i_PKCS12(nullptr, &in, static_cast<long>(packed->size())));
    ASSERT_TRUE(pkcs12);
    EVP_PKEY* raw_key = nullptr;
    X509* raw_certificate = nullptr;
    ASSERT_EQ(PKCS12_parse(pkcs12.get(), password, &raw_key, &raw_certificate, nullptr), 1);
    const PkeyPtr loaded_key(raw_key);
    const X509Ptr loaded(raw_certificate);
    EXPECT_EQ(X509_check_private_key(loaded.get(), loaded_key.get()), 1);
  }
  EXPECT_EQ(make_pkcs12(ByteVector{1, 2, 3}, key).status(), KITH_ERR_CRYPTO);
}

TEST(Packing, GivesAPkcs8ThatOpensslReads) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const SecretBytes pkcs8 = make_pkcs8(key);
  const uint8_t* in = pkcs8.data();
  const PkeyPtr loaded(d2i_AutoPrivateKey(nullptr, &in, static_cast<long>(pkcs8.size())));
  ASSERT_TRUE(loaded);
  ByteVector spki(static_cast<size_t>(i2d_PUBKEY(loaded.get(), nullptr)));
  uint8_t* to = spki.data();
  i2d_PUBKEY(loaded.get(), &to);
  EXPECT_EQ(spki, key.public_key().data());
}

// What OpenSSL hands to a verify callback for a chain as received.
struct Chain {
  explicit Chain(const std::vector<ByteVector>& ders) : certificates(sk_X509_new_null()) {
    for (const ByteVector& der : ders) {
      const uint8_t* in = der.data();
      sk_X509_push(certificates, d2i_X509(nullptr, &in, static_cast<long>(der.size())));
    }
    X509_STORE_CTX_init(ctx, nullptr, sk_X509_num(certificates) ? leaf() : nullptr, certificates);
  }
  ~Chain() {
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(certificates, X509_free);
  }
  X509* leaf() { return sk_X509_value(certificates, 0); }

  STACK_OF(X509) * certificates;
  X509_STORE_CTX* ctx = X509_STORE_CTX_new();
};

TEST(SingleCertificate, TakesExactlyOne) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid), value = {1};
  const ByteVector der = make_certificate(key, content_of(oid, value)).value();
  size_t count = 99;
  Chain one({der});
  const auto taken = single_certificate_der(one.leaf(), one.ctx, &count);
  ASSERT_TRUE(taken.ok()) << taken.error().to_string();
  EXPECT_EQ(*taken, der);
  EXPECT_EQ(count, 1U);
  for (size_t size : {size_t{2}, size_t{9}}) {
    Chain many(std::vector<ByteVector>(size, der));
    const auto refused = single_certificate_der(many.leaf(), many.ctx, &count);
    EXPECT_EQ(refused.status(), KITH_ERR_BAD_CERTIFICATE);
    EXPECT_EQ(count, size);
  }
}

TEST(SingleCertificate, RefusesNoneAndOneThatIsNotTheLeaf) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid), value = {1};
  const ByteVector der = make_certificate(key, content_of(oid, value)).value();
  size_t count = 99;
  Chain empty({}), one({der}), other({der});
  EXPECT_EQ(single_certificate_der(nullptr, empty.ctx, &count).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(count, 0U);
  EXPECT_EQ(single_certificate_der(one.leaf(), empty.ctx, &count).status(),
            KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(single_certificate_der(one.leaf(), nullptr, &count).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_EQ(single_certificate_der(one.leaf(), other.ctx, &count).status(),
            KITH_ERR_BAD_CERTIFICATE);
}

TEST(SingleCertificate, RefusesOneThatIsTooLarge) {
  const PrivateKey key = PrivateKey::generate(KeyType::kEcdsa).value();
  const ByteVector oid = hex(kExtensionOid);
  ByteVector der;
  size_t count = 0;
  for (size_t size : {limits::kCertificateBytes - 400, limits::kCertificateBytes}) {
    const ByteVector value(size, 1);
    der = make_certificate(key, content_of(oid, value)).value();
    Chain chain({der});
    EXPECT_EQ(single_certificate_der(chain.leaf(), chain.ctx, &count).status(),
              der.size() <= limits::kCertificateBytes ? KITH_OK : KITH_ERR_BAD_CERTIFICATE);
  }
  EXPECT_GT(der.size(), limits::kCertificateBytes);
}

}  // namespace
}  // namespace kith::crypto
