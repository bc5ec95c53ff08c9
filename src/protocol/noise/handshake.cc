#include "protocol/noise/handshake.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "crypto/hkdf.h"

namespace kith::noise {
namespace {

constexpr char kWhere[] = "noise";
constexpr std::string_view kProtocolName = "Noise_XX_25519_ChaChaPoly_SHA256";
constexpr size_t kHashBytes = 32;
constexpr size_t kPublicKeyBytes = 32;
static_assert(kProtocolName.size() == kHashBytes);  // a longer one would be hashed

Error failed(const char* detail) { return Error(KITH_ERR_HANDSHAKE, kWhere, detail); }

void take_key(Bytes& rest, crypto::X25519PublicKey& out) {
  std::copy_n(rest.begin(), out.size(), out.begin());
  rest = rest.subspan(out.size());
}

}  // namespace

SymmetricState::SymmetricState() {
  const Bytes name = as_bytes(kProtocolName);
  std::copy(name.begin(), name.end(), hash_.begin());
  chaining_key_.assign(name.begin(), name.end());
}

void SymmetricState::mix_key(Bytes input_key) {
  const crypto::SecretBytes keys =
      crypto::hkdf_sha256(chaining_key_, input_key, {}, 2 * kHashBytes);
  chaining_key_.assign(keys.begin(), keys.begin() + kHashBytes);
  key_.assign(keys.begin() + kHashBytes, keys.end());
  nonce_ = 0;
}

void SymmetricState::mix_hash(Bytes data) {
  crypto::Sha256 sha;
  sha.update(hash_);
  sha.update(data);
  hash_ = sha.finish();
}

Status SymmetricState::encrypt_and_hash(Bytes plaintext, OutputBytes& out) {
  const size_t size = plaintext.size() + (has_key() ? kTagBytes : 0);
  uint8_t* text = out.extend(size);
  if (has_key()) {
    CipherState cipher(key_, CipherState::Direction::kSeal, nonce_++);
    KITH_TRY(cipher.seal(hash_, {&plaintext, 1}, text));
  } else {
    std::copy(plaintext.begin(), plaintext.end(), text);
  }
  mix_hash({text, size});
  return {};
}

Result<ByteVector> SymmetricState::decrypt_and_hash(Bytes data) {
  ByteVector text = to_vector(data);
  if (has_key()) {
    CipherState cipher(key_, CipherState::Direction::kOpen, nonce_++);
    if (!cipher.open(hash_, text).ok()) return failed("a handshake message does not decrypt");
    text.resize(text.size() - kTagBytes);
  }
  mix_hash(data);
  return text;
}

crypto::SecretBytes SymmetricState::split() const {
  return crypto::hkdf_sha256(chaining_key_, {}, {}, 2 * kHashBytes);
}

Handshake::Handshake(Role role, Bytes prologue, crypto::X25519Key static_key,
                     crypto::X25519Key ephemeral_key)
    : role_(role), static_key_(std::move(static_key)), ephemeral_key_(std::move(ephemeral_key)) {
  symmetric_.mix_hash(prologue);
}

Status Handshake::mix_secret(const crypto::X25519Key& ours, const crypto::X25519PublicKey& theirs) {
  KITH_ASSIGN(const crypto::SecretBytes secret, ours.shared_secret(theirs));
  symmetric_.mix_key(secret);
  return {};
}

Status Handshake::write_static(OutputBytes& out) {
  return symmetric_.encrypt_and_hash(static_key_.public_key(), out);
}

Status Handshake::write(Bytes payload, OutputBytes& out) {
  if (!is_our_turn()) return Error(KITH_ERR_INVALID_STATE, kWhere, "it is the peer's turn");
  const size_t begin = out.size();
  if (next_ < 2) {
    out.append(ephemeral_key_.public_key());
    symmetric_.mix_hash(ephemeral_key_.public_key());
  }
  if (next_ == 1) {
    KITH_TRY(mix_secret(ephemeral_key_, remote_ephemeral_));  // ee
    KITH_TRY(write_static(out));                              // s
    KITH_TRY(mix_secret(static_key_, remote_ephemeral_));     // es
  } else if (next_ == 2) {
    KITH_TRY(write_static(out));                           // s
    KITH_TRY(mix_secret(static_key_, remote_ephemeral_));  // se
  }
  if (out.size() - begin + payload.size() + kTagBytes > kMaxMessage) {
    return Error(KITH_ERR_MESSAGE_TOO_LARGE, kWhere, "our handshake payload is too large");
  }
  KITH_TRY(symmetric_.encrypt_and_hash(payload, out));
  ++next_;
  return {};
}

Status Handshake::read_keys(Bytes& rest) {
  if (next_ < 2) {
    if (rest.size() < kPublicKeyBytes) return failed("a handshake message is too short");
    take_key(rest, remote_ephemeral_);
    symmetric_.mix_hash(remote_ephemeral_);
  }
  if (next_ == 0) return {};
  if (next_ == 1) KITH_TRY(mix_secret(ephemeral_key_, remote_ephemeral_));  // ee
  static constexpr size_t kSealedKeyBytes = kPublicKeyBytes + kTagBytes;
  if (rest.size() < kSealedKeyBytes) return failed("a handshake message is too short");
  KITH_ASSIGN(const ByteVector key,
              symmetric_.decrypt_and_hash(rest.first(kSealedKeyBytes)));  // s
  std::copy(key.begin(), key.end(), remote_static_.begin());
  rest = rest.subspan(kSealedKeyBytes);
  return mix_secret(ephemeral_key_, remote_static_);  // es for the initiator, se for the responder
}

Result<ByteVector> Handshake::read(Bytes message) {
  if (is_done() || is_our_turn()) {
    return Error(KITH_ERR_INVALID_STATE, kWhere, "it is not the peer's turn");
  }
  KITH_TRY(read_keys(message));
  KITH_ASSIGN(ByteVector payload, symmetric_.decrypt_and_hash(message));
  ++next_;
  return payload;
}

CipherState Handshake::cipher(bool is_initiators, CipherState::Direction direction) const {
  KITH_CHECK(is_done());
  const crypto::SecretBytes keys = symmetric_.split();
  return CipherState(Bytes(keys).subspan(is_initiators ? 0 : kHashBytes, kHashBytes), direction);
}

CipherState Handshake::encryptor() const {
  return cipher(role_ == Role::kInitiator, CipherState::Direction::kSeal);
}

CipherState Handshake::decryptor() const {
  return cipher(role_ == Role::kResponder, CipherState::Direction::kOpen);
}

}  // namespace kith::noise
