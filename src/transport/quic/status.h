// MsQuic's status codes as kith errors with words a developer can act on.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace kith::transport::quic {

// `status` is a failed QUIC_STATUS; `doing` says what failed ("dial /ip4/...").
Error error_of(unsigned status, const char* where, std::string_view doing);

}  // namespace kith::transport::quic
