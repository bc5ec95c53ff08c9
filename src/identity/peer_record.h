// Signed peer records: the addresses that a peer vouches for, in an envelope that it signed.
// Spec: libp2p/specs RFC/0003-routing-records.md, with the domain and the payload type of
// go-libp2p.
//
// The RFC's text names the domain "libp2p-routing-state" and the type
// "/libp2p/routing-state-record". go and js never used them: theirs are "libp2p-peer-record" and 03
// 01, which the multicodec table has, and kith makes those. rust-libp2p still sends the form of the
// text by default, in identify and in rendezvous. Both are read, each with its own domain: they say
// the same, under the same key, so the one cannot be passed off as something else by way of the
// other. To send the older one, as a rendezvous point in rust demands, ask for it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "identity/peer_id.h"
#include "wire/multiaddr.h"

namespace kith::identity {

enum class PeerRecordForm {
  kStandard,  // libp2p-peer-record, 03 01
  kLegacy,    // libp2p-routing-state, /libp2p/routing-state-record
};

struct PeerRecord {
  PeerId peer;
  // Grows with every record a peer makes. Not a time: go counts nanoseconds, rust seconds.
  uint64_t seq = 0;
  std::vector<wire::Multiaddr> addresses;
};

// seal_peer_record returns the signed record of the peer whose key is `key`. Empty addresses are
// left out. KITH_ERR_MESSAGE_TOO_LARGE when it exceeds limits::kEnvelopeBytes.
Result<ByteVector> seal_peer_record(const crypto::PrivateKey& key, uint64_t seq,
                                    std::span<const wire::Multiaddr> addresses,
                                    PeerRecordForm form = PeerRecordForm::kStandard);

// open_peer_record reads and verifies a signed record of either form. The peer in it is the one
// that signed it. Addresses that do not parse here are left out, as go does: a newer peer may have
// protocols that are unknown here; so are those beyond limits::kPeerRecordAddresses. Errors of
// open_envelope; KITH_ERR_MALFORMED for another payload; KITH_ERR_PEER_ID_MISMATCH when the record
// is another peer's.
Result<PeerRecord> open_peer_record(Bytes in);

}  // namespace kith::identity
