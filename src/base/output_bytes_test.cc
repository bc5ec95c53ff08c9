#include "base/output_bytes.h"

#include <gtest/gtest.h>

#include <random>
#include <utility>

namespace kith {
namespace {

TEST(OutputBytes, GivesBackWhatWasAppendedInThatOrder) {
  OutputBytes out;
  ByteVector expected;
  std::mt19937_64 random(1);
  uint8_t next = 0;
  for (int round = 0; round < 20000; ++round) {
    if (random() % 2 == 0) {
      const size_t n = random() % 200;
      uint8_t* to = out.extend(n);
      for (size_t i = 0; i < n; ++i) expected.push_back(to[i] = next++);
      if (random() % 8 == 0 && n != 0) {
        out.truncate(out.size() - 1);
        expected.pop_back();
      }
    } else {
      const size_t n = random() % (expected.size() + 1);
      out.consume(n);
      expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(n));
    }
    ASSERT_TRUE(equal(out.bytes(), expected)) << round;
  }
  EXPECT_LT(out.capacity(), 8192U);  // what was consumed is used again
}

TEST(OutputBytes, KeepsItsMemoryUntilReleased) {
  OutputBytes out;
  EXPECT_TRUE(out.empty() && out.bytes().empty());
  out.append(ByteVector(1000, 1));
  const size_t capacity = out.capacity();
  out.clear();
  out.append({});
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(out.capacity(), capacity);
  out.append(ByteVector(10, 2));
  OutputBytes other = std::move(out);
  EXPECT_TRUE(equal(other.bytes(), ByteVector(10, 2)));
  EXPECT_EQ(out.capacity(), 0U);  // NOLINT(bugprone-use-after-move): empty, as documented
  other.mutable_bytes()[0] = 7;
  EXPECT_EQ(other.bytes()[0], 7);
  other.release();
  EXPECT_EQ(other.capacity(), 0U);
}

}  // namespace
}  // namespace kith
