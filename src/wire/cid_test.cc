// CIDs. Vectors: libp2p/specs peer-ids/peer-ids.md; go-multiaddr multiaddr_test.go.
#include "wire/cid.h"

#include <gtest/gtest.h>

#include "wire/multihash.h"
#include "wire/varint.h"

namespace kith::wire {
namespace {

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

TEST(Cid, ReadsPeerIdsOfVersion1) {
  for (const char* text : {"bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
                           "bafzbeigvf25ytwc3akrijfecaotc74udrhcxzh2cx3we5qqnw5vgrei4bm"}) {
    const Result<Cid> cid = Cid::parse(text);
    ASSERT_TRUE(cid.ok()) << cid.error().to_string();
    EXPECT_EQ(cid->version(), 1);
    EXPECT_EQ(cid->codec(), codec::kLibp2pKey);
    EXPECT_EQ(decode_multihash(cid->multihash())->code, kMultihashSha256);
    EXPECT_EQ(cid->to_string(), text);
  }
  const Result<Cid> identity =
      Cid::parse("bafzaajaiaejcalj543iwv2d7pkjt7ykvefrkfu7qjfi6sduakhso4lay6abn2d5u");
  ASSERT_TRUE(identity.ok()) << identity.error().to_string();
  EXPECT_EQ(decode_multihash(identity->multihash())->code, kMultihashIdentity);
  EXPECT_EQ(decode_multihash(identity->multihash())->digest.size(), 36U);
  const char* base36 = "k51qzi5uqu5dhb6l8spkdx7yxafegfkee5by8h7lmjh2ehc2sgg34z7c15vzqs";
  EXPECT_EQ(Cid::parse(base36)->to_string(Base::kBase36), base36);
  EXPECT_EQ(*Cid::parse(base36), *Cid::parse(Cid::parse(base36)->to_string(Base::kBase64Url)));
}

TEST(Cid, ReadsVersion0) {
  const char* text = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
  const Result<Cid> cid = Cid::parse(text);
  ASSERT_TRUE(cid.ok()) << cid.error().to_string();
  EXPECT_EQ(cid->version(), 0);
  EXPECT_EQ(cid->codec(), codec::kDagPb);
  EXPECT_EQ(cid->bytes().size(), 34U);
  EXPECT_TRUE(equal(cid->bytes(), cid->multihash()));
  EXPECT_EQ(cid->to_string(), text);
  EXPECT_EQ(*Cid::decode(cid->bytes()), *cid);
  // The same peer id as a CID of version 1 (peer-ids.md gives both forms).
  const Result<Cid> v1 = Cid::v1(codec::kLibp2pKey, cid->multihash());
  ASSERT_TRUE(v1.ok());
  EXPECT_EQ(v1->to_string(), "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe");
  EXPECT_FALSE(*v1 == *cid);
}

TEST(Cid, BuildsVersion1OfAnyContentType) {
  const ByteVector hash = encode_multihash(kMultihashIdentity, as_bytes("abc"));
  for (const uint64_t type :
       {codec::kRaw, codec::kDagPb, codec::kDagCbor, codec::kDagJson, kMaxVarint}) {
    const Result<Cid> cid = Cid::v1(type, hash);
    ASSERT_TRUE(cid.ok());
    EXPECT_EQ(cid->codec(), type);
    EXPECT_TRUE(equal(cid->multihash(), hash));
    EXPECT_EQ(*Cid::decode(cid->bytes()), *cid);
  }
  EXPECT_EQ(to_hex(Cid::v1(codec::kRaw, hash)->bytes()), "01550003616263");
  EXPECT_FALSE(Cid::v1(kMaxVarint + 1, hash).ok());
  EXPECT_FALSE(Cid::v1(codec::kRaw, hex("00")).ok());
}

TEST(Cid, RefusesEveryTruncationAndAnyRest) {
  for (const char* text : {"bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe",
                           "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"}) {
    const Result<Cid> cid = Cid::parse(text);
    ByteVector bytes = to_vector(cid->bytes());
    for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(Cid::decode(Bytes(bytes).first(n)).ok());
    bytes.push_back(0);
    EXPECT_FALSE(Cid::decode(bytes).ok());
  }
}

TEST(Cid, RefusesOtherVersions) {
  for (const char* bad : {"", "00550003616263", "02550003616263", "03550003616263",
                          "8100550003616263", "0155", "01d5000003616263"}) {
    EXPECT_EQ(Cid::decode(hex(bad)).status(), KITH_ERR_MALFORMED) << bad;
  }
}

TEST(Cid, RefusesVersion0InMultibase) {
  const ByteVector v0 =
      to_vector(Cid::parse("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")->bytes());
  EXPECT_FALSE(Cid::parse(encode_multibase(Base::kBase58Btc, v0)).ok());
  EXPECT_FALSE(Cid::parse(encode_multibase(Base::kBase32, v0)).ok());
}

TEST(Cid, RefusesOtherTexts) {
  for (const char* bad :
       {"", "Q", "Qm", "b", "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
        "k2k4r8oqamigqdo6o7hsbfwd45y70oyynp98usk7zmyfrzpqxh1pohl-", "?unknownmultibase",
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx50",
        "Qmzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"}) {
    EXPECT_FALSE(Cid::parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace kith::wire
