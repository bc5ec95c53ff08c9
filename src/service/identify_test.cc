// The identify service on virtual time: who says what, what is believed, and peers that lie or say nothing.
#include "service/identify.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "identity/key_proto.h"
#include "identity/peer_record.h"
#include "swarm/peer_connection.h"
#include "swarm/test_net.h"

namespace kith::service {
namespace {

using swarm::test::address;
using swarm::test::kHeader;
using swarm::test::line;
using swarm::test::RawPeer;
using swarm::test::TestConnect;
using swarm::test::TestProtocol;
using swarm::test::TestStream;
using swarm::test::TestSwarm;

crypto::PrivateKey key(uint8_t seed) {
  return crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
}
identity::PeerId id_of(const crypto::PrivateKey& k) {
  return identity::PeerId::from_public_key(k.public_key());
}

struct Node {
  Node(runtime::SimLoop& loop, transport::memory::MemoryNetwork& network, uint8_t seed,
       IdentifyConfig config = {})
      : own(key(seed)),
        swarm(loop, network, id_of(own)),
        identify(std::make_unique<IdentifyService>(swarm.swarm, own, config)) {}
  ~Node() { swarm.stop(); }
  const crypto::PrivateKey own;
  TestSwarm swarm;
  std::unique_ptr<IdentifyService> identify;
};

TEST(Identify, BothSidesLearnWhoTheOtherIs) {
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  network.latency = milliseconds(10);
  TestProtocol protocol;
  Node b(loop, network, 2, {.agent = "b/1", .protocol_version = "test/2"});
  Node a(loop, network, 1);
  ASSERT_TRUE(b.swarm.swarm.protocols().add("/custom/1", &protocol).ok());
  swarm::PeerConnection& c = a.swarm.connected_to(b.swarm);
  EXPECT_FALSE(c.identified());
  ASSERT_TRUE(
      loop.run_until([&] { return a.swarm.num_identified == 1 && b.swarm.num_identified == 1; }));
  const identify::IdentifyMessage& m = *c.identified();
  EXPECT_EQ(m.agent_version, "b/1");
  EXPECT_EQ(m.protocol_version, "test/2");
  EXPECT_EQ(m.listen_addrs, (std::vector<wire::Multiaddr>{b.swarm.address()}));
  EXPECT_EQ(m.protocols,
            (std::vector<std::string>{"/custom/1", "/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0"}));
  EXPECT_EQ(m.public_key, identity::encode_public_key(b.own.public_key()));
  const identity::PeerRecord record = identity::open_peer_record(c.signed_record()).value();
  EXPECT_EQ(record.peer, b.swarm.id);
  EXPECT_EQ(record.addresses, m.listen_addrs);
  EXPECT_EQ(b.swarm.swarm.find(a.swarm.id)->identified()->agent_version, "kith/" KITH_VERSION);
  loop.run_for(seconds(60));
  EXPECT_TRUE(a.swarm.identify_failures.empty());
  EXPECT_TRUE(a.swarm.stream_failures.empty());
  EXPECT_TRUE(b.swarm.stream_failures.empty());
}

TEST(Identify, RecordsGrowNewerWhenAddressesChange) {
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  Node b(loop, network, 2);
  uint64_t last = 0;
  for (uint8_t i = 10; i < 15; ++i) {  // all in the same second
    Node a(loop, network, i);
    swarm::PeerConnection& c = a.swarm.connected_to(b.swarm);
    ASSERT_TRUE(loop.run_until([&] { return a.swarm.num_identified == 1; }));
    const identity::PeerRecord record = identity::open_peer_record(c.signed_record()).value();
    EXPECT_GT(record.seq, last);
    EXPECT_EQ(record.addresses.size(), i - 9U);
    last = record.seq;
    ASSERT_TRUE(b.swarm.swarm.listen(address("/memory/" + std::to_string(1000 + i))).ok());
  }
}

TEST(Identify, AConnectionThatEndsMidwayIsNoTrouble) {
  for (int turns = 0; turns < 60; ++turns) {
    runtime::SimLoop loop;
    transport::memory::MemoryNetwork network;
    network.latency = milliseconds(1);
    Node b(loop, network, 2);
    Node a(loop, network, 1);
    TestConnect c;
    ASSERT_TRUE(a.swarm.connect(c, {}, {b.swarm.address()}).ok());
    loop.run_for(microseconds(100) * turns);
    if (c.connection) c.connection->close();
    EXPECT_TRUE(loop.run_until_idle());
  }
}

TEST(Identify, StoppingMidwayIsNoTrouble) {
  for (int turns = 0; turns < 60; ++turns) {
    runtime::SimLoop loop;
    transport::memory::MemoryNetwork network;
    network.latency = milliseconds(1);
    Node b(loop, network, 2);
    Node a(loop, network, 1);
    TestConnect c;
    ASSERT_TRUE(a.swarm.connect(c, {}, {b.swarm.address()}).ok());
    loop.run_for(microseconds(100) * turns);
    (turns % 2 == 0 ? a : b).swarm.stop();
  }
}

// A node that asks a raw peer, and is asked by it.
struct Identifying : testing::Test {
  Identifying() : peer_key(key(7)) {
    network.latency = milliseconds(10);
    raw = std::make_unique<RawPeer>(loop, network, id_of(peer_key));
    node = std::make_unique<Node>(loop, network, 1);
  }
  ~Identifying() override {
    node.reset();
    raw.reset();
  }
  // The node connects; its question is answered with `answer`, cut in pieces of `piece` bytes.
  void answer_with(std::string answer, bool close = true, size_t piece = 4000) {
    raw->accept = [this, answer, close, piece](transport::Stream& s, TestStream&) {
      EXPECT_TRUE(raw->write(&s, kHeader + line(identify::kProtocolId)).ok());
      for (size_t i = 0; i < answer.size(); i += piece) {
        static_cast<void>(raw->write(&s, answer.substr(i, piece)));
      }
      if (close) s.close_write();
    };
    TestConnect c;
    ASSERT_TRUE(node->swarm.connect(c, {}, {raw->listener->address()}).ok());
    ASSERT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    connection = c.connection;
    loop.run_for(seconds(1));
  }
  static std::string text(const identify::IdentifyMessage& m) {
    return std::string(as_text(identify::encode(m).value()));
  }
  identify::IdentifyMessage message() {
    identify::IdentifyMessage m;
    m.agent_version = "raw/1";
    m.public_key = identity::encode_public_key(peer_key.public_key());
    return m;
  }
  // A push of the raw peer's on its connection.
  TestStream& push(std::string_view content, bool close = true) {
    TestStream& h = *handlers.emplace_back(std::make_unique<TestStream>());
    transport::Stream* s = raw->open(h);
    EXPECT_TRUE(
        raw->write(s, kHeader + line(identify::kPushProtocolId) + std::string(content)).ok());
    if (close) s->close_write();
    loop.run_for(seconds(1));
    return h;
  }
  bool failed_with(kith_status status) {
    return node->swarm.identify_failures.size() == 1 &&
           node->swarm.identify_failures[0].status() == status;
  }
  runtime::SimLoop loop;
  transport::memory::MemoryNetwork network;
  const crypto::PrivateKey peer_key;
  std::vector<std::unique_ptr<TestStream>> handlers;
  std::unique_ptr<RawPeer> raw;
  std::unique_ptr<Node> node;
  swarm::PeerConnection* connection = nullptr;
};

TEST_F(Identifying, TakesAnAnswerInAnyPieces) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4000}}) {
    answer_with(text(message()), /*close=*/true, piece);
    ASSERT_TRUE(connection->identified()) << piece;
    EXPECT_EQ(connection->identified()->agent_version, "raw/1");
    connection->close();
    loop.run_for(seconds(1));
  }
  EXPECT_TRUE(node->swarm.identify_failures.empty());
}

TEST_F(Identifying, AnotherKeyIsRefused) {
  identify::IdentifyMessage m = message();
  m.public_key = identity::encode_public_key(key(8).public_key());
  answer_with(text(m));
  EXPECT_TRUE(failed_with(KITH_ERR_PEER_ID_MISMATCH));
  EXPECT_FALSE(connection->identified());
  EXPECT_TRUE(connection->is_open());  // it goes on without
}

TEST_F(Identifying, AKeyThatIsNoneIsRefusedAndNoKeyIsFine) {
  identify::IdentifyMessage m = message();
  m.public_key = {1, 2, 3};
  answer_with(text(m));
  EXPECT_TRUE(failed_with(KITH_ERR_PEER_ID_MISMATCH));
  connection->close();
  loop.run_for(seconds(1));
  m.public_key.clear();
  answer_with(text(m));
  EXPECT_TRUE(connection->identified());
}

TEST_F(Identifying, RecordsOfOthersAreDropped) {
  const std::vector<wire::Multiaddr> addresses = {address("/ip4/192.0.2.1/udp/1/quic-v1")};
  const ByteVector own = identity::seal_peer_record(peer_key, 5, addresses).value();
  const ByteVector others = identity::seal_peer_record(key(9), 5, addresses).value();
  ByteVector forged = own;
  forged[forged.size() - 1] ^= 1;
  for (const ByteVector* record : {&others, static_cast<const ByteVector*>(&forged), &own}) {
    identify::IdentifyMessage m = message();
    m.signed_peer_record = *record;
    answer_with(text(m));
    ASSERT_TRUE(connection->identified());  // the rest counts
    EXPECT_EQ(connection->signed_record(), record == &own ? own : ByteVector());
    connection->close();
    loop.run_for(seconds(1));
  }
}

TEST_F(Identifying, OversizeMessagesAreRefused) {
  answer_with(std::string("\x81\x40", 2) + std::string(8193, 'x'), /*close=*/false);
  EXPECT_TRUE(failed_with(KITH_ERR_MESSAGE_TOO_LARGE));
  EXPECT_NE(raw->streams[0]->log.find("stop0"), std::string::npos);
}

TEST_F(Identifying, TooManyMessagesAreRefused) {
  std::string many;
  for (size_t i = 0; i <= limits::kIdentifyMessages; ++i) many += text(message());
  answer_with(many);
  EXPECT_TRUE(failed_with(KITH_ERR_LIMIT));
}

TEST_F(Identifying, GarbageAndHalfMessagesAreRefused) {
  answer_with("\x05garba");
  EXPECT_TRUE(failed_with(KITH_ERR_MALFORMED));
  node->swarm.identify_failures.clear();
  connection->close();
  loop.run_for(seconds(1));
  const std::string whole = text(message());
  answer_with(whole.substr(0, whole.size() - 1));
  EXPECT_TRUE(failed_with(KITH_ERR_MALFORMED));
}

TEST_F(Identifying, SilenceEndsAfterTheDeadline) {
  answer_with("", /*close=*/false);
  loop.run_for(seconds(8));
  EXPECT_TRUE(node->swarm.identify_failures.empty());
  loop.run_for(seconds(2));
  EXPECT_TRUE(failed_with(KITH_ERR_TIMEOUT));
  EXPECT_EQ(limits::kIdentifyTimeout, seconds(10));
  EXPECT_NE(raw->streams[0]->log.find("stop0"), std::string::npos);
}

TEST_F(Identifying, SilenceBeforeTheProtocolEndsToo) {
  raw->accept = [](transport::Stream&, TestStream&) {};
  TestConnect c;
  ASSERT_TRUE(node->swarm.connect(c, {}, {raw->listener->address()}).ok());
  loop.run_for(seconds(11));
  EXPECT_TRUE(failed_with(KITH_ERR_TIMEOUT));
}

TEST_F(Identifying, WhatIsCompleteCountsFromAPeerThatNeverCloses) {
  answer_with(text(message()), /*close=*/false);
  EXPECT_FALSE(connection->identified());
  loop.run_for(seconds(10));
  ASSERT_TRUE(connection->identified());
  EXPECT_EQ(connection->identified()->agent_version, "raw/1");
  EXPECT_TRUE(node->swarm.identify_failures.empty());
}

TEST_F(Identifying, APeerWithoutIdentifyIsReported) {
  raw->accept = [&](transport::Stream& s, TestStream&) {
    EXPECT_TRUE(raw->write(&s, kHeader + line("na")).ok());
  };
  TestConnect c;
  ASSERT_TRUE(node->swarm.connect(c, {}, {raw->listener->address()}).ok());
  loop.run_for(seconds(1));
  EXPECT_TRUE(failed_with(KITH_ERR_PROTOCOL_NOT_SUPPORTED));
}

TEST_F(Identifying, PushesUpdateWhatTheyName) {
  identify::IdentifyMessage m = message();
  m.protocols = {"/old"};
  answer_with(text(m));
  identify::IdentifyMessage update;
  update.protocols = {"/new"};
  TestStream& h = push(text(update));
  EXPECT_EQ(connection->identified()->protocols, (std::vector<std::string>{"/new"}));
  EXPECT_EQ(connection->identified()->agent_version, "raw/1");  // not named: stays
  EXPECT_EQ(node->swarm.num_identified, 2);
  EXPECT_EQ(h.log, "fin closed ");
}

TEST_F(Identifying, APushMayComeBeforeTheAnswer) {
  answer_with("", /*close=*/false);
  push(text(message()));
  ASSERT_TRUE(connection->identified());
  EXPECT_EQ(connection->identified()->agent_version, "raw/1");
}

TEST_F(Identifying, BadPushesChangeNothing) {
  answer_with(text(message()));
  identify::IdentifyMessage m = message();
  m.agent_version = "forged";
  m.public_key = identity::encode_public_key(key(8).public_key());
  push(text(m));
  EXPECT_TRUE(failed_with(KITH_ERR_PEER_ID_MISMATCH));
  push("\x05garba");
  EXPECT_EQ(node->swarm.identify_failures.size(), 2U);
  EXPECT_EQ(connection->identified()->agent_version, "raw/1");
}

TEST_F(Identifying, PushesAtOnceAreBounded) {
  answer_with(text(message()));
  for (size_t i = 0; i < limits::kIdentifyPushStreams; ++i) {
    EXPECT_EQ(push("", /*close=*/false).log, "fin ");
  }
  TestStream& refused = push("", /*close=*/false);
  EXPECT_NE(refused.log.find("reset0"), std::string::npos);
  ASSERT_EQ(node->swarm.stream_failures.size(), 1U);
  EXPECT_EQ(node->swarm.stream_failures[0].status(), KITH_ERR_LIMIT);
  loop.run_for(seconds(10));  // the silent ones end
  EXPECT_EQ(node->swarm.identify_failures.size(), limits::kIdentifyPushStreams);
  push(text(message()));
  EXPECT_EQ(node->swarm.stream_failures.size(), 1U);
}

TEST_F(Identifying, AnAskerThatNeverEndsIsCutOff) {
  raw->dial(node->swarm.address());
  TestStream& h = *handlers.emplace_back(std::make_unique<TestStream>());
  transport::Stream* s = raw->open(h);
  ASSERT_TRUE(raw->write(s, kHeader + line(identify::kProtocolId)).ok());
  loop.run_for(seconds(1));
  EXPECT_NE(h.log.find("fin "), std::string::npos);  // the whole answer is here
  EXPECT_EQ(h.log.find("stop"), std::string::npos);
  loop.run_for(seconds(10));
  EXPECT_NE(h.log.find("stop0"), std::string::npos);
}

TEST_F(Identifying, AnAskerThatDoesNotReadIsCutOff) {
  raw->dial(node->swarm.address());
  TestStream& h = *handlers.emplace_back(std::make_unique<TestStream>());
  h.take = [](transport::Stream&, Bytes) { return size_t{0}; };
  ASSERT_TRUE(raw->write(raw->open(h), kHeader + line(identify::kProtocolId)).ok());
  loop.run_for(seconds(11));
  EXPECT_NE(h.log.find("reset0"), std::string::npos);
}

}  // namespace
}  // namespace kith::service
