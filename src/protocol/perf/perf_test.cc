#include "protocol/perf/perf.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace kith::perf {
namespace {

ByteVector bytes_of(std::string_view hex) { return *from_hex(hex); }

Result<uint64_t> wanted(const ByteVector& sent, size_t piece) {
  Receiver r;
  for (size_t at = 0; at < sent.size(); at += piece) {
    r.receive(Bytes(sent).subspan(at, std::min(piece, sent.size() - at)));
  }
  EXPECT_EQ(r.received(), sent.size());
  return r.finish();
}

TEST(Perf, TheHeaderIsBigEndian) {
  EXPECT_EQ(to_hex(header(0x0102030405060708)), "0102030405060708");
}

TEST(Perf, SaysHowMuchToSendBackInEverySplit) {
  ByteVector sent = to_vector(header(1000));
  sent.resize(sent.size() + 33);
  for (size_t piece = 1; piece <= sent.size(); ++piece) EXPECT_EQ(*wanted(sent, piece), 1000U);
}

TEST(Perf, AnEmptyUploadAndTheLargestDownloadAreValid) {
  EXPECT_EQ(*wanted(to_vector(header(0)), 8), 0U);
  EXPECT_EQ(*wanted(to_vector(header(UINT64_MAX)), 8), UINT64_MAX);
}

TEST(Perf, TakesTheSixteenByteHeaderOfOtherApps) {
  ByteVector sent = bytes_of(
      "0000000000000005"
      "0000000000000400");
  sent.resize(sent.size() + 5);
  for (size_t piece = 1; piece <= sent.size(); ++piece) EXPECT_EQ(*wanted(sent, piece), 1024U);
  // One byte more or less, and it is an upload of the specification's kind.
  sent.push_back(0);
  EXPECT_EQ(*wanted(sent, 7), 5U);
}

TEST(Perf, RefusesAStreamWithoutAHeader) {
  EXPECT_EQ(wanted(bytes_of("00000000000000"), 7).status(), KITH_ERR_PROTOCOL_VIOLATION);
  EXPECT_EQ(Receiver().finish().status(), KITH_ERR_PROTOCOL_VIOLATION);
}

}  // namespace
}  // namespace kith::perf
