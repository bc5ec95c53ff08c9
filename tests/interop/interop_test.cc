// kith against real libp2p nodes: go-libp2p, rust-libp2p and js-libp2p, both directions. The peers are the programs in
// interop/, found by the environment variables KITH_PEER_GO, KITH_PEER_RUST and KITH_PEER_JS (interop/build.sh).
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/child_process.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

using support::ChildProcess;
using support::Exit;
using support::Json;

constexpr uint64_t kMiB = 1 << 20;

struct PeerKind {
  const char* name;
  const char* variable;
  const char* agent;                   // how its identify begins
  std::vector<const char*> key_types;  // its own, and those of ours that it accepts
  // What interop/README.md says of the peers: rust-libp2p has no call to reset a stream, js-libp2p over QUIC takes a reset
  // for an ordinary end.
  bool can_reset = true;
  bool sees_resets = true;

  friend void PrintTo(const PeerKind& p, std::ostream* out) { *out << p.name; }
};

const PeerKind kGo = {"go", "KITH_PEER_GO", "go-libp2p", {"ed25519", "secp256k1", "ecdsa", "rsa"}};
const PeerKind kRust = {.name = "rust",
                        .variable = "KITH_PEER_RUST",
                        .agent = "rust-libp2p",
                        .key_types = {"ed25519", "secp256k1", "ecdsa", "rsa"},
                        .can_reset = false};
const PeerKind kJs = {.name = "js",
                      .variable = "KITH_PEER_JS",
                      .agent = "js-libp2p",
                      .key_types = {"ed25519", "secp256k1", "rsa"},
                      .sees_resets = false};

crypto::KeyType key_type_of(std::string_view name) {
  if (name == "secp256k1") return crypto::KeyType::kSecp256k1;
  if (name == "ecdsa") return crypto::KeyType::kEcdsa;
  if (name == "rsa") return crypto::KeyType::kRsa;
  return crypto::KeyType::kEd25519;
}

class Interop : public testing::TestWithParam<PeerKind> {
 protected:
  void SetUp() override {
    const char* path = std::getenv(GetParam().variable);
    if (!path || !*path)
      GTEST_SKIP() << GetParam().variable << " is not set: no " << GetParam().name << " peer";
    program_ = path;
  }

  // Starts the peer as a listener; its address in `address_`.
  void start_listener(const std::string& key = "ed25519") {
    peer_ = ChildProcess::spawn({program_, "listen", "--key", key}, {.is_quiet = true});
    ASSERT_TRUE(peer_);
    const Json line = peer_->read_event("listening", std::chrono::seconds(30));
    ASSERT_FALSE(line.is_discarded()) << "the peer said nothing";
    address_ = line["addrs"][0].get<std::string>();
  }

  // Runs the peer as a dialer of our node with `actions`; every one must be ok.
  void dial_us(TestNode& node, std::vector<std::string> actions,
               const std::string& key = "ed25519") {
    std::vector<std::string> words = {program_, "dial", node.address()};
    words.insert(words.end(), actions.begin(), actions.end());
    words.insert(words.end(), {"--key", key});
    std::unique_ptr<ChildProcess> peer = ChildProcess::spawn(words, {.is_quiet = true});
    ASSERT_TRUE(peer);
    for (const std::string& action : actions) {
      Json line = Json::value_t::discarded;
      node.run_until(
          [&] {
            line = peer->read_json(support::Timeout(0));
            return !line.is_discarded() || peer->wait(support::Timeout(0)).has_value();
          },
          seconds(180));
      if (line.is_discarded()) line = peer->read_json(support::Timeout(200));
      ASSERT_FALSE(line.is_discarded()) << action << ": no answer";
      EXPECT_EQ(line["action"], action);
      if (action == "reset" && !GetParam().sees_resets) {
        EXPECT_EQ(line["seen"], "eof") << line.dump();
      } else {
        EXPECT_EQ(line["ok"], true) << line.dump();
      }
      answers_[action] = line;
    }
    const bool expects_success = GetParam().sees_resets || std::find(actions.begin(), actions.end(),
                                                                     "reset") == actions.end();
    const std::optional<Exit> exit = wait(node, *peer);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, expects_success ? 0 : 1);
  }

  std::optional<Exit> wait(TestNode& node, ChildProcess& peer) {
    std::optional<Exit> exit;
    node.run_until([&] { return (exit = peer.wait(support::Timeout(0))).has_value(); },
                   seconds(60));
    return exit;
  }

  std::string program_;
  std::unique_ptr<ChildProcess> peer_;
  std::string address_;
  std::map<std::string, Json> answers_;
};

TEST_P(Interop, WeDial) {
  start_listener();
  auto node = TestNode::create();
  swarm::PeerConnection* c = node->connect(address_);
  ASSERT_TRUE(c) << node->failure;

  EXPECT_EQ(node->ping(*c, 3).size(), 3U);
  EXPECT_EQ(node->ping(*c, 3, /*new_stream=*/true).size(), 3U);

  ASSERT_TRUE(node->run_until([&] { return c->identified().has_value(); }));
  const identify::IdentifyMessage& id = *c->identified();
  EXPECT_EQ(id.agent_version.substr(0, std::string(GetParam().agent).size()), GetParam().agent);
  EXPECT_NE(std::find(id.protocols.begin(), id.protocols.end(), kEchoId), id.protocols.end());
  EXPECT_NE(std::find(id.protocols.begin(), id.protocols.end(), ping::kProtocolId),
            id.protocols.end());
  ASSERT_TRUE(id.observed_addr);
  EXPECT_EQ(identify::trim_observed_addr(*id.observed_addr),
            node->host().swarm().listen_addresses()[0]);
  EXPECT_FALSE(id.listen_addrs.empty());

  EXPECT_EQ(node->echo(*c, 0), "");
  EXPECT_EQ(node->echo(*c, 1), "");
  EXPECT_EQ(node->echo(*c, kMiB), "");
  EXPECT_EQ(node->echo(*c, 64 * kMiB), "");

  EchoClient unknown(1, 1);
  ASSERT_TRUE(unknown.open(*c, kUnknownId).ok());
  ASSERT_TRUE(node->run_until([&] { return unknown.done(); }));
  EXPECT_EQ(unknown.end().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << unknown.end().to_string();

  EchoClient reset(1, 1);
  ASSERT_TRUE(reset.open(*c, kResetId).ok());
  ASSERT_TRUE(node->run_until([&] { return reset.done(); }));
  // A reset that overtakes the answer to our proposal ends the negotiation, with the same meaning.
  const bool was_reset = reset.was_reset() || reset.end().status() == KITH_ERR_RESET;
  EXPECT_EQ(was_reset, GetParam().can_reset) << reset.failure() << "; " << reset.end().to_string();

  std::vector<std::unique_ptr<EchoClient>> clients;
  for (uint32_t i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<EchoClient>(1024, i + 1));
    ASSERT_TRUE(clients.back()->open(*c).ok());
  }
  ASSERT_TRUE(node->run_until([&] {
    return std::all_of(clients.begin(), clients.end(), [](const auto& e) { return e->done(); });
  }));
  for (const auto& client : clients) EXPECT_EQ(client->failure(), "");

  // Both ends still work after all that.
  EXPECT_EQ(node->ping(*c, 1, /*new_stream=*/true).size(), 1U);
  EXPECT_EQ(node->echo(*c, 1000), "");
}

TEST_P(Interop, WeDialAndTheWrongPeerAnswers) {
  start_listener();
  auto node = TestNode::create();
  const std::string other =
      identity::PeerId::from_public_key(
          crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value().public_key())
          .to_string();
  const size_t at = address_.rfind("/p2p/");
  const std::string real = address_.substr(at + 5);
  EXPECT_EQ(node->connect(address_.substr(0, at) + "/p2p/" + other), nullptr);
  EXPECT_NE(node->failure.find("PEER_ID_MISMATCH"), std::string::npos) << node->failure;
  EXPECT_NE(node->failure.find(other), std::string::npos) << node->failure;
  EXPECT_NE(node->failure.find(real), std::string::npos) << node->failure;
  // The same node and the same peer go on.
  swarm::PeerConnection* c = node->connect(address_);
  ASSERT_TRUE(c) << node->failure;
  EXPECT_EQ(node->echo(*c, 1000), "");
}

TEST_P(Interop, TheyDial) {
  auto node = TestNode::create();
  dial_us(*node, {"ping:3", "identify", "echo:0", "echo:1", "echo:1048576", "echo:67108864",
                  "unknown", "reset", "streams:200", "abort", "ping:1", "echo:1000"});
  const Json& id = answers_["identify"];
  EXPECT_EQ(id.value("agent", ""), "kith/" KITH_VERSION) << id.dump();
  EXPECT_EQ(id.value("protocol_version", ""), "ipfs/0.1.0") << id.dump();
  const std::string dump = id.dump();
  EXPECT_NE(dump.find(std::string(kEchoId)), std::string::npos) << dump;
  EXPECT_NE(dump.find(node->host().swarm().listen_addresses()[0].to_string()), std::string::npos)
      << dump;
}

TEST_P(Interop, TheyDialTheWrongPeer) {
  auto node = TestNode::create();
  const std::string other =
      identity::PeerId::from_public_key(
          crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value().public_key())
          .to_string();
  const std::string address = node->address();
  std::unique_ptr<ChildProcess> peer = ChildProcess::spawn(
      {program_, "dial", address.substr(0, address.rfind("/p2p/")) + "/p2p/" + other, "ping:1"},
      {.is_quiet = true});
  ASSERT_TRUE(peer);
  const std::optional<Exit> exit = wait(*node, *peer);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 1);
  dial_us(*node, {"ping:1"});
}

TEST_P(Interop, EveryPairOfKeyTypes) {
  for (const char* ours : GetParam().key_types) {
    host::HostConfig config;
    config.key = crypto::PrivateKey::generate(key_type_of(ours)).value();
    auto node = TestNode::create(config);
    for (const char* theirs : GetParam().key_types) {
      SCOPED_TRACE(std::string("our ") + ours + ", their " + theirs);
      start_listener(theirs);
      swarm::PeerConnection* c = node->connect(address_);
      ASSERT_TRUE(c) << node->failure;
      EXPECT_EQ(c->peer().to_string(), address_.substr(address_.rfind("/p2p/") + 5));
      EXPECT_EQ(node->echo(*c, 1000), "");
      dial_us(*node, {"ping:1", "echo:1000"}, theirs);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Peers, Interop, testing::Values(kGo, kRust, kJs),
                         [](const testing::TestParamInfo<PeerKind>& p) {
                           return std::string(p.param.name);
                         });

}  // namespace
}  // namespace kith::test
