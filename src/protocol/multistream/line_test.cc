#include "protocol/multistream/line.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fuzz/input.h"

namespace kith::multistream {
namespace {

// All lines of a stream, or the status it fails with.
struct Lines {
  std::vector<std::string> lines;
  kith_status status = KITH_OK;
  std::string detail;
  friend bool operator==(const Lines&, const Lines&) = default;

  size_t receive(Bytes in) {
    Bytes rest = in;
    while (status == KITH_OK) {
      auto line = reader->next(&rest);
      if (!line.ok()) {
        status = line.status();
        detail = line.error().detail();
      } else if (*line) {
        lines.emplace_back(**line);
      } else {
        break;
      }
    }
    return in.size();
  }
  std::shared_ptr<LineReader> reader = std::make_shared<LineReader>();
};

Lines read_lines(Bytes in, const std::vector<size_t>& cuts = {}) {
  Lines out;
  fuzz::feed(out, in, cuts);
  out.reader = nullptr;
  return out;
}

ByteVector hex(std::string_view text) { return *from_hex(text); }

std::string line_of(size_t text_bytes) { return std::string(text_bytes, 'x'); }

ByteVector encoded(std::initializer_list<std::string_view> lines) {
  SmallBuffer<16> out;
  for (std::string_view line : lines) append_line(out, line);
  return to_vector(out.bytes());
}

// libp2p/specs connections/README.md and multiformats/multistream-select README.md.
TEST(MultistreamLine, EncodesTheSpecsVectors) {
  EXPECT_EQ(encoded({"na"}), hex("036e610a"));
  EXPECT_EQ(encoded({"ls"}), hex("036c730a"));
  EXPECT_EQ(encoded({kProtocolId}), hex("132f6d756c746973747265616d2f312e302e300a"));
}

TEST(MultistreamLine, ReadsLinesInEverySplit) {
  const ByteVector stream = encoded({kProtocolId, "/a", "na", line_of(200), "x"});
  const Lines whole = read_lines(stream);
  EXPECT_EQ(whole.lines,
            (std::vector<std::string>{std::string(kProtocolId), "/a", "na", line_of(200), "x"}));
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    EXPECT_EQ(read_lines(stream, cuts), whole);
  });
}

TEST(MultistreamLine, AcceptsALineAtTheLimitAndRefusesOneBeyond) {
  EXPECT_EQ(line_size(line_of(limits::kMultistreamLineBytes - 1)),
            2 + limits::kMultistreamLineBytes);
  EXPECT_EQ(read_lines(encoded({line_of(limits::kMultistreamLineBytes - 1)})).lines.size(), 1U);
  const Lines refused = read_lines(encoded({line_of(limits::kMultistreamLineBytes)}));
  EXPECT_EQ(refused.status, KITH_ERR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(refused.detail, "a line of 1025 bytes; the limit is 1024");
}

struct BadLine {
  const char* hex;
  kith_status status;
  const char* detail;
};
constexpr const char* kBadLength =
    "the length of a line is not a minimal varint of at most 9 bytes";
constexpr BadLine kBadLines[] = {
    {"00", KITH_ERR_MALFORMED, "a line of length 0, without even its newline"},
    {"010a", KITH_ERR_MALFORMED, "an empty line"},
    {"026162", KITH_ERR_MALFORMED, "a line does not end in a newline: 'ab'"},
    {"036e6120", KITH_ERR_MALFORMED, "a line does not end in a newline: 'na '"},
    {"83006e610a", KITH_ERR_MALFORMED, kBadLength},
    {"8000", KITH_ERR_MALFORMED, kBadLength},
    {"8383838383838383838301", KITH_ERR_MALFORMED, kBadLength},
    {"ffffffffffffffffff01", KITH_ERR_MALFORMED, kBadLength},
    {"80808080808080808000", KITH_ERR_MALFORMED, kBadLength},
    {"808080808080808040", KITH_ERR_MESSAGE_TOO_LARGE,
     "a line of 4611686018427387904 bytes; the limit is 1024"},
    {"8108", KITH_ERR_MESSAGE_TOO_LARGE, "a line of 1025 bytes; the limit is 1024"},
};

TEST(MultistreamLine, NamesWhatIsWrongWithALineInEverySplit) {
  for (const BadLine& bad : kBadLines) {
    SCOPED_TRACE(bad.hex);
    ByteVector stream = encoded({"/ok"});
    append(stream, hex(bad.hex));
    fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
      const Lines got = read_lines(stream, cuts);
      EXPECT_EQ(got.lines, std::vector<std::string>{"/ok"});
      EXPECT_EQ(got.status, bad.status);
      EXPECT_EQ(got.detail, bad.detail);
    });
  }
}

TEST(MultistreamLine, RefusesAHugeLengthBeforeAnyOfItArrives) {
  EXPECT_EQ(read_lines(hex("8108")).status, KITH_ERR_MESSAGE_TOO_LARGE);
}

TEST(SmallBuffer, KeepsItsContentWhenItMovesToTheHeapAndBack) {
  SmallBuffer<8> buffer;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string piece(static_cast<size_t>(i % 7), static_cast<char>('a' + i % 26));
    buffer.append(as_bytes(piece));
    expected += piece;
    EXPECT_EQ(as_text(buffer.bytes()), expected);
  }
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  buffer.append(as_bytes("again"));
  EXPECT_EQ(as_text(buffer.bytes()), "again");
}

}  // namespace
}  // namespace kith::multistream
