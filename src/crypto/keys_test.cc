// Keys of all four types: the public vectors, what other implementations accept, what must be
// refused.
#include "crypto/keys.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/key_vectors.h"

namespace kith::crypto {
namespace {

constexpr KeyType kTypes[] = {KeyType::kRsa, KeyType::kEd25519, KeyType::kSecp256k1,
                              KeyType::kEcdsa};

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

// The two fields of a key message, taken apart by position: 08 type 12 length data.
KeyType type_of(std::string_view message) { return static_cast<KeyType>(hex(message)[1]); }
ByteVector data_of(std::string_view message) {
  const ByteVector bytes = hex(message);
  const size_t header = bytes[3] < 0x80 ? 4 : 5;
  return {bytes.begin() + static_cast<ptrdiff_t>(header), bytes.end()};
}

PrivateKey private_key(std::string_view message) {
  auto key = PrivateKey::from_data(type_of(message), data_of(message));
  EXPECT_TRUE(key.ok()) << key.error().to_string();
  return std::move(key).value();
}
PublicKey public_key(std::string_view message) {
  auto key = PublicKey::from_data(type_of(message), data_of(message));
  EXPECT_TRUE(key.ok()) << key.error().to_string();
  return std::move(key).value();
}

kith_status public_status(KeyType type, Bytes data) {
  return PublicKey::from_data(type, data).status();
}
kith_status private_status(KeyType type, Bytes data) {
  return PrivateKey::from_data(type, data).status();
}

TEST(Keys, DeriveThePublicKeyOfEveryVector) {
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    const PrivateKey key = private_key(vector.private_key);
    EXPECT_EQ(to_hex(key.public_key().data()), to_hex(data_of(vector.public_key)));
    EXPECT_TRUE(key.public_key() == public_key(vector.public_key));
    EXPECT_EQ(to_hex(public_key(vector.public_key).data()), to_hex(data_of(vector.public_key)));
  }
}

TEST(Keys, WritePrivateKeysAsTheVectorsHaveThem) {
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    ByteVector expected = data_of(vector.private_key);
    if (type_of(vector.private_key) == KeyType::kEd25519)
      expected.resize(64);  // one is the old form
    EXPECT_EQ(to_hex(private_key(vector.private_key).data()), to_hex(expected));
  }
}

TEST(Keys, VerifyTheSignaturesThatGoMade) {
  int num_signatures = 0;
  for (const KeyVector& vector : kKeyVectors) {
    if (!*vector.signature) continue;
    SCOPED_TRACE(vector.name);
    ++num_signatures;
    const PublicKey key = public_key(vector.public_key);
    ByteVector signature = hex(vector.signature);
    EXPECT_TRUE(key.verify(as_bytes(vector.message), signature).ok());
    EXPECT_EQ(key.verify(as_bytes("another message"), signature).status(), KITH_ERR_BAD_SIGNATURE);
    // Of the right length, with wrong content (CVE-2019-15545).
    for (size_t at : {signature.size() / 3, signature.size() - 1}) {
      signature[at] ^= 1;
      EXPECT_EQ(key.verify(as_bytes(vector.message), signature).status(), KITH_ERR_BAD_SIGNATURE);
      signature[at] ^= 1;
    }
  }
  EXPECT_EQ(num_signatures, 6);
}

TEST(Keys, SignExactlyLikeGoWhereGoIsDeterministic) {
  for (const KeyVector& vector : kKeyVectors) {
    if (!*vector.signature || type_of(vector.public_key) == KeyType::kEcdsa) continue;
    SCOPED_TRACE(vector.name);
    const auto signature = private_key(vector.private_key).sign(as_bytes(vector.message));
    ASSERT_TRUE(signature.ok());
    EXPECT_EQ(to_hex(*signature), vector.signature);
  }
}

TEST(Keys, SignEcdsaAsInRfc6979) {
  // RFC 6979, appendix A.2.5: P-256, SHA-256, message "sample".
  const auto key = PrivateKey::from_data(
      KeyType::kEcdsa,
      hex("30250201010420c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
  ASSERT_TRUE(key.ok()) << key.error().to_string();
  const auto signature = key->sign(as_bytes("sample"));
  ASSERT_TRUE(signature.ok());
  EXPECT_EQ(to_hex(*signature),
            "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
            "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
}

TEST(Keys, SignAndVerifyForEveryTypeAndMessageSize) {
  for (KeyType type : kTypes) {
    SCOPED_TRACE(key_type_name(type));
    const auto key = PrivateKey::generate(type);
    ASSERT_TRUE(key.ok()) << key.error().to_string();
    const auto again = PrivateKey::from_data(type, key->data());
    ASSERT_TRUE(again.ok()) << again.error().to_string();
    for (size_t size : {size_t{0}, size_t{1}, size_t{100}, size_t{100000}}) {
      const ByteVector message(size, 0x42);
      const auto signature = key->sign(message);
      ASSERT_TRUE(signature.ok());
      EXPECT_TRUE(again->public_key().verify(message, *signature).ok());
      const auto second = again->sign(message);
      ASSERT_TRUE(second.ok());
      EXPECT_EQ(*signature, *second);  // nothing but key and message goes in
      EXPECT_EQ(key->public_key().verify(message, {}).status(), KITH_ERR_BAD_SIGNATURE);
    }
  }
}

TEST(Keys, Secp256k1SignaturesAlwaysHaveALowS) {
  const PrivateKey key = private_key(kKeyVectors[1].private_key);
  for (int i = 0; i < 64; ++i) {
    const auto signature = key.sign(as_bytes(std::to_string(i)));
    ASSERT_TRUE(signature.ok());
    DerReader outer(*signature);
    Bytes pair, r, s;
    ASSERT_TRUE(outer.read(der::kSequence, &pair));
    DerReader numbers(pair);
    ASSERT_TRUE(numbers.read_unsigned(&r) && numbers.read_unsigned(&s));
    // n / 2 = 7fffffff ffffffff ffffffff ffffffff 5d576e73...: a low S has its top bit clear.
    EXPECT_TRUE(s.size() < 32 || s[0] < 0x80) << i;
    EXPECT_TRUE(key.public_key().verify(as_bytes(std::to_string(i)), *signature).ok());
  }
}

TEST(Keys, CompareByValue) {
  const PublicKey a = public_key(kKeyVectors[0].public_key);
  const PublicKey b = public_key(kKeyVectors[4].public_key);
  const PublicKey ecdsa = public_key(kKeyVectors[2].public_key);
  EXPECT_TRUE(a == a);
  EXPECT_FALSE(a == b);
  EXPECT_FALSE(a == ecdsa);
  PublicKey copy = b;
  copy = a;
  EXPECT_TRUE(copy == a);
}

TEST(Keys, RefuseEveryOtherLengthOfEd25519) {
  for (size_t size = 0; size < 130; ++size) {
    const ByteVector data(size, 1);
    EXPECT_EQ(public_status(KeyType::kEd25519, data), size == 32 ? KITH_OK : KITH_ERR_MALFORMED);
    EXPECT_EQ(private_status(KeyType::kEd25519, data), KITH_ERR_MALFORMED) << size;
  }
  EXPECT_EQ(PrivateKey::ed25519_from_seed(ByteVector(31)).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST(Keys, RefuseAnEd25519PrivateKeyWithAnotherPublicKeyInside) {
  ByteVector old_form = data_of(kKeyVectors[4].private_key);
  ASSERT_EQ(old_form.size(), 96U);
  EXPECT_EQ(private_status(KeyType::kEd25519, old_form), KITH_OK);
  for (size_t at : {size_t{0}, size_t{32}, size_t{63}, size_t{64}, size_t{95}}) {
    old_form[at] ^= 1;
    EXPECT_EQ(private_status(KeyType::kEd25519, old_form), KITH_ERR_MALFORMED) << at;
    old_form[at] ^= 1;
  }
}

TEST(Keys, MakeEd25519FromASeed) {
  const ByteVector data = data_of(kKeyVectors[0].private_key);
  const auto key = PrivateKey::ed25519_from_seed(Bytes(data).first(32));
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(equal(key->data(), data));
}

TEST(Keys, TakeEveryFormOfASecp256k1PointThatGoTakesAndWriteTheCompressedOne) {
  // 2G and its forms (SEC 2, section 2.4.1).
  const std::string x = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
  const std::string y = "1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a";
  for (const std::string& form : {"02" + x, "04" + x + y, "06" + x + y}) {
    const auto key = PublicKey::from_data(KeyType::kSecp256k1, hex(form));
    ASSERT_TRUE(key.ok()) << form;
    EXPECT_EQ(to_hex(key->data()), "02" + x);
  }
  for (const std::string& form :
       {std::string("00"), "01" + x, "05" + x, "07" + x + y, "02" + x + "00", "04" + x,
        "02" + x + y, "04" + x + x, "02" + std::string(64, 'f'), "02" + std::string(64, '0'),
        std::string()}) {
    EXPECT_EQ(public_status(KeyType::kSecp256k1, hex(form)), KITH_ERR_MALFORMED) << form;
  }
}

TEST(Keys, RefuseScalarsThatAreNotBelowTheOrder) {
  const char* const kOrder[] = {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                                "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"};
  for (int i = 0; i < 2; ++i) {
    const KeyType type = i == 0 ? KeyType::kSecp256k1 : KeyType::kEcdsa;
    const auto status = [&](ByteVector scalar) {
      if (i == 0) return private_status(type, scalar);
      ByteVector der = hex("30250201010420");
      append(der, scalar);
      return private_status(type, der);
    };
    ByteVector scalar = hex(kOrder[i]);
    EXPECT_EQ(status(scalar), KITH_ERR_MALFORMED);
    scalar.back() -= 1;
    EXPECT_EQ(status(scalar), KITH_OK);
    EXPECT_EQ(status(ByteVector(32)), KITH_ERR_MALFORMED);
    EXPECT_EQ(status(ByteVector(31, 1)), KITH_ERR_MALFORMED);
    EXPECT_EQ(status(ByteVector(33, 1)), KITH_ERR_MALFORMED);
  }
}

TEST(Keys, RefuseEcdsaKeysThatAreNotDerOrNotP256) {
  const ByteVector good = data_of(kKeyVectors[2].public_key);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(public_status(KeyType::kEcdsa, Bytes(good).first(size)), KITH_ERR_MALFORMED);
  }
  ByteVector bad = good;
  bad.push_back(0);
  EXPECT_EQ(public_status(KeyType::kEcdsa, bad), KITH_ERR_MALFORMED);
  bad = good;
  bad.back() ^= 1;  // off the curve
  EXPECT_EQ(public_status(KeyType::kEcdsa, bad), KITH_ERR_MALFORMED);
  // The same point compressed, as go and rust refuse it too.
  bad = hex("3039301306072a8648ce3d020106082a8648ce3d030107032200");
  bad.push_back(static_cast<uint8_t>(0x02 | (good.back() & 1)));
  append(bad, Bytes(good).subspan(27, 32));
  EXPECT_EQ(public_status(KeyType::kEcdsa, bad), KITH_ERR_MALFORMED);
  // Curve secp384r1.
  bad = hex("3076301006072a8648ce3d020106052b81040022036200");
  bad.resize(120, 4);
  EXPECT_EQ(public_status(KeyType::kEcdsa, bad), KITH_ERR_UNSUPPORTED_KEY);
}

TEST(Keys, ReadEcdsaPrivateKeysWithAndWithoutTheOptionalFields) {
  const ByteVector full = data_of(kKeyVectors[2].private_key);
  const std::string scalar = to_hex(Bytes(full).subspan(7, 32));
  const std::string curve = "a00a06082a8648ce3d030107";
  const std::string point = to_hex(Bytes(full).last(70));  // [1] with its header
  for (const std::string& form :
       {"30250201010420" + scalar, "30310201010420" + scalar + curve,
        "306b0201010420" + scalar + point, "30770201010420" + scalar + curve + point}) {
    const auto key = PrivateKey::from_data(KeyType::kEcdsa, hex(form));
    ASSERT_TRUE(key.ok()) << form << key.error().to_string();
    EXPECT_TRUE(equal(key->data(), full));
  }
  const auto status = [](const std::string& form) {
    return private_status(KeyType::kEcdsa, hex(form));
  };
  EXPECT_EQ(status("30250201000420" + scalar), KITH_ERR_MALFORMED);           // version 0
  EXPECT_EQ(status("30270201010420" + scalar + "0500"), KITH_ERR_MALFORMED);  // a field more
  EXPECT_EQ(status("30250201010420" + scalar + "00"), KITH_ERR_MALFORMED);    // trailing byte
  EXPECT_EQ(status("306b0201010420" + scalar + point.substr(0, 138) + "ff"), KITH_ERR_MALFORMED);
  EXPECT_EQ(status("302e0201010420" + scalar + "a00706052b81040022"), KITH_ERR_UNSUPPORTED_KEY);
}

// A SubjectPublicKeyInfo with a modulus of `bits` (all ones) and an exponent.
ByteVector rsa_spki(size_t bits, std::string_view exponent) {
  ByteVector modulus((bits + 7) / 8, 0xff), numbers, pair, fields, out;
  if (bits % 8) modulus[0] = static_cast<uint8_t>(0xff >> (8 - bits % 8));
  append_der_unsigned(numbers, modulus);
  append_der_unsigned(numbers, hex(exponent));
  append_der(pair, der::kSequence, numbers);
  append(fields, hex("300d06092a864886f70d0101010500"));
  append_der_bit_string(fields, pair);
  append_der(out, der::kSequence, fields);
  return out;
}

TEST(Keys, TakeRsaModuliOf2048To8192Bits) {
  for (size_t bits : {size_t{2048}, size_t{2049}, size_t{3072}, size_t{8191}, size_t{8192}}) {
    const ByteVector spki = rsa_spki(bits, "010001");
    const auto key = PublicKey::from_data(KeyType::kRsa, spki);
    ASSERT_TRUE(key.ok()) << bits << key.error().to_string();
    EXPECT_EQ(key->data(), spki);
  }
  for (size_t bits : {size_t{512}, size_t{1024}, size_t{2047}, size_t{8193}, size_t{8200}}) {
    EXPECT_EQ(public_status(KeyType::kRsa, rsa_spki(bits, "010001")), KITH_ERR_UNSUPPORTED_KEY)
        << bits;
  }
}

TEST(Keys, RefuseAnRsaKeyOf16384BitsByItsLength) {
  const ByteVector spki = rsa_spki(16384, "010001");
  ASSERT_GT(spki.size(), limits::kRsaMaxSpkiBytes);
  const auto key = PublicKey::from_data(KeyType::kRsa, spki);
  EXPECT_EQ(key.status(), KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(key.error().detail(), "the key takes 2086 bytes, more than 8192 bits need");
  // Likewise when nothing of it would parse.
  EXPECT_EQ(public_status(KeyType::kRsa, ByteVector(limits::kRsaMaxSpkiBytes + 1)),
            KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(public_status(KeyType::kRsa, ByteVector(limits::kRsaMaxSpkiBytes)), KITH_ERR_MALFORMED);
}

TEST(Keys, RefuseRsaExponentsThatNobodyUses) {
  for (const char* exponent : {"03", "010001", "7fffffff"}) {
    EXPECT_EQ(public_status(KeyType::kRsa, rsa_spki(2048, exponent)), KITH_OK) << exponent;
  }
  for (const char* exponent : {"00", "01", "02", "010000", "80000001", "0100000001"}) {
    EXPECT_EQ(public_status(KeyType::kRsa, rsa_spki(2048, exponent)), KITH_ERR_UNSUPPORTED_KEY)
        << exponent;
  }
}

TEST(Keys, RefuseRsaKeysThatAreNotDer) {
  const ByteVector good = rsa_spki(2048, "010001");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(public_status(KeyType::kRsa, Bytes(good).first(size)), KITH_ERR_MALFORMED);
  }
  ByteVector bad = good;
  bad.push_back(0);
  EXPECT_EQ(public_status(KeyType::kRsa, bad), KITH_ERR_MALFORMED);
  bad = good;
  bad[18] = 0x01;  // the length of the NULL
  EXPECT_EQ(public_status(KeyType::kRsa, bad), KITH_ERR_MALFORMED);
  bad = rsa_spki(2048, "010001");
  bad[bad.size() - 6] = 0xfe;  // an even modulus
  EXPECT_EQ(public_status(KeyType::kRsa, bad), KITH_ERR_MALFORMED);
  EXPECT_EQ(PrivateKey::generate(KeyType::kRsa, 1024).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(PrivateKey::generate(KeyType::kRsa, 8193).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST(Keys, RefuseRsaPrivateKeysWhoseNumbersDoNotFitTogether) {
  const ByteVector good = data_of(kKeyVectors[9].private_key);
  ASSERT_EQ(private_status(KeyType::kRsa, good), KITH_OK);
  ByteVector bad = good;
  bad[200] ^= 0x10;  // inside the modulus
  EXPECT_EQ(private_status(KeyType::kRsa, bad), KITH_ERR_MALFORMED);
  bad = good;
  bad.push_back(0);
  EXPECT_EQ(private_status(KeyType::kRsa, bad), KITH_ERR_MALFORMED);
  bad = good;
  bad[6] = 1;  // the version of keys with more primes
  EXPECT_EQ(private_status(KeyType::kRsa, bad), KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(private_status(KeyType::kRsa, ByteVector(limits::kRsaMaxPrivateKeyBytes + 1)),
            KITH_ERR_UNSUPPORTED_KEY);
  for (size_t size = 0; size < good.size(); size += 7) {
    EXPECT_EQ(private_status(KeyType::kRsa, Bytes(good).first(size)), KITH_ERR_MALFORMED);
  }
}

TEST(Keys, RefuseTypesThatDoNotExist) {
  const ByteVector data(32, 1);
  EXPECT_EQ(public_status(static_cast<KeyType>(4), data), KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(private_status(static_cast<KeyType>(4), data), KITH_ERR_UNSUPPORTED_KEY);
}

TEST(Keys, LeaveOpensslsErrorQueueAsItWas) {
  ERR_clear_error();
  (void)public_status(KeyType::kSecp256k1, hex("02" + std::string(64, 'f')));
  (void)private_status(KeyType::kEcdsa, hex("30250201010420" + std::string(64, '0')));
  (void)public_key(kKeyVectors[9].public_key).verify(as_bytes("x"), ByteVector(256, 1));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace kith::crypto
