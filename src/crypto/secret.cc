// Secrets in memory, over OpenSSL's primitives.
#include "crypto/secret.h"

#include <openssl/crypto.h>

namespace kith::crypto {

void cleanse(MutableBytes bytes) { OPENSSL_cleanse(bytes.data(), bytes.size()); }

bool constant_time_equal(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace kith::crypto
