// Multihash: a digest that says which function made it and how long it is. Framing only; hashing is
// in crypto/. Spec: multiformats/multihash README.md; peer ids: libp2p/specs peer-ids/peer-ids.md.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace kith::wire {

// Function codes of the multicodec table that libp2p uses.
inline constexpr uint64_t kMultihashIdentity = 0x00;
inline constexpr uint64_t kMultihashSha256 = 0x12;
inline constexpr size_t kSha256DigestBytes = 32;

struct Multihash {
  uint64_t code = 0;
  Bytes digest;  // borrowed from the input of decode_multihash
};

// decode_multihash reads `in`, which must be one multihash and nothing else. Any function code is
// taken. Refused are a length that differs from what is there, a sha2-256 digest that is not 32
// bytes (KITH_ERR_MALFORMED), and more than limits::kMultihashDigestBytes (KITH_ERR_LIMIT).
Result<Multihash> decode_multihash(Bytes in);

// append_multihash appends the multihash of `digest` to `out`. Precondition: at most
// limits::kMultihashDigestBytes, and 32 bytes exactly for sha2-256.
void append_multihash(ByteVector& out, uint64_t code, Bytes digest);

// encode_multihash is append_multihash into a new vector.
ByteVector encode_multihash(uint64_t code, Bytes digest);

}  // namespace kith::wire
