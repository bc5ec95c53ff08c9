// Raw bytes as a peer's certificate. In fuzzing builds signatures count as good, so that inputs get
// to the end; in the others this checks that only the good ones among the corpus are taken.
#include "protocol/tls/certificate.h"

#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "crypto/x509.h"

namespace kith {
namespace {

constexpr int64_t kNow = 1767225600;  // 2026-01-01

bool inside(Bytes part, Bytes whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void run(Bytes in) {
  const auto certificate = crypto::parse_certificate(in);
  if (certificate.ok()) {
    KITH_CHECK(inside(certificate->to_be_signed, in) && inside(certificate->signature, in));
    KITH_CHECK(inside(certificate->subject_public_key_info, in));
    KITH_CHECK(certificate->extensions.size() <= limits::kCertificateExtensions);
    for (const crypto::CertificateExtension& extension : certificate->extensions) {
      KITH_CHECK(inside(extension.oid, in) && inside(extension.value, in));
      KITH_CHECK(!crypto::oid_text(extension.oid).empty());
    }
    (void)crypto::verify_self_signature(*certificate);
  }
  const auto peer = tls::verify_certificate(in, kNow);
  if (peer.ok()) {
    KITH_CHECK(certificate.ok() && in.size() <= limits::kCertificateBytes);
    KITH_CHECK(certificate->not_before_unix_s <= kNow && kNow <= certificate->not_after_unix_s);
    KITH_CHECK(peer->id.matches(peer->key));
    // The same certificate at other times is refused for the time alone.
    KITH_CHECK(!tls::verify_certificate(in, certificate->not_before_unix_s - 1).ok());
    KITH_CHECK(!tls::verify_certificate(in, certificate->not_after_unix_s + 1).ok());
  } else {
    KITH_CHECK(!peer.error().detail().empty());
  }
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
