// HKDF with SHA-256. Spec: RFC 5869.
#pragma once

#include "base/bytes.h"
#include "crypto/secret.h"

namespace kith::crypto {

// hkdf_sha256 extracts from `input_key` with `salt` and expands to `size` bytes, up to 255 * 32;
// more aborts. Noise's HKDF with two or three outputs is this one, with no `info`, cut in pieces of
// 32 bytes.
SecretBytes hkdf_sha256(Bytes salt, Bytes input_key, Bytes info, size_t size);

}  // namespace kith::crypto
