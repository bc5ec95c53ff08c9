#include "protocol/identify/message.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fuzz/input.h"
#include "wire/protobuf.h"

namespace kith::identify {
namespace {

wire::Multiaddr addr(std::string_view text) {
  auto parsed = wire::Multiaddr::parse(text);
  return parsed.ok() ? std::move(parsed).value() : wire::Multiaddr();
}

Result<IdentifyMessage> read(Bytes stream, const std::vector<size_t>& cuts = {}) {
  Reader reader;
  EXPECT_EQ(fuzz::feed(reader, stream, cuts), stream.size());
  return reader.finish();
}

// A message of our own making around raw fields.
class RawMessage {
 public:
  RawMessage& field(uint32_t number, Bytes value) {
    wire::ProtoWriter(fields_).bytes(number, value);
    return *this;
  }
  RawMessage& field(uint32_t number, std::string_view value) {
    return field(number, as_bytes(value));
  }
  RawMessage& varint(uint32_t number, uint64_t value) {
    wire::ProtoWriter(fields_).varint(number, value);
    return *this;
  }
  ByteVector framed() const {
    ByteVector out;
    wire::append_frame(out, fields_);
    return out;
  }

 private:
  ByteVector fields_;
};

IdentifyMessage typical() {
  IdentifyMessage message;
  message.protocol_version = "ipfs/0.1.0";
  message.agent_version = "kith/0.1.0";
  message.public_key = *from_hex(  // libp2p/specs peer-ids/peer-ids.md, Ed25519
      "080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e");
  message.listen_addrs = {addr("/ip4/192.0.2.1/udp/4001/quic-v1"),
                          addr("/ip6/2001:db8::1/udp/4001/quic-v1")};
  message.observed_addr = addr("/ip4/198.51.100.7/udp/5000/quic-v1");
  message.protocols = {"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"};
  message.signed_peer_record = fuzz::random_bytes(1, 300);
  return message;
}

void expect_equal(const IdentifyMessage& a, const IdentifyMessage& b) {
  EXPECT_EQ(a.protocol_version, b.protocol_version);
  EXPECT_EQ(a.agent_version, b.agent_version);
  EXPECT_EQ(a.public_key, b.public_key);
  EXPECT_EQ(a.listen_addrs, b.listen_addrs);
  EXPECT_EQ(a.observed_addr, b.observed_addr);
  EXPECT_EQ(a.protocols, b.protocols);
  EXPECT_EQ(a.signed_peer_record, b.signed_peer_record);
  EXPECT_EQ(a.num_skipped_addrs, b.num_skipped_addrs);
  EXPECT_EQ(a.num_skipped_protocols, b.num_skipped_protocols);
}

// The payload sizes of the messages of a stream.
std::vector<size_t> message_sizes(Bytes stream) {
  std::vector<size_t> sizes;
  while (!stream.empty()) {
    const wire::FrameDecode frame = wire::decode_frame(stream, 1 << 20);
    if (frame.state != wire::FrameState::kDone) return {};
    sizes.push_back(frame.payload.size());
    stream = stream.subspan(frame.size);
  }
  return sizes;
}

TEST(Identify, ReadsWhatItWroteInEverySplit) {
  const IdentifyMessage message = typical();
  const ByteVector stream = *encode(message);
  EXPECT_EQ(message_sizes(stream).size(), 1U);
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    const Result<IdentifyMessage> got = read(stream, cuts);
    ASSERT_TRUE(got.ok());
    expect_equal(*got, message);
  });
}

// Made by go-libp2p, as kept in rust-libp2p protocols/identify/src/protocol.rs
// (protobuf_roundtrip): in truth a protobuf descriptor, whose fields happen to read as those of an
// identify message.
constexpr std::string_view kFromGo =
    "0a277032702f70726f746f636f6c2f6964656e746966792f70622f6964656e746966792e70726f746f120b696465"
    "6e746966792e70622286020a084964656e7469667912280a0f70726f746f636f6c56657273696f6e180520012809"
    "520f70726f746f636f6c56657273696f6e12220a0c6167656e7456657273696f6e180620012809520c6167656e74"
    "56657273696f6e121c0a097075626c69634b657918012001280c52097075626c69634b657912200a0b6c69737465"
    "6e416464727318022003280c520b6c697374656e416464727312220a0c6f62736572766564416464721804200128"
    "0c520c6f6273657276656441646472121c0a0970726f746f636f6c73180320032809520970726f746f636f6c7312"
    "2a0a107369676e6564506565725265636f726418082001280c52107369676e6564506565725265636f726442365a"
    "346769746875622e636f6d2f6c69627032702f676f2d6c69627032702f7032702f70726f746f636f6c2f6964656e"
    "746966792f7062";

TEST(Identify, ReadsAMessageMadeByGo) {
  ByteVector stream;
  wire::append_frame(stream, *from_hex(kFromGo));
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(as_text(got->public_key), "p2p/protocol/identify/pb/identify.proto");
  EXPECT_EQ(as_text(got->signed_peer_record),
            "Z4github.com/libp2p/go-libp2p/p2p/protocol/identify/pb");
  EXPECT_TRUE(got->listen_addrs.empty());
  EXPECT_FALSE(got->observed_addr);
  EXPECT_EQ(got->num_skipped_addrs, 2U);  // "identify.pb" and the descriptor's own message
  EXPECT_EQ(got->agent_version, "");
}

// The field numbers of libp2p/specs identify/README.md.
TEST(Identify, ReadsTheSpecsFields) {
  const ByteVector stream = RawMessage()
                                .field(1, "key")
                                .field(2, addr("/ip4/1.2.3.4/tcp/1").bytes())
                                .field(3, "/a")
                                .field(4, addr("/ip4/5.6.7.8/udp/2/quic-v1").bytes())
                                .field(5, "proto")
                                .field(6, "agent")
                                .field(8, "record")
                                .framed();
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(as_text(got->public_key), "key");
  EXPECT_EQ(got->listen_addrs, std::vector{addr("/ip4/1.2.3.4/tcp/1")});
  EXPECT_EQ(got->protocols, std::vector<std::string>{"/a"});
  EXPECT_EQ(got->observed_addr, addr("/ip4/5.6.7.8/udp/2/quic-v1"));
  EXPECT_EQ(got->protocol_version, "proto");
  EXPECT_EQ(got->agent_version, "agent");
  EXPECT_EQ(as_text(got->signed_peer_record), "record");
}

// "Missing fields should be ignored, as peers may choose to send partial updates".
TEST(Identify, ReadsAPartialPush) {
  IdentifyMessage update;
  update.listen_addrs = {addr("/ip4/203.0.113.9/udp/4001/quic-v1")};
  const Result<IdentifyMessage> got = read(*encode(update));
  ASSERT_TRUE(got.ok());
  expect_equal(*got, update);
  EXPECT_TRUE(got->public_key.empty());
  EXPECT_FALSE(got->observed_addr);
}

TEST(Identify, ReadsAnEmptyMessage) {
  const ByteVector stream = *encode(IdentifyMessage());
  EXPECT_EQ(to_hex(stream), "00");
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  expect_equal(*got, IdentifyMessage());
}

TEST(Identify, IgnoresUnknownFieldsAndFieldsOfAnotherType) {
  const ByteVector stream = RawMessage()
                                .field(7, "reserved")
                                .field(1000, "unknown")
                                .varint(1, 5)
                                .varint(3, 5)
                                .field(6, "agent")
                                .framed();
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->agent_version, "agent");
  EXPECT_TRUE(got->public_key.empty());
  EXPECT_TRUE(got->protocols.empty());
}

TEST(Identify, SkipsAndCountsAddressesThatDoNotParse) {
  const ByteVector stream = RawMessage()
                                .field(2, "")
                                .field(2, "\xff\xff\xff\xff\xff\xff\xff\xff")
                                .field(2, addr("/ip4/1.2.3.4/tcp/1").bytes())
                                .field(4, "\x04\x01")
                                .framed();
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->listen_addrs.size(), 1U);
  EXPECT_FALSE(got->observed_addr);
  EXPECT_EQ(got->num_skipped_addrs, 3U);
}

TEST(Identify, SkipsAndCountsProtocolIdsThatNoStreamCouldAskFor) {
  const ByteVector stream = RawMessage()
                                .field(3, "")
                                .field(3, "/new\nline")
                                .field(3, std::string(1024, 'x'))
                                .field(3, std::string(1023, 'x'))
                                .framed();
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->protocols.size(), 1U);
  EXPECT_EQ(got->num_skipped_protocols, 3U);
}

TEST(Identify, MergesMessagesAsProtobufDoes) {
  ByteVector stream = RawMessage().field(6, "old").field(3, "/a").field(1, "key").framed();
  append(stream, RawMessage().field(6, "new").field(3, "/b").field(3, "/a").framed());
  append(stream, RawMessage().field(8, "record").framed());
  fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
    const Result<IdentifyMessage> got = read(stream, cuts);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->agent_version, "new");
    EXPECT_EQ(got->protocols, (std::vector<std::string>{"/a", "/b", "/a"}));
    EXPECT_EQ(as_text(got->public_key), "key");
    EXPECT_EQ(as_text(got->signed_peer_record), "record");
  });
}

TEST(Identify, MergesUpToTheLimitOfMessagesAndNoMore) {
  ByteVector stream;
  for (size_t i = 0; i < limits::kIdentifyMessages; ++i) {
    append(stream, RawMessage().field(3, "/p/" + std::to_string(i)).framed());
  }
  const Result<IdentifyMessage> full = read(stream);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->protocols.size(), limits::kIdentifyMessages);
  append(stream, RawMessage().framed());
  const Result<IdentifyMessage> more = read(stream);
  EXPECT_EQ(more.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(more.error().detail(), "more than 10 messages");
}

// go-libp2p #3501: 1,800 protocols in parts, each part within its own limit.
TEST(Identify, CapsProtocolsAndAddressesAfterTheMerge) {
  ByteVector stream;
  size_t num_protocols = 0, num_addrs = 0;
  for (size_t part = 0; part < limits::kIdentifyMessages; ++part) {
    RawMessage message;
    for (int i = 0; i < 200; ++i, ++num_protocols) {
      message.field(3, "/proto/" + std::to_string(num_protocols));
    }
    for (int i = 0; i < 100; ++i, ++num_addrs) {
      message.field(2, addr("/ip4/1.2.3.4/tcp/" + std::to_string(num_addrs)).bytes());
    }
    append(stream, message.framed());
  }
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->protocols.size(), limits::kIdentifyProtocols);
  EXPECT_EQ(got->protocols.back(), "/proto/1023");
  EXPECT_EQ(got->num_skipped_protocols, num_protocols - limits::kIdentifyProtocols);
  EXPECT_EQ(got->listen_addrs.size(), limits::kIdentifyAddresses);
  EXPECT_EQ(got->num_skipped_addrs, num_addrs - limits::kIdentifyAddresses);
}

TEST(Identify, CountsAddressesThatDoNotParseTowardsTheCap) {
  RawMessage bad;
  for (size_t i = 0; i < limits::kIdentifyAddresses; ++i) bad.field(2, "");
  ByteVector stream = bad.framed();
  append(stream, RawMessage().field(2, addr("/ip4/1.2.3.4/tcp/1").bytes()).framed());
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got->listen_addrs.empty());
  EXPECT_EQ(got->num_skipped_addrs, limits::kIdentifyAddresses + 1);
}

TEST(Identify, RefusesFieldsBeyondTheirLimits) {
  const std::string text(limits::kIdentifyStringBytes, 'x');
  const std::string key(limits::kPublicKeyBytes, 'k');
  EXPECT_TRUE(read(RawMessage().field(5, text).field(6, text).field(1, key).framed()).ok());
  const struct {
    uint32_t number;
    std::string value;
    const char* detail;
  } kTooLarge[] = {
      {1, key + "k", "a public key of 2049 bytes; the limit is 2048"},
      {5, text + "x", "a protocol version of 1025 bytes; the limit is 1024"},
      {6, text + "x", "an agent version of 1025 bytes; the limit is 1024"},
  };
  for (const auto& field : kTooLarge) {
    const auto got = read(RawMessage().field(field.number, field.value).framed());
    EXPECT_EQ(got.status(), KITH_ERR_MESSAGE_TOO_LARGE);
    EXPECT_EQ(got.error().detail(), field.detail);
  }
}

TEST(Identify, RefusesAMessageBeyondItsLimitFromItsLength) {
  const std::string fits(limits::kIdentifyMessageBytes - 3, 'r');
  EXPECT_TRUE(read(RawMessage().field(8, fits).framed()).ok());
  const ByteVector too_large = RawMessage().field(8, fits + "r").framed();
  const auto got = read(Bytes(too_large).first(2));
  EXPECT_EQ(got.status(), KITH_ERR_MESSAGE_TOO_LARGE);
  EXPECT_EQ(got.error().detail(), "a message of more than 8192 bytes");
}

TEST(Identify, RefusesStreamsThatAreNotMessages) {
  const struct {
    const char* hex;
    const char* detail;
  } kBad[] = {
      {"", "the peer ended the stream without a message"},
      {"02", "the peer ended the stream within a message"},
      {"80", "the peer ended the stream within a message"},
      {"0032", "the peer ended the stream within a message"},
      {"8000", "the length of a message is not a minimal varint of at most 9 bytes"},
      {"80808080808080808080",
       "the length of a message is not a minimal varint of at most 9 bytes"},
      {"020aff", "a message is not protobuf"},
      {"010b", "a message is not protobuf"},  // a group
      {"020a05", "a message is not protobuf"},
  };
  for (const auto& bad : kBad) {
    SCOPED_TRACE(bad.hex);
    const ByteVector stream = *from_hex(bad.hex);
    fuzz::for_each_split(stream.size(), [&](const std::vector<size_t>& cuts) {
      const auto got = read(stream, cuts);
      EXPECT_EQ(got.status(), KITH_ERR_MALFORMED);
      EXPECT_EQ(got.error().detail(), bad.detail);
    });
  }
}

TEST(Identify, KnowsAnErrorBeforeTheEndAndIgnoresTheRest) {
  Reader reader;
  EXPECT_EQ(reader.receive(*from_hex("010b")), 2U);
  EXPECT_EQ(reader.error().status(), KITH_ERR_MALFORMED);
  EXPECT_EQ(reader.receive(*from_hex("00ff")), 2U);
  EXPECT_EQ(reader.finish().status(), KITH_ERR_MALFORMED);
}

// rust-libp2p reads one message of at most 4 KiB: it must hold all but the signed record.
TEST(Identify, SplitsALargeMessageForRust) {
  IdentifyMessage message = typical();
  message.signed_peer_record = fuzz::random_bytes(2, 4000);
  const ByteVector stream = *encode(message);
  const std::vector<size_t> sizes = message_sizes(stream);
  ASSERT_EQ(sizes.size(), 2U);
  for (size_t size : sizes) EXPECT_LE(size, 4096U);
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  expect_equal(*got, message);
  // The first alone.
  const wire::FrameDecode first = wire::decode_frame(stream, 4096);
  Result<IdentifyMessage> seen = read(Bytes(stream).first(first.size));
  ASSERT_TRUE(seen.ok());
  message.signed_peer_record.clear();
  expect_equal(*seen, message);
}

TEST(Identify, SplitsManyProtocolsIntoMessagesThatPeersMerge) {
  IdentifyMessage message = typical();
  for (int i = 0; i < 900; ++i) {
    message.protocols.push_back("/some/protocol/" + std::to_string(i) + "/1.0.0");
  }
  const ByteVector stream = *encode(message);
  const std::vector<size_t> sizes = message_sizes(stream);
  EXPECT_GT(sizes.size(), 4U);
  EXPECT_LT(sizes.size(), limits::kIdentifyMessages);
  for (size_t size : sizes) EXPECT_LE(size, 4096U);
  const Result<IdentifyMessage> got = read(stream);
  ASSERT_TRUE(got.ok());
  expect_equal(*got, message);
}

TEST(Identify, RefusesToEncodeWhatPeersWouldRefuse) {
  IdentifyMessage many = typical();
  many.protocols.assign(1000, std::string(100, 'p'));
  EXPECT_EQ(encode(many).status(), KITH_ERR_LIMIT);
  IdentifyMessage agent = typical();
  agent.agent_version.assign(limits::kIdentifyStringBytes + 1, 'a');
  EXPECT_EQ(encode(agent).status(), KITH_ERR_MESSAGE_TOO_LARGE);
  IdentifyMessage record = typical();
  record.signed_peer_record.resize(limits::kIdentifyMessageBytes);
  EXPECT_EQ(encode(record).status(), KITH_ERR_MESSAGE_TOO_LARGE);
}

TEST(Identify, TrimsOurOwnIdentityFromObservedAddresses) {
  constexpr std::string_view kId = "/p2p/12D3KooWPA6ax6t3jqTyGq73Zm1RmwppYqxaXzrtarfcTWGp5Wzx";
  constexpr std::string_view kHash = "/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";
  const std::string id(kId), hash(kHash);
  const struct {
    std::string observed, trimmed;
  } kCases[] = {
      {"/ip4/1.2.3.4/udp/5/quic-v1", "/ip4/1.2.3.4/udp/5/quic-v1"},
      {"/ip4/1.2.3.4/udp/5/quic-v1" + id, "/ip4/1.2.3.4/udp/5/quic-v1"},
      {"/ip4/1.2.3.4/udp/5/webrtc-direct" + hash + id, "/ip4/1.2.3.4/udp/5/webrtc-direct"},
      {"/ip4/1.2.3.4/udp/5/quic-v1/webtransport" + hash + hash + id,
       "/ip4/1.2.3.4/udp/5/quic-v1/webtransport"},
      {"/ip4/1.2.3.4/tcp/5" + id + "/p2p-circuit", "/ip4/1.2.3.4/tcp/5" + id + "/p2p-circuit"},
      {"/ip4/1.2.3.4/tcp/5" + id + "/p2p-circuit" + id, "/ip4/1.2.3.4/tcp/5" + id + "/p2p-circuit"},
      {id, ""},
  };
  for (const auto& c : kCases) {
    ASSERT_FALSE(addr(c.observed).empty()) << c.observed;
    EXPECT_EQ(trim_observed_addr(addr(c.observed)).to_string(), c.trimmed);
  }
}

}  // namespace
}  // namespace kith::identify
