// The certificate by which a libp2p peer proves its identity inside TLS 1.3, over QUIC and over
// TCP: made anew for a key of its own, self-signed, with an extension in which the host key signs
// that key. Bytes and time in, an identity out; no TLS stack is needed to use it. Spec:
// libp2p/specs tls/tls.md.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/secret.h"
#include "identity/peer_id.h"

namespace kith::tls {

// The application protocol (ALPN) of libp2p.
inline constexpr char kAlpn[] = "libp2p";

// Credentials are what a TLS stack needs to present a peer: the certificate and its private key,
// each in DER, and both together as PKCS#12 with no password.
struct Credentials {
  ByteVector certificate_der;
  crypto::SecretBytes private_key_der;  // PKCS#8 PrivateKeyInfo, P-256
  crypto::SecretBytes pkcs12;
};

// make_credentials makes a P-256 key and a certificate for it in which `host_key` vouches for that
// key. The certificate is about 330 bytes for an Ed25519 host key, is valid from 1975 until 100
// years from `now_unix_s`, and its extension is not marked critical, which the oldest verifiers
// also take. It may serve any number of connections. Costs about two signatures.
// KITH_ERR_INVALID_ARGUMENT when `now_unix_s` is before 1970 or after the year 9899;
// KITH_ERR_CRYPTO.
Result<Credentials> make_credentials(const crypto::PrivateKey& host_key, int64_t now_unix_s);

// VerifiedPeer is who a certificate proves to be at the other end.
struct VerifiedPeer {
  identity::PeerId id;
  crypto::PublicKey key;  // the host key, whose id that is
  // The certificate's period, both ends included.
  int64_t not_before_unix_s = 0;
  int64_t not_after_unix_s = 0;
};

// verify_certificate does all of the specification's checks on the one certificate that a peer
// sent, in one pass: at most limits::kCertificateBytes of DER and nothing after it; valid at
// `now_unix_s`, both ends of the period included; signed with its own key; no critical extension
// but libp2p's; libp2p's exactly once, critical or not, well-formed; the host key's signature over
// the certificate's key. Keep the result and do not verify again: time passes. The caller compares
// `id` with the peer it dialed, and sees to it that the peer sent no second certificate.
//
// KITH_ERR_BAD_CERTIFICATE for what is not as it must be, KITH_ERR_BAD_SIGNATURE for either
// signature, KITH_ERR_UNSUPPORTED_KEY for keys and algorithms that this library does not take; the
// detail says which check failed.
Result<VerifiedPeer> verify_certificate(Bytes der, int64_t now_unix_s);

}  // namespace kith::tls
