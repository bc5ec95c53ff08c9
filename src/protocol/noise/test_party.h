// A node that speaks noise, from a seed: for tests and fuzz targets.
#pragma once

#include "identity/peer_id.h"
#include "protocol/noise/session.h"

namespace kith::noise {

struct Party {
  using Session = noise::Session;

  explicit Party(uint8_t seed)
      : key(crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value()),
        context(Context::make(key, counting).value()) {}
  identity::PeerId id() const { return identity::PeerId::from_public_key(key.public_key()); }
  Config config(bool is_dialer) const {
    Config c;
    c.context = &context;
    c.is_dialer = is_dialer;
    return c;
  }

  // Not random at all: each call gives bytes that no call shortly before gave, the same in every run.
  static void counting(MutableBytes out) {
    for (uint8_t& b : out) b = next_random++;
    next_random = static_cast<uint8_t>(next_random * 5 + 1);
  }
  static inline uint8_t next_random = 1;

  crypto::PrivateKey key;
  Context context;
};

}  // namespace kith::noise
