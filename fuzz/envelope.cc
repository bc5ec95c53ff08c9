// Raw bytes as a signed envelope and as a signed peer record. In fuzzing builds signatures count as
// good, so that payloads are read.
#include "identity/envelope.h"

#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "identity/peer_record.h"

namespace kith {
namespace {

void run(Bytes in) {
  const auto parts = identity::decode_envelope(in);
  const auto envelope = identity::open_envelope(in, "libp2p-peer-record");
  const auto record = identity::open_peer_record(in);
  if (envelope.ok()) {
    KITH_CHECK(parts.ok() && in.size() <= limits::kEnvelopeBytes);
    KITH_CHECK(envelope->signer.matches(envelope->key));
    KITH_CHECK(equal(envelope->payload, parts->payload));
    KITH_CHECK(equal(envelope->payload_type, parts->payload_type));
  }
  if (record.ok()) {
    KITH_CHECK(parts.ok() && !record->peer.empty());
    KITH_CHECK(record->addresses.size() <= limits::kPeerRecordAddresses);
    for (const wire::Multiaddr& address : record->addresses) KITH_CHECK(!address.empty());
    // It says the same when this library writes it.
    const crypto::PrivateKey key = crypto::PrivateKey::ed25519_from_seed(ByteVector(32, 1)).value();
    const auto sealed = identity::seal_peer_record(key, record->seq, record->addresses);
    if (sealed.ok()) {
      const auto again = identity::open_peer_record(*sealed);
      KITH_CHECK(again.ok() && again->seq == record->seq);
      KITH_CHECK(again->addresses == record->addresses);
    } else {
      KITH_CHECK(sealed.status() == KITH_ERR_MESSAGE_TOO_LARGE);
    }
  }
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
