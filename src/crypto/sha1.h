// SHA-1, for protocols that name it where nothing depends on its strength: the handshake of a
// WebSocket. Spec: FIPS 180-4.
#pragma once

#include <array>

#include "base/bytes.h"

namespace kith::crypto {

// sha1 returns the digest of `message`.
std::array<uint8_t, 20> sha1(Bytes message);

}  // namespace kith::crypto
