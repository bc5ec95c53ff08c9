#include "protocol/noise/payload.h"

#include <utility>

#include "base/limits.h"
#include "identity/key_proto.h"
#include "wire/protobuf.h"

namespace kith::noise {
namespace {

constexpr char kWhere[] = "noise";
constexpr std::string_view kSignaturePrefix = "noise-libp2p-static-key:";
constexpr uint32_t kIdentityKey = 1, kIdentitySig = 2, kExtensions = 4;
constexpr uint32_t kCerthashes = 1, kMuxers = 2;  // in the extensions

using Field = wire::ProtoField;

Error malformed(const char* detail) { return Error(KITH_ERR_MALFORMED, kWhere, detail); }

ByteVector signed_bytes(const crypto::X25519PublicKey& static_key) {
  ByteVector out;
  append(out, kSignaturePrefix);
  append(out, static_key);
  return out;
}

Status decode_extensions(Bytes in, Payload& out) {
  wire::ProtoReader reader(in);
  for (Field field; reader.next(&field);) {
    if (field.type != Field::Type::kBytes) continue;
    if (field.number == kCerthashes) {
      if (out.certhashes.size() == limits::kNoiseCertHashes ||
          field.bytes.size() > limits::kNoiseCertHashBytes) {
        return Error(KITH_ERR_LIMIT, kWhere, "the peer sent too many certificate hashes");
      }
      out.certhashes.push_back(field.bytes);
    } else if (field.number == kMuxers) {
      if (out.muxers.size() == limits::kNoiseMuxers ||
          field.bytes.size() > limits::kNoiseMuxerBytes) {
        return Error(KITH_ERR_LIMIT, kWhere, "the peer named too many muxers");
      }
      out.muxers.push_back(field.bytes);
    }
  }
  if (reader.malformed()) return malformed("the handshake payload's extensions are malformed");
  return {};
}

}  // namespace

Result<Payload> decode_payload(Bytes in) {
  Payload out;
  bool has_key = false, has_sig = false, has_extensions = false;
  const auto is_second = [](bool& seen) { return std::exchange(seen, true); };
  wire::ProtoReader reader(in);
  for (Field field; reader.next(&field);) {
    if (field.number != kIdentityKey && field.number != kIdentitySig &&
        field.number != kExtensions) {
      continue;
    }
    if (field.type != Field::Type::kBytes) return malformed("the handshake payload is malformed");
    if (is_second(field.number == kIdentityKey   ? has_key
                  : field.number == kIdentitySig ? has_sig
                                                 : has_extensions)) {
      return malformed("the handshake payload has a field twice");
    }
    if (field.number == kIdentityKey) out.identity_key = field.bytes;
    if (field.number == kIdentitySig) out.identity_sig = field.bytes;
    if (field.number == kExtensions) KITH_TRY(decode_extensions(field.bytes, out));
  }
  if (reader.malformed()) return malformed("the handshake payload is malformed");
  if (!has_key) return malformed("the handshake payload has no identity key");
  if (!has_sig) return malformed("the handshake payload has no signature");
  return out;
}

Result<crypto::PublicKey> verify_payload(const Payload& payload,
                                         const crypto::X25519PublicKey& static_key) {
  KITH_ASSIGN(crypto::PublicKey key, identity::decode_public_key(payload.identity_key));
  if (!key.verify(signed_bytes(static_key), payload.identity_sig).ok()) {
    return Error(KITH_ERR_BAD_SIGNATURE, kWhere,
                 "the peer's identity key did not sign its static key");
  }
  return key;
}

Result<ByteVector> encode_identity(const crypto::PrivateKey& identity_key,
                                   const crypto::X25519PublicKey& static_key) {
  KITH_ASSIGN(const ByteVector signature, identity_key.sign(signed_bytes(static_key)));
  ByteVector out;
  wire::ProtoWriter writer(out);
  writer.bytes(kIdentityKey, identity::encode_public_key(identity_key.public_key()));
  writer.bytes(kIdentitySig, signature);
  return out;
}

void append_extensions(ByteVector& payload, std::span<const ByteVector> certhashes,
                       std::span<const std::string_view> muxers) {
  ByteVector extensions;
  wire::ProtoWriter writer(extensions);
  for (const ByteVector& hash : certhashes) writer.bytes(kCerthashes, hash);
  for (const std::string_view muxer : muxers) writer.string(kMuxers, muxer);
  if (!extensions.empty()) wire::ProtoWriter(payload).bytes(kExtensions, extensions);
}

}  // namespace kith::noise
