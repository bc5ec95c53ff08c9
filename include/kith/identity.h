// Keys and peer ids. Usable on its own: no runtime, no network; any thread.
// Spec: libp2p/specs peer-ids/peer-ids.md.
#ifndef KITH_IDENTITY_H
#define KITH_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "kith/error.h"

#ifdef __cplusplus
extern "C" {
#endif

// The numbers of libp2p's key messages.
typedef int32_t kith_key_type;
#define KITH_KEY_RSA 0
#define KITH_KEY_ED25519 1
#define KITH_KEY_SECP256K1 2
#define KITH_KEY_ECDSA 3

// Room for any peer id as text, with its NUL.
#define KITH_PEER_ID_TEXT_MAX 128

// A private key. Immutable; may be used from several threads.
typedef struct kith_key kith_key;

// kith_key_generate makes a new key. `rsa_bits` (2048..8192) counts for RSA only; 0 means 2048.
// Returns KITH_OK and a key in `*out` (release with kith_key_free), KITH_ERR_INVALID_ARGUMENT or KITH_ERR_CRYPTO.
KITH_API kith_status kith_key_generate(kith_key** out, kith_key_type type, uint32_t rsa_bits);

// kith_key_decode reads a private key in libp2p's protobuf encoding (what Kubo and go-libp2p write).
// Returns KITH_OK, KITH_ERR_MALFORMED or KITH_ERR_UNSUPPORTED_KEY; `out_error` says what is wrong.
KITH_API kith_status kith_key_decode(kith_key** out, const uint8_t* data, size_t data_len,
                                     kith_error* out_error);

// kith_key_free releases `key` and wipes it. Harmless on NULL.
KITH_API void kith_key_free(kith_key* key);

KITH_API kith_key_type kith_key_get_type(const kith_key* key);

// kith_key_encode writes the protobuf encoding of the private key to `out`; kith_key_encode_public that of its public
// half. `*inout_len` is the room at `out` and becomes the size; `out` may be NULL to ask for it.
// Returns KITH_OK or KITH_ERR_BUFFER_TOO_SMALL.
KITH_API kith_status kith_key_encode(const kith_key* key, uint8_t* out, size_t* inout_len);
KITH_API kith_status kith_key_encode_public(const kith_key* key, uint8_t* out, size_t* inout_len);

// kith_key_sign writes the signature of `message` to `out`, sized as above.
KITH_API kith_status kith_key_sign(const kith_key* key, uint8_t* out, size_t* inout_len,
                                   const uint8_t* message, size_t message_len);

// kith_verify checks a signature with a public key in protobuf encoding.
// Returns KITH_OK, KITH_ERR_BAD_SIGNATURE, or why the key cannot be read.
KITH_API kith_status kith_verify(const uint8_t* public_key, size_t public_key_len,
                                 const uint8_t* message, size_t message_len,
                                 const uint8_t* signature, size_t signature_len);

// kith_key_peer_id and kith_peer_id_of_public_key write the peer id as base58 text ("12D3KooW...").
// `out` has room for KITH_PEER_ID_TEXT_MAX characters.
KITH_API kith_status kith_key_peer_id(const kith_key* key, char* out);
KITH_API kith_status kith_peer_id_of_public_key(const uint8_t* public_key, size_t public_key_len,
                                                char* out);

// kith_peer_id_parse reads a peer id in any text form (base58, or a CIDv1 in any multibase) and writes it as base58 to
// `out_base58` and as CIDv1 base32 to `out_cid`; each has room for KITH_PEER_ID_TEXT_MAX characters or is NULL.
// Returns KITH_OK, KITH_ERR_MALFORMED, or KITH_ERR_LIMIT if it is longer than any.
KITH_API kith_status kith_peer_id_parse(const char* text, char* out_base58, char* out_cid,
                                        kith_error* out_error);

#ifdef __cplusplus
}
#endif
#endif  // KITH_IDENTITY_H
