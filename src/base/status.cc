// Names and sentences of the status codes; Error's text.
#include "kith/status.h"

#include <cstdio>
#include <cstdlib>

#include "base/result.h"

namespace {
struct Row {
  kith_status status;
  const char* name;
  const char* text;
};
#define ROW(s, t) \
  { s, #s, t }
constexpr Row kRows[] = {
    ROW(KITH_OK, "success"),
    ROW(KITH_ERR_INVALID_ARGUMENT, "invalid argument"),
    ROW(KITH_ERR_INVALID_STATE, "the call does not fit the object's state"),
    ROW(KITH_ERR_WRONG_THREAD, "called off the runtime's loop"),
    ROW(KITH_ERR_BUFFER_TOO_SMALL, "the output buffer is too small"),
    ROW(KITH_ERR_NOT_SUPPORTED, "not supported by this build"),
    ROW(KITH_ERR_NO_MEMORY, "out of memory"),
    ROW(KITH_ERR_LIMIT, "a limit is reached"),
    ROW(KITH_ERR_WOULD_BLOCK, "the send budget is used up; wait for writable"),
    ROW(KITH_ERR_IO, "a system call failed"),
    ROW(KITH_ERR_ADDRESS_IN_USE, "the address is in use"),
    ROW(KITH_ERR_CRYPTO, "a cryptographic operation failed"),
    ROW(KITH_ERR_CLOSED, "closed"),
    ROW(KITH_ERR_CANCELED, "canceled"),
    ROW(KITH_ERR_TIMEOUT, "the deadline passed"),
    ROW(KITH_ERR_RESET, "the peer reset the stream"),
    ROW(KITH_ERR_CONNECTION_REFUSED, "the peer refused the connection"),
    ROW(KITH_ERR_CONNECTION_LOST, "the connection was lost"),
    ROW(KITH_ERR_UNREACHABLE, "the address is unreachable"),
    ROW(KITH_ERR_NO_ADDRESS, "no address that a transport here can dial"),
    ROW(KITH_ERR_MALFORMED, "malformed input"),
    ROW(KITH_ERR_MESSAGE_TOO_LARGE, "the message exceeds its limit"),
    ROW(KITH_ERR_PROTOCOL_VIOLATION, "the peer violated the protocol"),
    ROW(KITH_ERR_PROTOCOL_NOT_SUPPORTED, "the peer supports none of the protocols"),
    ROW(KITH_ERR_BAD_CERTIFICATE, "the peer's certificate is not acceptable"),
    ROW(KITH_ERR_BAD_SIGNATURE, "a signature does not verify"),
    ROW(KITH_ERR_PEER_ID_MISMATCH, "the peer is not the one that was dialed"),
    ROW(KITH_ERR_ALPN_MISMATCH, "no common application protocol (ALPN)"),
    ROW(KITH_ERR_HANDSHAKE, "the security handshake failed"),
    ROW(KITH_ERR_UNSUPPORTED_KEY, "the key type or size is not supported"),
    ROW(KITH_ERR_INTERNAL, "internal error"),
};
#undef ROW
}  // namespace

extern "C" const char* kith_status_name(kith_status status) {
  for (const Row& r : kRows)
    if (r.status == status) return r.name;
  return "KITH_ERR_UNKNOWN";
}

extern "C" const char* kith_status_text(kith_status status) {
  for (const Row& r : kRows)
    if (r.status == status) return r.text;
  return "unknown status";
}

namespace kith {

std::string Error::to_string() const {
  std::string s = where_;
  if (!s.empty()) s += ": ";
  if (detail_) {
    s += *detail_;
  } else {
    s += kith_status_text(status_);
  }
  s += " (";
  s += kith_status_name(status_);
  s += ")";
  return s;
}

void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "kith: invariant broken: %s at %s:%d\n", what, file, line);
  std::abort();
}

}  // namespace kith
