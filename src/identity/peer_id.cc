// Peer ids: derivation and the two text forms.
#include "identity/peer_id.h"

#include <algorithm>

#include "base/limits.h"
#include "crypto/sha256.h"
#include "identity/key_proto.h"
#include "wire/cid.h"
#include "wire/multibase.h"
#include "wire/multihash.h"

namespace kith::identity {

namespace {
constexpr char kWhere[] = "peer id";
}  // namespace

PeerId::PeerId(Bytes multihash) : size_(static_cast<uint8_t>(multihash.size())) {
  KITH_CHECK(multihash.size() <= kMaxBytes);
  std::copy(multihash.begin(), multihash.end(), bytes_.begin());
}

PeerId PeerId::from_public_key(const crypto::PublicKey& key) {
  const ByteVector message = encode_public_key(key);
  if (message.size() <= kMaxInlineKeyBytes) {
    return PeerId(wire::encode_multihash(wire::kMultihashIdentity, message));
  }
  return PeerId(wire::encode_multihash(wire::kMultihashSha256, crypto::sha256(message)));
}

Result<PeerId> PeerId::decode(Bytes multihash) {
  KITH_ASSIGN(const wire::Multihash hash, wire::decode_multihash(multihash));
  const bool whole_key = hash.code == wire::kMultihashIdentity;
  if (!whole_key && hash.code != wire::kMultihashSha256) {
    return Error(
        KITH_ERR_MALFORMED, kWhere,
        "hash function " + std::to_string(hash.code) + " is neither sha2-256 nor identity");
  }
  if (whole_key && (hash.digest.empty() || hash.digest.size() > kMaxInlineKeyBytes)) {
    return Error(KITH_ERR_MALFORMED, kWhere, "an identity multihash has 1 to 42 bytes of key");
  }
  return PeerId(multihash);
}

Result<PeerId> PeerId::parse(std::string_view text) {
  if (text.size() > limits::kPeerIdTextBytes) {
    return Error(KITH_ERR_LIMIT, kWhere,
                 std::to_string(text.size()) + " characters are more than any peer id has");
  }
  if (text.starts_with("1") || text.starts_with("Qm")) {
    wire::NumberRoom room;
    KITH_ASSIGN(const Bytes multihash, wire::decode_base58(text, room));
    return decode(multihash);
  }
  KITH_ASSIGN(const wire::Cid cid, wire::Cid::parse(text));
  if (cid.codec() != wire::codec::kLibp2pKey) {
    return Error(KITH_ERR_MALFORMED, kWhere, "the CID's content type is not libp2p-key (0x72)");
  }
  return decode(cid.multihash());
}

std::string PeerId::to_string() const { return wire::encode_base(wire::Base::kBase58Btc, bytes()); }

std::string PeerId::to_cid_text() const {
  const auto cid = wire::Cid::v1(wire::codec::kLibp2pKey, bytes());
  return cid.ok() ? cid->to_string(wire::Base::kBase32) : std::string();
}

std::optional<crypto::PublicKey> PeerId::public_key() const {
  const auto hash = wire::decode_multihash(bytes());
  if (!hash.ok() || hash->code != wire::kMultihashIdentity) return std::nullopt;
  auto key = decode_public_key(hash->digest);
  // A key that has its id elsewhere (an uncompressed point) is not this peer's.
  if (!key.ok() || !matches(*key)) return std::nullopt;
  return std::move(key).value();
}

}  // namespace kith::identity
