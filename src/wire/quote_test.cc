// Quoted text for error sentences.
#include "wire/quote.h"

#include <gtest/gtest.h>

namespace kith::wire {
namespace {

TEST(Quote, KeepsPrintableText) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("a b~"), "'a b~'");
}

TEST(Quote, EscapesEverythingElse) {
  EXPECT_EQ(quote(std::string_view("\0\x1b\n\x7f\xff'\\", 7)), R"('\x00\x1b\x0a\x7f\xff\x27\x5c')");
}

TEST(Quote, CutsLongText) {
  EXPECT_EQ(quote(std::string(64, 'a')), "'" + std::string(64, 'a') + "'");
  EXPECT_EQ(quote(std::string(65, 'a')), "'" + std::string(64, 'a') + "'...");
}

}  // namespace
}  // namespace kith::wire
