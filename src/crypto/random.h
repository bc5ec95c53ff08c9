// Random bytes for keys, serial numbers and nonces. Protocol code takes randomness as an argument;
// this is where the callers of protocol code get it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace kith::crypto {

// random_bytes fills `out` from OpenSSL's generator, which the operating system seeds.
// KITH_ERR_CRYPTO when there is no entropy; `out` is then unspecified.
Status random_bytes(MutableBytes out);

}  // namespace kith::crypto
