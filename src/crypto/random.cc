// Random bytes from OpenSSL.
#include "crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>

#include "crypto/openssl.h"

namespace kith::crypto {

Status random_bytes(MutableBytes out) {
  ErrorScope errors;
  constexpr size_t kChunk = size_t{1} << 30;  // RAND_bytes takes an int
  while (!out.empty()) {
    const size_t n = std::min(out.size(), kChunk);
    if (RAND_bytes(out.data(), static_cast<int>(n)) != 1) {
      return openssl_error("random bytes", "the generator gives none");
    }
    out = out.subspan(n);
  }
  return {};
}

}  // namespace kith::crypto
