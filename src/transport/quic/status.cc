#include "transport/quic/status.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "transport/quic/msquic_api.h"

namespace kith::transport::quic {

namespace {
struct Row {
  QUIC_STATUS quic;
  kith_status status;
  const char* text;
};
const Row kRows[] = {
    {QUIC_STATUS_OUT_OF_MEMORY, KITH_ERR_NO_MEMORY, "out of memory"},
    {QUIC_STATUS_NOT_SUPPORTED, KITH_ERR_NOT_SUPPORTED, "not supported"},
    {QUIC_STATUS_INTERNAL_ERROR, KITH_ERR_HANDSHAKE,
     "the TLS handshake failed: the peer's messages are not acceptable"},
    {QUIC_STATUS_HANDSHAKE_FAILURE, KITH_ERR_HANDSHAKE, "the QUIC handshake failed"},
    {QUIC_STATUS_ABORTED, KITH_ERR_CANCELED, "aborted"},
    {QUIC_STATUS_ADDRESS_IN_USE, KITH_ERR_ADDRESS_IN_USE, "the UDP port is in use"},
    {QUIC_STATUS_ALPN_IN_USE, KITH_ERR_ADDRESS_IN_USE, "a listener here has this address already"},
    {QUIC_STATUS_INVALID_ADDRESS, KITH_ERR_INVALID_ARGUMENT, "the address is not valid here"},
    {QUIC_STATUS_ADDRESS_NOT_AVAILABLE, KITH_ERR_INVALID_ARGUMENT,
     "the address is not one of this machine's"},
    {QUIC_STATUS_CONNECTION_TIMEOUT, KITH_ERR_TIMEOUT, "the peer stopped answering"},
    {QUIC_STATUS_CONNECTION_IDLE, KITH_ERR_TIMEOUT, "no answer within the idle timeout"},
    {QUIC_STATUS_CONNECTION_REFUSED, KITH_ERR_CONNECTION_REFUSED,
     "the peer refused the connection"},
    {QUIC_STATUS_PROTOCOL_ERROR, KITH_ERR_PROTOCOL_VIOLATION, "a QUIC protocol error"},
    {QUIC_STATUS_VER_NEG_ERROR, KITH_ERR_HANDSHAKE, "no common QUIC version"},
    {QUIC_STATUS_UNREACHABLE, KITH_ERR_UNREACHABLE, "the address is unreachable"},
    {QUIC_STATUS_TLS_ERROR, KITH_ERR_HANDSHAKE, "the TLS handshake failed"},
    {QUIC_STATUS_USER_CANCELED, KITH_ERR_CANCELED, "canceled"},
    {QUIC_STATUS_ALPN_NEG_FAILURE, KITH_ERR_ALPN_MISMATCH,
     "no common application protocol: the peer does not speak libp2p on this port"},
    {QUIC_STATUS_STREAM_LIMIT_REACHED, KITH_ERR_LIMIT, "the peer allows no more streams"},
    {QUIC_STATUS_BAD_CERTIFICATE, KITH_ERR_BAD_CERTIFICATE, "the peer rejected our certificate"},
    {QUIC_STATUS_REQUIRED_CERTIFICATE, KITH_ERR_BAD_CERTIFICATE, "no certificate was presented"},
};
constexpr unsigned kTlsAlertBase = static_cast<unsigned>(QUIC_STATUS_TLS_ALERT(0));
}  // namespace

Error error_of(unsigned status, const char* where, std::string_view doing) {
  std::string text;
  if (!doing.empty()) {
    text += doing;
    text += ": ";
  }
  for (const Row& r : kRows) {
    if (static_cast<unsigned>(r.quic) == status) return Error(r.status, where, text + r.text);
  }
  if (status >= kTlsAlertBase && status < kTlsAlertBase + 256) {
    const unsigned alert = status - kTlsAlertBase;
    if (alert == 120) {
      return Error(KITH_ERR_ALPN_MISMATCH, where,
                   text + "the peer does not speak libp2p on this port (TLS alert 120)");
    }
    return Error(KITH_ERR_HANDSHAKE, where,
                 text + "the handshake ended with TLS alert " + std::to_string(alert));
  }
  if (status < 4096) {
    const bool is_limit = status == EMFILE || status == ENFILE;
    return Error(is_limit ? KITH_ERR_LIMIT : KITH_ERR_IO, where,
                 text + std::strerror(static_cast<int>(status)));
  }
  return Error(KITH_ERR_INTERNAL, where, text + "QUIC status " + std::to_string(status));
}

}  // namespace kith::transport::quic
