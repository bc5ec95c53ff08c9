// X25519 public keys with which no secret can be agreed on, for tests.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "crypto/x25519.h"

namespace kith::crypto {

// The u-coordinates of small order, canonical and not (RFC 7748, section 6.1, on why: the result is zeros): 0, 1, two of
// order 8, p-1, p, p+1. Each also with the top bit set, which X25519 ignores.
inline std::vector<X25519PublicKey> points_of_small_order() {
  static constexpr const char* kPoints[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
  std::vector<X25519PublicKey> out;
  for (const char* text : kPoints) {
    const ByteVector bytes = from_hex(text).value();
    X25519PublicKey u;
    std::copy(bytes.begin(), bytes.end(), u.begin());
    out.push_back(u);
    u[31] |= 0x80;
    out.push_back(u);
  }
  return out;
}

}  // namespace kith::crypto
