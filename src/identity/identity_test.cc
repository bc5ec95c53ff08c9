// Key messages and peer ids: the vectors of the specification, and everything that is almost one.
#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

#include "base/limits.h"
#include "crypto/key_vectors.h"
#include "identity/key_proto.h"
#include "identity/peer_id.h"
#include "wire/multibase.h"
#include "wire/multihash.h"

namespace kith::identity {
namespace {

using crypto::KeyVector;
using crypto::kKeyVectors;

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

crypto::PublicKey public_key(const KeyVector& vector) {
  auto key = decode_public_key(hex(vector.public_key));
  EXPECT_TRUE(key.ok()) << key.error().to_string();
  return std::move(key).value();
}

TEST(KeyMessage, EncodesEveryVectorAsItWas) {
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    EXPECT_EQ(to_hex(encode_public_key(public_key(vector))), vector.public_key);
    const auto key = decode_private_key(hex(vector.private_key));
    ASSERT_TRUE(key.ok()) << key.error().to_string();
    EXPECT_EQ(to_hex(encode_public_key(key->public_key())), vector.public_key);
    const std::string encoded = to_hex(encode_private_key(*key));
    if (std::string_view(vector.private_key).starts_with("08011260")) {
      EXPECT_EQ(encoded, "08011240" + std::string(vector.private_key).substr(8, 128));  // old form
    } else {
      EXPECT_EQ(encoded, vector.private_key);
    }
  }
}

TEST(KeyMessage, RefusesTruncationAtEveryByteAndTrailingBytes) {
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    ByteVector message = hex(vector.public_key);
    for (size_t size = 0; size < message.size(); ++size) {
      EXPECT_EQ(decode_public_key(Bytes(message).first(size)).status(), KITH_ERR_MALFORMED);
    }
    message.push_back(0);
    EXPECT_EQ(decode_public_key(message).status(), KITH_ERR_MALFORMED);
    message = hex(vector.private_key);
    for (size_t size = 0; size < message.size(); size += 3) {
      EXPECT_EQ(decode_private_key(Bytes(message).first(size)).status(), KITH_ERR_MALFORMED);
    }
  }
}

TEST(KeyMessage, RefusesEveryEncodingButTheOne) {
  const std::string key(64, 'a');
  EXPECT_TRUE(decode_public_key(hex("08011220" + key)).ok());
  for (const std::string& message : {
           "1220" + key + "0801",            // data first
           "08011220" + key + "0801",        // type twice
           "080108011220" + key,             // likewise
           "08011220" + key + "1220" + key,  // data twice
           "08011220" + key + "1801",        // an unknown field
           "1220" + key,                     // no type
           std::string("0801"),              // no data
           "0a01011220" + key,               // the type as bytes
           std::string("08011001"),          // the data as a varint
           "0881001220" + key,               // type as a varint with a byte too many
           "080112a000" + key,               // length likewise
           "8880000112"
           "20" +
               key,                    // tag likewise
           "0b08011220" + key + "0c",  // in a group
       }) {
    EXPECT_EQ(decode_public_key(hex(message)).status(), KITH_ERR_MALFORMED) << message;
    EXPECT_EQ(decode_private_key(hex(message)).status(), KITH_ERR_MALFORMED) << message;
  }
}

TEST(KeyMessage, RefusesUnknownTypes) {
  const std::string key(64, 'a');
  for (const std::string& type :
       {std::string("04"), std::string("7f"), std::string("ffffffffffffffffff01")}) {
    EXPECT_EQ(decode_public_key(hex("08" + type + "1220" + key)).status(),
              KITH_ERR_UNSUPPORTED_KEY);
    EXPECT_EQ(decode_private_key(hex("08" + type + "1220" + key)).status(),
              KITH_ERR_UNSUPPORTED_KEY);
  }
}

TEST(KeyMessage, RefusesMoreThanAnyKeyTakes) {
  // Also what becomes of an RSA key of 16384 bits, which takes 2086 bytes.
  EXPECT_EQ(decode_public_key(ByteVector(limits::kPublicKeyBytes + 1)).status(),
            KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(decode_public_key(ByteVector(limits::kPublicKeyBytes)).status(), KITH_ERR_MALFORMED);
  EXPECT_EQ(decode_private_key(ByteVector(limits::kPrivateKeyBytes + 1)).status(),
            KITH_ERR_UNSUPPORTED_KEY);
  EXPECT_EQ(decode_private_key(ByteVector(limits::kPrivateKeyBytes)).status(), KITH_ERR_MALFORMED);
}

TEST(PeerId, IsWhatTheVectorsSay) {
  int num_ids = 0, num_cids = 0;
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    const crypto::PublicKey key = public_key(vector);
    const PeerId id = PeerId::from_public_key(key);
    EXPECT_TRUE(id.matches(key));
    EXPECT_EQ(PeerId::parse(id.to_string()).value(), id);
    EXPECT_EQ(PeerId::parse(id.to_cid_text()).value(), id);
    EXPECT_EQ(PeerId::decode(id.bytes()).value(), id);
    if (*vector.peer_id) {
      ++num_ids;
      EXPECT_EQ(id.to_string(), vector.peer_id);
    }
    if (*vector.peer_id_cid) {
      ++num_cids;
      EXPECT_EQ(id.to_cid_text(), vector.peer_id_cid);
    }
  }
  EXPECT_EQ(num_ids, 7);
  EXPECT_EQ(num_cids, 4);
}

TEST(PeerId, HoldsSmallKeysWhole) {
  for (const KeyVector& vector : kKeyVectors) {
    SCOPED_TRACE(vector.name);
    const crypto::PublicKey key = public_key(vector);
    const auto inside = PeerId::from_public_key(key).public_key();
    const bool small =
        key.type() == crypto::KeyType::kEd25519 || key.type() == crypto::KeyType::kSecp256k1;
    ASSERT_EQ(inside.has_value(), small);
    if (inside) {
      EXPECT_TRUE(*inside == key);
    }
  }
}

TEST(PeerId, OfAnUncompressedSecp256k1KeyIsTheOneOfTheCompressed) {
  const std::string x = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5";
  const std::string y = "1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a";
  const auto compressed = decode_public_key(hex("0802122102" + x));
  const auto whole = decode_public_key(hex("0802124104" + x + y));
  ASSERT_TRUE(compressed.ok() && whole.ok());
  EXPECT_EQ(PeerId::from_public_key(*whole), PeerId::from_public_key(*compressed));
}

TEST(PeerId, ReadsTheExamplesOfTheSpecification) {
  // peer-ids.md, "Decoding".
  const auto cid = PeerId::parse("bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe");
  const auto base58 = PeerId::parse("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N");
  ASSERT_TRUE(cid.ok() && base58.ok());
  EXPECT_EQ(*cid, *base58);
  EXPECT_FALSE(cid->public_key().has_value());
  const auto identity = PeerId::parse("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
  ASSERT_TRUE(identity.ok());
  EXPECT_TRUE(identity->public_key().has_value());
}

TEST(PeerId, ReadsCidsInEveryBase) {
  const PeerId id = PeerId::from_public_key(public_key(kKeyVectors[0]));
  ByteVector cid = {0x01, 0x72};
  append(cid, id.bytes());
  for (wire::Base base : {wire::Base::kBase16, wire::Base::kBase16Upper, wire::Base::kBase32,
                          wire::Base::kBase32Upper, wire::Base::kBase36, wire::Base::kBase36Upper,
                          wire::Base::kBase58Btc, wire::Base::kBase64, wire::Base::kBase64Url}) {
    const std::string text = wire::encode_multibase(base, cid);
    const auto parsed = PeerId::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, id);
  }
}

TEST(PeerId, RefusesTextThatIsNone) {
  const std::string good = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
  for (const std::string& text : {
           std::string(),
           std::string("Q"),
           std::string("Qm"),
           std::string("1"),
           good + " ",
           good.substr(0, 45),
           good + "1",
           "/p2p/" + good,
           std::string(
               "QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY"),  // sha2-256 of too many bytes
           std::string("Qm0yQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"),  // 0 is not in base58
           std::string("xyz"),                                             // no multibase
           "z" + good,                                                     // a multihash is no CID
           // A CID of dag-pb.
           std::string("bafybeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"),
       }) {
    EXPECT_EQ(PeerId::parse(text).status(), KITH_ERR_MALFORMED) << text;
  }
  EXPECT_EQ(PeerId::parse(std::string(limits::kPeerIdTextBytes + 1, '1')).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(PeerId::parse(std::string(limits::kPeerIdTextBytes, '1')).status(), KITH_ERR_MALFORMED);
}

TEST(PeerId, TakesTwoHashFunctionsAndTheirLengths) {
  EXPECT_TRUE(PeerId::decode(wire::encode_multihash(0x12, ByteVector(32, 1))).ok());
  EXPECT_TRUE(PeerId::decode(wire::encode_multihash(0x00, ByteVector(42, 1))).ok());
  EXPECT_TRUE(PeerId::decode(wire::encode_multihash(0x00, ByteVector(1, 1))).ok());
  for (const ByteVector& multihash :
       {ByteVector(), hex("0000"), hex("1220"), hex("121f" + std::string(62, 'a')),
        wire::encode_multihash(0x00, ByteVector(43, 1)),
        wire::encode_multihash(0x13, ByteVector(64, 1)),    // sha2-512
        wire::encode_multihash(0xb220, ByteVector(32, 1)),  // blake2b
        hex("0001aaaa"), hex("800001aa"), hex("008100aa")}) {
    EXPECT_EQ(PeerId::decode(multihash).status(), KITH_ERR_MALFORMED) << to_hex(multihash);
  }
}

TEST(PeerId, WithoutAKeyInsideHasNone) {
  const auto id = PeerId::decode(wire::encode_multihash(0x00, ByteVector(36, 1)));
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(id->public_key().has_value());
  EXPECT_FALSE(PeerId().public_key().has_value());
}

TEST(PeerId, EmptyIsNobody) {
  const PeerId empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_TRUE(empty.bytes().empty());
  EXPECT_EQ(empty.to_string(), "");
  EXPECT_EQ(empty.to_cid_text(), "");
  EXPECT_FALSE(empty.matches(public_key(kKeyVectors[0])));
}

TEST(PeerId, IsAValueForContainers) {
  std::set<PeerId> ordered;
  std::unordered_set<PeerId> hashed;
  for (const KeyVector& vector : kKeyVectors) {
    const PeerId id = PeerId::from_public_key(public_key(vector));
    ordered.insert(id);
    hashed.insert(id);
    PeerId copy = id;
    EXPECT_TRUE(copy == id);
    EXPECT_TRUE(ordered.count(copy) && hashed.count(copy));
  }
  EXPECT_EQ(ordered.size(), std::size(kKeyVectors));
  EXPECT_EQ(hashed.size(), std::size(kKeyVectors));
  const PeerId shorter = PeerId::decode(wire::encode_multihash(0, ByteVector{0})).value();
  const PeerId longer = PeerId::decode(wire::encode_multihash(0, ByteVector{0, 0})).value();
  EXPECT_LT(shorter, longer);
  EXPECT_NE(shorter, longer);
}

}  // namespace
}  // namespace kith::identity
