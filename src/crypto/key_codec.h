// The encodings of each key type, on OpenSSL keys. Private to src/crypto: others use crypto/keys.h.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/openssl.h"
#include "crypto/secret.h"

namespace kith::crypto {

// An elliptic curve with uncompressed points of 1 + 2 * `field_bytes`.
struct Curve {
  const char* name;  // OpenSSL's
  int nid;
  size_t field_bytes;
};
extern const Curve kP256;
extern const Curve kP384;
extern const Curve kP521;
extern const Curve kSecp256k1;

// All decoders take the whole input or fail with KITH_ERR_MALFORMED or KITH_ERR_UNSUPPORTED_KEY,
// and need an open ErrorScope. Encoders take keys that a decoder or a generator here made.

// rsa.cc
Result<KeyHandle> decode_rsa_public(Bytes spki);
ByteVector encode_rsa_public(EVP_PKEY* key);
Result<KeyHandle> decode_rsa_private(Bytes pkcs1);
SecretBytes encode_rsa_private(EVP_PKEY* key);

// ec.cc
// decode_ec_point reads a point, compressed, uncompressed or hybrid: the caller says which by
// checking size and first byte.
Result<KeyHandle> decode_ec_point(const Curve& curve, Bytes point);
Result<KeyHandle> decode_ec_scalar(const Curve& curve, Bytes scalar);
Result<KeyHandle> decode_p256_public(Bytes spki);
ByteVector encode_p256_public(EVP_PKEY* key);
Result<KeyHandle> decode_p256_private(Bytes sec1);
SecretBytes encode_p256_private(EVP_PKEY* key);
Result<KeyHandle> decode_secp256k1_public(Bytes point);
ByteVector encode_secp256k1_public(EVP_PKEY* key);
SecretBytes encode_secp256k1_private(EVP_PKEY* key);
// normalize_secp256k1_signature replaces the S of a DER signature by the smaller of S and n - S.
Result<ByteVector> normalize_secp256k1_signature(Bytes der);

// number_param makes an OpenSSL parameter of a big-endian number. `storage` must outlive it.
OSSL_PARAM number_param(const char* name, Bytes magnitude, SecretBytes* storage);

}  // namespace kith::crypto
