// Certificates for libp2p TLS, right and wrong in every way the attacker needs.
// Spec: libp2p/specs tls/tls.md.
#pragma once

#include <cstdint>

#include "tests/attacker/host_key.h"
#include "tests/attacker/wire.h"

namespace kith::attacker {

enum class ExtensionBody {
  kSignedKey,         // as specified
  kFlippedSignature,  // one bit of the signature is wrong
  kStolen,            // signed by the host key, but over another certificate's key
  kGarbage,           // random bytes instead of a SignedKey
  kTrailingBytes,     // a right SignedKey and three bytes more
  kEmpty,             // nothing inside
};

// What the certificate is to look like. The default is a right one.
struct CertificateSpec {
  ExtensionBody body = ExtensionBody::kSignedKey;
  int extensions = 1;  // copies of the libp2p extension
  bool critical = false;
  bool unknown_critical = false;  // another extension, critical, that nobody knows
  bool broken_self_signature = false;
  int64_t not_before = -3600;  // seconds from now
  int64_t not_after = 24 * 3600;
  size_t padding_bytes = 0;      // a harmless extension of this size
  size_t more_certificates = 0;  // unrelated ones that follow in the chain
};

// make_pkcs12 returns a new P-256 key with its self-signed certificate for `host`, and the rest of
// the chain, as an unencrypted PKCS #12.
Bytes make_pkcs12(const HostKey& host, const CertificateSpec& spec);

}  // namespace kith::attacker
