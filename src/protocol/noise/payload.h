// What libp2p puts into the second and third message of a Noise handshake: the protobuf
// NoiseHandshakePayload. Spec: libp2p/specs noise/README.md, "The libp2p Handshake Payload".
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/x25519.h"

namespace kith::noise {

// Payload is a decoded message; its spans are views into the bytes it was read from.
struct Payload {
  Bytes identity_key;
  Bytes identity_sig;
  std::vector<Bytes> certhashes;
  std::vector<Bytes> muxers;
};

// decode_payload reads a payload; what it does not know it passes over. KITH_ERR_MALFORMED: no
// protobuf, no identity key, no signature, or a second one of the fields that occur once;
// KITH_ERR_LIMIT beyond limits::kNoiseMuxers and the like.
Result<Payload> decode_payload(Bytes in);

// verify_payload checks that the identity key in `payload` signed `static_key` and returns that
// identity key. KITH_ERR_BAD_SIGNATURE, or what identity::decode_public_key says of the key.
Result<crypto::PublicKey> verify_payload(const Payload& payload,
                                         const crypto::X25519PublicKey& static_key);

// encode_identity returns the fields that vouch for `static_key`, signed with `identity_key`.
// KITH_ERR_CRYPTO.
Result<ByteVector> encode_identity(const crypto::PrivateKey& identity_key,
                                   const crypto::X25519PublicKey& static_key);

// append_extensions appends the field for the extensions to a payload, unless there are none.
void append_extensions(ByteVector& payload, std::span<const ByteVector> certhashes,
                       std::span<const std::string_view> muxers);

}  // namespace kith::noise
