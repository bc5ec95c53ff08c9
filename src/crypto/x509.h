// Self-signed certificates of the kind libp2p uses: read strictly, verified with their own key,
// made for a P-256 key. No names are looked at and no paths are built. protocol/tls gives them
// their meaning. Spec: RFC 5280 (profile), X.690 (DER).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

namespace kith::crypto {

struct CertificateExtension {
  Bytes oid;  // content of the OBJECT IDENTIFIER
  bool critical = false;
  Bytes value;  // content of the OCTET STRING
};

// Certificate is a parsed certificate. All spans are views into the DER it was parsed from.
struct Certificate {
  Bytes to_be_signed;             // what the signature covers
  Bytes signature_algorithm;      // AlgorithmIdentifier, with its header
  Bytes signature;                // content of the BIT STRING
  Bytes subject_public_key_info;  // with its header
  int64_t not_before_unix_s = 0;
  int64_t not_after_unix_s = 0;
  std::vector<CertificateExtension> extensions;  // at most limits::kCertificateExtensions
};

// parse_certificate reads one X.509 version 3 certificate, which must fill `der`. Refused are, with
// KITH_ERR_BAD_CERTIFICATE: anything that is not DER, times with fractions or zones or that do not
// exist, unique identifiers (the TLS specification forbids them), an extension that occurs twice,
// two different signature algorithms. Nothing is verified yet.
Result<Certificate> parse_certificate(Bytes der);

// verify_self_signature checks the signature of a certificate against its own public key. The pairs
// of key and signature that TLS 1.3 knows are taken, where the hash has the strength of the key:
// ECDSA P-256/SHA-256, P-384/SHA-384, P-521/SHA-512; Ed25519; RSA of 2048 to 8192 bits with PKCS#1
// v1.5 or PSS and SHA-256, 384 or 512. Everything else, Ed448 too (go and rust have none), is
// KITH_ERR_UNSUPPORTED_KEY; a signature that does not verify is KITH_ERR_BAD_SIGNATURE.
// In fuzzing builds no signature is checked.
Status verify_self_signature(const Certificate& certificate);

// oid_text returns "1.3.6.1" for the content of an OBJECT IDENTIFIER, or its hex when it is none.
std::string oid_text(Bytes oid);

// SelfSignedCertificate is what goes into a certificate made here.
struct SelfSignedCertificate {
  uint64_t serial_number = 0;  // also the subject's; random, of less than 64 bits
  int64_t not_before_unix_s = 0;
  int64_t not_after_unix_s = 0;
  CertificateExtension extension;  // the only one
};

// make_certificate returns the DER of a certificate for the public half of `key`, signed with
// `key`, which must be of type kEcdsa. KITH_ERR_INVALID_ARGUMENT for another type, or times outside
// the years 1 to 9999.
Result<ByteVector> make_certificate(const PrivateKey& key, const SelfSignedCertificate& content);

// make_pkcs12 packs a certificate and its key for programs that load PKCS#12. Neither encrypted nor
// authenticated: it stays in memory, and an iterated password would only cost time. Load it with no
// password. KITH_ERR_CRYPTO when OpenSSL fails.
Result<SecretBytes> make_pkcs12(Bytes certificate_der, const PrivateKey& key);

// make_pkcs8 returns the DER PrivateKeyInfo (RFC 5208) of a key of type kEcdsa; any other type
// aborts.
SecretBytes make_pkcs8(const PrivateKey& key);

// single_certificate_der returns the DER of the one certificate that a peer sent in a TLS
// handshake, for code that may not know OpenSSL. `x509` is OpenSSL's X509* of the leaf,
// `x509_store_ctx` its X509_STORE_CTX*, whose untrusted stack is the chain as sent.
// `*out_num_certificates` is set to the length of that chain. KITH_ERR_BAD_CERTIFICATE when there
// is none (`x509` is null), more than one, or one of more than limits::kCertificateBytes. Both are
// borrowed for the call.
Result<ByteVector> single_certificate_der(void* x509, void* x509_store_ctx,
                                          size_t* out_num_certificates);

}  // namespace kith::crypto
