// Multihash framing. Spec: multiformats/multihash README.md.
#include "wire/multihash.h"

#include <string>

#include "base/limits.h"
#include "wire/varint.h"

namespace kith::wire {

Result<Multihash> decode_multihash(Bytes in) {
  const VarintDecode code = decode_varint(in);
  if (code.state != DecodeState::kDone) {
    return Error(KITH_ERR_MALFORMED, "multihash", "the function code is not a whole varint");
  }
  in = in.subspan(code.size);
  const VarintDecode length = decode_varint(in);
  if (length.state != DecodeState::kDone) {
    return Error(KITH_ERR_MALFORMED, "multihash", "the digest length is not a whole varint");
  }
  in = in.subspan(length.size);
  if (length.value > limits::kMultihashDigestBytes) {
    return Error(KITH_ERR_LIMIT, "multihash",
                 "a digest of " + std::to_string(length.value) + " bytes exceeds the limit of " +
                     std::to_string(limits::kMultihashDigestBytes));
  }
  if (length.value != in.size()) {
    return Error(KITH_ERR_MALFORMED, "multihash",
                 "the digest is said to have " + std::to_string(length.value) + " bytes, " +
                     std::to_string(in.size()) + " follow");
  }
  if (code.value == kMultihashSha256 && in.size() != kSha256DigestBytes) {
    return Error(KITH_ERR_MALFORMED, "multihash",
                 "a sha2-256 digest has 32 bytes, not " + std::to_string(in.size()));
  }
  return Multihash{code.value, in};
}

void append_multihash(ByteVector& out, uint64_t code, Bytes digest) {
  KITH_CHECK(digest.size() <= limits::kMultihashDigestBytes);
  KITH_CHECK(code != kMultihashSha256 || digest.size() == kSha256DigestBytes);
  append_varint(out, code);
  append_varint(out, digest.size());
  append(out, digest);
}

ByteVector encode_multihash(uint64_t code, Bytes digest) {
  ByteVector out;
  append_multihash(out, code, digest);
  return out;
}

}  // namespace kith::wire
