// Public and private keys of the four types that libp2p knows, in the encodings that go into the
// `Data` field of its key messages (identity/key_proto.h makes the messages).
// Spec: libp2p/specs peer-ids/peer-ids.md, "Key Types".
//
//   type       public data                   private data                   signature
//   RSA        SubjectPublicKeyInfo, DER     PKCS#1 RSAPrivateKey, DER      PKCS#1 v1.5, SHA-256
//   Ed25519    32 bytes                      seed, public key (64 bytes)    64 bytes
//   secp256k1  compressed point (33 bytes)   scalar (32 bytes)              DER, low-S, SHA-256
//   ECDSA      SPKI of P-256, DER            SEC 1 ECPrivateKey, DER        DER, SHA-256
#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

struct evp_pkey_st;

namespace kith::crypto {

// KeyType has the numbers of libp2p's key messages.
enum class KeyType : uint8_t { kRsa = 0, kEd25519 = 1, kSecp256k1 = 2, kEcdsa = 3 };

// key_type_name returns a static string such as "Ed25519".
const char* key_type_name(KeyType type);

// KeyHandle is a counted reference to an immutable OpenSSL key; null after a move.
class KeyHandle {
 public:
  // Takes over one reference to `owned`.
  explicit KeyHandle(evp_pkey_st* owned) : key_(owned) {}
  KeyHandle(const KeyHandle& o);
  KeyHandle(KeyHandle&& o) noexcept : key_(o.key_) { o.key_ = nullptr; }
  KeyHandle& operator=(KeyHandle o) noexcept {
    std::swap(key_, o.key_);
    return *this;
  }
  ~KeyHandle();
  evp_pkey_st* get() const { return key_; }

 private:
  evp_pkey_st* key_;
};

// PublicKey is a valid public key; copying it costs a reference count.
class PublicKey {
 public:
  // from_data reads the public encoding of the table above, which must fill `data`. DER must be
  // exactly what data() would write. Of secp256k1, uncompressed (65 bytes, 04) and hybrid points
  // (06, 07) are taken as go-libp2p does; of RSA, odd moduli of limits::kRsaMinBits to kRsaMaxBits
  // with an odd exponent of 3 to 2^31-1, whose sizes are checked before any arithmetic; of Ed25519,
  // any 32 bytes: those that are no point verify nothing. KITH_ERR_UNSUPPORTED_KEY for another
  // curve or size, KITH_ERR_MALFORMED otherwise.
  static Result<PublicKey> from_data(KeyType type, Bytes data);

  KeyType type() const { return type_; }
  // data returns the one canonical encoding of the key.
  ByteVector data() const;
  // verify returns OK when `signature` is this key's signature of `message`, else
  // KITH_ERR_BAD_SIGNATURE. secp256k1 signatures with a high S are taken, as go-libp2p does.
  // In fuzzing builds (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION) it always returns OK.
  Status verify(Bytes message, Bytes signature) const;

  friend bool operator==(const PublicKey& a, const PublicKey& b);

 private:
  friend class PrivateKey;
  PublicKey(KeyType type, KeyHandle key) : type_(type), key_(std::move(key)) {}

  KeyType type_;
  KeyHandle key_;
};

// PrivateKey is a valid key pair; copying it costs a reference count. The last copy overwrites the
// secret when it goes.
class PrivateKey {
 public:
  // generate makes a new key. `rsa_bits` counts for RSA only and must be limits::kRsaMinBits to
  // kRsaMaxBits (KITH_ERR_INVALID_ARGUMENT otherwise); a large RSA key takes seconds.
  static Result<PrivateKey> generate(KeyType type, unsigned rsa_bits = 2048);

  // from_data reads the private encoding of the table above, which must fill `data`, and checks
  // that its public half, where it has one, belongs to the secret. Of Ed25519 the older 96-byte
  // form with the public key twice is taken; of ECDSA a DER without the optional curve or public
  // key. KITH_ERR_UNSUPPORTED_KEY for another curve or size, KITH_ERR_MALFORMED otherwise.
  static Result<PrivateKey> from_data(KeyType type, Bytes data);

  // ed25519_from_seed makes the Ed25519 key of RFC 8032's 32-byte private key.
  static Result<PrivateKey> ed25519_from_seed(Bytes seed32);

  KeyType type() const { return type_; }
  // data returns the one canonical encoding of the key.
  SecretBytes data() const;
  // public_key returns the public half, which shares no memory with the secret.
  PublicKey public_key() const;
  // sign signs `message`. The signature depends on key and message alone: ECDSA and secp256k1
  // nonces are made as in RFC 6979. KITH_ERR_CRYPTO when OpenSSL fails.
  Result<ByteVector> sign(Bytes message) const;

 private:
  friend Result<SecretBytes> make_pkcs12(Bytes certificate_der, const PrivateKey& key);
  PrivateKey(KeyType type, KeyHandle key) : type_(type), key_(std::move(key)) {}

  KeyType type_;
  KeyHandle key_;
};

}  // namespace kith::crypto
