// Signed envelopes and peer records: equal to go's byte for byte, and nothing forged gets through.
#include "identity/envelope.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/key_vectors.h"
#include "identity/envelope_vectors.h"
#include "identity/key_proto.h"
#include "identity/peer_record.h"
#include "wire/protobuf.h"

namespace kith::identity {
namespace {

constexpr char kDomain[] = "kith-test-domain";
constexpr uint64_t kSeq = 1570215229000000001;

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

crypto::PrivateKey key_of(const EnvelopeVectors& vectors) {
  return decode_private_key(hex(vectors.private_key)).value();
}

std::vector<wire::Multiaddr> addresses() {
  std::vector<wire::Multiaddr> out;
  for (const char* text : {"/ip4/192.0.2.0/udp/4001/quic-v1", "/ip6/2001:db8::1/tcp/4001",
                           "/dns4/example.com/tcp/443/wss"}) {
    out.push_back(wire::Multiaddr::parse(text).value());
  }
  return out;
}

TEST(Envelope, IsMadeAsGoMakesIt) {
  for (const EnvelopeVectors& vectors : kEnvelopeVectors) {
    const auto sealed =
        seal_envelope(key_of(vectors), kDomain, as_bytes("/kith/test"), as_bytes("hello envelope"));
    ASSERT_TRUE(sealed.ok()) << sealed.error().to_string();
    EXPECT_EQ(to_hex(*sealed), vectors.envelope);
  }
}

TEST(Envelope, OpensWhatGoMade) {
  for (const EnvelopeVectors& vectors : kEnvelopeVectors) {
    const ByteVector message = hex(vectors.envelope);
    const auto envelope = open_envelope(message, kDomain);
    ASSERT_TRUE(envelope.ok()) << envelope.error().to_string();
    EXPECT_EQ(as_text(envelope->payload_type), "/kith/test");
    EXPECT_EQ(as_text(envelope->payload), "hello envelope");
    EXPECT_TRUE(envelope->key == key_of(vectors).public_key());
    EXPECT_EQ(envelope->signer, PeerId::from_public_key(envelope->key));
  }
}

TEST(Envelope, OpensWithEveryKeyType) {
  for (crypto::KeyType type : {crypto::KeyType::kRsa, crypto::KeyType::kEd25519,
                               crypto::KeyType::kSecp256k1, crypto::KeyType::kEcdsa}) {
    const crypto::PrivateKey key = crypto::PrivateKey::generate(type).value();
    const auto sealed = seal_envelope(key, kDomain, as_bytes("t"), {});
    ASSERT_TRUE(sealed.ok());
    const auto envelope = open_envelope(*sealed, kDomain);
    ASSERT_TRUE(envelope.ok()) << envelope.error().to_string();
    EXPECT_TRUE(envelope->payload.empty());
    EXPECT_TRUE(envelope->signer.matches(key.public_key()));
  }
}

TEST(Envelope, HoldsInItsDomainOnly) {
  const ByteVector message = hex(kEnvelopeVectors[0].envelope);
  for (const char* domain : {"kith-test-domai", "kith-test-domain ", "libp2p-peer-record"}) {
    EXPECT_EQ(open_envelope(message, domain).status(), KITH_ERR_BAD_SIGNATURE);
  }
  EXPECT_EQ(open_envelope(message, "").status(), KITH_ERR_INVALID_ARGUMENT);
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  EXPECT_EQ(seal_envelope(key, "", as_bytes("t"), {}).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(seal_envelope(key, kDomain, {}, {}).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST(Envelope, RefusesTheSignatureWhenPartsMoveBetweenFields) {
  // "ab" + "c" against "a" + "bc": the lengths in what is signed keep them apart.
  const ByteVector message =
      seal_envelope(key_of(kEnvelopeVectors[0]), kDomain, as_bytes("ab"), as_bytes("c")).value();
  const UnverifiedEnvelope parts = decode_envelope(message).value();
  ByteVector moved;
  wire::ProtoWriter writer(moved);
  writer.bytes(1, parts.public_key);
  writer.string(2, "a");
  writer.string(3, "bc");
  writer.bytes(5, parts.signature);
  EXPECT_EQ(open_envelope(moved, kDomain).status(), KITH_ERR_BAD_SIGNATURE);
}

TEST(Envelope, RefusesEveryChangedBit) {
  const ByteVector good = hex(kEnvelopeVectors[0].envelope);
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    ByteVector changed = good;
    changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(open_envelope(changed, kDomain).ok()) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(open_envelope(Bytes(good).first(size), kDomain).ok()) << size;
  }
}

TEST(Envelope, RefusesRepeatedMissingAndMistypedFieldsAndSkipsUnknownOnes) {
  const ByteVector good = hex(kEnvelopeVectors[0].envelope);
  const UnverifiedEnvelope parts = decode_envelope(good).value();
  const auto with = [&](auto add) {
    ByteVector message = good;
    wire::ProtoWriter writer(message);
    add(writer);
    return open_envelope(message, kDomain).status();
  };
  EXPECT_EQ(with([&](auto& w) { w.bytes(1, parts.public_key); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(with([&](auto& w) { w.bytes(2, parts.payload_type); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(with([&](auto& w) { w.bytes(3, parts.payload); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(with([&](auto& w) { w.bytes(5, parts.signature); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(with([&](auto& w) { w.varint(5, 1); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(with([&](auto& w) { w.varint(4, 1); }), KITH_OK);
  EXPECT_EQ(with([&](auto& w) { w.string(100, "from the future"); }), KITH_OK);

  ByteVector no_key, no_signature;
  wire::ProtoWriter(no_key).bytes(5, parts.signature);
  wire::ProtoWriter(no_signature).bytes(1, parts.public_key);
  EXPECT_EQ(open_envelope(no_key, kDomain).error().detail(), "there is no public key");
  EXPECT_EQ(open_envelope(no_signature, kDomain).error().detail(), "there is no signature");
  EXPECT_EQ(open_envelope({}, kDomain).status(), KITH_ERR_MALFORMED);
}

TEST(Envelope, OpensWithoutAPayloadType) {
  // The RFC: "the field may be left empty". seal_envelope has no use for that.
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  ByteVector to_sign, message;
  to_sign.push_back(sizeof(kDomain) - 1);
  append(to_sign, std::string_view(kDomain));
  append(to_sign, Bytes(hex("000178")));
  wire::ProtoWriter writer(message);
  writer.bytes(1, encode_public_key(key.public_key()));
  writer.string(3, "x");
  writer.bytes(5, key.sign(to_sign).value());
  const auto envelope = open_envelope(message, kDomain);
  ASSERT_TRUE(envelope.ok()) << envelope.error().to_string();
  EXPECT_EQ(as_text(envelope->payload), "x");
}

TEST(Envelope, HasALargestSize) {
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  const size_t overhead =
      seal_envelope(key, kDomain, as_bytes("t"), ByteVector(200)).value().size() - 200;
  const size_t largest = limits::kEnvelopeBytes - overhead - 1;  // its length takes a byte more
  const auto whole = seal_envelope(key, kDomain, as_bytes("t"), ByteVector(largest));
  ASSERT_TRUE(whole.ok());
  ASSERT_LE(whole->size(), limits::kEnvelopeBytes);
  EXPECT_TRUE(open_envelope(*whole, kDomain).ok());
  EXPECT_EQ(seal_envelope(key, kDomain, as_bytes("t"), ByteVector(largest + 2)).status(),
            KITH_ERR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(open_envelope(ByteVector(limits::kEnvelopeBytes + 1), kDomain).status(),
            KITH_ERR_MESSAGE_TOO_LARGE);
}

TEST(PeerRecord, IsMadeAsGoMakesIt) {
  for (const EnvelopeVectors& vectors : kEnvelopeVectors) {
    const crypto::PrivateKey key = key_of(vectors);
    EXPECT_EQ(to_hex(seal_peer_record(key, kSeq, addresses()).value()), vectors.record);
    EXPECT_EQ(to_hex(seal_peer_record(key, 0, {}).value()), vectors.empty_record);
    std::vector<wire::Multiaddr> with_empty = addresses();
    with_empty.insert(with_empty.begin() + 1, wire::Multiaddr());
    EXPECT_EQ(to_hex(seal_peer_record(key, kSeq, with_empty).value()), vectors.record);
  }
}

TEST(PeerRecord, OpensWhatGoMade) {
  for (const EnvelopeVectors& vectors : kEnvelopeVectors) {
    const auto record = open_peer_record(hex(vectors.record));
    ASSERT_TRUE(record.ok()) << record.error().to_string();
    EXPECT_TRUE(record->peer.matches(key_of(vectors).public_key()));
    EXPECT_EQ(record->seq, kSeq);
    EXPECT_EQ(record->addresses, addresses());
    const auto empty = open_peer_record(hex(vectors.empty_record));
    ASSERT_TRUE(empty.ok()) << empty.error().to_string();
    EXPECT_EQ(empty->seq, 0U);
    EXPECT_TRUE(empty->addresses.empty());
  }
}

TEST(PeerRecord, OfAnotherPeerIsRefusedThoughTheSignatureIsGood) {
  for (const EnvelopeVectors& vectors : kEnvelopeVectors) {
    const auto record = open_peer_record(hex(vectors.foreign_record));
    EXPECT_EQ(record.status(), KITH_ERR_PEER_ID_MISMATCH);
  }
}

TEST(PeerRecord, IsReadInItsOlderFormToo) {
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  const ByteVector legacy = seal_peer_record(key, 7, addresses(), PeerRecordForm::kLegacy).value();
  const auto record = open_peer_record(legacy);
  ASSERT_TRUE(record.ok()) << record.error().to_string();
  EXPECT_EQ(record->seq, 7U);
  EXPECT_EQ(record->addresses, addresses());
  const auto envelope = open_envelope(legacy, "libp2p-routing-state");
  ASSERT_TRUE(envelope.ok());
  EXPECT_EQ(as_text(envelope->payload_type), "/libp2p/routing-state-record");
}

TEST(PeerRecord, OfOneFormDoesNotHoldInTheDomainOfTheOther) {
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  const ByteVector record = hex(kEnvelopeVectors[0].record);
  const Bytes payload = decode_envelope(record)->payload;
  const ByteVector type_standard = hex("0301");
  const Bytes type_legacy = as_bytes("/libp2p/routing-state-record");
  const auto status = [&](const char* domain, Bytes type) {
    return open_peer_record(seal_envelope(key, domain, type, payload).value()).status();
  };
  EXPECT_EQ(status("libp2p-peer-record", type_standard), KITH_OK);
  EXPECT_EQ(status("libp2p-routing-state", type_legacy), KITH_OK);
  EXPECT_EQ(status("libp2p-routing-state", type_standard), KITH_ERR_BAD_SIGNATURE);
  EXPECT_EQ(status("libp2p-peer-record", type_legacy), KITH_ERR_BAD_SIGNATURE);
  EXPECT_EQ(status("libp2p-peer-record", hex("0302")), KITH_ERR_MALFORMED);  // a relay voucher
  EXPECT_EQ(status("libp2p-peer-record", as_bytes("\x03")), KITH_ERR_MALFORMED);
}

// A record with the given fields, signed by the first vector's key.
kith_status record_status(auto write, PeerRecord* out = nullptr) {
  const crypto::PrivateKey key = key_of(kEnvelopeVectors[0]);
  ByteVector payload;
  wire::ProtoWriter writer(payload);
  write(writer, PeerId::from_public_key(key.public_key()).bytes());
  auto record =
      open_peer_record(seal_envelope(key, "libp2p-peer-record", hex("0301"), payload).value());
  if (record.ok() && out) *out = std::move(record).value();
  return record.status();
}

TEST(PeerRecord, RefusesMalformedPayloads) {
  EXPECT_EQ(record_status([](auto&, Bytes) {}), KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes) { w.varint(2, 1); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes) { w.bytes(1, {}); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes) { w.string(1, "nobody"); }), KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes id) { w.bytes(1, id), w.bytes(1, id); }),
            KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes id) { w.bytes(1, id), w.string(2, "7"); }),
            KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes id) { w.bytes(1, id), w.varint(3, 7); }),
            KITH_ERR_MALFORMED);
  EXPECT_EQ(record_status([](auto& w, Bytes id) { w.bytes(1, id), w.string(9, "new"); }), KITH_OK);
}

TEST(PeerRecord, LeavesOutAddressesThatDoNotParse) {
  PeerRecord record;
  EXPECT_EQ(record_status(
                [](auto& w, Bytes id) {
                  w.bytes(1, id);
                  for (const char* address : {"0a00", "", "0a020102", "0a03ffff7f", "0a",
                                              "1204deadbeef", "0a08047f000001060fa1"}) {
                    w.bytes(3, hex(address));
                  }
                },
                &record),
            KITH_OK);
  ASSERT_EQ(record.addresses.size(), 1U);
  EXPECT_EQ(record.addresses[0].to_string(), "/ip4/127.0.0.1/tcp/4001");
}

TEST(PeerRecord, KeepsOnlySoManyAddresses) {
  PeerRecord record;
  EXPECT_EQ(record_status(
                [](auto& w, Bytes id) {
                  w.bytes(1, id);
                  for (size_t i = 0; i <= limits::kPeerRecordAddresses; ++i) {
                    w.bytes(3, hex("0a08047f000001060fa1"));
                  }
                },
                &record),
            KITH_OK);
  EXPECT_EQ(record.addresses.size(), limits::kPeerRecordAddresses);
}

}  // namespace
}  // namespace kith::identity
