// kith/identity.h, kith/multiaddr.h and kith/tls.h: the parts that need no runtime.
#include "capi/capi.h"
#include "crypto/x509.h"
#include "identity/key_proto.h"
#include "protocol/tls/certificate.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

namespace {
kith_status write_text(const std::string& text, char* out) {
  if (text.size() >= KITH_PEER_ID_TEXT_MAX) return KITH_ERR_BUFFER_TOO_SMALL;
  std::memcpy(out, text.c_str(), text.size() + 1);
  return KITH_OK;
}
bool is_bytes(const uint8_t* data, size_t len) { return data != nullptr || len == 0; }
}  // namespace

extern "C" {

kith_status kith_key_generate(kith_key** out, kith_key_type type, uint32_t rsa_bits) {
  if (!out || type < KITH_KEY_RSA || type > KITH_KEY_ECDSA) return KITH_ERR_INVALID_ARGUMENT;
  Result<crypto::PrivateKey> key =
      crypto::PrivateKey::generate(static_cast<crypto::KeyType>(type), rsa_bits ? rsa_bits : 2048);
  if (!key.ok()) return key.status();
  *out = new kith_key{std::move(key).value()};
  return KITH_OK;
}

kith_status kith_key_decode(kith_key** out, const uint8_t* data, size_t data_len,
                            kith_error* out_error) {
  if (!out || !is_bytes(data, data_len)) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "key"));
  }
  Result<crypto::PrivateKey> key = identity::decode_private_key({data, data_len});
  if (!key.ok()) return fill(out_error, key.error());
  *out = new kith_key{std::move(key).value()};
  return KITH_OK;
}

void kith_key_free(kith_key* key) { delete key; }

kith_key_type kith_key_get_type(const kith_key* key) {
  return key ? static_cast<kith_key_type>(key->key.type()) : -1;
}

kith_status kith_key_encode(const kith_key* key, uint8_t* out, size_t* inout_len) {
  if (!key || !inout_len) return KITH_ERR_INVALID_ARGUMENT;
  const crypto::SecretBytes bytes = identity::encode_private_key(key->key);
  return copy_out(bytes, out, inout_len);
}

kith_status kith_key_encode_public(const kith_key* key, uint8_t* out, size_t* inout_len) {
  if (!key || !inout_len) return KITH_ERR_INVALID_ARGUMENT;
  return copy_out(identity::encode_public_key(key->key.public_key()), out, inout_len);
}

kith_status kith_key_sign(const kith_key* key, uint8_t* out, size_t* inout_len,
                          const uint8_t* message, size_t message_len) {
  if (!key || !inout_len || !is_bytes(message, message_len)) return KITH_ERR_INVALID_ARGUMENT;
  const Result<ByteVector> signature = key->key.sign({message, message_len});
  if (!signature.ok()) return signature.status();
  return copy_out(*signature, out, inout_len);
}

kith_status kith_verify(const uint8_t* public_key, size_t public_key_len, const uint8_t* message,
                        size_t message_len, const uint8_t* signature, size_t signature_len) {
  if (!public_key || !is_bytes(message, message_len) || !is_bytes(signature, signature_len)) {
    return KITH_ERR_INVALID_ARGUMENT;
  }
  const Result<crypto::PublicKey> key = identity::decode_public_key({public_key, public_key_len});
  if (!key.ok()) return key.status();
  return key->verify({message, message_len}, {signature, signature_len}).status();
}

kith_status kith_key_peer_id(const kith_key* key, char* out) {
  if (!key || !out) return KITH_ERR_INVALID_ARGUMENT;
  return write_text(identity::PeerId::from_public_key(key->key.public_key()).to_string(), out);
}

kith_status kith_peer_id_of_public_key(const uint8_t* public_key, size_t public_key_len,
                                       char* out) {
  if (!public_key || !out) return KITH_ERR_INVALID_ARGUMENT;
  const Result<crypto::PublicKey> key = identity::decode_public_key({public_key, public_key_len});
  if (!key.ok()) return key.status();
  return write_text(identity::PeerId::from_public_key(*key).to_string(), out);
}

kith_status kith_peer_id_parse(const char* text, char* out_base58, char* out_cid,
                               kith_error* out_error) {
  if (!text) return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "peer id"));
  const Result<identity::PeerId> id = identity::PeerId::parse(text);
  if (!id.ok()) return fill(out_error, id.error());
  kith_status status = KITH_OK;
  if (out_base58) status = write_text(id->to_string(), out_base58);
  if (status == KITH_OK && out_cid) status = write_text(id->to_cid_text(), out_cid);
  return status;
}

kith_status kith_multiaddr_parse(uint8_t* out, size_t* inout_len, const char* text,
                                 kith_error* out_error) {
  if (!inout_len || !text) return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "multiaddr"));
  const Result<wire::Multiaddr> address = wire::Multiaddr::parse(text);
  if (!address.ok()) return fill(out_error, address.error());
  return copy_out(address->bytes(), out, inout_len);
}

kith_status kith_multiaddr_format(char* out, size_t* inout_len, const uint8_t* data,
                                  size_t data_len, kith_error* out_error) {
  if (!inout_len || !is_bytes(data, data_len)) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "multiaddr"));
  }
  const Result<wire::Multiaddr> address = wire::Multiaddr::decode({data, data_len});
  if (!address.ok()) return fill(out_error, address.error());
  const std::string text = address->to_string();
  return copy_out({reinterpret_cast<const uint8_t*>(text.c_str()), text.size() + 1},
                  reinterpret_cast<uint8_t*>(out), inout_len);
}

kith_status kith_multiaddr_next(const uint8_t* data, size_t data_len, size_t* inout_offset,
                                kith_multiaddr_component* out) {
  if (!is_bytes(data, data_len) || !inout_offset || !out || *inout_offset > data_len) {
    return KITH_ERR_INVALID_ARGUMENT;
  }
  if (*inout_offset == data_len) return KITH_ERR_CLOSED;
  const Result<wire::Multiaddr> address =
      wire::Multiaddr::decode({data + *inout_offset, data_len - *inout_offset});
  if (!address.ok()) return address.status();
  // The value lies at the same place in the caller's bytes as in our copy.
  const wire::Component c = *address->begin();
  const auto next = std::next(address->begin());
  const uint8_t* base = address->bytes().data();
  const size_t end = next == address->end()
                         ? address->bytes().size()
                         : wire::Multiaddr().with(c.protocol->code, c.value).value().bytes().size();
  out->code = c.protocol->code;
  out->name = c.protocol->name.data();
  out->value =
      data + *inout_offset + (c.value.empty() ? end : static_cast<size_t>(c.value.data() - base));
  out->value_len = c.value.size();
  *inout_offset += end;
  return KITH_OK;
}

kith_status kith_tls_make(const kith_key* host_key, int64_t now, uint8_t* out_certificate,
                          size_t* inout_certificate_len, uint8_t* out_key, size_t* inout_key_len) {
  if (!host_key || !inout_certificate_len || !inout_key_len) return KITH_ERR_INVALID_ARGUMENT;
  const Result<tls::Credentials> made = tls::make_credentials(host_key->key, now);
  if (!made.ok()) return made.status();
  const kith_status status =
      copy_out(made->certificate_der, out_certificate, inout_certificate_len);
  const kith_status key_status = copy_out(made->private_key_der, out_key, inout_key_len);
  // The next certificate has another size, so who has no room yet is told what holds any.
  if (!out_certificate || status != KITH_OK) *inout_certificate_len = KITH_TLS_CERTIFICATE_MAX;
  if (!out_key || key_status != KITH_OK) *inout_key_len = KITH_TLS_CERTIFICATE_MAX;
  return status != KITH_OK ? status : key_status;
}

kith_status kith_tls_verify(const uint8_t* certificate, size_t certificate_len, int64_t now,
                            char* out_peer_id, kith_error* out_error) {
  if (!certificate || !out_peer_id) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "tls"));
  }
  const Result<tls::VerifiedPeer> peer =
      tls::verify_certificate({certificate, certificate_len}, now);
  if (!peer.ok()) return fill(out_error, peer.error());
  return write_text(peer->id.to_string(), out_peer_id);
}

}  // extern "C"
