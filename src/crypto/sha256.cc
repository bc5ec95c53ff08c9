// SHA-256 over OpenSSL. It cannot fail on a message, only for want of memory: that aborts.
#include "crypto/sha256.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/result.h"

namespace kith::crypto {

Sha256Digest sha256(Bytes message) {
  Sha256Digest digest;
  KITH_CHECK(SHA256(message.data(), message.size(), digest.data()) != nullptr);
  return digest;
}

void Sha256::Free::operator()(evp_md_ctx_st* ctx) const { EVP_MD_CTX_free(ctx); }

Sha256::Sha256() : ctx_(EVP_MD_CTX_new()) {
  KITH_CHECK(ctx_ && EVP_DigestInit_ex2(ctx_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(Bytes piece) {
  KITH_CHECK(EVP_DigestUpdate(ctx_.get(), piece.data(), piece.size()) == 1);
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  KITH_CHECK(EVP_DigestFinal_ex(ctx_.get(), digest.data(), nullptr) == 1);
  KITH_CHECK(EVP_DigestInit_ex2(ctx_.get(), nullptr, nullptr) == 1);
  return digest;
}

}  // namespace kith::crypto
