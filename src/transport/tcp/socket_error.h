// What an errno of a socket means to the callers of a transport.
#pragma once

#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace kith::transport::tcp {

inline Error socket_error(int error, const char* where) {
  kith_status status = KITH_ERR_IO;
  switch (error) {
    case ECONNREFUSED:
      status = KITH_ERR_CONNECTION_REFUSED;
      break;
    case ETIMEDOUT:
      status = KITH_ERR_TIMEOUT;
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      status = KITH_ERR_UNREACHABLE;
      break;
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      status = KITH_ERR_CONNECTION_LOST;
      break;
    case EADDRINUSE:
      status = KITH_ERR_ADDRESS_IN_USE;
      break;
    case EADDRNOTAVAIL:
      status = KITH_ERR_INVALID_ARGUMENT;
      break;
    case EMFILE:
    case ENFILE:
      status = KITH_ERR_LIMIT;
      break;
    default:
      break;
  }
  return Error(status, where, std::strerror(error));
}

}  // namespace kith::transport::tcp
