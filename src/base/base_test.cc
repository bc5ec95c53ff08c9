// Result, Error, byte helpers and hexadecimal.
#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace kith {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(KITH_ERR_MALFORMED, "half", std::to_string(n) + " is odd");
  return n / 2;
}

Result<int> quarter(int n) {
  KITH_ASSIGN(const int h, half(n));
  KITH_ASSIGN(const int q, half(h));
  return q;
}

Status divisible_by_four(int n) {
  KITH_TRY(quarter(n));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = half(4);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 2);
  EXPECT_EQ(good.status(), KITH_OK);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.status(), KITH_ERR_MALFORMED);
  EXPECT_EQ(bad.error().detail(), "3 is odd");
}

TEST(Result, MovesOutValuesThatCannotBeCopied) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  const std::unique_ptr<int> p = std::move(r).value();
  EXPECT_EQ(*p, 7);
}

TEST(Result, TryAndAssignHandTheErrorUp) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().detail(), "3 is odd");
  EXPECT_TRUE(divisible_by_four(12).ok());
  EXPECT_EQ(divisible_by_four(2).status(), KITH_ERR_MALFORMED);
}

TEST(Error, SaysWhereAndWhatAndItsName) {
  EXPECT_EQ(half(3).error().to_string(), "half: 3 is odd (KITH_ERR_MALFORMED)");
  EXPECT_EQ(Error(KITH_ERR_TIMEOUT, "dial").to_string(),
            "dial: the deadline passed (KITH_ERR_TIMEOUT)");
  EXPECT_EQ(Error(KITH_ERR_LIMIT, "").to_string(), "a limit is reached (KITH_ERR_LIMIT)");
}

TEST(Error, CopiesItsDetail) {
  const Error a(KITH_ERR_IO, "socket", "no route");
  Error b = a;
  EXPECT_EQ(b.detail(), "no route");
  b = Error(KITH_ERR_CLOSED, "stream");
  EXPECT_EQ(b.detail(), "");
  b = a;
  EXPECT_EQ(b.to_string(), a.to_string());
}

TEST(ResultDeathTest, TheValueOfAFailureAborts) {
  EXPECT_DEATH((void)half(3).value(), "half: 3 is odd");
  EXPECT_DEATH((void)half(4).error(), "");
  EXPECT_DEATH(KITH_CHECK(1 == 2), "invariant broken: 1 == 2");
}

TEST(Status, EveryCodeHasANameAndASentence) {
  EXPECT_STREQ(kith_status_name(KITH_OK), "KITH_OK");
  EXPECT_STREQ(kith_status_name(KITH_ERR_PEER_ID_MISMATCH), "KITH_ERR_PEER_ID_MISMATCH");
  EXPECT_STREQ(kith_status_name(12345), "KITH_ERR_UNKNOWN");
  EXPECT_STREQ(kith_status_text(12345), "unknown status");
}

TEST(Bytes, ViewsAndCopiesText) {
  EXPECT_EQ(as_text(as_bytes("abc")), "abc");
  ByteVector v = to_vector(as_bytes("ab"));
  append(v, as_bytes("c"));
  append(v, std::string_view("d"));
  EXPECT_TRUE(equal(v, as_bytes("abcd")));
  EXPECT_FALSE(equal(v, as_bytes("abce")));
  EXPECT_FALSE(equal(v, as_bytes("abc")));
  EXPECT_TRUE(equal({}, {}));
}

TEST(Hex, RoundTripsEveryByte) {
  ByteVector all(256);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i);
  const std::string text = to_hex(all);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(from_hex(text), all);
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(from_hex(""), ByteVector());
}

TEST(Hex, ReadsBothCasesAndNothingElse) {
  EXPECT_EQ(from_hex("aBCd"), (ByteVector{0xab, 0xcd}));
  for (const char* bad : {"a", "abc", "0x", "g0", "0g", " 0", "a\n"}) {
    EXPECT_FALSE(from_hex(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace kith
