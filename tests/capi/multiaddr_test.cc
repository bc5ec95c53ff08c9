// kith/multiaddr.h.
#include "kith/multiaddr.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

constexpr const char* kId = "12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcRzQ4FENEemvpg";

std::vector<uint8_t> parse(const std::string& text) {
  std::vector<uint8_t> out(4096);
  size_t len = out.size();
  kith_error error{};
  EXPECT_EQ(KITH_OK, kith_multiaddr_parse(out.data(), &len, text.c_str(), &error)) << error.message;
  out.resize(len);
  return out;
}

TEST(MultiaddrH, AsksForTheSizeThenRefusesLessThenWrites) {
  const std::string text = std::string("/ip4/127.0.0.1/udp/4001/quic-v1/p2p/") + kId;
  size_t len = 0;
  ASSERT_EQ(KITH_OK, kith_multiaddr_parse(nullptr, &len, text.c_str(), nullptr));
  const size_t needed = len;
  std::vector<uint8_t> out(needed, 0xaa);
  len = needed - 1;
  EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL,
            kith_multiaddr_parse(out.data(), &len, text.c_str(), nullptr));
  EXPECT_EQ(needed, len);
  EXPECT_EQ(std::vector<uint8_t>(needed, 0xaa), out);
  EXPECT_EQ(KITH_OK, kith_multiaddr_parse(out.data(), &len, text.c_str(), nullptr));

  size_t text_len = 0;
  ASSERT_EQ(KITH_OK, kith_multiaddr_format(nullptr, &text_len, out.data(), out.size(), nullptr));
  EXPECT_EQ(text.size() + 1, text_len);
  std::string back(text_len, 'x');
  --text_len;
  EXPECT_EQ(KITH_ERR_BUFFER_TOO_SMALL,
            kith_multiaddr_format(back.data(), &text_len, out.data(), out.size(), nullptr));
  EXPECT_EQ(text.size() + 1, text_len);
  EXPECT_EQ(KITH_OK,
            kith_multiaddr_format(back.data(), &text_len, out.data(), out.size(), nullptr));
  EXPECT_STREQ(text.c_str(), back.c_str());
}

TEST(MultiaddrH, SaysWhatIsWrong) {
  size_t len = 0;
  for (const char* bad : {"", "ip4/1.2.3.4", "/ip4", "/ip4/1.2.3", "/nope/1", "/udp/65536"}) {
    kith_error error{};
    EXPECT_EQ(KITH_ERR_MALFORMED, kith_multiaddr_parse(nullptr, &len, bad, &error)) << bad;
    EXPECT_EQ(KITH_ERR_MALFORMED, error.status);
    EXPECT_STRNE("", error.message);
    EXPECT_NE(KITH_OK, kith_multiaddr_parse(nullptr, &len, bad, nullptr));
  }
  kith_error error{};
  const std::string huge = "/dns4/" + std::string(9000, 'a');
  EXPECT_NE(KITH_OK, kith_multiaddr_parse(nullptr, &len, huge.c_str(), &error));
  const uint8_t cut[] = {4, 127, 0};
  EXPECT_EQ(KITH_ERR_MALFORMED, kith_multiaddr_format(nullptr, &len, cut, sizeof cut, &error));
  const std::vector<uint8_t> big(5000, 1);
  EXPECT_NE(KITH_OK, kith_multiaddr_format(nullptr, &len, big.data(), big.size(), &error));
}

TEST(MultiaddrH, NextWalksEveryComponent) {
  const std::string text =
      std::string("/dns6/a.example/udp/443/quic-v1/p2p/") + kId + "/p2p-circuit/ip6/::1/tcp/80/ws";
  const std::vector<uint8_t> bytes = parse(text);
  const std::vector<std::pair<std::string, size_t>> want = {
      {"dns6", 9},        {"udp", 2},  {"quic-v1", 0}, {"p2p", 38},
      {"p2p-circuit", 0}, {"ip6", 16}, {"tcp", 2},     {"ws", 0}};
  size_t offset = 0;
  for (const auto& [name, size] : want) {
    kith_multiaddr_component c{};
    const size_t before = offset;
    ASSERT_EQ(KITH_OK, kith_multiaddr_next(bytes.data(), bytes.size(), &offset, &c)) << name;
    EXPECT_EQ(name, c.name);
    EXPECT_EQ(size, c.value_len);
    EXPECT_GE(c.value, bytes.data() + before);
    EXPECT_EQ(c.value + c.value_len, bytes.data() + offset);
  }
  EXPECT_EQ(bytes.size(), offset);
  kith_multiaddr_component c{};
  EXPECT_EQ(KITH_ERR_CLOSED, kith_multiaddr_next(bytes.data(), bytes.size(), &offset, &c));
  EXPECT_EQ(bytes.size(), offset);
}

TEST(MultiaddrH, NextKnowsEveryKindOfComponent) {
  const std::string onion = "/onion3/" + std::string(56, 'a') + ":1234";
  for (const std::string& text : {std::string("/ip4/1.2.3.4"),  std::string("/dns/x"),
                                  std::string("/dns4/x"),       std::string("/dnsaddr/x"),
                                  std::string("/ip6zone/eth0"), std::string("/ipcidr/24"),
                                  std::string("/sctp/1"),       std::string("/dccp/1"),
                                  std::string("/utp"),          std::string("/udt"),
                                  std::string("/unix/a/b"),     std::string("/tls"),
                                  std::string("/sni/x"),        std::string("/noise"),
                                  std::string("/quic"),         std::string("/webtransport"),
                                  std::string("/webrtc"),       std::string("/webrtc-direct"),
                                  std::string("/http"),         std::string("/https"),
                                  std::string("/wss"),          onion}) {
    kith_error error{};
    size_t len = 0;
    if (kith_multiaddr_parse(nullptr, &len, text.c_str(), &error) != KITH_OK) {
      ADD_FAILURE() << text << ": " << error.message;
      continue;
    }
    const std::vector<uint8_t> bytes = parse(text);
    size_t offset = 0;
    kith_multiaddr_component c{};
    EXPECT_EQ(KITH_OK, kith_multiaddr_next(bytes.data(), bytes.size(), &offset, &c));
    EXPECT_EQ(text.substr(1, text.find('/', 1) - 1), c.name);
    EXPECT_EQ(bytes.size(), offset);
  }
}

TEST(MultiaddrH, NextRefusesCutBytesAndOffsetsOutside) {
  const std::vector<uint8_t> bytes = parse("/ip4/127.0.0.1/udp/4001/quic-v1");
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    size_t offset = 0;
    kith_multiaddr_component c{};
    kith_status status = KITH_OK;
    for (int i = 0; i < 10 && status == KITH_OK; ++i) {
      status = kith_multiaddr_next(bytes.data(), cut, &offset, &c);
    }
    EXPECT_TRUE(status == KITH_ERR_MALFORMED || status == KITH_ERR_CLOSED) << cut;
    EXPECT_LE(offset, cut);
  }
  kith_multiaddr_component c{};
  size_t outside = bytes.size() + 1;
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT,
            kith_multiaddr_next(bytes.data(), bytes.size(), &outside, &c));
}

}  // namespace
