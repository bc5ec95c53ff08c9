#include "protocol/pnet/pnet.h"

#include <gtest/gtest.h>

#include <string>

#include "fuzz/input.h"

namespace kith::pnet {
namespace {

constexpr char kHex[] = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

const ByteVector& key() {
  static const ByteVector bytes = from_hex(kHex).value();
  return bytes;
}

kith_status status_of(const std::string& file) { return parse_key_file(as_bytes(file)).status(); }

TEST(PnetKeyFile, IsReadInEachEncoding) {
  const std::string raw(as_text(key()));
  const std::string base64 = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";
  for (const std::string& rest :
       {"/base16/\n" + std::string(kHex), "/base16/\n" + std::string(kHex) + "\n",
        "/base64/\n" + base64 + "\n", "/base64/\n" + base64, "/bin/\n" + raw}) {
    auto parsed = parse_key_file(as_bytes("/key/swarm/psk/1.0.0/\n" + rest));
    ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
    EXPECT_TRUE(equal(*parsed, key()));
  }
  EXPECT_EQ(status_of("/key/swarm/psk/1.0.0/\r\n/base16/\r\n" + std::string(kHex) + "\r\n"),
            KITH_OK);
}

TEST(PnetKeyFile, IsWrittenAsItIsRead) {
  const crypto::SecretBytes file = format_key_file(key());
  EXPECT_TRUE(equal(parse_key_file(file).value(), key()));
  EXPECT_TRUE(as_text(file).starts_with("/key/swarm/psk/1.0.0/\n/base16/\n0123456789abcdef"));
}

TEST(PnetKeyFile, IsRefusedWhenAnythingElseIsInIt) {
  const std::string header = "/key/swarm/psk/1.0.0/\n", hex = kHex;
  for (const std::string& file :
       {std::string(), header, hex, "/key/swarm/psk/2.0.0/\n/base16/\n" + hex, header + "/base16/",
        header + "/base16/\n", header + "/base32/\n" + hex, header + "base16\n" + hex,
        header + "/base16/\n" + hex.substr(2), header + "/base16/\n" + hex + "00",
        header + "/base16/\n" + hex + "\n\n", header + "/base16/\n" + hex.substr(1) + "g",
        header + "/base64/\n" + hex, header + "/bin/\n" + hex,
        header + "/bin/\n" + std::string(as_text(key())) + "\n"}) {
    EXPECT_EQ(status_of(file), KITH_ERR_MALFORMED) << file;
  }
  EXPECT_EQ(parse_key_file(as_bytes(header + "/base16/\n" + hex + "0")).error().detail().find(hex),
            std::string::npos);
}

class Channels : public testing::Test {
 protected:
  const ByteVector nonce_a_ = fuzz::random_bytes(1, kNonceBytes);
  const ByteVector nonce_b_ = fuzz::random_bytes(2, kNonceBytes);
};

TEST_F(Channels, CarryDataHoweverItIsCut) {
  const ByteVector text = fuzz::random_bytes(3, 90);
  OutputBytes out;
  PrivateChannel a(key(), nonce_a_);
  a.start(out);
  EXPECT_TRUE(equal(out.bytes(), nonce_a_));
  out.append(text);
  a.encrypt(out.mutable_bytes().subspan(kNonceBytes));
  EXPECT_EQ(out.size(), kNonceBytes + text.size());
  fuzz::for_each_split(out.size(), [&](const std::vector<size_t>& cuts) {
    PrivateChannel b(key(), nonce_b_);
    ByteVector received;
    size_t begin = 0;
    for (size_t i = 0; i <= cuts.size(); ++i) {
      const size_t end = i < cuts.size() ? cuts[i] : out.size();
      ByteVector piece = to_vector(out.bytes().subspan(begin, end - begin));
      append(received, b.receive(piece));
      begin = end;
    }
    ASSERT_EQ(received, text);
  });
}

TEST_F(Channels, UseEachSidesOwnNonce) {
  PrivateChannel a(key(), nonce_a_), b(key(), nonce_b_);
  ByteVector from_a(100), from_b(100);
  a.encrypt(from_a);
  b.encrypt(from_b);
  EXPECT_NE(from_a, from_b);
}

TEST_F(Channels, GiveNoiseToStrangers) {
  const ByteVector text = to_vector(as_bytes("\x13/multistream/1.0.0\n"));
  PrivateChannel member(key(), nonce_a_), stranger(ByteVector(kKeyBytes, 1), nonce_b_);
  ByteVector wire = nonce_a_, body = text;
  member.encrypt(body);
  append(wire, body);
  const MutableBytes got = stranger.receive(wire);
  ASSERT_EQ(got.size(), text.size());
  EXPECT_FALSE(equal(got, text));
}

}  // namespace
}  // namespace kith::pnet
