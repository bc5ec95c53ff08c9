// Signatures that are almost right: every wrong encoding and every wrong number that past verifiers
// let through, made here from a valid signature.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crypto/der.h"
#include "crypto/key_vectors.h"
#include "crypto/keys.h"
#include "crypto/openssl.h"
#include "crypto/sha256.h"

namespace kith::crypto {
namespace {

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

struct Form {
  const char* name;
  ByteVector signature;
};

void expect_refused(const PublicKey& key, Bytes message, const std::vector<Form>& forms) {
  for (const Form& form : forms) {
    EXPECT_EQ(key.verify(message, form.signature).status(), KITH_ERR_BAD_SIGNATURE) << form.name;
  }
}

BnPtr number(Bytes magnitude) {
  return BnPtr(BN_bin2bn(magnitude.data(), static_cast<int>(magnitude.size()), nullptr));
}
ByteVector bytes_of(const BIGNUM* n) {
  ByteVector out(static_cast<size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, out.data());
  return out;
}
ByteVector sum(Bytes a, Bytes b) {
  BnPtr out = number(a);
  BN_add(out.get(), out.get(), number(b).get());
  return bytes_of(out.get());
}
ByteVector difference(Bytes a, Bytes b) {
  BnPtr out = number(a);
  BN_sub(out.get(), out.get(), number(b).get());
  return bytes_of(out.get());
}

// SEQUENCE { r, s } of integers given with their headers.
ByteVector sequence(Bytes r, Bytes s) {
  ByteVector content, out;
  append(content, r);
  append(content, s);
  append_der(out, der::kSequence, content);
  return out;
}
ByteVector integer(Bytes magnitude) {
  ByteVector out;
  append_der_unsigned(out, magnitude);
  return out;
}
ByteVector raw_integer(Bytes content) {
  ByteVector out;
  append_der(out, der::kInteger, content);
  return out;
}

struct EcSignature {
  ByteVector r, s;
};
EcSignature parse(Bytes der) {
  DerReader outer(der);
  Bytes pair, r, s;
  EXPECT_TRUE(outer.read(der::kSequence, &pair));
  DerReader fields(pair);
  EXPECT_TRUE(fields.read_unsigned(&r) && fields.read_unsigned(&s));
  return {to_vector(r), to_vector(s)};
}

std::vector<Form> wrong_ecdsa_forms(const EcSignature& good, Bytes order) {
  const ByteVector r = integer(good.r), s = integer(good.s);
  const ByteVector der = sequence(r, s);
  const ByteVector zero = integer({}), one = hex("020101"), n = integer(order);
  ByteVector padded = {0, 0}, trailing_inside = s, long_form = der, indefinite = der;
  append(padded, good.r);
  append(trailing_inside, hex("0500"));
  long_form.insert(long_form.begin() + 1, 0x81);
  indefinite[1] = 0x80;
  append(indefinite, hex("0000"));
  ByteVector trailing = der, set = der, negative = good.r;
  trailing.push_back(0);
  set[0] = 0x31;
  negative[0] |= 0x80;
  ByteVector all_ones(33, 0xff);
  all_ones[0] = 0;
  return {{"empty", {}},
          {"an empty sequence", hex("3000")},
          {"one number", sequence(r, {})},
          {"three numbers", sequence(r, sequence(s, s))},
          {"a byte too few", to_vector(Bytes(der).first(der.size() - 1))},
          {"a byte too many", trailing},
          {"a NULL after the numbers", sequence(r, trailing_inside)},
          {"a set", set},
          {"a length in the long form", long_form},
          {"an indefinite length", indefinite},
          {"a padded r", sequence(raw_integer(padded), s)},
          {"a negative r", sequence(raw_integer(negative), s)},
          {"r of no bytes", sequence(hex("0200"), s)},
          {"r and s swapped", sequence(s, r)},
          {"r = 0", sequence(zero, s)},
          {"s = 0", sequence(r, zero)},
          {"both 0 (CVE-2022-21449)", sequence(zero, zero)},
          {"r = 0, s = 1", sequence(zero, one)},
          {"r = 1, s = 0", sequence(one, zero)},
          {"both 1", sequence(one, one)},
          {"r = n", sequence(n, s)},
          {"s = n", sequence(r, n)},
          {"both n", sequence(n, n)},
          {"r = n, s = 1", sequence(n, one)},
          {"r + n", sequence(integer(sum(good.r, order)), s)},
          {"s + n", sequence(r, integer(sum(good.s, order)))},
          {"n - r", sequence(integer(difference(order, good.r)), s)},
          {"all ones", sequence(raw_integer(all_ones), raw_integer(all_ones))},
          {"s as an octet string", sequence(r, hex("0401" + to_hex(Bytes(good.s).first(1))))},
          {"infinity as a real", sequence(hex("090140"), hex("090140"))}};
}

TEST(SignatureForms, OfEcdsaAreRefusedButOne) {
  struct {
    KeyType type;
    const char* order;
  } const kCurves[] = {
      {KeyType::kEcdsa, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"},
      {KeyType::kSecp256k1, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"}};
  for (const auto& curve : kCurves) {
    SCOPED_TRACE(key_type_name(curve.type));
    const PrivateKey key = PrivateKey::generate(curve.type).value();
    const Bytes message = as_bytes("almost right");
    const auto signature = key.sign(message);
    ASSERT_TRUE(signature.ok());
    const EcSignature good = parse(*signature);
    ASSERT_EQ(sequence(integer(good.r), integer(good.s)), *signature);
    const ByteVector order = hex(curve.order);
    expect_refused(key.public_key(), message, wrong_ecdsa_forms(good, order));
    // The other S is as good by the mathematics; go-libp2p takes it, and so does kith.
    const ByteVector other = sequence(integer(good.r), integer(difference(order, good.s)));
    EXPECT_TRUE(key.public_key().verify(message, other).ok());
  }
}

TEST(SignatureForms, OfEd25519AreRefused) {
  const PrivateKey key = PrivateKey::ed25519_from_seed(ByteVector(32, 9)).value();
  const Bytes message = as_bytes("almost right");
  const ByteVector good = key.sign(message).value();
  ASSERT_TRUE(key.public_key().verify(message, good).ok());
  // S + L: the same S to a verifier that reduces it. Little-endian.
  ByteVector plus_order = good;
  const ByteVector order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    carry += plus_order[32 + i] + order[i];
    plus_order[32 + i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  ByteVector high_bits = good, no_r = good, no_s = good, longer = good;
  high_bits[63] |= 0xe0;
  std::fill(no_r.begin(), no_r.begin() + 32, uint8_t{0});
  std::fill(no_s.begin() + 32, no_s.end(), uint8_t{0});
  longer.push_back(0);
  expect_refused(key.public_key(), message,
                 {{"empty", {}},
                  {"zeros", ByteVector(64)},
                  {"63 bytes", to_vector(Bytes(good).first(63))},
                  {"65 bytes", longer},
                  {"S + L", plus_order},
                  {"high bits in S", high_bits},
                  {"R of zeros", no_r},
                  {"S of zeros", no_s}});
}

// What `key` makes of a padded block, without any padding of its own.
ByteVector rsa_raw(const BIGNUM* d, const BIGNUM* n, Bytes block) {
  OpensslPtr<BN_CTX, BN_CTX_free> ctx(BN_CTX_new());
  BnPtr out(BN_new());
  BN_mod_exp(out.get(), number(block).get(), d, n, ctx.get());
  ByteVector bytes(256);
  BN_bn2binpad(out.get(), bytes.data(), 256);
  return bytes;
}

TEST(SignatureForms, OfRsaAreRefused) {
  const ByteVector message_key = hex(kKeyVectors[9].private_key);
  const Bytes pkcs1 = Bytes(message_key).subspan(5);
  const PrivateKey key = PrivateKey::from_data(KeyType::kRsa, pkcs1).value();
  DerReader outer(pkcs1);
  Bytes fields, version, n_bytes, e_bytes, d_bytes;
  ASSERT_TRUE(outer.read(der::kSequence, &fields));
  DerReader numbers(fields);
  ASSERT_TRUE(numbers.read_unsigned(&version) && numbers.read_unsigned(&n_bytes) &&
              numbers.read_unsigned(&e_bytes) && numbers.read_unsigned(&d_bytes));
  const BnPtr n = number(n_bytes), d = number(d_bytes);

  const Bytes message = as_bytes("almost right");
  const auto hash = sha256(message);
  const auto with_info = [](std::string_view info, Bytes digest) {
    ByteVector out = hex(info);
    append(out, digest);
    return out;
  };
  // 00 01 ff.. 00 info, then `after` in place of as much padding.
  const auto block = [](Bytes info, Bytes after = {}, uint8_t type = 1, uint8_t pad = 0xff) {
    ByteVector out = {0, type};
    out.resize(256 - 1 - info.size() - after.size(), pad);
    out.push_back(0);
    append(out, info);
    append(out, after);
    return out;
  };
  const auto sign = [&](Bytes padded) { return rsa_raw(d.get(), n.get(), padded); };
  const ByteVector info = with_info("3031300d060960864801650304020105000420", hash);
  const ByteVector good = key.sign(message).value();
  ASSERT_EQ(sign(block(info)), good);

  ByteVector short_padding = {0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
  append(short_padding, info);
  short_padding.resize(256, 0xaa);
  ByteVector padded_front = {0}, no_separator = block(info), one_bad_pad = block(info);
  append(padded_front, good);
  no_separator[256 - info.size() - 1] = 0xff;
  one_bad_pad[20] = 0xfe;
  ByteVector bytes_after = good;
  bytes_after.push_back(0);
  expect_refused(
      key.public_key(), message,
      {{"empty", {}},
       {"zeros", ByteVector(256)},
       {"a byte too few", to_vector(Bytes(good).first(255))},
       {"a byte too many", bytes_after},
       {"a zero in front", padded_front},
       {"the modulus added", sum(good, n_bytes)},
       {"no NULL with the hash", sign(block(with_info("302f300b0609608648016503040201"
                                                      "0420",
                                                      hash)))},
       {"another hash's name",
        sign(block(with_info("3031300d060960864801650304020205000420", hash)))},
       {"SHA-1", sign(block(with_info("3021300906052b0e03021a05000414", Bytes(hash).first(20))))},
       {"a long-form length",
        sign(block(with_info("308131300d060960864801650304020105000420", hash)))},
       {"the bare hash", sign(block(hash))},
       {"bytes after the hash (CVE-2006-4339)", sign(short_padding)},
       {"bytes after the hash and padding before", sign(block(info, ByteVector(8, 0)))},
       {"block type 2", sign(block(info, {}, 2))},
       {"block type 0", sign(block(info, {}, 0, 0))},
       {"no separator", sign(no_separator)},
       {"another byte in the padding", sign(one_bad_pad)}});
}

}  // namespace
}  // namespace kith::crypto
