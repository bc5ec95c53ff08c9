// HKDF over OpenSSL's HMAC. It cannot fail but for want of memory: that aborts.
#include "crypto/hkdf.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/result.h"

namespace kith::crypto {
namespace {

constexpr size_t kHashBytes = 32;
using Mac = std::array<uint8_t, kHashBytes>;

void hmac_sha256(Bytes key, Bytes message, Mac& out) {
  static constexpr uint8_t kNoKey[1] = {};  // OpenSSL takes a null key for "the last one again"
  KITH_CHECK(HMAC(EVP_sha256(), key.empty() ? kNoKey : key.data(), static_cast<int>(key.size()),
                  message.data(), message.size(), out.data(), nullptr) != nullptr);
}

}  // namespace

SecretBytes hkdf_sha256(Bytes salt, Bytes input_key, Bytes info, size_t size) {
  KITH_CHECK(size <= 255 * kHashBytes);
  Mac key, block;
  hmac_sha256(salt, input_key, key);
  SecretBytes out, message;
  out.reserve(size);
  for (uint8_t counter = 1; out.size() < size; ++counter) {
    message.insert(message.end(), info.begin(), info.end());
    message.push_back(counter);
    hmac_sha256(key, message, block);
    const size_t n = std::min(size - out.size(), block.size());
    out.insert(out.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(n));
    message.assign(block.begin(), block.end());
  }
  cleanse(key);
  cleanse(block);
  return out;
}

}  // namespace kith::crypto
