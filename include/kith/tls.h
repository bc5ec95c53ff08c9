// The libp2p TLS extension: certificates that prove a peer id, for any TLS or QUIC stack. Usable on its own; any thread.
// Spec: libp2p/specs tls/tls.md.
#ifndef KITH_TLS_H
#define KITH_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "kith/identity.h"

#ifdef __cplusplus
extern "C" {
#endif

// The ALPN protocol of libp2p over QUIC.
#define KITH_TLS_ALPN "libp2p"
// Room for any certificate and key that kith_tls_make writes.
#define KITH_TLS_CERTIFICATE_MAX 4096

// kith_tls_make makes a certificate for `host_key` with a fresh ECDSA P-256 key: the certificate in DER at
// `out_certificate`, its private key as PKCS#8 DER at `out_key`, both sized as in kith_key_encode,
// except that the size told without enough room is KITH_TLS_CERTIFICATE_MAX: each certificate has another size.
// `now` is the time in seconds since 1970.
KITH_API kith_status kith_tls_make(const kith_key* host_key, int64_t now, uint8_t* out_certificate,
                                   size_t* inout_certificate_len, uint8_t* out_key,
                                   size_t* inout_key_len);

// kith_tls_verify checks the one certificate that a peer presented (DER) and writes whom it proves: the peer id as text
// to `out_peer_id` (room for KITH_PEER_ID_TEXT_MAX). The caller must refuse chains of more than one certificate, and
// let its TLS stack check that the peer holds the certificate's key.
// Returns KITH_OK, KITH_ERR_BAD_CERTIFICATE, KITH_ERR_BAD_SIGNATURE or KITH_ERR_UNSUPPORTED_KEY.
KITH_API kith_status kith_tls_verify(const uint8_t* certificate, size_t certificate_len,
                                     int64_t now, char* out_peer_id, kith_error* out_error);

#ifdef __cplusplus
}
#endif
#endif  // KITH_TLS_H
