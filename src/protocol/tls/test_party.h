// A node that speaks TLS, from a seed: for tests and fuzz targets.
#pragma once

#include "identity/peer_id.h"
#include "protocol/tls/session.h"

namespace kith::tls {

struct Party {
  using Session = tls::Session;
  static constexpr int64_t kNow = 1767225600;  // 2026-01-01

  explicit Party(uint8_t seed)
      : key(crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value()),
        context(Context::make(make_credentials(key, kNow).value()).value()) {}
  identity::PeerId id() const { return identity::PeerId::from_public_key(key.public_key()); }
  Config config(bool is_dialer) const {
    Config c;
    c.context = &context;
    c.is_dialer = is_dialer;
    c.now_unix_s = kNow;
    return c;
  }

  crypto::PrivateKey key;
  Context context;
};

}  // namespace kith::tls
