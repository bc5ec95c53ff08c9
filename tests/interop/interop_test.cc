// kith against real libp2p nodes: go-libp2p, rust-libp2p and js-libp2p, over every stack of cells.h, in both
// directions. The peers are the programs in interop/, found by the environment variables KITH_PEER_GO, KITH_PEER_RUST
// and KITH_PEER_JS (interop/build.sh). What held is recorded in the suite's JSON report, of which
// tests/interop_matrix.py makes docs/interop.md.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

#include "protocol/pnet/pnet.h"
#include "tests/interop/cells.h"
#include "tests/support/child_process.h"
#include "tests/support/deaf_port.h"
#include "tests/support/test_node.h"
#include "tests/support/web_certificate.h"

namespace kith::test {
namespace {

using support::ChildProcess;
using support::Exit;
using support::Json;

constexpr uint64_t kMiB = 1 << 20;

crypto::KeyType key_type_of(std::string_view name) {
  if (name == "secp256k1") return crypto::KeyType::kSecp256k1;
  if (name == "ecdsa") return crypto::KeyType::kEcdsa;
  if (name == "rsa") return crypto::KeyType::kRsa;
  return crypto::KeyType::kEd25519;
}

std::string some_peer_id() {
  return identity::PeerId::from_public_key(
             crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value().public_key())
      .to_string();
}

// Reads what a peer says about the connection, as JSON, on /kith/state/1.0.0.
class StateClient final : public swarm::ProtocolStream {
 public:
  Status open(swarm::PeerConnection& connection) {
    const std::string_view protocol = "/kith/state/1.0.0";
    KITH_ASSIGN(transport::Stream * stream, connection.open_stream(std::span(&protocol, 1), this));
    stream->close_write();
    return {};
  }
  bool done() const { return done_; }
  Json state() const { return Json::parse(text_, nullptr, /*allow_exceptions=*/false); }

 private:
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream&, Bytes data) override {
    text_.append(data.begin(), data.end());
    return data.size();
  }
  void on_read_closed(transport::Stream&) override {}
  void on_reset(transport::Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(transport::Stream&, uint64_t) override {}
  void on_writable(transport::Stream&) override {}
  void on_closed(transport::Stream&, const Error&) override { done_ = true; }

  std::string text_;
  bool done_ = false;
};

class Interop : public testing::TestWithParam<Cell> {
 protected:
  const PeerKind& peer() const { return *GetParam().peer; }
  const Stack& stack() const { return *GetParam().stack; }

  void SetUp() override {
    const char* path = std::getenv(peer().variable);
    if (!path || !*path)
      GTEST_SKIP() << peer().variable << " is not set: no " << peer().name << " peer";
    program_ = path;
    if (!stack().is_private) return;
    key_file_ = testing::TempDir() + "kith-interop-" + std::to_string(getpid()) + ".key";
    const crypto::SecretBytes text = pnet::format_key_file(ByteVector(pnet::kKeyBytes, 0x5a));
    std::ofstream(key_file_, std::ios::binary)
        .write(reinterpret_cast<const char*>(text.data()),
               static_cast<std::streamsize>(text.size()));
  }
  void TearDown() override {
    if (!key_file_.empty()) std::remove(key_file_.c_str());
  }

  std::unique_ptr<TestNode> our_node(host::HostConfig config = {}) {
    return our_node(std::move(config), {stack().listen});
  }
  std::unique_ptr<TestNode> our_node(host::HostConfig config,
                                     const std::vector<std::string>& listen) {
    if (stack().has_mplex) {
      config.tcp.upgrade.muxers = {transport::upgrade::Muxer::kYamux,
                                   transport::upgrade::Muxer::kMplex};
    }
    if (stack().is_private) {
      config.tcp.upgrade.network_key = crypto::SecretBytes(pnet::kKeyBytes, 0x5a);
    }
    if (stack().has_certificate) {
      const WebCertificate certificate = make_web_certificate(::time(nullptr));
      config.websocket.certificate_chain_pem = certificate.certificate_pem;
      config.websocket.private_key_pem = certificate.private_key_pem;
      config.websocket.accept_any_certificate = true;
    }
    return TestNode::create(std::move(config), listen);
  }

  std::unique_ptr<ChildProcess> spawn(std::vector<std::string> words) {
    words.insert(words.begin(), program_);
    words.insert(words.end(), stack().flags.begin(), stack().flags.end());
    if (!key_file_.empty()) words.insert(words.end(), {"--psk", key_file_});
    support::SpawnOptions options = {.is_quiet = true};
    if (stack().has_certificate) options.environment = {"NODE_TLS_REJECT_UNAUTHORIZED=0"};
    return ChildProcess::spawn(words, options);
  }

  // Starts the peer as a listener; its address in `address_`.
  void start_listener(const std::string& key = "ed25519") {
    peer_ = spawn({"listen", "--listen", stack().listen, "--key", key});
    ASSERT_TRUE(peer_);
    const Json line = peer_->read_event("listening", std::chrono::seconds(30));
    ASSERT_FALSE(line.is_discarded()) << "the peer said nothing";
    address_ = line["addrs"][0].get<std::string>();
  }

  // Starts the peer as a dialer of `address`, to run `actions`.
  void start_dialer(const std::string& address, const std::vector<std::string>& actions,
                    const std::vector<std::string>& flags = {}) {
    std::vector<std::string> words = {"dial", address};
    words.insert(words.end(), actions.begin(), actions.end());
    words.insert(words.end(), flags.begin(), flags.end());
    peer_ = spawn(words);
    ASSERT_TRUE(peer_);
  }

  // The line that the dialer prints for its next action.
  Json next_line(TestNode& node) {
    Json line = Json::value_t::discarded;
    node.run_until(
        [&] {
          line = peer_->read_json(support::Timeout(0));
          return !line.is_discarded() || peer_->wait(support::Timeout(0)).has_value();
        },
        seconds(180));
    return line.is_discarded() ? peer_->read_json(support::Timeout(200)) : line;
  }

  // The answer to `action`, which must be the dialer's next and ok.
  Json answer(TestNode& node, const std::string& action) {
    Json line = next_line(node);
    EXPECT_FALSE(line.is_discarded()) << action << ": no answer";
    if (line.is_discarded()) return Json::object();
    EXPECT_EQ(line["action"], action);
    EXPECT_EQ(line["ok"], true) << line.dump();
    return line;
  }

  std::optional<Exit> exit_of_peer(TestNode& node) {
    std::optional<Exit> exit;
    node.run_until([&] { return (exit = peer_->wait(support::Timeout(0))).has_value(); },
                   seconds(60));
    return exit;
  }

  const char* early_muxer_quirk() const {
    return GetParam().early_muxer == EarlyMuxer::kUsed
               ? "ok"
               : "the muxer is the one wanted; the peer does not tell when it was agreed on";
  }
  const char* echo_quirk() const {
    return stack().has_mplex ? "2 MiB: mplex has no flow control, and kith bounds what it holds"
                             : "ok";
  }

  // Whether the peer can say what a connection is made of, and there is something to say.
  bool has_state() const { return peer().has_state && *stack().security; }
  void expect_stack(const Json& state) {
    ASSERT_TRUE(state.is_object()) << state;
    EXPECT_EQ(state.value("security", ""), stack().security);
    EXPECT_EQ(state.value("muxer", ""), stack().muxer);
    if (GetParam().early_muxer == EarlyMuxer::kUsed) {
      EXPECT_EQ(state.value("early_muxer", false), true);
    }
  }

  // Runs `body` and records for the matrix whether it held; `quirk` is what the peer cannot do.
  template <class Body>
  void behavior(const char* name, Body&& body, const char* quirk = "ok") {
    SCOPED_TRACE(name);
    const auto num_failures = [] {
      return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
    };
    const int before = num_failures();
    body();
    RecordProperty(name, num_failures() == before ? quirk : "fails");
  }

  std::string program_;
  std::string key_file_;  // of the private network, if it is one
  std::unique_ptr<ChildProcess> peer_;
  std::string address_;
};

// Of the peers that listen.
class InteropListener : public Interop {};

TEST_P(InteropListener, WeDial) {
  start_listener();
  auto node = our_node();
  ASSERT_TRUE(node);
  swarm::PeerConnection* c = node->connect(address_);
  ASSERT_TRUE(c) << node->failure;
  const auto behavior = [&](const char* name, auto&& body, const char* quirk = "ok") {
    this->behavior(
        name,
        [&] {
          ASSERT_EQ(node->num_disconnected, 0U) << node->last_disconnect;
          body();
        },
        quirk);
  };

  if (has_state()) {
    behavior(
        "early_muxer",
        [&] {
          StateClient client;
          ASSERT_TRUE(client.open(*c).ok());
          ASSERT_TRUE(node->run_until([&] { return client.done(); }));
          expect_stack(client.state());
        },
        early_muxer_quirk());
  }
  behavior("ping", [&] {
    ASSERT_EQ(node->ping(*c, 3).size(), 3U);
    EXPECT_EQ(node->ping(*c, 3, /*new_stream=*/true).size(), 3U);
  });
  behavior("identify", [&] {
    ASSERT_TRUE(node->run_until([&] { return c->identified().has_value(); }));
    const identify::IdentifyMessage& id = *c->identified();
    EXPECT_EQ(id.agent_version.substr(0, std::string(peer().agent).size()), peer().agent);
    EXPECT_NE(std::find(id.protocols.begin(), id.protocols.end(), kEchoId), id.protocols.end());
    EXPECT_NE(std::find(id.protocols.begin(), id.protocols.end(), ping::kProtocolId),
              id.protocols.end());
    // We dial from the port that we listen on.
    ASSERT_TRUE(id.observed_addr);
    std::string observed = identify::trim_observed_addr(*id.observed_addr).to_string();
    const size_t alias = observed.find("/wss");  // as go-libp2p writes it
    if (alias != std::string::npos) observed.replace(alias, 4, "/tls/ws");
    EXPECT_EQ(observed, node->host().swarm().listen_addresses()[0].to_string());
    EXPECT_FALSE(id.listen_addrs.empty());
  });
  behavior(
      "echo",
      [&] {
        for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kMiB, stack().echo_mib * kMiB})
          ASSERT_EQ(node->echo(*c, size), "");
      },
      echo_quirk());
  behavior("unknown", [&] {
    EchoClient unknown(1, 1);
    ASSERT_TRUE(unknown.open(*c, kUnknownId).ok());
    ASSERT_TRUE(node->run_until([&] { return unknown.done(); }));
    EXPECT_EQ(unknown.end().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << unknown.end().to_string();
  });
  behavior(
      "reset",
      [&] {
        // More than fits: rust-libp2p does not reset a stream that we have ended.
        EchoClient reset(64 * kMiB, 1);
        ASSERT_TRUE(reset.open(*c, kResetId).ok());
        ASSERT_TRUE(node->run_until([&] { return reset.done(); }));
        // A reset that overtakes the answer to our proposal ends the negotiation, with the same meaning.
        const bool was_reset = reset.was_reset() || reset.end().status() == KITH_ERR_RESET;
        EXPECT_EQ(was_reset, GetParam().can_reset)
            << reset.failure() << "; " << reset.end().to_string();
      },
      GetParam().can_reset ? "ok" : "its reset is an ordinary end");
  behavior("streams", [&] {
    std::vector<std::unique_ptr<EchoClient>> clients;
    for (uint32_t i = 0; i < 200; ++i) {
      clients.push_back(std::make_unique<EchoClient>(1024, i + 1));
      ASSERT_TRUE(clients.back()->open(*c).ok());
    }
    ASSERT_TRUE(node->run_until([&] {
      return std::all_of(clients.begin(), clients.end(), [](const auto& e) { return e->done(); });
    }));
    for (const auto& client : clients) EXPECT_EQ(client->failure(), "");
  });
  behavior("afterwards", [&] {  // both ends still work after all that
    ASSERT_EQ(node->ping(*c, 1, /*new_stream=*/true).size(), 1U);
    ASSERT_EQ(node->echo(*c, 1000), "");
  });
}

TEST_P(Interop, TheyDial) {
  auto node = our_node();
  ASSERT_TRUE(node);
  const std::string bulk = "echo:" + std::to_string(stack().echo_mib * kMiB);
  std::vector<std::string> actions = {"ping:3",       "identify", "echo:0",  "echo:1",
                                      "echo:1048576", bulk,       "unknown", "reset",
                                      "streams:200",  "abort",    "ping:1",  "echo:1000"};
  if (has_state()) actions.insert(actions.begin(), "state");
  start_dialer(node->address(), actions);

  if (has_state()) {
    behavior(
        "early_muxer", [&] { expect_stack(answer(*node, "state")); }, early_muxer_quirk());
  }
  behavior("ping", [&] { answer(*node, "ping:3"); });
  behavior("identify", [&] {
    const Json id = answer(*node, "identify");
    EXPECT_EQ(id.value("agent", ""), "kith/" KITH_VERSION) << id.dump();
    EXPECT_EQ(id.value("protocol_version", ""), "ipfs/0.1.0") << id.dump();
    const std::string dump = id.dump();
    EXPECT_NE(dump.find(std::string(kEchoId)), std::string::npos) << dump;
    EXPECT_NE(dump.find(node->host().swarm().listen_addresses()[0].to_string()), std::string::npos)
        << dump;
  });
  behavior(
      "echo",
      [&] {
        for (const std::string& action :
             {std::string("echo:0"), std::string("echo:1"), std::string("echo:1048576"), bulk})
          answer(*node, action);
      },
      echo_quirk());
  behavior("unknown", [&] { answer(*node, "unknown"); });
  behavior(
      "reset",
      [&] {
        if (GetParam().sees_resets) {
          EXPECT_EQ(answer(*node, "reset").value("seen", ""), "reset");
        } else {
          const Json line = next_line(*node);
          ASSERT_FALSE(line.is_discarded());
          EXPECT_EQ(line["action"], "reset");
          EXPECT_EQ(line.value("seen", ""), "eof") << line.dump();
        }
      },
      GetParam().sees_resets ? "ok" : "it reads our reset as an ordinary end");
  behavior("streams", [&] { answer(*node, "streams:200"); });
  behavior("afterwards", [&] {
    for (const char* action : {"abort", "ping:1", "echo:1000"}) answer(*node, action);
    const std::optional<Exit> exit = exit_of_peer(*node);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, GetParam().sees_resets ? 0 : 1);
  });
}

TEST_P(InteropListener, WeDialAndTheWrongPeerAnswers) {
  start_listener();
  auto node = our_node();
  ASSERT_TRUE(node);
  const std::string other = some_peer_id();
  const size_t at = address_.rfind("/p2p/");
  const std::string real = address_.substr(at + 5);
  behavior("wrong_peer", [&] {
    EXPECT_EQ(node->connect(address_.substr(0, at) + "/p2p/" + other), nullptr);
    EXPECT_NE(node->failure.find("PEER_ID_MISMATCH"), std::string::npos) << node->failure;
    EXPECT_NE(node->failure.find(other), std::string::npos) << node->failure;
    EXPECT_NE(node->failure.find(real), std::string::npos) << node->failure;
    // The same node and the same peer go on.
    swarm::PeerConnection* c = node->connect(address_);
    ASSERT_TRUE(c) << node->failure;
    EXPECT_EQ(node->echo(*c, 1000), "");
  });
}

TEST_P(Interop, TheyDialTheWrongPeer) {
  auto node = our_node();
  ASSERT_TRUE(node);
  const std::string address = node->address();
  behavior("wrong_peer", [&] {
    start_dialer(address.substr(0, address.rfind("/p2p/")) + "/p2p/" + some_peer_id(), {"ping:1"});
    const std::optional<Exit> exit = exit_of_peer(*node);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->code, 1);
    start_dialer(address, {"ping:1"});
    answer(*node, "ping:1");
  });
}

TEST_P(InteropListener, WeDialEveryPairOfKeyTypes) {
  behavior("keys", [&] {
    for (const char* theirs : peer().key_types) {
      start_listener(theirs);
      for (const char* ours : peer().key_types) {
        SCOPED_TRACE(std::string("our ") + ours + ", their " + theirs);
        host::HostConfig config;
        config.key = crypto::PrivateKey::generate(key_type_of(ours)).value();
        auto node = our_node(std::move(config));
        ASSERT_TRUE(node);
        swarm::PeerConnection* c = node->connect(address_);
        ASSERT_TRUE(c) << node->failure;
        EXPECT_EQ(c->peer().to_string(), address_.substr(address_.rfind("/p2p/") + 5));
        EXPECT_EQ(node->echo(*c, 1000), "");
      }
    }
  });
}

TEST_P(Interop, TheyDialEveryPairOfKeyTypes) {
  behavior("keys", [&] {
    for (const char* ours : peer().key_types) {
      host::HostConfig config;
      config.key = crypto::PrivateKey::generate(key_type_of(ours)).value();
      auto node = our_node(std::move(config));
      ASSERT_TRUE(node);
      for (const char* theirs : peer().key_types) {
        SCOPED_TRACE(std::string("our ") + ours + ", their " + theirs);
        start_dialer(node->address(), {"ping:1", "echo:1000"}, {"--key", theirs});
        answer(*node, "ping:1");
        answer(*node, "echo:1000");
      }
    }
  });
}

// Of the peers that can dial us while we dial them.
class InteropDialers : public Interop {};

// The peer dials a port where nobody answers, and we then dial it from there: two SYNs cross, and neither end is a
// listener.
TEST_P(InteropDialers, BothDial) {
  for (const bool are_we_dialer : {true, false}) {
    behavior(are_we_dialer ? "as_dialer" : "as_listener", [&] {
      auto node = our_node({}, {});
      ASSERT_TRUE(node);
      DeafPort deaf;
      ASSERT_TRUE(deaf.is_ready());
      const std::string host = "/ip4/127.0.0.1/tcp/";
      const std::string ours = host + std::to_string(deaf.port());
      std::vector<std::string> actions = {"ping:3", "echo:1048576", "streams:200"};
      if (has_state()) actions.insert(actions.begin(), "state");
      start_dialer(ours + "/p2p/" + node->host().id().to_string(), actions,
                   {"--role", are_we_dialer ? "listener" : "dialer"});
      std::optional<uint16_t> port;
      ASSERT_TRUE(node->run_until([&] { return (port = deaf.dialer()).has_value(); }));

      deaf.give_up();
      const wire::Multiaddr listen = wire::Multiaddr::parse(ours).value();
      ASSERT_TRUE(node->host().swarm().listen(listen).ok());
      swarm::PeerConnection* c =
          node->connect(host + std::to_string(*port),
                        are_we_dialer ? transport::Role::kDialer : transport::Role::kListener);
      ASSERT_TRUE(c) << node->failure;
      EXPECT_EQ(c->direction(), transport::Direction::kOutbound);
      EXPECT_EQ(node->num_connected, 1U);
      EXPECT_EQ(node->echo(*c, kMiB), "");
      if (has_state()) expect_stack(answer(*node, "state"));
      for (const char* action : {"ping:3", "echo:1048576", "streams:200"}) answer(*node, action);
    });
  }
}

std::string name_of(const testing::TestParamInfo<Cell>& p) { return p.param.name(); }

template <class Filter>
std::vector<Cell> cells_that(Filter&& filter) {
  std::vector<Cell> out;
  std::copy_if(std::begin(kCells), std::end(kCells), std::back_inserter(out), filter);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Peers, Interop, testing::ValuesIn(kCells), name_of);
INSTANTIATE_TEST_SUITE_P(Peers, InteropListener,
                         testing::ValuesIn(cells_that([](const Cell& c) { return c.listens; })),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Peers, InteropDialers, testing::ValuesIn(cells_that([](const Cell& c) {
                           return c.has_simultaneous_open();
                         })),
                         name_of);

}  // namespace
}  // namespace kith::test
