// SHA-256, in one call or in pieces. Spec: FIPS 180-4.
#pragma once

#include <array>
#include <memory>

#include "base/bytes.h"

struct evp_md_ctx_st;

namespace kith::crypto {

using Sha256Digest = std::array<uint8_t, 32>;

// sha256 returns the digest of `message`.
Sha256Digest sha256(Bytes message);

// Sha256 hashes a message that comes in pieces: update any number of times, then finish once.
class Sha256 {
 public:
  Sha256();
  void update(Bytes piece);
  // finish returns the digest of all pieces and makes the object ready for the next message.
  Sha256Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* ctx) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> ctx_;
};

}  // namespace kith::crypto
