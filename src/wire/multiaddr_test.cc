// Multiaddr: texts, errors, limits, iteration and surgery. The vectors of others are in
// multiaddr_vectors_test.cc.
#include "wire/multiaddr.h"

#include <gtest/gtest.h>

#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/limits.h"
#include "wire/multihash.h"

namespace kith::wire {
namespace {

static_assert(std::forward_iterator<Multiaddr::Iterator>);

constexpr const char* kEd25519PeerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

Multiaddr parse(std::string_view text) {
  Result<Multiaddr> r = Multiaddr::parse(text);
  EXPECT_TRUE(r.ok()) << text << ": " << (r.ok() ? "" : r.error().to_string());
  return r.ok() ? *r : Multiaddr();
}

std::string error_of(std::string_view text) {
  const Result<Multiaddr> r = Multiaddr::parse(text);
  return r.ok() ? "accepted as " + r->to_string() : std::string(r.error().detail());
}

std::string error_of_bytes(std::string_view hex) {
  const Result<Multiaddr> r = Multiaddr::decode(*from_hex(hex));
  return r.ok() ? "accepted as " + r->to_string() : std::string(r.error().detail());
}

std::string canonical(std::string_view text) { return parse(text).to_string(); }

TEST(Multiaddr, EveryProtocolRoundTrips) {
  const std::string i2p = std::string(515, 'A') + "=";  // 386 bytes
  const std::pair<const char*, std::string> values[] = {
      {"ip4", "1.2.3.4"},
      {"tcp", "80"},
      {"dccp", "65535"},
      {"ip6", "2001:db8::1"},
      {"ip6zone", "eth0"},
      {"ipcidr", "255"},
      {"dns", "example.com"},
      {"dns4", "example.com"},
      {"dns6", "example.com"},
      {"dnsaddr", "bootstrap.libp2p.io"},
      {"sctp", "1"},
      {"udp", "0"},
      {"p2p-webrtc-star", ""},
      {"p2p-webrtc-direct", ""},
      {"p2p-stardust", ""},
      {"webrtc-direct", ""},
      {"webrtc", ""},
      {"p2p-circuit", ""},
      {"udt", ""},
      {"utp", ""},
      {"unix", "/run/kith.sock"},
      {"p2p", kEd25519PeerId},
      {"https", ""},
      {"onion", "timaq4ygg2iegci7:1234"},
      {"onion3", "vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234"},
      {"garlic64", i2p},
      {"garlic32", "566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq"},
      {"tls", ""},
      {"sni", "example.com"},
      {"noise", ""},
      {"quic", ""},
      {"quic-v1", ""},
      {"webtransport", ""},
      {"certhash", "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g"},
      {"ws", ""},
      {"wss", ""},
      {"p2p-websocket-star", ""},
      {"http", ""},
      {"http-path", "a%2Fb"},
      {"memory", "18446744073709551615"},
      {"plaintextv2", ""},
  };
  EXPECT_EQ(std::size(values), 41U);  // all that protocols.csv and go-multiaddr have, ipfs as p2p
  for (const auto& [name, value] : values) {
    const Protocol* protocol = protocol_by_name(name);
    ASSERT_NE(protocol, nullptr) << name;
    EXPECT_EQ(protocol->name, name);
    EXPECT_EQ(protocol_by_code(protocol->code), protocol);
    EXPECT_EQ(protocol->size_bits == 0, value.empty());
    const std::string text =
        "/" + std::string(name) + (value.empty() || protocol->is_path ? value : "/" + value);
    const Multiaddr addr = parse(text);
    EXPECT_EQ(addr.to_string(), text);
    EXPECT_EQ(addr.last()->value_text(), value);
    EXPECT_EQ(*Multiaddr::decode(addr.bytes()), addr);
    EXPECT_EQ(*Multiaddr().with(protocol->code, addr.last()->value), addr);
  }
}

TEST(Multiaddr, CodesAreThoseOfTheRegistry) {
  EXPECT_EQ(protocol_by_name("p2p")->code, 421U);
  EXPECT_EQ(protocol_by_name("ipfs"), protocol_by_name("p2p"));
  EXPECT_EQ(protocol_by_name("plaintextv2")->code, 7367777U);
  EXPECT_EQ(protocol_by_code(461)->name, "quic-v1");
  EXPECT_EQ(protocol_by_code(0), nullptr);
  EXPECT_EQ(protocol_by_code(5), nullptr);
  EXPECT_EQ(protocol_by_code(~0U), nullptr);
  EXPECT_EQ(protocol_by_name(""), nullptr);
  EXPECT_EQ(protocol_by_name("IP4"), nullptr);
}

TEST(Multiaddr, WritesTheCanonicalText) {
  EXPECT_EQ(canonical("/ip4/127.0.0.1/tcp/1234///"), "/ip4/127.0.0.1/tcp/1234");
  EXPECT_EQ(canonical("/tcp/00080"), "/tcp/80");
  EXPECT_EQ(canonical("/ip6/2001:DB8:0:0:0:0:0:1"), "/ip6/2001:db8::1");
  EXPECT_EQ(canonical("/ip6/::FFFF:7f00:1"), "/ip6/::ffff:127.0.0.1");
  EXPECT_EQ(canonical("/ipfs/QmbHVEEepCi7rn7VL7Exxpd2Ci9NNB6ifvqwhsrbRMgQFP"),
            "/p2p/QmbHVEEepCi7rn7VL7Exxpd2Ci9NNB6ifvqwhsrbRMgQFP");
  EXPECT_EQ(canonical("/p2p/bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"),
            "/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N");
  EXPECT_EQ(canonical("/onion/TIMAQ4YGG2IEGCI7:1234"), "/onion/timaq4ygg2iegci7:1234");
  EXPECT_EQ(canonical("/certhash/b2uaraocy6yrdblb4sfptaddgimjmmpy"),
            "/certhash/u1QEQOFj2IjCsPJFfMAxmQxLGPw");
  EXPECT_EQ(canonical("/unix//a/b"), "/unix//a/b");
}

TEST(Multiaddr, HttpPathIsPercentEncoded) {  // multiformats/multiaddr protocols/http-path.md
  EXPECT_EQ(as_text(parse("/http-path/api%2Fv0%2flogin").last()->value), "api/v0/login");
  EXPECT_EQ(canonical("/http-path/a%2520space"), "/http-path/a%2520space");
  EXPECT_EQ(canonical("/http-path/tmp%2Ffoo%2F..%2Fbar"), "/http-path/tmp%2Ffoo%2F..%2Fbar");
  EXPECT_EQ(canonical("/http-path/%41-._~"), "/http-path/A-._~");
  EXPECT_EQ(canonical("/http-path/a b+c"), "/http-path/a%20b%2Bc");
  EXPECT_EQ(canonical("/http-path/%00%ff"), "/http-path/%00%FF");
  EXPECT_EQ(canonical("/http-path/tmp%2Fbar/p2p-circuit"), "/http-path/tmp%2Fbar/p2p-circuit");
  EXPECT_EQ(error_of("/http-path/a%"),
            "component 1 'http-path': two hexadecimal digits must follow '%' in 'a%'");
  EXPECT_EQ(error_of("/http-path/a%4"),
            "component 1 'http-path': two hexadecimal digits must follow '%' in 'a%4'");
  EXPECT_EQ(error_of("/http-path/%zz/tcp/1"),
            "component 1 'http-path': two hexadecimal digits must follow '%' in '%zz'");
}

TEST(Multiaddr, ErrorsNameTheComponentAndSayWhatIsWrong) {
  EXPECT_EQ(
      Multiaddr::parse("/ip4/1.2.3.4/tcp/65536").error().to_string(),
      "multiaddr: component 2 'tcp': port 65536 is out of range 0..65535 (KITH_ERR_MALFORMED)");
  EXPECT_EQ(error_of(""), "the address is empty");
  EXPECT_EQ(error_of("///"), "the address is empty");
  EXPECT_EQ(error_of("ip4/1.2.3.4"), "'ip4/1.2.3.4' does not begin with a slash");
  EXPECT_EQ(error_of("/ip4"), "component 1 'ip4': the value is missing");
  EXPECT_EQ(error_of("/ip4/1.2.3.4//tcp/1"), "component 2: the protocol name is empty");
  EXPECT_EQ(error_of("/tcp/1/bogus/2"), "component 2: no protocol is called 'bogus'");
  EXPECT_EQ(error_of("/ip4/1.2.3"), "component 1 'ip4': '1.2.3' is not an IPv4 address");
  EXPECT_EQ(error_of("/ip6/1.2.3.4"), "component 1 'ip6': '1.2.3.4' is not an IPv6 address");
  EXPECT_EQ(error_of("/tcp/+1"), "component 1 'tcp': '+1' is not a port (0..65535)");
  EXPECT_EQ(error_of("/tcp//udp/1"), "component 1 'tcp': '' is not a port (0..65535)");
  EXPECT_EQ(error_of("/ip4/1.2.3.4/ipcidr/256"),
            "component 2 'ipcidr': prefix length 256 is out of range 0..255");
  EXPECT_EQ(
      error_of("/memory/18446744073709551616"),
      "component 1 'memory': number 18446744073709551616 is out of range 0..18446744073709551615");
  EXPECT_EQ(error_of("/dns//tcp/1"), "component 1 'dns': the value is empty");
  EXPECT_EQ(error_of("/p2p/12"), "component 1 'p2p': the digest is said to have 1 bytes, 0 follow");
  EXPECT_EQ(error_of("/p2p/1l"),
            "component 1 'p2p': character 'l' at offset 1 is not a digit of base58btc");
  EXPECT_EQ(error_of("/p2p/QmxoHT6iViN5xAjoz1VZ553cL31U9F94ht3QvWR1FrEbZY"),
            "component 1 'p2p': the digest is said to have 33 bytes, 32 follow");
  EXPECT_EQ(error_of("/certhash/uEiAB"),
            "component 1 'certhash': the digest is said to have 32 bytes, 1 follow");
  EXPECT_EQ(error_of("/onion/timaq4ygg2iegci7"),
            "component 1 'onion': 'timaq4ygg2iegci7' has no port");
  EXPECT_EQ(error_of("/onion/timaq4ygg2iegci7:0"), "component 1 'onion': port 0 is not allowed");
  EXPECT_EQ(error_of("/onion/timaq4:1"), "component 1 'onion': the host has 6 characters, not 16");
  EXPECT_EQ(error_of("/unix//"), "component 1 'unix': the value is missing");
}

TEST(Multiaddr, ErrorsQuoteHostileTextSafely) {
  EXPECT_EQ(error_of("/\x1b[2J\n'\\"),
            "component 1: no protocol is called '\\x1b[2J\\x0a\\x27\\x5c'");
  EXPECT_EQ(error_of("/" + std::string(5000, 'a')),
            "component 1: no protocol is called '" + std::string(64, 'a') + "'...");
  EXPECT_LT(error_of("/tcp/" + std::string(5000, '9')).size(), 200U);
}

TEST(Multiaddr, ErrorsOfTheBinaryFormDoTheSame) {
  EXPECT_EQ(error_of_bytes(""), "the address is empty");
  EXPECT_EQ(error_of_bytes("05"), "component 1: no protocol has this code (5)");
  EXPECT_EQ(error_of_bytes("91"), "component 1: the protocol code is not a whole varint");
  EXPECT_EQ(error_of_bytes("8400"), "component 1: the protocol code is not a whole varint");
  EXPECT_EQ(error_of_bytes("ffffffffffffffff7f"),
            "component 1: the protocol code exceeds 32 bits (9223372036854775807)");
  EXPECT_EQ(error_of_bytes("047f0000010610"), "component 2 'tcp': the value is cut short");
  EXPECT_EQ(error_of_bytes("3503"), "component 1 'dns': the value is cut short");
  EXPECT_EQ(error_of_bytes("35ffffffffffffffff7f"), "component 1 'dns': the value is cut short");
  EXPECT_EQ(error_of_bytes("358100"), "component 1 'dns': the length is not a whole varint");
  EXPECT_EQ(error_of_bytes("3500"), "component 1 'dns': the value is empty");
  EXPECT_EQ(error_of_bytes("3503612f62"),
            "component 1 'dns': the domain name 'a/b' contains a slash");
  EXPECT_EQ(error_of_bytes("2a012f"), "component 1 'ip6zone': the zone '/' contains a slash");
  EXPECT_EQ(error_of_bytes("9003022f61060001"), "component 2 'tcp': nothing may follow a path");
  EXPECT_EQ(error_of_bytes("90030161"),
            "component 1 'unix': the path 'a' does not begin with a slash and end with a name");
  EXPECT_EQ(error_of_bytes("a50312d50110000102030405060708090a0b0c0d0e0f").substr(0, 60),
            "component 1 'p2p': the digest is said to have 16 bytes, 15 f");
  EXPECT_EQ(
      error_of_bytes("a50313d50110000102030405060708090a0b0c0d0e0f"),
      "component 1 'p2p': a peer id is an identity or sha2-256 multihash, not one of function 213");
}

TEST(Multiaddr, HoldsTheLimitOfTheBinaryForm) {
  ByteVector bytes;
  while (bytes.size() < limits::kMultiaddrBytes)
    append(bytes, Bytes(std::array<uint8_t, 2>{0xc0, 0x03}));
  ASSERT_EQ(bytes.size(), limits::kMultiaddrBytes);
  const Result<Multiaddr> most = Multiaddr::decode(bytes);  // /tls, 2048 times
  ASSERT_TRUE(most.ok());
  EXPECT_EQ(std::distance(most->begin(), most->end()), 2048);
  EXPECT_EQ(most->with(proto::kTls).status(), KITH_ERR_LIMIT);
  EXPECT_TRUE(most->with(parse("/tls")).empty());
  EXPECT_TRUE(most->without_last().with(proto::kTls).ok());
  append(bytes, Bytes(std::array<uint8_t, 2>{0xc0, 0x03}));
  EXPECT_EQ(Multiaddr::decode(bytes).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(Multiaddr::decode(bytes).error().detail(),
            "an address of 4098 bytes exceeds the limit of 4096");
}

TEST(Multiaddr, HoldsTheLimitsOfTheText) {
  const std::string name(limits::kMultiaddrTextBytes - 5, 'a');
  EXPECT_EQ(Multiaddr::parse("/dns/" + name).status(), KITH_ERR_LIMIT);  // of bytes
  const std::string slashes(limits::kMultiaddrTextBytes - 4, '/');
  EXPECT_EQ(canonical("/tls" + slashes), "/tls");
  EXPECT_EQ(Multiaddr::parse("/tls/" + slashes).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(Multiaddr::parse("/dns/" + name.substr(0, limits::kMultiaddrBytes - 3)).status(),
            KITH_OK);
  EXPECT_EQ(Multiaddr::parse("/dns/" + name.substr(0, limits::kMultiaddrBytes - 2)).status(),
            KITH_ERR_LIMIT);
  EXPECT_EQ(Multiaddr::parse("/p2p/1" + name.substr(0, limits::kBigNumberTextBytes)).status(),
            KITH_ERR_LIMIT);
}

TEST(Multiaddr, IteratesInOrder) {
  const Multiaddr addr = parse("/ip4/1.2.3.4/udp/4001/quic-v1/p2p/" + std::string(kEd25519PeerId));
  std::vector<std::string> seen;
  for (const Component c : addr)
    seen.push_back(std::string(c.protocol->name) + "=" + c.value_text());
  EXPECT_EQ(seen, (std::vector<std::string>{"ip4=1.2.3.4", "udp=4001",
                                            "quic-v1=", "p2p=" + std::string(kEd25519PeerId)}));
  EXPECT_EQ(to_hex(addr.find(proto::kUdp)->value), "0fa1");
  EXPECT_TRUE(addr.has(proto::kQuicV1));
  EXPECT_FALSE(addr.has(proto::kQuic));
  EXPECT_FALSE(addr.find(proto::kTcp).has_value());
  EXPECT_EQ(addr.last()->protocol->code, proto::kP2p);
  auto it = addr.begin();
  EXPECT_EQ(it++->protocol->code, proto::kIp4);
  EXPECT_EQ(it->protocol->code, proto::kUdp);
  EXPECT_EQ(std::next(it, 3), addr.end());
  EXPECT_EQ(parse("/ip4/1.1.1.1/ip4/2.2.2.2").find(proto::kIp4)->value_text(), "1.1.1.1");
}

TEST(Multiaddr, TheEmptyOneHasNothing) {
  const Multiaddr empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.begin(), empty.end());
  EXPECT_EQ(empty.to_string(), "");
  EXPECT_FALSE(empty.last().has_value());
  EXPECT_TRUE(empty.without_last().empty());
  EXPECT_TRUE(empty.up_to(proto::kTcp).empty());
  EXPECT_TRUE(empty.with(Multiaddr()).empty());
  EXPECT_EQ(empty.with(parse("/tls")), parse("/tls"));
  EXPECT_EQ(parse("/tls").with(empty), parse("/tls"));
}

TEST(Multiaddr, JoinsAndSplits) {
  const Multiaddr relay = parse("/ip4/1.2.3.4/tcp/1/p2p/" + std::string(kEd25519PeerId));
  const Multiaddr circuit =
      relay.with(parse("/p2p-circuit/p2p/QmbHVEEepCi7rn7VL7Exxpd2Ci9NNB6ifvqwhsrbRMgQFP"));
  EXPECT_EQ(circuit.to_string(),
            relay.to_string() + "/p2p-circuit/p2p/QmbHVEEepCi7rn7VL7Exxpd2Ci9NNB6ifvqwhsrbRMgQFP");
  EXPECT_EQ(circuit.without_last().to_string(), relay.to_string() + "/p2p-circuit");
  EXPECT_EQ(circuit.up_to(proto::kP2pCircuit), relay);
  EXPECT_EQ(circuit.up_to(proto::kP2p).last()->protocol->code, proto::kP2pCircuit);
  EXPECT_EQ(circuit.up_to(proto::kUdp), circuit);
  EXPECT_TRUE(circuit.up_to(proto::kIp4).empty());
  Multiaddr rest = circuit;
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(rest.empty());
    rest = rest.without_last();
  }
  EXPECT_TRUE(rest.empty());
}

TEST(Multiaddr, AddsAComponentFromItsBytes) {
  const uint8_t port[] = {0x0f, 0xa1};
  EXPECT_EQ(parse("/ip4/1.2.3.4").with(proto::kUdp, port)->with(proto::kQuicV1)->to_string(),
            "/ip4/1.2.3.4/udp/4001/quic-v1");
  EXPECT_EQ(Multiaddr().with(proto::kTcp, Bytes(port).first(1)).error().detail(),
            "'tcp': the value has 1 bytes, not 2");
  EXPECT_FALSE(
      Multiaddr().with(proto::kTcp, as_bytes("\x01\x02\xc0\x03")).ok());  // not tcp and tls
  EXPECT_FALSE(Multiaddr().with(proto::kTls, port).ok());
  EXPECT_FALSE(Multiaddr().with(proto::kDns, {}).ok());
  EXPECT_FALSE(Multiaddr().with(999, {}).ok());
  EXPECT_EQ(Multiaddr().with(proto::kDns, ByteVector(1 << 20, 'a')).status(), KITH_ERR_LIMIT);
}

TEST(Multiaddr, NothingFollowsAPath) {
  const Multiaddr path = parse("/unix/a/b");
  EXPECT_TRUE(path.with(parse("/tls")).empty());
  EXPECT_EQ(path.with(proto::kTls).status(), KITH_ERR_MALFORMED);
  EXPECT_EQ(path.with(Multiaddr()), path);
  EXPECT_EQ(parse("/tls").with(path).to_string(), "/tls/unix/a/b");
}

TEST(Multiaddr, IsAValue) {
  const std::string small = "/ip4/1.2.3.4/tcp/80";
  const std::string large = "/dns/" + std::string(200, 'a');
  for (const std::string& x : {small, large, std::string()}) {
    for (const std::string& y : {small, large, std::string()}) {
      const Multiaddr original = x.empty() ? Multiaddr() : parse(x);
      Multiaddr a = original;
      Multiaddr b = y.empty() ? Multiaddr() : parse(y);
      EXPECT_EQ(a, original);
      b = a;
      EXPECT_EQ(b.to_string(), x);
      Multiaddr c = std::move(a);
      EXPECT_EQ(c.to_string(), x);
      EXPECT_TRUE(a.empty());  // NOLINT: moved-from is empty by contract
      a = y.empty() ? Multiaddr() : parse(y);
      EXPECT_EQ(a.to_string(), y);
      a = std::move(c);
      EXPECT_EQ(a.to_string(), x);
      const Multiaddr& alias = a;
      a = alias;
      EXPECT_EQ(a.to_string(), x);
    }
  }
}

TEST(Multiaddr, OrdersByBytes) {
  const Multiaddr a = parse("/ip4/1.2.3.4"), b = parse("/ip4/1.2.3.4/tcp/1"), c = parse("/tcp/1");
  EXPECT_LT(Multiaddr(), a);
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_GT(c, a);
  EXPECT_EQ(a <=> a, std::strong_ordering::equal);
  EXPECT_NE(a, b);
}

TEST(Multiaddr, TypicalAddressesAreStoredInline) {
  const auto is_inline = [](const Multiaddr& addr) {
    const auto* begin = reinterpret_cast<const uint8_t*>(&addr);
    return addr.bytes().data() >= begin && addr.bytes().data() < begin + sizeof addr;
  };
  EXPECT_TRUE(
      is_inline(parse("/ip6/2001:db8::1/udp/4001/quic-v1/p2p/" + std::string(kEd25519PeerId))));
  EXPECT_TRUE(is_inline(parse("/dns/" + std::string(62, 'a'))));
  EXPECT_FALSE(is_inline(parse("/dns/" + std::string(63, 'a'))));
}

TEST(Multiaddr, MutatedBytesNeverBreakTheRoundTrip) {
  const Multiaddr seeds[] = {
      parse("/ip4/1.2.3.4/udp/4001/quic-v1/p2p/" + std::string(kEd25519PeerId)),
      parse("/ip6zone/eth0/ip6/fe80::1/tcp/443/tls/sni/a.example/http/http-path/a%2Fb"),
      parse("/dnsaddr/libp2p.io/onion/timaq4ygg2iegci7:1/memory/7/certhash/"
            "u1QEQOFj2IjCsPJFfMAxmQxLGPw"),
      parse("/garlic32/566niximlxdzpanmn4qouucvua3k7neniwss47li5r6ugoertzuq/unix/a/b")};
  std::mt19937 random(5);
  int num_good = 0;
  for (int round = 0; round < 40000; ++round) {
    ByteVector bytes = to_vector(seeds[random() % std::size(seeds)].bytes());
    for (size_t n = random() % 3; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    if (random() % 4 == 0) bytes.resize(1 + random() % bytes.size());
    const Result<Multiaddr> addr = Multiaddr::decode(bytes);
    if (!addr.ok()) continue;
    ++num_good;
    ASSERT_TRUE(equal(addr->bytes(), bytes));
    const Result<Multiaddr> again = Multiaddr::parse(addr->to_string());
    ASSERT_TRUE(again.ok()) << to_hex(bytes) << again.error().to_string();
    ASSERT_EQ(*again, *addr) << to_hex(bytes);
  }
  EXPECT_GT(num_good, 5000);
}

}  // namespace
}  // namespace kith::wire
