// Raw bytes as key messages and peer ids: what is taken has one encoding, which is taken again and
// means the same.
#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "identity/key_proto.h"
#include "identity/peer_id.h"

namespace kith {
namespace {

using crypto::KeyType;
using identity::PeerId;

void check_peer_id(const PeerId& id) {
  KITH_CHECK(!id.empty() && id.bytes().size() <= PeerId::kMaxBytes);
  KITH_CHECK(*PeerId::decode(id.bytes()) == id);
  KITH_CHECK(*PeerId::parse(id.to_string()) == id);
  KITH_CHECK(*PeerId::parse(id.to_cid_text()) == id);
  if (const auto key = id.public_key()) KITH_CHECK(id.matches(*key));
}

void check_public(Bytes in) {
  const auto key = identity::decode_public_key(in);
  if (!key.ok()) return;
  const ByteVector encoded = identity::encode_public_key(*key);
  // Points of secp256k1 come in several forms; everything else in one.
  KITH_CHECK(key->type() == KeyType::kSecp256k1 || equal(encoded, in));
  KITH_CHECK(encoded.size() <= limits::kPublicKeyBytes);
  const auto again = identity::decode_public_key(encoded);
  KITH_CHECK(again.ok() && *again == *key);
  KITH_CHECK(identity::encode_public_key(*again) == encoded);
  const PeerId id = PeerId::from_public_key(*key);
  check_peer_id(id);
  KITH_CHECK(id.matches(*again));
  (void)key->verify(in, in);
}

void check_private(Bytes in) {
  const auto key = identity::decode_private_key(in);
  if (!key.ok()) return;
  const crypto::SecretBytes encoded = identity::encode_private_key(*key);
  const auto again = identity::decode_private_key(encoded);
  KITH_CHECK(again.ok() && again->public_key() == key->public_key());
  KITH_CHECK(identity::encode_private_key(*again) == encoded);
  check_public(identity::encode_public_key(key->public_key()));
  const auto signature = key->sign(in);
  KITH_CHECK(signature.ok() && key->public_key().verify(in, *signature).ok());
}

void run(Bytes in) {
  check_public(in);
  check_private(in);
  if (const auto id = PeerId::decode(in); id.ok()) check_peer_id(*id);
  if (const auto id = PeerId::parse(as_text(in)); id.ok()) check_peer_id(*id);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
