// PeerId: who a peer is, the multihash of its public key message. Keys whose message has up to 42
// bytes (Ed25519, secp256k1) are inside it whole, larger ones as their SHA-256. Spec: libp2p/specs
// peer-ids/peer-ids.md, "Peer Ids".
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"

namespace kith::identity {

// PeerId is a value: cheap to copy, compared and ordered by its bytes. A default-constructed one is
// empty and is no peer's.
class PeerId {
 public:
  // Longest key message that is put in whole.
  static constexpr size_t kMaxInlineKeyBytes = 42;
  static constexpr size_t kMaxBytes = 2 + kMaxInlineKeyBytes;

  PeerId() = default;

  // from_public_key derives the id of a key.
  static PeerId from_public_key(const crypto::PublicKey& key);

  // parse reads either text form: bare base58btc ("12D3...", "16Uiu2...", "Qm...") or a version 1
  // CID of type libp2p-key in any base. Spaces and "/p2p/" are not part of it. KITH_ERR_MALFORMED;
  // KITH_ERR_LIMIT beyond limits::kPeerIdTextBytes.
  static Result<PeerId> parse(std::string_view text);

  // decode reads the binary form, which must fill `multihash`: sha2-256, or identity of 1 to 42
  // bytes. The bytes inside an identity need not be a key; public_key() says. KITH_ERR_MALFORMED.
  static Result<PeerId> decode(Bytes multihash);

  bool empty() const { return size_ == 0; }
  // bytes returns the multihash, borrowed from this; empty if this is.
  Bytes bytes() const { return Bytes(bytes_).first(size_); }
  // to_string returns bare base58btc, the form that everybody reads.
  std::string to_string() const;
  // to_cid_text returns the CID in base32; empty if this is.
  std::string to_cid_text() const;

  // matches says whether this is the id of `key`.
  bool matches(const crypto::PublicKey& key) const { return from_public_key(key) == *this; }
  // public_key returns the key inside, if there is one whose id this is.
  std::optional<crypto::PublicKey> public_key() const;

  friend bool operator==(const PeerId&, const PeerId&) = default;
  friend std::strong_ordering operator<=>(const PeerId&, const PeerId&) = default;

 private:
  explicit PeerId(Bytes multihash);

  std::array<uint8_t, kMaxBytes>
      bytes_{};  // zeros after size_, so that comparing members compares ids
  uint8_t size_ = 0;
};

}  // namespace kith::identity

template <>
struct std::hash<kith::identity::PeerId> {
  size_t operator()(const kith::identity::PeerId& id) const {
    return std::hash<std::string_view>()(kith::as_text(id.bytes()));
  }
};
