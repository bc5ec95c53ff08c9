// X25519 over OpenSSL.
#include "crypto/x25519.h"

#include <utility>

#include "crypto/openssl.h"

namespace kith::crypto {
namespace {
constexpr char kWhere[] = "x25519";
}  // namespace

Result<X25519Key> X25519Key::from_private(Bytes private32) {
  X25519PublicKey public_key;
  if (private32.size() != public_key.size()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "a private key has 32 bytes");
  }
  ErrorScope errors;
  KeyHandle key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, private32.data(),
                                                private32.size()));
  size_t size = public_key.size();
  if (!key.get() || EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size) != 1) {
    return openssl_error(kWhere, "cannot make a key");
  }
  return X25519Key(std::move(key), public_key);
}

Result<SecretBytes> X25519Key::shared_secret(const X25519PublicKey& peer) const {
  ErrorScope errors;
  PkeyPtr peer_key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, peer.data(), peer.size()));
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (!peer_key || !ctx || EVP_PKEY_derive_init(ctx.get()) != 1 ||
      EVP_PKEY_derive_set_peer(ctx.get(), peer_key.get()) != 1) {
    return openssl_error(kWhere, "cannot derive a secret");
  }
  SecretBytes secret(32);
  const SecretBytes zeros(32);
  size_t size = secret.size();
  // OpenSSL itself fails for zeros. Nothing else can fail here, and the comparison does not rely on
  // it.
  if (EVP_PKEY_derive(ctx.get(), secret.data(), &size) != 1 || size != secret.size() ||
      constant_time_equal(secret, zeros)) {
    return Error(KITH_ERR_HANDSHAKE, kWhere, "the peer's public key is a point of small order");
  }
  return secret;
}

}  // namespace kith::crypto
