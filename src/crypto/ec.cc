// ECDSA over P-256 and secp256k1: points, scalars and their DER.
// Spec: SEC 1 (points, ECPrivateKey), RFC 5480 (SubjectPublicKeyInfo), RFC 5915 (ECPrivateKey), BIP
// 62 (low S).
#include <openssl/core_names.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include <string>

#include "crypto/der.h"
#include "crypto/key_codec.h"

namespace kith::crypto {

const Curve kP256 = {"P-256", NID_X9_62_prime256v1, 32};
const Curve kP384 = {"P-384", NID_secp384r1, 48};
const Curve kP521 = {"P-521", NID_secp521r1, 66};
const Curve kSecp256k1 = {"secp256k1", NID_secp256k1, 32};

namespace {

constexpr char kWhere[] = "ec key";
constexpr size_t kScalarBytes = 32;
constexpr size_t kUncompressedBytes = 65;
constexpr size_t kCompressedBytes = 33;

// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (65 bytes follow) }
constexpr uint8_t kP256SpkiPrefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                       0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                       0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
// id-ecPublicKey and prime256v1, the content of their OBJECT IDENTIFIERs.
constexpr uint8_t kEcPublicKeyOid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr uint8_t kP256Oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

BnPtr get_number(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  KITH_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  return BnPtr(number);
}

// The uncompressed point: 04, x, y. Both curves here have fields of 32 bytes.
ByteVector uncompressed_point(EVP_PKEY* key) {
  const BnPtr x = get_number(key, OSSL_PKEY_PARAM_EC_PUB_X);
  const BnPtr y = get_number(key, OSSL_PKEY_PARAM_EC_PUB_Y);
  ByteVector out(kUncompressedBytes);
  out[0] = 0x04;
  KITH_CHECK(BN_bn2binpad(x.get(), out.data() + 1, kScalarBytes) == kScalarBytes);
  KITH_CHECK(BN_bn2binpad(y.get(), out.data() + 1 + kScalarBytes, kScalarBytes) == kScalarBytes);
  return out;
}

SecretBytes scalar_of(EVP_PKEY* key) {
  const BnPtr d = get_number(key, OSSL_PKEY_PARAM_PRIV_KEY);
  SecretBytes out(kScalarBytes);
  KITH_CHECK(BN_bn2binpad(d.get(), out.data(), kScalarBytes) == kScalarBytes);
  return out;
}

Result<KeyHandle> make_ec_key(int selection, OSSL_PARAM* params) {
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, selection, params) != 1) {
    const Error why = openssl_error(kWhere, "not a key of this curve");
    return Error(KITH_ERR_MALFORMED, kWhere, std::string(why.detail()));
  }
  return KeyHandle(key);
}

}  // namespace

Result<KeyHandle> decode_ec_point(const Curve& curve, Bytes point) {
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(curve.name),
                                       0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<uint8_t*>(point.data()),
                                        point.size()),
      OSSL_PARAM_construct_end()};
  return make_ec_key(EVP_PKEY_PUBLIC_KEY, params);
}

Result<KeyHandle> decode_ec_scalar(const Curve& curve, Bytes scalar) {
  if (scalar.size() != kScalarBytes) {
    return Error(KITH_ERR_MALFORMED, kWhere, "the private scalar has 32 bytes");
  }
  const BnPtr d(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  const EcGroupPtr group(EC_GROUP_new_by_curve_name(curve.nid));
  const EcPointPtr point(group ? EC_POINT_new(group.get()) : nullptr);
  if (!d || !point) return openssl_error(kWhere, "cannot read the scalar");
  if (BN_is_zero(d.get()) || BN_cmp(d.get(), EC_GROUP_get0_order(group.get())) >= 0) {
    return Error(KITH_ERR_MALFORMED, kWhere, "the private scalar is not between 1 and n - 1");
  }
  BN_set_flags(d.get(), BN_FLG_CONSTTIME);
  uint8_t encoded[kUncompressedBytes];
  if (EC_POINT_mul(group.get(), point.get(), d.get(), nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded,
                         sizeof(encoded), nullptr) != sizeof(encoded)) {
    return openssl_error(kWhere, "cannot derive the public key");
  }
  SecretBytes storage;
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(curve.name),
                                       0),
      number_param(OSSL_PKEY_PARAM_PRIV_KEY, scalar, &storage),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, sizeof(encoded)),
      OSSL_PARAM_construct_end()};
  return make_ec_key(EVP_PKEY_KEYPAIR, params);
}

Result<KeyHandle> decode_p256_public(Bytes spki) {
  if (spki.size() == sizeof(kP256SpkiPrefix) + kUncompressedBytes &&
      equal(spki.first(sizeof(kP256SpkiPrefix)), kP256SpkiPrefix) &&
      spki[sizeof(kP256SpkiPrefix)] == 0x04) {
    return decode_ec_point(kP256, spki.subspan(sizeof(kP256SpkiPrefix)));
  }
  // Not it; find out what to say.
  DerReader reader(spki);
  Bytes sequence, algorithm, oid, curve;
  if (reader.read(der::kSequence, &sequence) && reader.empty()) {
    DerReader fields(sequence);
    if (fields.read(der::kSequence, &algorithm)) {
      DerReader inner(algorithm);
      if (inner.read(der::kOid, &oid) && equal(oid, kEcPublicKeyOid) &&
          inner.read(der::kOid, &curve) && !equal(curve, kP256Oid)) {
        return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "ECDSA host keys are of curve P-256");
      }
    }
  }
  return Error(KITH_ERR_MALFORMED, kWhere,
               "not the DER SubjectPublicKeyInfo of an uncompressed P-256 point");
}

ByteVector encode_p256_public(EVP_PKEY* key) {
  ByteVector out(kP256SpkiPrefix, kP256SpkiPrefix + sizeof(kP256SpkiPrefix));
  append(out, uncompressed_point(key));
  return out;
}

// ECPrivateKey ::= SEQUENCE { 1, OCTET STRING, [0] curve OPTIONAL, [1] BIT STRING OPTIONAL }
Result<KeyHandle> decode_p256_private(Bytes sec1) {
  const auto malformed = [](const char* what) { return Error(KITH_ERR_MALFORMED, kWhere, what); };
  DerReader outer(sec1);
  Bytes sequence, version, scalar, tagged, point;
  if (!outer.read(der::kSequence, &sequence) || !outer.empty()) {
    return malformed("not a DER ECPrivateKey");
  }
  DerReader fields(sequence);
  if (!fields.read_unsigned(&version) || version.size() != 1 || version[0] != 1 ||
      !fields.read(der::kOctetString, &scalar)) {
    return malformed("not a DER ECPrivateKey of version 1");
  }
  if (fields.next_is(der::context(0))) {
    Bytes oid;
    if (!fields.read(der::context(0), &tagged)) return malformed("the curve is malformed");
    DerReader curve(tagged);
    if (!curve.read(der::kOid, &oid) || !curve.empty()) return malformed("the curve is malformed");
    if (!equal(oid, kP256Oid)) {
      return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "ECDSA host keys are of curve P-256");
    }
  }
  if (fields.next_is(der::context(1))) {
    if (!fields.read(der::context(1), &tagged)) return malformed("the public key is malformed");
    DerReader bits(tagged);
    if (!bits.read_bit_string(&point) || !bits.empty()) {
      return malformed("the public key is malformed");
    }
  }
  if (!fields.empty()) return malformed("the ECPrivateKey has unknown fields");
  KITH_ASSIGN(KeyHandle key, decode_ec_scalar(kP256, scalar));
  if (point.data() && !equal(point, uncompressed_point(key.get()))) {
    return malformed("the public key inside the ECPrivateKey is not its own");
  }
  return key;
}

SecretBytes encode_p256_private(EVP_PKEY* key) {
  constexpr uint8_t kVersion[] = {1};
  ByteVector curve, point;
  append_der(curve, der::kOid, kP256Oid);
  append_der_bit_string(point, uncompressed_point(key));
  SecretBytes fields, out;
  append_der_unsigned(fields, kVersion);
  append_der(fields, der::kOctetString, scalar_of(key));
  append_der(fields, der::context(0), curve);
  append_der(fields, der::context(1), point);
  append_der(out, der::kSequence, fields);
  return out;
}

Result<KeyHandle> decode_secp256k1_public(Bytes point) {
  const bool compressed =
      point.size() == kCompressedBytes && (point[0] == 0x02 || point[0] == 0x03);
  const bool whole = point.size() == kUncompressedBytes &&
                     (point[0] == 0x04 || point[0] == 0x06 || point[0] == 0x07);
  if (!compressed && !whole) {
    return Error(KITH_ERR_MALFORMED, kWhere, "not a secp256k1 point of 33 or 65 bytes");
  }
  return decode_ec_point(kSecp256k1, point);
}

ByteVector encode_secp256k1_public(EVP_PKEY* key) {
  ByteVector out = uncompressed_point(key);
  out[0] = static_cast<uint8_t>(0x02 | (out.back() & 1));
  out.resize(kCompressedBytes);
  return out;
}

SecretBytes encode_secp256k1_private(EVP_PKEY* key) { return scalar_of(key); }

Result<ByteVector> normalize_secp256k1_signature(Bytes der) {
  const uint8_t* in = der.data();
  const EcdsaSigPtr signature(d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size())));
  const EcGroupPtr group(EC_GROUP_new_by_curve_name(kSecp256k1.nid));
  if (!signature || !group) return openssl_error(kWhere, "cannot read the signature");
  const BIGNUM* n = EC_GROUP_get0_order(group.get());
  const BIGNUM* s = ECDSA_SIG_get0_s(signature.get());
  BnPtr half(BN_new()), low(BN_new()), r(BN_dup(ECDSA_SIG_get0_r(signature.get())));
  if (!half || !low || !r || BN_rshift1(half.get(), n) != 1 || BN_sub(low.get(), n, s) != 1) {
    return openssl_error(kWhere, "cannot normalize the signature");
  }
  if (BN_cmp(s, half.get()) <= 0) return to_vector(der);
  if (ECDSA_SIG_set0(signature.get(), r.get(), low.get()) != 1) {
    return openssl_error(kWhere, "cannot normalize the signature");
  }
  (void)r.release();
  (void)low.release();
  ByteVector out(static_cast<size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
  uint8_t* to = out.data();
  i2d_ECDSA_SIG(signature.get(), &to);
  return out;
}

}  // namespace kith::crypto
