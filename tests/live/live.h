// A node under attack, with an honest peer that must be served throughout: what the live tests have in common.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/support/child_process.h"
#include "tests/support/test_node.h"

namespace kith::test {

using support::ChildProcess;
using support::Exit;
using support::Json;

constexpr size_t kMiB = 1 << 20;

class Live : public testing::Test {
 protected:
  explicit Live(std::string address = "/ip4/127.0.0.1/udp/0/quic-v1")
      : listens_(std::move(address)) {}
  // What is to be set for the node before it starts.
  host::HostConfig config_;
  std::vector<std::string> also_listens_;

  void SetUp() override {
    std::vector<std::string> listens = also_listens_;
    listens.insert(listens.begin(), listens_);
    node_ = TestNode::create(std::move(config_), listens);
    ASSERT_TRUE(node_);
    honest_ = TestNode::create({}, {listens_}, &node_->runtime());
    ASSERT_TRUE(honest_);
    ASSERT_NE(honest_->connect(node_->address()), nullptr) << honest_->failure;
    honest_connection_ = honest_->host().swarm().find(node_->host().id());
  }
  void TearDown() override {
    // The honest connection from before the attack works, and a new peer can connect.
    EXPECT_EQ(honest_->num_disconnected, 0U) << honest_->last_disconnect;
    EXPECT_EQ(honest_->echo(*honest_connection_, 100'000), "");
    auto late = TestNode::create({}, {}, &node_->runtime());
    swarm::PeerConnection* c = late->connect(node_->address());
    ASSERT_TRUE(c) << late->failure;
    EXPECT_EQ(late->echo(*c, 1000), "");
  }

  // The one that is attacked.
  virtual std::string port() const {
    const wire::Multiaddr a = node_->host().swarm().listen_addresses()[0];
    const auto udp = a.find(wire::proto::kUdp);
    return (udp ? udp : a.find(wire::proto::kTcp))->value_text();
  }

  // Runs the attacker with `words` (after its name) to its end, while the honest peer goes on being served. Returns its exit
  // code: 0 when the node reacted as it should, seen from outside.
  int run(std::vector<std::string> words, Json* done = nullptr) {
    words.insert(words.begin(), KITH_ATTACKER);
    std::unique_ptr<ChildProcess> attacker = ChildProcess::spawn(words);
    if (!attacker) return -1;
    std::optional<Exit> exit;
    int num_echoes = 0;
    while (!exit && num_echoes < 2000) {
      EXPECT_EQ(honest_->echo(*honest_connection_, 1000), "") << "during " << words.back();
      ++num_echoes;
      node_->run_until([&] { return (exit = attacker->wait(support::Timeout(0))).has_value(); },
                       milliseconds(50));
    }
    const Json last = attacker->read_event("done", support::Timeout(1000));
    if (done) *done = last;
    EXPECT_TRUE(exit) << "the attacker did not end";
    if (!exit || exit->code != 0) {
      ADD_FAILURE() << (last.is_object() ? last.dump() : "no last line");
      for (const std::string& line : attacker->skipped()) std::printf("    %s\n", line.c_str());
    }
    return exit ? exit->code : -1;
  }
  // The attacker dials the node.
  int attack(std::vector<std::string> scenario, Json* done = nullptr) {
    scenario.insert(scenario.begin(), {"client", "127.0.0.1", port()});
    return run(std::move(scenario), done);
  }
  // The node dials the attacker, which must not become a connection; returns the error.
  std::string dial_attacker(std::vector<std::string> scenario) {
    scenario.insert(scenario.begin(), {KITH_ATTACKER, "server", "0"});
    std::unique_ptr<ChildProcess> server = ChildProcess::spawn(scenario);
    if (!server) return "no attacker";
    const Json listening = server->read_event("listening", support::Timeout(10'000));
    if (!listening.is_object()) return "the attacker does not listen";
    const std::string address =
        "/ip4/127.0.0.1/udp/" + std::to_string(listening.value("port", 0)) + "/quic-v1";
    EXPECT_EQ(node_->connect(address), nullptr);
    return node_->failure;
  }
  static bool mentions(const std::vector<std::string>& errors, std::string_view text) {
    return std::any_of(errors.begin(), errors.end(),
                       [&](const std::string& e) { return e.find(text) != std::string::npos; });
  }
  static std::string dump(const std::vector<std::string>& errors) {
    std::string out;
    for (const std::string& e : errors) out += "\n    " + e;
    return out;
  }
  void expect_inbound_failure(std::string_view text) {
    node_->run_until([&] { return mentions(node_->inbound_failures, text); }, seconds(15));
    EXPECT_TRUE(mentions(node_->inbound_failures, text)) << text << dump(node_->inbound_failures);
  }
  void expect_stream_failure(std::string_view text) {
    node_->run_until([&] { return mentions(node_->stream_failures, text); }, seconds(15));
    EXPECT_TRUE(mentions(node_->stream_failures, text)) << text << dump(node_->stream_failures);
  }
  static size_t rss() { return support::resident_bytes(getpid()); }

  const std::string listens_;
  std::unique_ptr<TestNode> node_;
  std::unique_ptr<TestNode> honest_;
  swarm::PeerConnection* honest_connection_ = nullptr;
};

}  // namespace kith::test
