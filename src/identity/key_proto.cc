// Key messages.
#include "identity/key_proto.h"

#include <string>

#include "base/limits.h"
#include "wire/protobuf.h"
#include "wire/varint.h"

namespace kith::identity {

namespace {

constexpr char kWhere[] = "key message";
constexpr uint32_t kTypeField = 1;
constexpr uint32_t kDataField = 2;

struct KeyMessage {
  crypto::KeyType type;
  Bytes data;
};

Result<KeyMessage> decode_message(Bytes in, size_t max_size) {
  if (in.size() > max_size) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere,
                 std::to_string(in.size()) + " bytes are more than any key takes");
  }
  wire::ProtoReader reader(in);
  wire::ProtoField type, data, more;
  if (!reader.next(&type) || type.number != kTypeField ||
      type.type != wire::ProtoField::Type::kVarint) {
    return Error(KITH_ERR_MALFORMED, kWhere, "it does not begin with the key type");
  }
  if (!reader.next(&data) || data.number != kDataField ||
      data.type != wire::ProtoField::Type::kBytes) {
    return Error(KITH_ERR_MALFORMED, kWhere, "the data does not follow the key type");
  }
  if (reader.next(&more) || reader.malformed()) {
    return Error(KITH_ERR_MALFORMED, kWhere, "something follows the data");
  }
  if (in.size() != wire::ProtoWriter::varint_size(kTypeField, type.value) +
                       wire::ProtoWriter::bytes_size(kDataField, data.bytes.size())) {
    return Error(KITH_ERR_MALFORMED, kWhere, "a varint is not minimal");
  }
  if (type.value > static_cast<uint64_t>(crypto::KeyType::kEcdsa)) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere,
                 "key type " + std::to_string(type.value) + " is not known");
  }
  return KeyMessage{static_cast<crypto::KeyType>(type.value), data.bytes};
}

}  // namespace

ByteVector encode_public_key(const crypto::PublicKey& key) {
  ByteVector out;
  wire::ProtoWriter writer(out);
  writer.varint(kTypeField, static_cast<uint64_t>(key.type()));
  writer.bytes(kDataField, key.data());
  return out;
}

Result<crypto::PublicKey> decode_public_key(Bytes in) {
  KITH_ASSIGN(const KeyMessage message, decode_message(in, limits::kPublicKeyBytes));
  return crypto::PublicKey::from_data(message.type, message.data);
}

crypto::SecretBytes encode_private_key(const crypto::PrivateKey& key) {
  const crypto::SecretBytes data = key.data();
  // The header by way of a writer, the secret into its own kind of memory.
  ByteVector header;
  wire::ProtoWriter(header).varint(kTypeField, static_cast<uint64_t>(key.type()));
  header.push_back(kDataField << 3 | 2);  // length-delimited
  wire::append_varint(header, data.size());
  crypto::SecretBytes out(header.begin(), header.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

Result<crypto::PrivateKey> decode_private_key(Bytes in) {
  KITH_ASSIGN(const KeyMessage message, decode_message(in, limits::kPrivateKeyBytes));
  return crypto::PrivateKey::from_data(message.type, message.data);
}

}  // namespace kith::identity
