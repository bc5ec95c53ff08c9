// libp2p host keys for hostile certificates: real ones, and RSA keys of sizes that nobody should
// accept. Spec: libp2p/specs peer-ids/peer-ids.md.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "tests/attacker/wire.h"

namespace kith::attacker {

struct PkeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyFree>;

// HostKey is a public key as libp2p writes it, and a way to sign with it.
class HostKey {
 public:
  virtual ~HostKey() = default;

  // The protobuf PublicKey {Type, Data}.
  const Bytes& public_key() const { return public_key_; }
  virtual Bytes sign(View message) const = 0;

  // The peer id as base58: identity multihash up to 42 bytes of key, SHA-256 above.
  std::string peer_id_text() const;

 protected:
  Bytes public_key_;
};

// make_host_key makes the key named by `kind`: "ed25519" (derived from `seed`), "ecdsa" (P-256), or
// "rsaBITS" with 1024 to 12288 bits, whose modulus is a product of many small primes: quick to
// make, its signatures are valid. "rsa16384" is a random odd number and signs with 256 random
// bytes. Returns null for other names.
std::unique_ptr<HostKey> make_host_key(const std::string& kind, uint64_t seed);

// spki_of returns the DER SubjectPublicKeyInfo of `key`.
Bytes spki_of(EVP_PKEY* key);

}  // namespace kith::attacker
