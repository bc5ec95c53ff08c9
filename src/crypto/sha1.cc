// SHA-1 over OpenSSL. It cannot fail on a message.
#include "crypto/sha1.h"

#include <openssl/sha.h>

#include "base/result.h"

namespace kith::crypto {

std::array<uint8_t, 20> sha1(Bytes message) {
  std::array<uint8_t, 20> digest;
  KITH_CHECK(SHA1(message.data(), message.size(), digest.data()) != nullptr);
  return digest;
}

}  // namespace kith::crypto
