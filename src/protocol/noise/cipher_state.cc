#include "protocol/noise/cipher_state.h"

namespace kith::noise {
namespace {
constexpr char kWhere[] = "noise";

Status verdict(bool is_authentic) {
  if (is_authentic) return {};
  return Error(KITH_ERR_MALFORMED, kWhere, "a frame does not decrypt");
}
}  // namespace

Result<crypto::ChaCha20Poly1305::Nonce> CipherState::next_nonce() {
  // "If incrementing n results in 2^64-1, then any further EncryptWithAd() or DecryptWithAd() calls
  // will signal an error": that nonce is reserved.
  if (nonce_ == UINT64_MAX) return Error(KITH_ERR_LIMIT, kWhere, "all nonces are used up");
  crypto::ChaCha20Poly1305::Nonce out{};  // 32 bits of zeros, then the counter in little-endian
  for (size_t i = 0; i < 8; ++i) out[4 + i] = static_cast<uint8_t>(nonce_ >> (8 * i));
  ++nonce_;
  return out;
}

Status CipherState::seal(Bytes associated_data, std::span<const Bytes> plaintext, uint8_t* out) {
  KITH_ASSIGN(const auto nonce, next_nonce());
  aead_.seal(nonce, associated_data, plaintext, out);
  return {};
}

Status CipherState::open(Bytes associated_data, MutableBytes message) {
  KITH_ASSIGN(const auto nonce, next_nonce());
  return verdict(aead_.open(nonce, associated_data, message));
}

Status CipherState::begin_open(uint8_t* out) {
  KITH_ASSIGN(const auto nonce, next_nonce());
  aead_.begin_open(nonce, {}, out);
  return {};
}

Status CipherState::end_open(Bytes tag) { return verdict(aead_.end_open(tag)); }

}  // namespace kith::noise
