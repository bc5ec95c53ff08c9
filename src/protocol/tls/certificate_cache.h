// CertificateCache: certificates that were verified before are not verified again.
//
// The two signatures of a certificate take most of the time that identifying a peer takes, and a
// peer shows the same certificate on every connection. Its hash stands for it: equal hash, equal
// bytes, equal outcome, but for the time, which is checked again. Failures are not remembered.
#pragma once

#include <list>
#include <unordered_map>

#include "base/limits.h"
#include "crypto/sha256.h"
#include "protocol/tls/certificate.h"

namespace kith::tls {

class CertificateCache {
 public:
  // Remembers the `capacity` certificates used last; none with 0. An entry is about 200 bytes.
  explicit CertificateCache(size_t capacity = limits::kVerifiedCertificates);

  // verify is verify_certificate() for the peer's id.
  Result<identity::PeerId> verify(Bytes der, int64_t now_unix_s);

  size_t size() const { return by_digest_.size(); }
  // How many verifications the cache has saved.
  uint64_t hits() const { return hits_; }

 private:
  struct Entry {
    crypto::Sha256Digest digest;
    identity::PeerId peer;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
  };
  struct DigestHash {
    size_t operator()(const crypto::Sha256Digest& digest) const;
  };
  const size_t capacity_;
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<crypto::Sha256Digest, std::list<Entry>::iterator, DigestHash> by_digest_;
  uint64_t hits_ = 0;
};

}  // namespace kith::tls
