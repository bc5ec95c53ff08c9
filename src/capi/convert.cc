// Conversions between C++ values and the C API's.
#include <algorithm>

#include "capi/capi.h"

namespace kith::capi {

kith_error to_c(const Error& error) {
  kith_error out{};
  out.status = error.status();
  std::string text = error.where();
  if (!text.empty()) text += ": ";
  text += error.detail().empty() ? kith_status_text(error.status()) : std::string(error.detail());
  const size_t n = std::min(text.size(), sizeof out.message - 1);
  std::memcpy(out.message, text.data(), n);
  return out;
}

kith_status fill(kith_error* out, const Error& error) {
  if (out) *out = to_c(error);
  return error.status();
}

kith_status copy_out(Bytes bytes, uint8_t* out, size_t* inout_len) {
  const size_t room = std::exchange(*inout_len, bytes.size());
  if (!out) return KITH_OK;
  if (room < bytes.size()) return KITH_ERR_BUFFER_TOO_SMALL;
  std::copy(bytes.begin(), bytes.end(), out);
  return KITH_OK;
}

}  // namespace kith::capi

extern "C" const char* kith_version(void) { return KITH_VERSION; }
