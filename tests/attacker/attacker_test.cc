// Tests of the attacker itself, against another attacker. A server that verifies nothing stands for
// the worst node: the attacker must notice that it accepts everything. What honest nodes do is the
// matter of the live tests.
#include <gtest/gtest.h>

#include "tests/support/child_process.h"

namespace kith::support {
namespace {

constexpr Timeout kLong{30'000};

std::vector<std::string> command(std::initializer_list<std::string> words) {
  std::vector<std::string> out{KITH_ATTACKER};
  out.insert(out.end(), words);
  return out;
}

// Runs a client scenario against a server that accepts everything; gives its exit code and last
// line.
class AttackerTest : public testing::Test {
 protected:
  int run(std::initializer_list<std::string> scenario, Json& done) {
    auto server = ChildProcess::spawn(command({"server", "0", "serve", "--quiet", "1"}));
    if (!server) return -1;
    Json listening = server->read_event("listening", kLong);
    if (!listening.is_object()) return -1;
    std::vector<std::string> words =
        command({"client", "127.0.0.1", std::to_string(listening.value("port", 0))});
    words.insert(words.end(), scenario);
    auto client = ChildProcess::spawn(words);
    if (!client) return -1;
    done = client->read_event("done", kLong);
    std::optional<Exit> end = client->wait(kLong);
    return end ? end->code : -1;
  }

  int run(std::initializer_list<std::string> scenario) {
    Json done;
    int code = run(scenario, done);
    EXPECT_TRUE(done.is_object());
    EXPECT_EQ(done.is_object() && done.value("ok", false), code == 0) << done.dump();
    return code;
  }
};

TEST_F(AttackerTest, IsAGoodPeerWhenAsked) {
  EXPECT_EQ(run({"good"}), 0);
  EXPECT_EQ(run({"good", "--host-key", "ecdsa", "--critical", "1", "--sni", "example.com"}), 0);
  EXPECT_EQ(run({"good", "--host-key", "rsa2048"}), 0);
}

TEST_F(AttackerTest, NoticesANodeThatAcceptsWrongCertificates) {
  for (const char* scenario :
       {"no-certificate", "two-certificates", "bad-extension-signature", "stolen-extension",
        "extension-missing", "extension-twice", "extension-empty", "extension-trailing-bytes",
        "garbage-extension", "expired", "not-yet-valid", "rsa16384-host-key", "rsa1024-host-key",
        "unknown-critical-extension", "oversized-certificate", "self-signature-broken"}) {
    EXPECT_EQ(run({scenario}), 1) << scenario;
  }
}

TEST_F(AttackerTest, SeesThatAnotherApplicationProtocolIsRefused) {
  EXPECT_EQ(run({"wrong-alpn"}), 0);
}

TEST_F(AttackerTest, NoticesANodeThatKeepsBadStreams) {
  EXPECT_EQ(run({"multistream-silence", "--wait", "1"}), 1);
  EXPECT_EQ(run({"multistream-many-proposals", "--wait", "1"}), 1);
  EXPECT_EQ(run({"ping-many-streams"}), 1);
}

TEST_F(AttackerTest, SurvivesItsOwnFloods) {
  EXPECT_EQ(run({"empty-datagrams", "2000", "--honest", "1"}), 0);
  EXPECT_EQ(run({"garbage-initials", "500", "--honest", "1"}), 0);
  EXPECT_EQ(run({"malformed-initials", "200", "--honest", "1"}), 0);
  EXPECT_EQ(run({"mutated-datagrams", "50"}), 0);
  EXPECT_EQ(run({"reset-churn", "1000"}), 0);
}

TEST_F(AttackerTest, ReportsItsOwnTrouble) {
  EXPECT_EQ(run({"no-such-scenario"}), 2);
  EXPECT_EQ(run({"good", "--no-such-option", "1"}), 2);
  EXPECT_EQ(run({"identify-1mib", "--wait", "1"}), 2);  // the server never asks for identify
}

TEST(Attacker, AttacksLoopbackOnly) {
  for (const char* host :
       {"192.0.2.1", "8.8.8.8", "localhost", "::2", "0.0.0.0", "2130706433", "127.1"}) {
    auto client = ChildProcess::spawn(command({"client", host, "4001", "good"}));
    ASSERT_TRUE(client);
    EXPECT_EQ(client->wait(kLong), (Exit{2, 0})) << host;
  }
}

TEST(Attacker, HasAPeerIdThatFollowsFromItsSeed) {
  auto server = ChildProcess::spawn(command({"server", "0", "good", "--seed", "1"}));
  ASSERT_TRUE(server);
  Json listening = server->read_event("listening", kLong);
  ASSERT_TRUE(listening.is_object());
  // As go-libp2p computes it for the same key: a dial with it succeeds, with another one it fails.
  EXPECT_EQ(listening.value("peer_id_text", ""),
            "12D3KooWPKg8teMZkxTWJmfMxDTwFr1nRy81CFQHXzcFuAztjs6s");
}

}  // namespace
}  // namespace kith::support
