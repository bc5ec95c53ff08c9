// Keys, peer ids, multiaddrs and the certificates of libp2p over TLS. Usable on their own; any thread.
// See kith/identity.h, kith/multiaddr.h and kith/tls.h.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kith/cpp/result.hpp"
#include "kith/identity.h"
#include "kith/multiaddr.h"
#include "kith/tls.h"

namespace kith {
inline namespace api {

namespace detail {
// Calls `f(data, &size)`, which writes a sized output, with as much room as it asks for.
template <typename Container, typename F>
Result<Container> sized_output(F f) {
  Container out;
  size_t size = 1024;  // enough for most
  for (;;) {
    out.resize(size);
    const kith_status status = f(out.data(), &size);
    if (status == KITH_ERR_BUFFER_TOO_SMALL && size > out.size()) continue;
    if (status != KITH_OK) return Error(status);
    out.resize(size);
    return out;
  }
}
}  // namespace detail

// A private key. Immutable; may be used from several threads.
class Key {
 public:
  // `rsa_bits` (2048..8192) counts for RSA only; 0 means 2048.
  static Result<Key> generate(kith_key_type type = KITH_KEY_ED25519, uint32_t rsa_bits = 0) {
    kith_key* key = nullptr;
    const kith_status status = kith_key_generate(&key, type, rsa_bits);
    if (status != KITH_OK) return Error(status);
    return Key(key);
  }
  // Reads libp2p's protobuf encoding of a private key (what Kubo and go-libp2p write).
  static Result<Key> decode(std::span<const uint8_t> data) {
    kith_key* key = nullptr;
    kith_error error{};
    const kith_status status = kith_key_decode(&key, data.data(), data.size(), &error);
    if (status != KITH_OK) return detail::to_error(status, error);
    return Key(key);
  }

  kith_key_type type() const { return kith_key_get_type(key_.get()); }
  // The protobuf encodings of the key and of its public half.
  Result<std::vector<uint8_t>> encode() const {
    return detail::sized_output<std::vector<uint8_t>>(
        [&](uint8_t* out, size_t* size) { return kith_key_encode(key_.get(), out, size); });
  }
  Result<std::vector<uint8_t>> encode_public() const {
    return detail::sized_output<std::vector<uint8_t>>(
        [&](uint8_t* out, size_t* size) { return kith_key_encode_public(key_.get(), out, size); });
  }
  Result<std::vector<uint8_t>> sign(std::span<const uint8_t> message) const {
    return detail::sized_output<std::vector<uint8_t>>([&](uint8_t* out, size_t* size) {
      return kith_key_sign(key_.get(), out, size, message.data(), message.size());
    });
  }
  // As base58 text.
  Result<std::string> peer_id() const {
    char text[KITH_PEER_ID_TEXT_MAX];
    const kith_status status = kith_key_peer_id(key_.get(), text);
    if (status != KITH_OK) return Error(status);
    return std::string(text);
  }
  const kith_key* get() const { return key_.get(); }

 private:
  struct Free {
    void operator()(kith_key* key) const { kith_key_free(key); }
  };
  explicit Key(kith_key* key) : key_(key) {}
  std::unique_ptr<kith_key, Free> key_;
};

// Checks a signature with a public key in protobuf encoding: KITH_ERR_BAD_SIGNATURE, or why the key cannot be read.
inline Status verify(std::span<const uint8_t> public_key, std::span<const uint8_t> message,
                     std::span<const uint8_t> signature) {
  return detail::to_status(kith_verify(public_key.data(), public_key.size(), message.data(),
                                       message.size(), signature.data(), signature.size()));
}

// The two texts of a peer id: base58 ("12D3KooW...") and CIDv1 base32 ("bafz...").
struct PeerIdText {
  std::string base58;
  std::string cid;
};
// Reads a peer id in any text form. KITH_ERR_MALFORMED.
inline Result<PeerIdText> parse_peer_id(const std::string& text) {
  char base58[KITH_PEER_ID_TEXT_MAX];
  char cid[KITH_PEER_ID_TEXT_MAX];
  kith_error error{};
  const kith_status status = kith_peer_id_parse(text.c_str(), base58, cid, &error);
  if (status != KITH_OK) return detail::to_error(status, error);
  return PeerIdText{base58, cid};
}
// The peer id of a public key in protobuf encoding, as base58 text.
inline Result<std::string> peer_id_of_public_key(std::span<const uint8_t> public_key) {
  char text[KITH_PEER_ID_TEXT_MAX];
  const kith_status status = kith_peer_id_of_public_key(public_key.data(), public_key.size(), text);
  if (status != KITH_OK) return Error(status);
  return std::string(text);
}

// Multiaddrs between text and binary. Errors name the component that is wrong.
inline Result<std::vector<uint8_t>> parse_multiaddr(const std::string& text) {
  std::vector<uint8_t> out(text.size() + 64);
  size_t size = out.size();
  kith_error error{};
  kith_status status = kith_multiaddr_parse(out.data(), &size, text.c_str(), &error);
  if (status == KITH_ERR_BUFFER_TOO_SMALL) {
    out.resize(size);
    status = kith_multiaddr_parse(out.data(), &size, text.c_str(), &error);
  }
  if (status != KITH_OK) return detail::to_error(status, error);
  out.resize(size);
  return out;
}
inline Result<std::string> format_multiaddr(std::span<const uint8_t> data) {
  size_t size = 0;
  kith_error error{};
  kith_status status = kith_multiaddr_format(nullptr, &size, data.data(), data.size(), &error);
  if (status != KITH_OK) return detail::to_error(status, error);
  std::string out(size, '\0');
  status = kith_multiaddr_format(out.data(), &size, data.data(), data.size(), &error);
  if (status != KITH_OK) return detail::to_error(status, error);
  out.resize(size - 1);  // without the NUL
  return out;
}
// The parts of a binary multiaddr, borrowed from it.
inline Result<std::vector<kith_multiaddr_component>> multiaddr_components(
    std::span<const uint8_t> data) {
  std::vector<kith_multiaddr_component> out;
  size_t offset = 0;
  for (;;) {
    kith_multiaddr_component c;
    const kith_status status = kith_multiaddr_next(data.data(), data.size(), &offset, &c);
    if (status == KITH_ERR_CLOSED) return out;
    if (status != KITH_OK) return Error(status);
    out.push_back(c);
  }
}

// A certificate for a host key, with its own fresh key (PKCS#8), both in DER.
struct TlsCredentials {
  std::vector<uint8_t> certificate;
  std::vector<uint8_t> key;
};
// `now` is the time in seconds since 1970.
inline Result<TlsCredentials> make_tls_credentials(const Key& host_key, int64_t now) {
  TlsCredentials out;
  size_t certificate_size = KITH_TLS_CERTIFICATE_MAX;
  size_t key_size = KITH_TLS_CERTIFICATE_MAX;
  out.certificate.resize(certificate_size);
  out.key.resize(key_size);
  const kith_status status = kith_tls_make(host_key.get(), now, out.certificate.data(),
                                           &certificate_size, out.key.data(), &key_size);
  if (status != KITH_OK) return Error(status);
  out.certificate.resize(certificate_size);
  out.key.resize(key_size);
  return out;
}
// The peer id that a peer's one certificate (DER) proves; see kith_tls_verify for what else the caller must check.
inline Result<std::string> verify_tls_certificate(std::span<const uint8_t> certificate,
                                                  int64_t now) {
  char text[KITH_PEER_ID_TEXT_MAX];
  kith_error error{};
  const kith_status status =
      kith_tls_verify(certificate.data(), certificate.size(), now, text, &error);
  if (status != KITH_OK) return detail::to_error(status, error);
  return std::string(text);
}

}  // namespace api
}  // namespace kith
