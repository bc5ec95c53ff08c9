// DER: what the reader takes, everything near it that it must not, and that the writer agrees.
#include "crypto/der.h"

#include <gtest/gtest.h>

#include "crypto/secret.h"

namespace kith::crypto {
namespace {

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

bool reads(std::string_view text, uint8_t tag) {
  const ByteVector in = hex(text);
  DerReader reader(in);
  Bytes content;
  return reader.read(tag, &content) && reader.empty();
}

TEST(Der, ReadsTheThreeFormsOfLength) {
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{255}, size_t{256}, size_t{65535}}) {
    const ByteVector content(size, 0xab);
    ByteVector out;
    append_der(out, der::kOctetString, content);
    DerReader reader(out);
    Bytes read, whole;
    ASSERT_TRUE(reader.read(der::kOctetString, &read, &whole)) << size;
    EXPECT_TRUE(equal(read, content));
    EXPECT_TRUE(equal(whole, out));
    EXPECT_TRUE(reader.empty());
  }
}

TEST(Der, RefusesLengthsThatAreNotTheShortestForm) {
  EXPECT_TRUE(reads("0401aa", der::kOctetString));
  EXPECT_FALSE(reads("048101aa", der::kOctetString));      // one byte would do
  EXPECT_FALSE(reads("04820001aa", der::kOctetString));    // likewise
  EXPECT_FALSE(reads("0483000001aa", der::kOctetString));  // likewise
  EXPECT_FALSE(reads("048200ff" + std::string(510, 'a'), der::kOctetString));
  EXPECT_FALSE(
      reads("3080040100"
            "0000",
            der::kSequence));                      // indefinite
  EXPECT_FALSE(reads("04ff", der::kOctetString));  // reserved
}

TEST(Der, RefusesTruncationAtEveryByte) {
  ByteVector element;
  append_der(element, der::kOctetString, ByteVector(300, 7));
  for (size_t size = 0; size < element.size(); ++size) {
    DerReader reader(Bytes(element).first(size));
    Bytes content;
    EXPECT_FALSE(reader.read(der::kOctetString, &content)) << size;
  }
}

TEST(Der, RefusesAnotherTag) {
  EXPECT_FALSE(reads("0400", der::kSequence));
  EXPECT_FALSE(reads("0400", der::kOid));
  EXPECT_FALSE(DerReader(Bytes()).next_is(der::kOid));
}

TEST(Der, ReadsUnsignedIntegersInMinimalFormOnly) {
  const auto magnitude = [](std::string_view text) -> std::string {
    const ByteVector in = hex(text);
    DerReader reader(in);
    Bytes out;
    return reader.read_unsigned(&out) ? to_hex(out) : "refused";
  };
  EXPECT_EQ(magnitude("020100"), "");
  EXPECT_EQ(magnitude("020101"), "01");
  EXPECT_EQ(magnitude("02017f"), "7f");
  EXPECT_EQ(magnitude("02020080"), "80");
  EXPECT_EQ(magnitude("020180"), "refused");    // negative
  EXPECT_EQ(magnitude("02020001"), "refused");  // a zero too many
  EXPECT_EQ(magnitude("02020000"), "refused");
  EXPECT_EQ(magnitude("0200"), "refused");  // nothing
  EXPECT_EQ(magnitude("030101"), "refused");
}

TEST(Der, WritesUnsignedIntegersInMinimalForm) {
  const auto written = [](std::string_view text) {
    ByteVector out;
    append_der_unsigned(out, hex(text));
    return to_hex(out);
  };
  EXPECT_EQ(written(""), "020100");
  EXPECT_EQ(written("0000"), "020100");
  EXPECT_EQ(written("007f"), "02017f");
  EXPECT_EQ(written("80"), "02020080");
}

TEST(Der, ReadsBitStringsOfWholeBytesOnly) {
  const auto bits = [](std::string_view text) -> std::string {
    const ByteVector in = hex(text);
    DerReader reader(in);
    Bytes out;
    return reader.read_bit_string(&out) ? to_hex(out) : "refused";
  };
  EXPECT_EQ(bits("030200aa"), "aa");
  EXPECT_EQ(bits("030100"), "");
  EXPECT_EQ(bits("0300"), "refused");
  EXPECT_EQ(bits("030201aa"), "refused");
  EXPECT_EQ(bits("23020300"), "refused");  // constructed: BER only
}

TEST(Der, ReadsNull) {
  const ByteVector good = hex("0500"), bad = hex("050100");
  EXPECT_TRUE(DerReader(good).read_null());
  EXPECT_FALSE(DerReader(bad).read_null());
}

TEST(Der, WritesTheSameIntoSecretBytes) {
  ByteVector open;
  SecretBytes secret;
  append_der(open, der::kOctetString, hex("010203"));
  append_der(secret, der::kOctetString, hex("010203"));
  EXPECT_TRUE(equal(open, secret));
}

}  // namespace
}  // namespace kith::crypto
