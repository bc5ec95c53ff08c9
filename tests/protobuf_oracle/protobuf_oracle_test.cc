// Our protobuf fields against libprotobuf's UnknownFieldSet, in both directions, on seeded random
// messages.
//
// The two differ by design in three ways, and only there: groups are malformed to us; libprotobuf
// ignores bits of a varint beyond the 64th (32nd in tags and lengths), we refuse what does not fit.
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>

#include "wire/protobuf.h"

namespace kith::wire {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;
using Type = ProtoField::Type;

constexpr uint32_t kMaxFieldNumber = (1U << 29) - 1;

std::string describe(uint32_t number, char type, uint64_t value, Bytes bytes) {
  return std::to_string(number) + type + std::to_string(value) + "=" + to_hex(bytes) + "\n";
}

// One line per field; nullopt when malformed.
std::optional<std::string> read_ours(Bytes in) {
  std::string out;
  ProtoReader reader(in);
  for (ProtoField f; reader.next(&f);) {
    out += describe(f.number, "vqbd"[static_cast<int>(f.type)], f.value, f.bytes);
  }
  return reader.malformed() ? std::nullopt : std::optional(out);
}

struct Theirs {
  std::string text;
  bool has_group = false;
};

std::optional<Theirs> read_theirs(Bytes in) {
  UnknownFieldSet set;
  if (!set.ParseFromArray(in.data(), static_cast<int>(in.size()))) return std::nullopt;
  Theirs out;
  for (int i = 0; i < set.field_count(); ++i) {
    const UnknownField& f = set.field(i);
    const auto number = static_cast<uint32_t>(f.number());
    switch (f.type()) {
      case UnknownField::TYPE_VARINT:
        out.text += describe(number, 'v', f.varint(), {});
        break;
      case UnknownField::TYPE_FIXED32:
        out.text += describe(number, 'd', f.fixed32(), {});
        break;
      case UnknownField::TYPE_FIXED64:
        out.text += describe(number, 'q', f.fixed64(), {});
        break;
      case UnknownField::TYPE_LENGTH_DELIMITED:
        out.text += describe(number, 'b', 0, as_bytes(f.length_delimited()));
        break;
      case UnknownField::TYPE_GROUP:
        out.has_group = true;
        break;
    }
  }
  return out;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t n) { return random_() % n; }
  // Any number of bits with the same likelihood.
  uint64_t value() { return random_() >> below(64); }
  uint32_t field_number() {
    return std::max<uint32_t>(1, static_cast<uint32_t>(value()) & (kMaxFieldNumber >> below(29)));
  }
  std::string text() {
    std::string out(below(8) == 0 ? below(300) : below(12), '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }

 private:
  std::mt19937_64 random_;
};

std::string write_theirs(Generator& g) {
  UnknownFieldSet set;
  for (uint64_t n = g.below(12); n > 0; --n) {
    const int number = static_cast<int>(g.field_number());
    switch (g.below(4)) {
      case 0:
        set.AddVarint(number, g.value());
        break;
      case 1:
        set.AddFixed32(number, static_cast<uint32_t>(g.value()));
        break;
      case 2:
        set.AddFixed64(number, g.value());
        break;
      default:
        set.AddLengthDelimited(number, g.text());
        break;
    }
  }
  std::string out;
  EXPECT_TRUE(set.SerializeToString(&out));
  return out;
}

ByteVector write_ours(Generator& g) {
  ByteVector out;
  ProtoWriter writer(out);
  for (uint64_t n = g.below(12); n > 0; --n) {
    const uint32_t number = g.field_number();
    switch (g.below(4)) {
      case 0:
        writer.varint(number, g.value());
        break;
      case 1:
        writer.fixed32(number, static_cast<uint32_t>(g.value()));
        break;
      case 2:
        writer.fixed64(number, g.value());
        break;
      default:
        writer.string(number, g.text());
        break;
    }
  }
  return out;
}

// What our reader read, written by our writer.
ByteVector rewrite(Bytes in) {
  ByteVector out;
  ProtoWriter writer(out);
  ProtoReader reader(in);
  for (ProtoField f; reader.next(&f);) {
    switch (f.type) {
      case Type::kVarint:
        writer.varint(f.number, f.value);
        break;
      case Type::kFixed64:
        writer.fixed64(f.number, f.value);
        break;
      case Type::kFixed32:
        writer.fixed32(f.number, static_cast<uint32_t>(f.value));
        break;
      case Type::kBytes:
        writer.bytes(f.number, f.bytes);
        break;
    }
  }
  return out;
}

// Whether a varint of more than 32 bits can be anywhere in it.
bool has_long_varint(Bytes in) {
  size_t run = 0;
  for (const uint8_t byte : in) {
    run = byte >= 0x80 ? run + 1 : 0;
    if (run >= 4) return true;
  }
  return false;
}

TEST(ProtobufOracle, WeReadWhatLibprotobufWrites) {
  Generator g(1);
  for (int round = 0; round < 20000; ++round) {
    const std::string message = write_theirs(g);
    const auto ours = read_ours(as_bytes(message));
    ASSERT_TRUE(ours.has_value()) << to_hex(as_bytes(message));
    ASSERT_EQ(*ours, read_theirs(as_bytes(message))->text);
    ASSERT_TRUE(equal(rewrite(as_bytes(message)), as_bytes(message)));  // byte for byte
  }
}

TEST(ProtobufOracle, LibprotobufReadsWhatWeWrite) {
  Generator g(2);
  for (int round = 0; round < 20000; ++round) {
    const ByteVector message = write_ours(g);
    const auto theirs = read_theirs(message);
    ASSERT_TRUE(theirs.has_value()) << to_hex(message);
    ASSERT_EQ(theirs->text, read_ours(message));
  }
}

TEST(ProtobufOracle, BothRefuseTheSameTruncations) {
  Generator g(3);
  for (int round = 0; round < 1000; ++round) {
    const ByteVector message = write_ours(g);
    for (size_t n = 0; n < message.size(); ++n) {
      const Bytes part = Bytes(message).first(n);
      ASSERT_EQ(read_ours(part).has_value(), read_theirs(part).has_value()) << to_hex(part);
    }
  }
}

TEST(ProtobufOracle, BothJudgeDamagedMessagesAlike) {
  Generator g(4);
  int num_read = 0, num_refused = 0;
  for (int round = 0; round < 100000; ++round) {
    ByteVector message = write_ours(g);
    if (message.empty()) continue;
    for (uint64_t n = 1 + g.below(4); n > 0; --n) {
      message[g.below(message.size())] = static_cast<uint8_t>(g.value());
    }
    const auto ours = read_ours(message);
    const auto theirs = read_theirs(message);
    if (ours.has_value()) {
      const auto canonical = read_theirs(rewrite(message));
      ASSERT_TRUE(canonical.has_value()) << to_hex(message);
      ASSERT_EQ(canonical->text, *ours);
    }
    if (has_long_varint(message) || (theirs.has_value() && theirs->has_group)) continue;
    ASSERT_EQ(ours.has_value(), theirs.has_value()) << to_hex(message);
    if (ours.has_value()) {
      ASSERT_EQ(*ours, theirs->text);
    }
    ++(ours.has_value() ? num_read : num_refused);
  }
  EXPECT_GT(num_read, 3000);
  EXPECT_GT(num_refused, 3000);
}

}  // namespace
}  // namespace kith::wire
