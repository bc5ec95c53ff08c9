// Keys: what the four types share, and Ed25519.
#include "crypto/keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <string>

#include "base/limits.h"
#include "crypto/key_codec.h"
#include "crypto/openssl.h"

namespace kith::crypto {

namespace {

constexpr char kWhere[] = "key";
constexpr size_t kEd25519KeyBytes = 32;

Result<KeyHandle> decode_ed25519_public(Bytes data) {
  if (data.size() != kEd25519KeyBytes) {
    return Error(KITH_ERR_MALFORMED, kWhere, "an Ed25519 public key has 32 bytes");
  }
  KeyHandle key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, data.data(), data.size()));
  if (!key.get()) return openssl_error(kWhere, "Ed25519 public key");
  return key;
}

Result<KeyHandle> decode_ed25519_seed(Bytes seed) {
  KeyHandle key(
      EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, seed.data(), seed.size()));
  if (!key.get()) return openssl_error(kWhere, "Ed25519 private key");
  return key;
}

ByteVector encode_ed25519_public(EVP_PKEY* key) {
  ByteVector out(kEd25519KeyBytes);
  size_t size = out.size();
  KITH_CHECK(EVP_PKEY_get_raw_public_key(key, out.data(), &size) == 1 && size == out.size());
  return out;
}

SecretBytes encode_ed25519_private(EVP_PKEY* key) {
  SecretBytes out(kEd25519KeyBytes);
  size_t size = out.size();
  KITH_CHECK(EVP_PKEY_get_raw_private_key(key, out.data(), &size) == 1 && size == out.size());
  const ByteVector public_half = encode_ed25519_public(key);
  out.insert(out.end(), public_half.begin(), public_half.end());
  return out;
}

// seed || public key, or the older seed || public key || public key.
Result<KeyHandle> decode_ed25519_private(Bytes data) {
  if (data.size() != 2 * kEd25519KeyBytes && data.size() != 3 * kEd25519KeyBytes) {
    return Error(KITH_ERR_MALFORMED, kWhere, "an Ed25519 private key has 64 or 96 bytes");
  }
  KITH_ASSIGN(KeyHandle key, decode_ed25519_seed(data.first(kEd25519KeyBytes)));
  const ByteVector derived = encode_ed25519_public(key.get());
  for (size_t at = kEd25519KeyBytes; at < data.size(); at += kEd25519KeyBytes) {
    if (!equal(derived, data.subspan(at, kEd25519KeyBytes))) {
      return Error(KITH_ERR_MALFORMED, kWhere,
                   "the public key inside the Ed25519 private key is not its own");
    }
  }
  return key;
}

}  // namespace

const char* key_type_name(KeyType type) {
  switch (type) {
    case KeyType::kRsa:
      return "RSA";
    case KeyType::kEd25519:
      return "Ed25519";
    case KeyType::kSecp256k1:
      return "secp256k1";
    case KeyType::kEcdsa:
      return "ECDSA";
  }
  return "unknown";
}

KeyHandle::KeyHandle(const KeyHandle& o) : key_(o.key_) {
  if (key_) EVP_PKEY_up_ref(key_);
}

KeyHandle::~KeyHandle() { EVP_PKEY_free(key_); }

Result<PublicKey> PublicKey::from_data(KeyType type, Bytes data) {
  ErrorScope errors;
  auto decode = [&]() -> Result<KeyHandle> {
    switch (type) {
      case KeyType::kRsa:
        return decode_rsa_public(data);
      case KeyType::kEd25519:
        return decode_ed25519_public(data);
      case KeyType::kSecp256k1:
        return decode_secp256k1_public(data);
      case KeyType::kEcdsa:
        return decode_p256_public(data);
    }
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "unknown key type");
  };
  KITH_ASSIGN(KeyHandle key, decode());
  return PublicKey(type, std::move(key));
}

ByteVector PublicKey::data() const {
  ErrorScope errors;
  switch (type_) {
    case KeyType::kRsa:
      return encode_rsa_public(key_.get());
    case KeyType::kEd25519:
      return encode_ed25519_public(key_.get());
    case KeyType::kSecp256k1:
      return encode_secp256k1_public(key_.get());
    case KeyType::kEcdsa:
      return encode_p256_public(key_.get());
  }
  return {};
}

Status PublicKey::verify(Bytes message, Bytes signature) const {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  (void)message, (void)signature;
  return {};
#else
  ErrorScope errors;
  MdCtxPtr ctx(EVP_MD_CTX_new());
  const EVP_MD* digest = type_ == KeyType::kEd25519 ? nullptr : EVP_sha256();
  if (!ctx || EVP_DigestVerifyInit(ctx.get(), nullptr, digest, nullptr, key_.get()) != 1) {
    return openssl_error(kWhere, "cannot verify");
  }
  if (EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(),
                       message.size()) != 1) {
    return Error(KITH_ERR_BAD_SIGNATURE, kWhere,
                 std::string("the ") + key_type_name(type_) + " signature does not verify");
  }
  return {};
#endif
}

bool operator==(const PublicKey& a, const PublicKey& b) {
  ErrorScope errors;
  return a.type_ == b.type_ && EVP_PKEY_eq(a.key_.get(), b.key_.get()) == 1;
}

Result<PrivateKey> PrivateKey::generate(KeyType type, unsigned rsa_bits) {
  ErrorScope errors;
  EVP_PKEY* key = nullptr;
  switch (type) {
    case KeyType::kRsa:
      if (rsa_bits < limits::kRsaMinBits || rsa_bits > limits::kRsaMaxBits) {
        return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "RSA keys have 2048 to 8192 bits");
      }
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(rsa_bits));
      break;
    case KeyType::kEd25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
    case KeyType::kSecp256k1:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kSecp256k1.name);
      break;
    case KeyType::kEcdsa:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kP256.name);
      break;
  }
  if (!key) return openssl_error(kWhere, "cannot generate a key");
  return PrivateKey(type, KeyHandle(key));
}

Result<PrivateKey> PrivateKey::from_data(KeyType type, Bytes data) {
  ErrorScope errors;
  auto decode = [&]() -> Result<KeyHandle> {
    switch (type) {
      case KeyType::kRsa:
        return decode_rsa_private(data);
      case KeyType::kEd25519:
        return decode_ed25519_private(data);
      case KeyType::kSecp256k1:
        return decode_ec_scalar(kSecp256k1, data);
      case KeyType::kEcdsa:
        return decode_p256_private(data);
    }
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "unknown key type");
  };
  KITH_ASSIGN(KeyHandle key, decode());
  PrivateKey out(type, std::move(key));
  if (type == KeyType::kRsa) {
    // The numbers of a PKCS#1 key can contradict each other, and a check of their arithmetic is
    // primality tests; a signature that verifies shows as much for a thousandth of the time.
    const Bytes probe = as_bytes("kith");
    KITH_ASSIGN(ByteVector signature, out.sign(probe));
    if (!out.public_key().verify(probe, signature).ok()) {
      return Error(KITH_ERR_MALFORMED, kWhere, "the numbers of the RSA key do not fit together");
    }
  }
  return out;
}

Result<PrivateKey> PrivateKey::ed25519_from_seed(Bytes seed32) {
  if (seed32.size() != kEd25519KeyBytes) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "an Ed25519 seed has 32 bytes");
  }
  ErrorScope errors;
  KITH_ASSIGN(KeyHandle key, decode_ed25519_seed(seed32));
  return PrivateKey(KeyType::kEd25519, std::move(key));
}

SecretBytes PrivateKey::data() const {
  ErrorScope errors;
  switch (type_) {
    case KeyType::kRsa:
      return encode_rsa_private(key_.get());
    case KeyType::kEd25519:
      return encode_ed25519_private(key_.get());
    case KeyType::kSecp256k1:
      return encode_secp256k1_private(key_.get());
    case KeyType::kEcdsa:
      return encode_p256_private(key_.get());
  }
  return {};
}

PublicKey PrivateKey::public_key() const {
  auto key = PublicKey::from_data(type_, PublicKey(type_, key_).data());
  KITH_CHECK(key.ok());
  return std::move(key).value();
}

Result<ByteVector> PrivateKey::sign(Bytes message) const {
  ErrorScope errors;
  MdCtxPtr ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_ctx = nullptr;  // owned by ctx
  const EVP_MD* digest = type_ == KeyType::kEd25519 ? nullptr : EVP_sha256();
  if (!ctx || EVP_DigestSignInit(ctx.get(), &pkey_ctx, digest, nullptr, key_.get()) != 1) {
    return openssl_error(kWhere, "cannot sign");
  }
  if (type_ == KeyType::kSecp256k1 || type_ == KeyType::kEcdsa) {
    unsigned deterministic = 1;  // RFC 6979
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_SIGNATURE_PARAM_NONCE_TYPE, &deterministic),
        OSSL_PARAM_construct_end()};
    if (EVP_PKEY_CTX_set_params(pkey_ctx, params) != 1) return openssl_error(kWhere, "cannot sign");
  }
  ByteVector signature(static_cast<size_t>(EVP_PKEY_get_size(key_.get())));
  size_t size = signature.size();
  if (EVP_DigestSign(ctx.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return openssl_error(kWhere, "cannot sign");
  }
  signature.resize(size);
  if (type_ == KeyType::kSecp256k1) return normalize_secp256k1_signature(signature);
  return signature;
}

}  // namespace kith::crypto
