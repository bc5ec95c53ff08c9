// X25519: the Diffie-Hellman function of Noise. Spec: RFC 7748, section 5.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

namespace kith::crypto {

using X25519PublicKey = std::array<uint8_t, 32>;  // a u-coordinate

// X25519Key is a key pair; copying it costs a reference count.
class X25519Key {
 public:
  // from_private makes the pair of a 32-byte private key, which is random bytes or a test's.
  // KITH_ERR_INVALID_ARGUMENT for another size; KITH_ERR_CRYPTO.
  static Result<X25519Key> from_private(Bytes private32);

  const X25519PublicKey& public_key() const { return public_; }

  // shared_secret returns the 32 bytes that this key shares with the one whose public half is
  // `peer`. KITH_ERR_HANDSHAKE when that would be zeros, which is so for the points of small order,
  // whatever this key is: with those, the secret would be known to everybody.
  Result<SecretBytes> shared_secret(const X25519PublicKey& peer) const;

 private:
  X25519Key(KeyHandle key, const X25519PublicKey& public_key)
      : key_(std::move(key)), public_(public_key) {}
  KeyHandle key_;
  X25519PublicKey public_;
};

}  // namespace kith::crypto
