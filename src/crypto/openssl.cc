// OpenSSL's error queue as an Error.
#include "crypto/openssl.h"

#include <string>

namespace kith::crypto {

Error openssl_error(const char* where, const char* what) {
  std::string detail = what;
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  if (reason) detail.append(": ").append(reason);
  return Error(KITH_ERR_CRYPTO, where, std::move(detail));
}

}  // namespace kith::crypto
