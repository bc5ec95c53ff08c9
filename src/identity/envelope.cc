// Signed envelopes.
#include "identity/envelope.h"

#include <optional>

#include "base/limits.h"
#include "identity/key_proto.h"
#include "wire/protobuf.h"
#include "wire/varint.h"

namespace kith::identity {

namespace {

constexpr char kWhere[] = "signed envelope";
constexpr uint32_t kPublicKeyField = 1;
constexpr uint32_t kPayloadTypeField = 2;
constexpr uint32_t kPayloadField = 3;
constexpr uint32_t kSignatureField = 5;

// What is signed: the three parts, each behind its length.
ByteVector signed_bytes(std::string_view domain, Bytes payload_type, Bytes payload) {
  ByteVector out;
  for (Bytes part : {as_bytes(domain), payload_type, payload}) {
    wire::append_varint(out, part.size());
    append(out, part);
  }
  return out;
}

Error too_large(size_t size) {
  return Error(
      KITH_ERR_MESSAGE_TOO_LARGE, kWhere,
      std::to_string(size) + " bytes, more than " + std::to_string(limits::kEnvelopeBytes));
}

}  // namespace

Result<ByteVector> seal_envelope(const crypto::PrivateKey& key, std::string_view domain,
                                 Bytes payload_type, Bytes payload) {
  if (domain.empty() || payload_type.empty()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere,
                 "an envelope needs a domain and a payload type");
  }
  KITH_ASSIGN(const ByteVector signature, key.sign(signed_bytes(domain, payload_type, payload)));
  ByteVector out;
  wire::ProtoWriter writer(out);
  writer.bytes(kPublicKeyField, encode_public_key(key.public_key()));
  writer.bytes(kPayloadTypeField, payload_type);
  // An empty payload stands as go's encoder leaves it: out.
  if (!payload.empty()) writer.bytes(kPayloadField, payload);
  writer.bytes(kSignatureField, signature);
  if (out.size() > limits::kEnvelopeBytes) return too_large(out.size());
  return out;
}

Result<UnverifiedEnvelope> decode_envelope(Bytes in) {
  if (in.size() > limits::kEnvelopeBytes) return too_large(in.size());
  std::optional<Bytes> public_key, payload_type, payload, signature;
  wire::ProtoReader reader(in);
  for (wire::ProtoField field; reader.next(&field);) {
    std::optional<Bytes>* to = field.number == kPublicKeyField     ? &public_key
                               : field.number == kPayloadTypeField ? &payload_type
                               : field.number == kPayloadField     ? &payload
                               : field.number == kSignatureField   ? &signature
                                                                   : nullptr;
    if (!to) continue;
    if (field.type != wire::ProtoField::Type::kBytes) {
      return Error(KITH_ERR_MALFORMED, kWhere,
                   "field " + std::to_string(field.number) + " has the wrong type");
    }
    if (*to) {
      return Error(KITH_ERR_MALFORMED, kWhere,
                   "field " + std::to_string(field.number) + " occurs twice");
    }
    *to = field.bytes;
  }
  if (reader.malformed()) return Error(KITH_ERR_MALFORMED, kWhere, "not a protobuf message");
  if (!public_key) return Error(KITH_ERR_MALFORMED, kWhere, "there is no public key");
  if (!signature) return Error(KITH_ERR_MALFORMED, kWhere, "there is no signature");
  return UnverifiedEnvelope{*public_key, payload_type.value_or(Bytes()), payload.value_or(Bytes()),
                            *signature};
}

Result<Envelope> verify_envelope(const UnverifiedEnvelope& envelope, std::string_view domain) {
  if (domain.empty()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "an envelope needs a domain");
  }
  KITH_ASSIGN(crypto::PublicKey key, decode_public_key(envelope.public_key));
  const Status verified =
      key.verify(signed_bytes(domain, envelope.payload_type, envelope.payload), envelope.signature);
  if (!verified.ok()) {
    return Error(verified.status(), kWhere,
                 "the signature does not verify in domain " + std::string(domain));
  }
  const PeerId signer = PeerId::from_public_key(key);
  return Envelope{signer, std::move(key), envelope.payload_type, envelope.payload};
}

Result<Envelope> open_envelope(Bytes in, std::string_view domain) {
  KITH_ASSIGN(const UnverifiedEnvelope envelope, decode_envelope(in));
  return verify_envelope(envelope, domain);
}

}  // namespace kith::identity
