// Client Initials. See initial.h.
#include "tests/attacker/initial.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

namespace kith::attacker {
namespace {

constexpr size_t kKeyBytes = 16, kIvBytes = 12, kTagBytes = 16, kSampleBytes = 16,
                 kMaxNumberBytes = 4;
constexpr uint8_t kVersion[] = {0, 0, 0, 1};
constexpr uint8_t kSalt[] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                             0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};

Bytes hmac(View key, View data) {
  Bytes out(32);
  unsigned size = 32;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(),
       &size);
  return out;
}

// HKDF-Expand-Label of TLS 1.3 without context, for at most 32 bytes.
Bytes expand(View secret, std::string_view label, size_t size) {
  std::string name = "tls13 " + std::string(label);
  Bytes info{0, static_cast<uint8_t>(size), static_cast<uint8_t>(name.size())};
  append(info, name);
  info.push_back(0);  // context
  info.push_back(1);  // first and only block
  Bytes out = hmac(secret, info);
  out.resize(size);
  return out;
}

struct Keys {
  explicit Keys(View destination) {
    Bytes secret = expand(hmac(kSalt, destination), "client in", 32);
    key = expand(secret, "quic key", kKeyBytes);
    iv = expand(secret, "quic iv", kIvBytes);
    header = expand(secret, "quic hp", kKeyBytes);
  }

  std::array<uint8_t, kSampleBytes> mask(View sample) const {
    std::array<uint8_t, kSampleBytes> out{};
    int size = 0;
    EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), nullptr, header.data(), nullptr);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    EVP_EncryptUpdate(ctx, out.data(), &size, sample.data(), kSampleBytes);
    EVP_CIPHER_CTX_free(ctx);
    return out;
  }

  Bytes nonce(View number) const {
    Bytes out = iv;
    for (size_t i = 0; i < number.size(); ++i) out[kIvBytes - number.size() + i] ^= number[i];
    return out;
  }

  Bytes key, iv, header;
};

bool decrypt(const Keys& keys, View number, View associated, View sealed, Bytes& out) {
  if (sealed.size() < kTagBytes) return false;
  Bytes nonce = keys.nonce(number), tag(sealed.end() - kTagBytes, sealed.end());
  View text = sealed.first(sealed.size() - kTagBytes);
  out.resize(text.size());
  int size = 0;
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(ctx, EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data());
  EVP_DecryptUpdate(ctx, nullptr, &size, associated.data(), static_cast<int>(associated.size()));
  EVP_DecryptUpdate(ctx, out.data(), &size, text.data(), static_cast<int>(text.size()));
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data());
  bool is_right = EVP_DecryptFinal_ex(ctx, out.data() + size, &size) == 1;
  EVP_CIPHER_CTX_free(ctx);
  return is_right;
}

Bytes encrypt(const Keys& keys, View number, View associated, View text) {
  Bytes nonce = keys.nonce(number), out(text.size() + kTagBytes);
  int size = 0;
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), nullptr, keys.key.data(), nonce.data());
  EVP_EncryptUpdate(ctx, nullptr, &size, associated.data(), static_cast<int>(associated.size()));
  EVP_EncryptUpdate(ctx, out.data(), &size, text.data(), static_cast<int>(text.size()));
  EVP_EncryptFinal_ex(ctx, out.data() + size, &size);
  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, kTagBytes, out.data() + text.size());
  EVP_CIPHER_CTX_free(ctx);
  return out;
}

}  // namespace

bool open_client_initial(View datagram, ClientInitial& out) {
  // The least that is looked at without further checks: header, both ids, and a sample behind them.
  constexpr size_t kLeast = 64;
  if (datagram.size() < kLeast || (datagram[0] & 0xf0) != 0xc0) return false;
  size_t at = 5, destination_size = datagram[at++];
  if (destination_size > 20) return false;
  View destination = datagram.subspan(at, destination_size);
  at += destination_size;
  size_t source_size = datagram[at++];
  if (source_size > 20 || at + source_size + 3 > datagram.size()) return false;
  out.source_cid.assign(datagram.begin() + static_cast<ptrdiff_t>(at),
                        datagram.begin() + static_cast<ptrdiff_t>(at + source_size));
  at += source_size;
  // A first flight has no token, and MsQuic writes the length in two bytes.
  if (datagram[at++] != 0 || datagram[at] >> 6 != 1) return false;
  size_t length = (datagram[at] & size_t{0x3f}) << 8 | datagram[at + 1];
  at += 2;
  if (length > datagram.size() - at || length < kMaxNumberBytes + kSampleBytes) return false;

  Keys keys(destination);
  auto mask = keys.mask(datagram.subspan(at + kMaxNumberBytes, kSampleBytes));
  Bytes associated(datagram.begin(), datagram.begin() + static_cast<ptrdiff_t>(at));
  associated[0] ^= static_cast<uint8_t>(mask[0] & 0x0f);
  size_t number_size = (associated[0] & 3u) + 1;
  out.number.clear();
  for (size_t i = 0; i < number_size; ++i) {
    out.number.push_back(static_cast<uint8_t>(datagram[at + i] ^ mask[1 + i]));
  }
  append(associated, out.number);
  return decrypt(keys, out.number, associated,
                 datagram.subspan(at + number_size, length - number_size), out.payload);
}

Bytes seal_client_initial(const ClientInitial& packet, View destination) {
  Keys keys(destination);
  Bytes out{static_cast<uint8_t>(0xc0 | (packet.number.size() - 1))};
  append(out, kVersion);
  out.push_back(static_cast<uint8_t>(destination.size()));
  append(out, destination);
  out.push_back(static_cast<uint8_t>(packet.source_cid.size()));
  append(out, packet.source_cid);
  out.push_back(0);  // no token
  size_t length = packet.number.size() + packet.payload.size() + kTagBytes;
  out.push_back(static_cast<uint8_t>(0x40 | length >> 8));
  out.push_back(static_cast<uint8_t>(length));
  size_t number_at = out.size();
  append(out, packet.number);
  append(out, encrypt(keys, packet.number, out, packet.payload));
  auto mask = keys.mask(View(out).subspan(number_at + kMaxNumberBytes, kSampleBytes));
  out[0] ^= static_cast<uint8_t>(mask[0] & 0x0f);
  for (size_t i = 0; i < packet.number.size(); ++i) out[number_at + i] ^= mask[1 + i];
  return out;
}

}  // namespace kith::attacker
