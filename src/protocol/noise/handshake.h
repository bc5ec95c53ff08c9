// The handshake Noise_XX_25519_ChaChaPoly_SHA256, without what libp2p puts into its payloads. Spec:
// The Noise Protocol Framework, revision 34, sections 5.2 and 5.3; pattern XX of section 7.5.
//
//   message 0   -> e
//   message 1   <- e, ee, s, es
//   message 2   -> s, se
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "crypto/x25519.h"
#include "protocol/noise/cipher_state.h"

namespace kith::noise {

// SymmetricState is the running hash and key of a handshake.
class SymmetricState {
 public:
  SymmetricState();
  void mix_key(Bytes input_key);
  void mix_hash(Bytes data);
  // encrypt_and_hash appends the encryption of `plaintext`, or itself while there is no key.
  Status encrypt_and_hash(Bytes plaintext, OutputBytes& out);
  // decrypt_and_hash returns the plaintext of `data`, or itself while there is no key.
  Result<ByteVector> decrypt_and_hash(Bytes data);
  // split returns the two keys of 32 bytes for what comes after: the initiator's, then the
  // responder's.
  crypto::SecretBytes split() const;
  const crypto::Sha256Digest& hash() const { return hash_; }
  bool has_key() const { return !key_.empty(); }

 private:
  crypto::Sha256Digest hash_;
  crypto::SecretBytes chaining_key_;
  crypto::SecretBytes key_;
  uint64_t nonce_ = 0;
};

// Handshake writes and reads the three messages; which one is next is its own business. An error is
// final.
class Handshake {
 public:
  enum class Role : uint8_t { kInitiator, kResponder };
  // Both keys are this side's; `ephemeral_key` is used once in its life. `prologue` is not kept.
  Handshake(Role role, Bytes prologue, crypto::X25519Key static_key,
            crypto::X25519Key ephemeral_key);

  bool is_done() const { return next_ == kMessages; }
  // is_our_turn says whether write() is next.
  bool is_our_turn() const { return !is_done() && (next_ % 2 == 0) == (role_ == Role::kInitiator); }

  // write appends the next message, with `payload` in it. KITH_ERR_INVALID_STATE when it is not our
  // turn; KITH_ERR_MESSAGE_TOO_LARGE; KITH_ERR_HANDSHAKE when a shared secret would be zeros.
  Status write(Bytes payload, OutputBytes& out);

  // read takes the next message and returns its payload. KITH_ERR_INVALID_STATE when it is our
  // turn; KITH_ERR_HANDSHAKE when it is too short, does not decrypt, or has a key with which the
  // shared secret would be zeros.
  Result<ByteVector> read(Bytes message);

  // remote_static returns the peer's static key; zeros before it came.
  const crypto::X25519PublicKey& remote_static() const { return remote_static_; }
  // hash identifies the handshake, once done.
  const crypto::Sha256Digest& hash() const { return symmetric_.hash(); }

  // encryptor and decryptor return this side's halves of what comes after. Once done, each once.
  CipherState encryptor() const;
  CipherState decryptor() const;

 private:
  static constexpr int kMessages = 3;
  Status mix_secret(const crypto::X25519Key& ours, const crypto::X25519PublicKey& theirs);
  Status write_static(OutputBytes& out);
  Status read_keys(Bytes& rest);
  CipherState cipher(bool is_initiators, CipherState::Direction direction) const;

  Role role_;
  int next_ = 0;  // message
  SymmetricState symmetric_;
  crypto::X25519Key static_key_;
  crypto::X25519Key ephemeral_key_;
  crypto::X25519PublicKey remote_static_{};
  crypto::X25519PublicKey remote_ephemeral_{};
};

}  // namespace kith::noise
