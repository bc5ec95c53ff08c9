// Signed envelopes: a payload with its signer's key and a signature that holds in one domain only.
// Spec: libp2p/specs RFC/0002-signed-envelopes.md.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "identity/peer_id.h"

namespace kith::identity {

// seal_envelope returns the envelope message of `payload`, signed with `key` for `domain`.
// `payload_type` says what the payload is, for readers of that domain. KITH_ERR_INVALID_ARGUMENT
// when the domain or the type is empty, KITH_ERR_MESSAGE_TOO_LARGE beyond limits::kEnvelopeBytes.
Result<ByteVector> seal_envelope(const crypto::PrivateKey& key, std::string_view domain,
                                 Bytes payload_type, Bytes payload);

// Envelope is an opened envelope: `signer` and `key` are whose signature of type and payload was
// verified. Whether that is the right peer is for the reader to say. The spans borrow from the
// message.
struct Envelope {
  PeerId signer;
  crypto::PublicKey key;
  Bytes payload_type;
  Bytes payload;
};

// open_envelope reads an envelope message, which must fill `in`, and verifies it for `domain`.
// Unknown fields are skipped, as they are not signed; repeated ones refused. An empty payload type
// is valid. KITH_ERR_MALFORMED, KITH_ERR_MESSAGE_TOO_LARGE beyond limits::kEnvelopeBytes,
// KITH_ERR_UNSUPPORTED_KEY, KITH_ERR_BAD_SIGNATURE (which a wrong domain looks like, too).
Result<Envelope> open_envelope(Bytes in, std::string_view domain);

// UnverifiedEnvelope is what anybody can write into an envelope. For readers that must look at the
// payload type to know the domain; the payload means nothing before verify_envelope.
struct UnverifiedEnvelope {
  Bytes public_key;  // PublicKey message
  Bytes payload_type;
  Bytes payload;
  Bytes signature;
};
Result<UnverifiedEnvelope> decode_envelope(Bytes in);
Result<Envelope> verify_envelope(const UnverifiedEnvelope& envelope, std::string_view domain);

}  // namespace kith::identity
