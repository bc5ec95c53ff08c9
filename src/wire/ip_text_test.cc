// IP addresses as text, compared with the C library on random input.
#include "wire/ip_text.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

namespace kith::wire {
namespace {

std::string ip4(std::string_view text) {
  std::array<uint8_t, 4> a{};
  std::string out;
  if (parse_ip4(text, a)) append_ip4(out, a);
  return out;
}

std::string ip6(std::string_view text) {
  std::array<uint8_t, 16> a{};
  std::string out;
  if (parse_ip6(text, a)) append_ip6(out, a);
  return out;
}

TEST(Ip4Text, RoundTrips) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "1.20.30.4"}) {
    EXPECT_EQ(ip4(text), text);
  }
}

TEST(Ip4Text, RefusesEverythingElse) {
  for (const char* bad :
       {"", "1", "1.2.3", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "1.2.3.4.5", "256.1.1.1",
        "1.1.1.1000", "01.2.3.4", "1.2.3.00", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "+1.2.3.4",
        "1.2.3.-4", "::1", "::ffff:1.2.3.4"}) {
    EXPECT_EQ(ip4(bad), "") << bad;
  }
}

TEST(Ip6Text, WritesTheCanonicalForm) {  // the examples of RFC 5952 sections 1 to 5
  const std::pair<const char*, const char*> cases[] = {
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:db8:0000:0:1::1", "2001:db8::1:0:0:1"},
      {"2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"},
      {"2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"1:0:0:0:0:0:0:0", "1::"},
      {"1::", "1::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"::ffff:7f00:1", "::ffff:127.0.0.1"},
      {"::ffff:127.0.0.1", "::ffff:127.0.0.1"},
      {"0:0:0:0:0:ffff:1.2.3.4", "::ffff:1.2.3.4"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"::1.2.3.4", "::102:304"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
  };
  for (const auto& [text, canonical] : cases) EXPECT_EQ(ip6(text), canonical) << text;
}

TEST(Ip6Text, RefusesEverythingElse) {
  for (const char* bad : {"",
                          ":",
                          ":::",
                          "1",
                          "1:2:3:4:5:6:7",
                          "1:2:3:4:5:6:7:8:9",
                          "1:2:3:4:5:6:7:8:",
                          ":1:2:3:4:5:6:7:8",
                          "1::2::3",
                          "1:2:3:4::5:6:7:8",
                          "::1:2:3:4:5:6:7:8",
                          "1:2:3:4:5:6:7:8::",
                          "12345::",
                          "::g",
                          "::1%eth0",
                          "1:2:3:4:5:6:7:1.2.3.4",
                          "::1.2.3",
                          "::1.2.3.4:5",
                          "::1.2.3.256",
                          "1.2.3.4",
                          "::01.2.3.4",
                          "::1 ",
                          " ::1",
                          "[::1]",
                          "1:::2",
                          "::1:"}) {
    EXPECT_EQ(ip6(bad), "") << bad;
  }
}

TEST(Ip6Text, AgreesWithTheCLibraryOnRandomTexts) {
  static constexpr char kChars[] = "01fF:::..a9";
  static constexpr const char* kSeeds[] = {"",
                                           "1:2:3:4:5:6:7:8",
                                           "1:2:3:4:5:6:1.2.3.4",
                                           "::ffff:1.2.3.4",
                                           "2001:db8::1",
                                           "1:2:3:4:5:6:7::",
                                           "::2:3:4:5:6:7:8"};
  std::mt19937 random(3);
  int num_good = 0;
  for (int round = 0; round < 200000; ++round) {
    std::string text = kSeeds[random() % std::size(kSeeds)];
    if (text.empty()) {
      for (size_t n = random() % 20; n > 0; --n) text += kChars[random() % (sizeof kChars - 1)];
    }
    for (size_t n = random() % 4; n > 0; --n) {
      const size_t at = random() % (text.size() + 1);
      const size_t replaced = random() % 3 == 0 ? 2 : random() % 2;
      text.replace(at, replaced, random() % 4, kChars[random() % (sizeof kChars - 1)]);
    }
    std::array<uint8_t, 16> ours{}, theirs{};
    const bool good = parse_ip6(text, ours);
    ASSERT_EQ(good, inet_pton(AF_INET6, text.c_str(), theirs.data()) == 1) << text;
    if (!good) continue;
    ASSERT_EQ(ours, theirs) << text;
    ++num_good;
  }
  EXPECT_GT(num_good, 20000);
}

TEST(Ip6Text, ReadsBackWhatItWrites) {
  std::mt19937 random(4);
  for (int round = 0; round < 20000; ++round) {
    std::array<uint8_t, 16> a{}, b{}, c{};
    for (size_t i = 0; i < 16; i += 2) {
      if (random() % 2 == 0) continue;  // many groups of zeros
      a[i] = static_cast<uint8_t>(random() % 3 == 0 ? random() : 0);
      a[i + 1] = static_cast<uint8_t>(random());
    }
    std::string text;
    append_ip6(text, a);
    ASSERT_TRUE(parse_ip6(text, b)) << text;
    ASSERT_EQ(a, b) << text;
    ASSERT_EQ(inet_pton(AF_INET6, text.c_str(), c.data()), 1) << text;
    ASSERT_EQ(a, c) << text;
  }
}

}  // namespace
}  // namespace kith::wire
