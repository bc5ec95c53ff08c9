#include "protocol/tls/certificate_cache.h"

#include <cstring>

namespace kith::tls {

size_t CertificateCache::DigestHash::operator()(const crypto::Sha256Digest& digest) const {
  size_t out;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

CertificateCache::CertificateCache(size_t capacity) : capacity_(capacity) {}

Result<identity::PeerId> CertificateCache::verify(Bytes der, int64_t now_unix_s) {
  // What is too large is not worth a hash; verify_certificate says so.
  const bool use = capacity_ != 0 && der.size() <= limits::kCertificateBytes;
  const crypto::Sha256Digest digest = use ? crypto::sha256(der) : crypto::Sha256Digest{};
  const auto known = use ? by_digest_.find(digest) : by_digest_.end();
  if (known != by_digest_.end()) {
    const Entry& entry = *known->second;
    if (entry.not_before_unix_s <= now_unix_s && now_unix_s <= entry.not_after_unix_s) {
      entries_.splice(entries_.begin(), entries_, known->second);
      ++hits_;
      return entry.peer;
    }
  }
  KITH_ASSIGN(const VerifiedPeer peer, verify_certificate(der, now_unix_s));
  if (!use) return peer.id;
  if (by_digest_.size() == capacity_) {
    by_digest_.erase(entries_.back().digest);
    entries_.pop_back();
  }
  entries_.push_front({digest, peer.id, peer.not_before_unix_s, peer.not_after_unix_s});
  by_digest_[digest] = entries_.begin();
  return peer.id;
}

}  // namespace kith::tls
