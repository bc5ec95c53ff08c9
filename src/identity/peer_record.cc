// Signed peer records.
#include "identity/peer_record.h"

#include <optional>
#include <string_view>

#include "base/limits.h"
#include "identity/envelope.h"
#include "wire/protobuf.h"

namespace kith::identity {

namespace {

constexpr char kWhere[] = "peer record";
constexpr uint32_t kPeerIdField = 1;
constexpr uint32_t kSeqField = 2;
constexpr uint32_t kAddressesField = 3;
constexpr uint32_t kMultiaddrField = 1;  // of AddressInfo

struct Form {
  std::string_view domain;
  std::string_view payload_type;
};
constexpr Form kStandard = {"libp2p-peer-record", "\x03\x01"};
constexpr Form kLegacy = {"libp2p-routing-state", "/libp2p/routing-state-record"};

// AddressInfo { bytes multiaddr = 1; }
std::optional<wire::Multiaddr> decode_address_info(Bytes in) {
  std::optional<wire::Multiaddr> out;
  wire::ProtoReader reader(in);
  for (wire::ProtoField field; reader.next(&field);) {
    if (field.number != kMultiaddrField || field.type != wire::ProtoField::Type::kBytes) continue;
    auto address = wire::Multiaddr::decode(field.bytes);
    if (address.ok()) out = std::move(address).value();
  }
  return out;
}

Result<PeerRecord> decode_record(Bytes in) {
  PeerRecord out;
  wire::ProtoReader reader(in);
  for (wire::ProtoField field; reader.next(&field);) {
    const bool is_bytes = field.type == wire::ProtoField::Type::kBytes;
    if (field.number == kPeerIdField && is_bytes && out.peer.empty()) {
      KITH_ASSIGN(out.peer, PeerId::decode(field.bytes));
    } else if (field.number == kSeqField && field.type == wire::ProtoField::Type::kVarint) {
      out.seq = field.value;
    } else if (field.number == kAddressesField && is_bytes) {
      if (out.addresses.size() == limits::kPeerRecordAddresses) continue;
      if (auto address = decode_address_info(field.bytes)) {
        out.addresses.push_back(std::move(*address));
      }
    } else if (field.number <= kAddressesField) {
      return Error(KITH_ERR_MALFORMED, kWhere,
                   "field " + std::to_string(field.number) + " has the wrong type or occurs twice");
    }
  }
  if (reader.malformed()) return Error(KITH_ERR_MALFORMED, kWhere, "not a protobuf message");
  if (out.peer.empty()) return Error(KITH_ERR_MALFORMED, kWhere, "there is no peer id");
  return out;
}

}  // namespace

Result<ByteVector> seal_peer_record(const crypto::PrivateKey& key, uint64_t seq,
                                    std::span<const wire::Multiaddr> addresses,
                                    PeerRecordForm form) {
  ByteVector payload;
  wire::ProtoWriter writer(payload);
  writer.bytes(kPeerIdField, PeerId::from_public_key(key.public_key()).bytes());
  if (seq != 0) writer.varint(kSeqField, seq);
  for (const wire::Multiaddr& address : addresses) {
    if (address.empty()) continue;
    ByteVector info;
    wire::ProtoWriter(info).bytes(kMultiaddrField, address.bytes());
    writer.bytes(kAddressesField, info);
  }
  const Form& names = form == PeerRecordForm::kStandard ? kStandard : kLegacy;
  return seal_envelope(key, names.domain, as_bytes(names.payload_type), payload);
}

Result<PeerRecord> open_peer_record(Bytes in) {
  KITH_ASSIGN(const UnverifiedEnvelope unverified, decode_envelope(in));
  const Form* form = nullptr;
  for (const Form* candidate : {&kStandard, &kLegacy}) {
    if (equal(unverified.payload_type, as_bytes(candidate->payload_type))) form = candidate;
  }
  if (!form) return Error(KITH_ERR_MALFORMED, kWhere, "the envelope has another payload type");
  KITH_ASSIGN(const Envelope envelope, verify_envelope(unverified, form->domain));
  KITH_ASSIGN(PeerRecord record, decode_record(envelope.payload));
  // RUSTSEC-2022-0009: without this, anybody could sign addresses for anybody.
  if (record.peer != envelope.signer) {
    return Error(KITH_ERR_PEER_ID_MISMATCH, kWhere,
                 "of " + record.peer.to_string() + ", signed by " + envelope.signer.to_string());
  }
  return record;
}

}  // namespace kith::identity
