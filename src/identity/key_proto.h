// Keys as libp2p's protobuf messages PublicKey and PrivateKey: KeyType Type = 1; bytes Data = 2.
// The specification demands one encoding per key, because peer ids are hashes of it.
// Spec: libp2p/specs peer-ids/peer-ids.md, "Keys".
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

namespace kith::identity {

// encode_public_key returns the one PublicKey message of a key.
ByteVector encode_public_key(const crypto::PublicKey& key);

// decode_public_key reads a PublicKey message, which must fill `in`: type and data, in this order,
// once each, with minimal varints and nothing else. The only key with more than one message that is
// taken is secp256k1, for its uncompressed points. KITH_ERR_MALFORMED, or KITH_ERR_UNSUPPORTED_KEY
// for an unknown type, for keys that crypto::PublicKey::from_data does not support, and beyond
// limits::kPublicKeyBytes.
Result<crypto::PublicKey> decode_public_key(Bytes in);

// encode_private_key returns the one PrivateKey message of a key: what libp2p programs keep in
// files.
crypto::SecretBytes encode_private_key(const crypto::PrivateKey& key);

// decode_private_key reads a PrivateKey message of up to limits::kPrivateKeyBytes, as strictly as
// decode_public_key. Older forms of the data are taken as crypto::PrivateKey::from_data says.
Result<crypto::PrivateKey> decode_private_key(Bytes in);

}  // namespace kith::identity
