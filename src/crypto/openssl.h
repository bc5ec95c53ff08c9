// What the files of this folder share when they talk to OpenSSL. Not for other folders: nothing
// outside src/crypto includes an OpenSSL header.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <memory>

#include "base/result.h"

namespace kith::crypto {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* p) const {
    kFree(p);
  }
};
template <typename T, auto kFree>
using OpensslPtr = std::unique_ptr<T, OpensslFree<kFree>>;

using BnPtr = OpensslPtr<BIGNUM, BN_clear_free>;
using EcGroupPtr = OpensslPtr<EC_GROUP, EC_GROUP_free>;
using EcPointPtr = OpensslPtr<EC_POINT, EC_POINT_clear_free>;
using EcdsaSigPtr = OpensslPtr<ECDSA_SIG, ECDSA_SIG_free>;
using MdCtxPtr = OpensslPtr<EVP_MD_CTX, EVP_MD_CTX_free>;
using Pkcs12Ptr = OpensslPtr<PKCS12, PKCS12_free>;
using PkeyCtxPtr = OpensslPtr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using PkeyPtr = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using X509Ptr = OpensslPtr<X509, X509_free>;

// ErrorScope removes, when it ends, whatever its calls left in OpenSSL's per-thread error queue.
// The TLS stack runs on the same thread and would take leftovers for its own failures.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

// openssl_error makes a KITH_ERR_CRYPTO from `what` and the newest reason in the error queue.
// Precondition: an ErrorScope is open. `where` must be a string literal.
Error openssl_error(const char* where, const char* what);

}  // namespace kith::crypto
