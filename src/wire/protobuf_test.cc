// Protobuf fields. Messages of others: js-libp2p packages/kad-dht/test/fixtures.
#include "wire/protobuf.h"

#include <gtest/gtest.h>

namespace kith::wire {
namespace {

using Type = ProtoField::Type;

ByteVector hex(std::string_view text) { return from_hex(text).value(); }

// "1:v8 2:b616263" or, after malformed input, what was read before it and "!".
std::string describe(Bytes in) {
  std::string out;
  ProtoReader reader(in);
  for (ProtoField f; reader.next(&f);) {
    if (!out.empty()) out += ' ';
    out += std::to_string(f.number);
    switch (f.type) {
      case Type::kVarint:
        out += ":v" + std::to_string(f.value);
        break;
      case Type::kFixed64:
        out += ":q" + std::to_string(f.value);
        break;
      case Type::kFixed32:
        out += ":d" + std::to_string(f.value);
        break;
      case Type::kBytes:
        out += ":b" + to_hex(f.bytes);
        break;
    }
  }
  return reader.malformed() ? out + "!" : out;
}

TEST(ProtoReader, ReadsTheExamplesOfTheEncodingPage) {
  EXPECT_EQ(describe(hex("089601")), "1:v150");
  EXPECT_EQ(describe(hex("120774657374696e67")), "2:b74657374696e67");
  EXPECT_EQ(describe(hex("1a03089601")), "3:b089601");
  EXPECT_EQ(describe({}), "");
}

TEST(ProtoReader, ReadsKademliaMessagesOfOthers) {
  EXPECT_EQ(describe(hex("080412082f762f68656c6c6f5000")), "1:v4 2:b2f762f68656c6c6f 10:v0");
  EXPECT_EQ(describe(hex("080112082f762f68656c6c6f5000")), "1:v1 2:b2f762f68656c6c6f 10:v0");
  const std::string key = "1220d18f46f364ebeeec500929c72a4898feb2747730b129d970de15cf80626ebcbc";
  EXPECT_EQ(describe(hex("08041222" + key + "5000")), "1:v4 2:b" + key + " 10:v0");
  const std::string hash = "122022b0a34f217fd364680657d82a17fb8468d28f16f60d77f7074a7e8a002c5a76";
  const std::string record = "0a082f762f68656c6c6f1205776f726c641a22" + hash;
  EXPECT_EQ(describe(hex("080012082f762f68656c6c6f1a35" + record + "5000")),
            "1:v0 2:b2f762f68656c6c6f 3:b" + record + " 10:v0");
  EXPECT_EQ(describe(hex(record)), "1:b2f762f68656c6c6f 2:b776f726c64 3:b" + hash);
  const ByteVector message =
      hex("080212221220d18f46f364ebeeec500929c72a4898feb2747730b129d970de15cf80626ebcbc4a2e0a221220"
          "90c962"
          "0a79a8ba913d9f84394a32488494f98cf0ce4dddbb86cb44519970c4e01208047f00000106e4bb5000");
  ProtoReader reader(message);
  ProtoField f;
  ASSERT_TRUE(reader.next(&f));
  ASSERT_TRUE(reader.next(&f));
  EXPECT_EQ(f.bytes.size(), 34U);
  ASSERT_TRUE(reader.next(&f));
  EXPECT_EQ(f.number, 9U);
  EXPECT_EQ(describe(f.bytes),
            "1:b122090c9620a79a8ba913d9f84394a32488494f98cf0ce4dddbb86cb44519970c4e0 "
            "2:b047f00000106e4bb");
  ASSERT_TRUE(reader.next(&f));
  EXPECT_EQ(f.number, 10U);
  EXPECT_FALSE(reader.next(&f));
  EXPECT_FALSE(reader.malformed());
}

TEST(ProtoReader, PointsIntoItsInput) {
  const ByteVector in = hex("0a03616263");
  ProtoReader reader(in);
  ProtoField f;
  ASSERT_TRUE(reader.next(&f));
  EXPECT_EQ(f.bytes.data(), in.data() + 2);
}

TEST(ProtoReader, ReadsFixedValuesAsLittleEndian) {
  EXPECT_EQ(describe(hex("090102030405060708")), "1:q578437695752307201");
  EXPECT_EQ(describe(hex("0d01020304")), "1:d67305985");
}

TEST(ProtoReader, TakesVarintsOfTenBytesAndNonMinimalOnes) {
  EXPECT_EQ(describe(hex("08ffffffffffffffffff01")), "1:v18446744073709551615");
  EXPECT_EQ(describe(hex("088000")), "1:v0");
  EXPECT_EQ(describe(hex("0880808080808080808000")), "1:v0");
  EXPECT_EQ(describe(hex("88000a")), "1:v10");    // the tag
  EXPECT_EQ(describe(hex("0a810061")), "1:b61");  // the length
}

TEST(ProtoReader, RefusesVarintsOfMoreThan64Bits) {
  EXPECT_EQ(describe(hex("08ffffffffffffffffff02")), "!");
  EXPECT_EQ(describe(hex("08ffffffffffffffffffff01")), "!");
  EXPECT_EQ(describe(hex("0880808080808080808080")), "!");
}

TEST(ProtoReader, RefusesGroupsAndUnknownWireTypes) {
  for (const char* bad : {"0b", "0b0c", "0c", "0e00", "0f00"}) EXPECT_EQ(describe(hex(bad)), "!");
  EXPECT_EQ(describe(hex("08010b0c")), "1:v1!");
}

TEST(ProtoReader, RefusesFieldNumbersOutOfRange) {
  EXPECT_EQ(describe(hex("0001")), "!");
  EXPECT_EQ(describe(hex("020161")), "!");
  EXPECT_EQ(describe(hex("f8ffffff0f01")), "536870911:v1");
  EXPECT_EQ(describe(hex("808080801001")), "!");
  EXPECT_EQ(describe(hex("f8ffffffffffffffff0101")), "!");
}

TEST(ProtoReader, RefusesEveryTruncation) {
  const ByteVector message = hex("08960112036162630d01020304090102030405060708");
  size_t num_whole = 0;
  for (size_t n = 0; n < message.size(); ++n) {
    num_whole += describe(Bytes(message).first(n)).ends_with('!') ? 0 : 1;
  }
  EXPECT_EQ(num_whole, 4U);  // after nothing and after each of the first three of four fields
}

TEST(ProtoReader, RefusesLengthsBeyondTheInput) {
  EXPECT_EQ(describe(hex("0a02ff")), "!");
  EXPECT_EQ(describe(hex("0affffffff0f00")), "!");
  EXPECT_EQ(describe(hex("0affffffffffffffffff01")), "!");
}

TEST(ProtoReader, StaysAtItsEnd) {
  ProtoField f;
  ProtoReader good(Bytes{});
  EXPECT_FALSE(good.next(&f));
  EXPECT_FALSE(good.next(&f));
  EXPECT_FALSE(good.malformed());
  const ByteVector in = hex("0b0801");
  ProtoReader bad(in);
  EXPECT_FALSE(bad.next(&f));
  EXPECT_FALSE(bad.next(&f));
  EXPECT_TRUE(bad.malformed());
}

TEST(ProtoReader, WalksAMillionUnknownFieldsInConstantSpace) {
  ByteVector in;
  for (int i = 0; i < 1000000; ++i) ProtoWriter(in).varint(15, 1);
  ProtoReader reader(in);
  size_t num_fields = 0;
  for (ProtoField f; reader.next(&f);) ++num_fields;
  EXPECT_EQ(num_fields, 1000000U);
  EXPECT_FALSE(reader.malformed());
}

TEST(ProtoReader, DeepNestingIsOneFieldPerLevel) {
  ByteVector in;  // 1000 messages, each the only field of the next
  for (int depth = 0; depth < 1000; ++depth) {
    ByteVector outer;
    ProtoWriter(outer).bytes(1, in);
    in = std::move(outer);
  }
  int depth = 0;
  for (Bytes level = in; !level.empty(); ++depth) {
    ProtoReader reader(level);
    ProtoField f;
    ASSERT_TRUE(reader.next(&f));
    level = f.bytes;
    EXPECT_FALSE(reader.next(&f));
  }
  EXPECT_EQ(depth, 1000);
}

TEST(ProtoWriter, WritesWhatTheReaderReads) {
  ByteVector out = {0xee};
  ProtoWriter writer(out);
  writer.varint(1, 0);
  writer.varint(2, ~uint64_t{0});
  writer.bytes(3, {});
  writer.string(4, "abc");
  writer.fixed64(5, 0x0807060504030201);
  writer.fixed32(536870911, 0x04030201);
  EXPECT_EQ(to_hex(out),
            "ee080010ffffffffffffffffff011a00220361626329"
            "0102030405060708"
            "fdffffff0f01020304");
  EXPECT_EQ(describe(Bytes(out).subspan(1)),
            "1:v0 2:v18446744073709551615 3:b 4:b616263 5:q578437695752307201 536870911:d67305985");
}

TEST(ProtoWriter, SizesAreThoseWritten) {
  for (const uint32_t field : {1U, 15U, 16U, 2047U, 2048U, 536870911U}) {
    for (const uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
      ByteVector out;
      ProtoWriter(out).varint(field, v);
      EXPECT_EQ(ProtoWriter::varint_size(field, v), out.size());
    }
    for (const size_t n : {0U, 127U, 128U, 20000U}) {
      ByteVector out;
      ProtoWriter(out).bytes(field, ByteVector(n));
      EXPECT_EQ(ProtoWriter::bytes_size(field, n), out.size());
    }
  }
}

TEST(ProtoWriterDeathTest, RefusesFieldNumbersOutOfRange) {
  ByteVector out;
  EXPECT_DEATH(ProtoWriter(out).varint(0, 1), "invariant");
  EXPECT_DEATH(ProtoWriter(out).varint(536870912, 1), "invariant");
}

}  // namespace
}  // namespace kith::wire
