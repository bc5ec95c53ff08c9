// Noise by hand, over OpenSSL's primitives. See noise.h.
#include "tests/attacker/noise.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>

namespace kith::attacker {
namespace {

constexpr size_t kKeyBytes = 32, kTagBytes = 16;
constexpr size_t kMaxPlaintext = 65535 - kTagBytes;
constexpr std::string_view kName = "Noise_XX_25519_ChaChaPoly_SHA256";
constexpr std::string_view kSignaturePrefix = "noise-libp2p-static-key:";

Pkey make_x25519() { return Pkey(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")); }

Bytes public_of(EVP_PKEY* key) {
  Bytes out(kKeyBytes);
  size_t size = out.size();
  EVP_PKEY_get_raw_public_key(key, out.data(), &size);
  return out;
}

Bytes hmac(View key, View message) {
  Bytes out(SHA256_DIGEST_LENGTH);
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
       out.data(), nullptr);
  return out;
}

// HKDF of the Noise framework: two keys, one after the other.
Bytes hkdf(View chaining_key, View secret) {
  const Bytes temporary = hmac(chaining_key, secret);
  Bytes out = hmac(temporary, Bytes{1});
  Bytes rest = out;
  rest.push_back(2);
  append(out, hmac(temporary, rest));
  return out;
}

// Seals or opens with ChaCha20-Poly1305; false if the tag is wrong.
bool aead(bool seals, const uint8_t* key, uint64_t nonce, View associated, View in, Bytes& out) {
  if (!seals && in.size() < kTagBytes) return false;
  uint8_t iv[12] = {};
  for (int i = 0; i < 8; ++i) iv[4 + i] = static_cast<uint8_t>(nonce >> (8 * i));
  const size_t size = seals ? in.size() : in.size() - kTagBytes;
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), nullptr, key, iv, seals ? 1 : 0);
  int n = 0;
  if (!associated.empty()) {
    EVP_CipherUpdate(ctx, nullptr, &n, associated.data(), static_cast<int>(associated.size()));
  }
  const size_t at = out.size();
  out.resize(at + size + (seals ? kTagBytes : 0));
  if (size != 0) EVP_CipherUpdate(ctx, out.data() + at, &n, in.data(), static_cast<int>(size));
  if (!seals) {
    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                        const_cast<uint8_t*>(in.data() + size));
  }
  uint8_t last[16];
  const bool is_right = EVP_CipherFinal_ex(ctx, last, &n) == 1;
  if (seals) EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out.data() + at + size);
  EVP_CIPHER_CTX_free(ctx);
  if (!is_right) out.resize(at);
  return is_right;
}

Bytes framed(View message) {
  Bytes out{static_cast<uint8_t>(message.size() >> 8), static_cast<uint8_t>(message.size())};
  append(out, message);
  return out;
}

}  // namespace

NoiseChannel::NoiseChannel(TcpSocket& socket)
    : socket_(socket), hash_(bytes_of(kName)), chaining_key_(hash_) {
  mix_hash({});  // no prologue
}

void NoiseChannel::mix_hash(View data) {
  Bytes both = hash_;
  append(both, data);
  SHA256(both.data(), both.size(), hash_.data());
}

void NoiseChannel::mix_key(View secret) {
  const Bytes keys = hkdf(chaining_key_, secret);
  chaining_key_.assign(keys.begin(), keys.begin() + kKeyBytes);
  std::copy(keys.begin() + kKeyBytes, keys.end(), cipher_.key.begin());
  cipher_.nonce = 0;
}

bool NoiseChannel::mix_secret(EVP_PKEY* ours, View theirs) {
  Pkey peer(EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, theirs.data(), kKeyBytes));
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new(ours, nullptr);
  Bytes secret(kKeyBytes);
  size_t size = secret.size();
  const bool is_ok = EVP_PKEY_derive_init(ctx) == 1 &&
                     EVP_PKEY_derive_set_peer(ctx, peer.get()) == 1 &&
                     EVP_PKEY_derive(ctx, secret.data(), &size) == 1;
  EVP_PKEY_CTX_free(ctx);
  if (is_ok) mix_key(secret);
  return is_ok;
}

Bytes NoiseChannel::encrypt_and_hash(View plaintext) {
  Bytes out;
  aead(true, cipher_.key.data(), cipher_.nonce++, hash_, plaintext, out);
  mix_hash(out);
  return out;
}

bool NoiseChannel::decrypt_and_hash(View data, Bytes& out) {
  if (!aead(false, cipher_.key.data(), cipher_.nonce++, hash_, data, out)) return false;
  mix_hash(data);
  return true;
}

bool NoiseChannel::read_message(Bytes& out, Clock::time_point deadline) {
  const auto length = [&] { return size_t{input_[0]} << 8 | input_[1]; };
  while (input_.size() < 2 || input_.size() < 2 + length()) {
    if (!socket_.receive(input_, deadline)) return false;
  }
  const auto end = input_.begin() + static_cast<ptrdiff_t>(2 + length());
  out.assign(input_.begin() + 2, end);
  input_.erase(input_.begin(), end);
  return true;
}

// <- e, ee, s, es
bool NoiseChannel::read_second(View message, EVP_PKEY* ephemeral, Bytes& their_ephemeral) {
  constexpr size_t kSealedKey = kKeyBytes + kTagBytes;
  if (message.size() < kKeyBytes + kSealedKey) return false;
  their_ephemeral.assign(message.begin(), message.begin() + kKeyBytes);
  mix_hash(their_ephemeral);
  Bytes their_static, payload;
  return mix_secret(ephemeral, their_ephemeral) &&
         decrypt_and_hash(message.subspan(kKeyBytes, kSealedKey), their_static) &&
         mix_secret(ephemeral, their_static) &&
         decrypt_and_hash(message.subspan(kKeyBytes + kSealedKey), payload);
}

bool NoiseChannel::handshake(const HostKey& host, const NoisePlan& plan,
                             Clock::time_point deadline) {
  if (!agree(socket_, "/noise", input_, deadline)) return false;
  const Pkey ephemeral = make_x25519(), own_static = make_x25519(), other = make_x25519();
  const Bytes first = plan.ephemeral.empty() ? public_of(ephemeral.get()) : plan.ephemeral;
  mix_hash(first);
  mix_hash({});
  Bytes message, their_ephemeral;
  if (!socket_.send(framed(first), deadline) || !read_message(message, deadline) ||
      !read_second(message, ephemeral.get(), their_ephemeral)) {
    return false;
  }
  Bytes third = encrypt_and_hash(public_of(own_static.get()));
  if (!mix_secret(own_static.get(), their_ephemeral)) return false;
  Bytes to_sign = bytes_of(kSignaturePrefix), payload;
  append(to_sign, public_of(plan.foreign_signature ? other.get() : own_static.get()));
  append_field(payload, 1, host.public_key());
  if (!plan.no_signature) append_field(payload, 2, host.sign(to_sign));
  append(third, encrypt_and_hash(payload));
  const Bytes keys = hkdf(chaining_key_, {});
  std::copy_n(keys.begin(), kKeyBytes, out_.key.begin());
  std::copy_n(keys.begin() + kKeyBytes, kKeyBytes, in_.key.begin());
  return socket_.send(framed(third), deadline);
}

Bytes NoiseChannel::seal(View plaintext) {
  Bytes out;
  while (!plaintext.empty()) {
    const View piece = plaintext.first(std::min(plaintext.size(), kMaxPlaintext));
    plaintext = plaintext.subspan(piece.size());
    const size_t size = piece.size() + kTagBytes;
    out.push_back(static_cast<uint8_t>(size >> 8));
    out.push_back(static_cast<uint8_t>(size));
    aead(true, out_.key.data(), out_.nonce++, {}, piece, out);
  }
  return out;
}

bool NoiseChannel::receive(Bytes& out, Clock::time_point deadline) {
  Bytes message;
  return read_message(message, deadline) &&
         aead(false, in_.key.data(), in_.nonce++, {}, message, out);
}

}  // namespace kith::attacker
