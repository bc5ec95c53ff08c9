// CipherState of the Noise Protocol Framework, revision 34, section 5.1: a key and a counter for
// its nonces.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/chacha20_poly1305.h"

namespace kith::noise {

inline constexpr size_t kMaxMessage =
    65535;  // of the Noise framework, and what two bytes of length can say
inline constexpr size_t kTagBytes = crypto::ChaCha20Poly1305::kTagBytes;
inline constexpr size_t kMaxPlaintext = kMaxMessage - kTagBytes;
inline constexpr size_t kLengthBytes = 2;  // before each message on the wire, big-endian

// CipherState seals or opens messages in their order, one nonce each. A nonce counts as used
// whatever comes of it, but after a message that does not open there must be no other: the caller
// stops.
class CipherState {
 public:
  using Direction = crypto::ChaCha20Poly1305::Direction;
  // `nonce` is the first one.
  CipherState(Bytes key32, Direction direction, uint64_t nonce = 0)
      : aead_(key32, direction), nonce_(nonce) {}

  // seal writes the message of `plaintext` to `out`: kTagBytes more than that. KITH_ERR_LIMIT when
  // the nonces are used up.
  Status seal(Bytes associated_data, std::span<const Bytes> plaintext, uint8_t* out);

  // open decrypts `message` in place; the plaintext is its beginning, kTagBytes less.
  // KITH_ERR_MALFORMED when it does not decrypt; KITH_ERR_LIMIT when the nonces are used up.
  Status open(Bytes associated_data, MutableBytes message);

  // The same for a message that arrives in pieces, without associated data: begin_open(), which
  // may be out of nonces, open_piece() for each piece of the ciphertext, and end_open() with the
  // tag. The plaintext goes to `out`, and is worth nothing before end_open() says so.
  Status begin_open(uint8_t* out);
  void open_piece(Bytes piece) { aead_.open_piece(piece); }
  Status end_open(Bytes tag);

  // How many more messages there can be.
  uint64_t nonces_left() const { return UINT64_MAX - nonce_; }

 private:
  Result<crypto::ChaCha20Poly1305::Nonce> next_nonce();
  crypto::ChaCha20Poly1305 aead_;
  uint64_t nonce_;
};

}  // namespace kith::noise
