// A live node under attack: a raw peer in its own process does over the network what an honest stack never would. After
// each attack the connection or stream in question is gone with an error that says what was wrong, and an honest peer has
// been served throughout.
#include "tests/live/live.h"

namespace kith::test {
namespace {

TEST_F(Live, TheAttackerIsAGoodPeerWhenAsked) {
  EXPECT_EQ(attack({"good"}), 0);
  EXPECT_EQ(attack({"good", "--host-key", "rsa8192"}), 0);
  EXPECT_EQ(attack({"good", "--critical", "1", "--sni", "example.com"}), 0);
}

// Each bad certificate, in both roles, with what the error must say.
struct BadCertificate {
  const char* scenario;
  const char* error;
};
class LiveCertificate : public Live, public testing::WithParamInterface<BadCertificate> {};

TEST_P(LiveCertificate, IsRefusedFromADialer) {
  EXPECT_EQ(attack({GetParam().scenario}), 0);
  expect_inbound_failure(GetParam().error);
  EXPECT_EQ(node_->num_connected, 1U);  // the honest peer
}

TEST_P(LiveCertificate, IsRefusedFromAListener) {
  const std::string error = dial_attacker({GetParam().scenario});
  EXPECT_NE(error.find(GetParam().error), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(All, LiveCertificate,
                         testing::Values(BadCertificate{"two-certificates", "BAD_CERTIFICATE"},
                                         BadCertificate{"bad-extension-signature", "BAD_SIGNATURE"},
                                         BadCertificate{"extension-missing", "BAD_CERTIFICATE"},
                                         BadCertificate{"extension-twice", "BAD_CERTIFICATE"},
                                         BadCertificate{"garbage-extension", "BAD_CERTIFICATE"},
                                         BadCertificate{"unknown-critical-extension",
                                                        "BAD_CERTIFICATE"},
                                         BadCertificate{"self-signature-broken", "BAD_SIGNATURE"},
                                         BadCertificate{"oversized-certificate", "BAD_CERTIFICATE"},
                                         BadCertificate{"expired", "BAD_CERTIFICATE"},
                                         BadCertificate{"not-yet-valid", "BAD_CERTIFICATE"},
                                         BadCertificate{"rsa16384-host-key", "UNSUPPORTED_KEY"},
                                         BadCertificate{"rsa1024-host-key", "UNSUPPORTED_KEY"}),
                         [](const testing::TestParamInfo<BadCertificate>& p) {
                           std::string name = p.param.scenario;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(Live, NoCertificateIsRefused) {
  EXPECT_EQ(attack({"no-certificate"}), 0);
  expect_inbound_failure("no certificate");
}

TEST_F(Live, AnotherApplicationProtocolIsRefused) { EXPECT_EQ(attack({"wrong-alpn"}), 0); }

TEST_F(Live, AnotherPeerThanTheOneDialedIsRefused) {
  std::unique_ptr<ChildProcess> server =
      ChildProcess::spawn({KITH_ATTACKER, "server", "0", "good"});
  ASSERT_TRUE(server);
  const Json listening = server->read_event("listening", support::Timeout(10'000));
  ASSERT_TRUE(listening.is_object());
  const std::string other = "12D3KooWJRSrypvnpHgc6ZAgyCni4KcSmbV7uGRaMw5LgMKT18fq";
  const std::string address =
      "/ip4/127.0.0.1/udp/" + std::to_string(listening.value("port", 0)) + "/quic-v1/p2p/";
  EXPECT_EQ(node_->connect(address + other), nullptr);
  EXPECT_NE(node_->failure.find("PEER_ID_MISMATCH"), std::string::npos) << node_->failure;
  EXPECT_NE(node_->failure.find(other), std::string::npos) << node_->failure;
  EXPECT_NE(node_->failure.find(listening.value("peer_id_text", "?")), std::string::npos)
      << node_->failure;
}

TEST_F(Live, AHandshakeDribbledPastTheDeadlineIsCutOff) {
  EXPECT_EQ(attack({"dribbled-handshake"}), 0);
  expect_inbound_failure("no complete handshake");
}

TEST_F(Live, MultistreamOversizedLine) {
  EXPECT_EQ(attack({"multistream-oversized-line"}), 0);
  expect_stream_failure("MESSAGE_TOO_LARGE");
}

TEST_F(Live, MultistreamEndlessLine) {
  EXPECT_EQ(attack({"multistream-endless-line"}), 0);
  expect_stream_failure("multistream");
}

TEST_F(Live, MultistreamBadVarint) {
  EXPECT_EQ(attack({"multistream-bad-varint"}), 0);
  expect_stream_failure("MALFORMED");
}

TEST_F(Live, MultistreamManyProposals) {
  EXPECT_EQ(attack({"multistream-many-proposals"}), 0);
  expect_stream_failure("LIMIT");
}

TEST_F(Live, MultistreamSilenceAndDribbleEndAtTheDeadline) {
  EXPECT_EQ(attack({"multistream-silence"}), 0);
  expect_stream_failure("TIMEOUT");
  EXPECT_EQ(attack({"multistream-dribble"}), 0);
}

TEST_F(Live, IdentifyOfOneMebibyte) {
  EXPECT_EQ(attack({"identify-1mib"}), 0);
  node_->run_until([&] { return !node_->identify_failures.empty(); }, seconds(15));
  EXPECT_TRUE(mentions(node_->identify_failures, "MESSAGE_TOO_LARGE"))
      << dump(node_->identify_failures);
}

TEST_F(Live, IdentifyWithoutEnd) {
  EXPECT_EQ(attack({"identify-endless"}), 0);
  node_->run_until([&] { return !node_->identify_failures.empty(); }, seconds(15));
  EXPECT_TRUE(mentions(node_->identify_failures, "LIMIT")) << dump(node_->identify_failures);
}

TEST_F(Live, IdentifyWithTenThousandAddresses) { EXPECT_EQ(attack({"identify-many"}), 0); }

TEST_F(Live, IdentifyThatNeverAnswers) {
  EXPECT_EQ(attack({"identify-silent"}), 0);
  node_->run_until([&] { return !node_->identify_failures.empty(); }, seconds(15));
  EXPECT_TRUE(mentions(node_->identify_failures, "TIMEOUT")) << dump(node_->identify_failures);
}

TEST_F(Live, PingsThatAreNeverReadPauseTheirSender) {
  const size_t before = rss();
  EXPECT_EQ(attack({"ping-flood-unread"}), 0);
  EXPECT_LT(rss(), before + 16 * kMiB);
}

TEST_F(Live, APingCutShortIsAnError) {
  EXPECT_EQ(attack({"ping-short"}), 0);
  expect_stream_failure("ping");
}

TEST_F(Live, NoMoreStreamsThanTheLimit) {
  EXPECT_EQ(
      attack({"open-streams", "1000", "--max", std::to_string(limits::kStreamsPerConnection)}), 0);
}

TEST_F(Live, ResetChurnCostsNoMemory) {
  EXPECT_EQ(attack({"reset-churn", "2000"}), 0);  // pools fill
  const size_t before = rss();
  EXPECT_EQ(attack({"reset-churn", "20000"}), 0);
  EXPECT_LT(rss(), before + 4 * kMiB);
}

TEST_F(Live, EmptyDatagramsCostNoMemory) {
  EXPECT_EQ(attack({"empty-datagrams", "10000"}), 0);
  const size_t before = rss();
  EXPECT_EQ(attack({"empty-datagrams", "100000"}), 0);
  EXPECT_LT(rss(), before + 1 * kMiB);
}

TEST_F(Live, GarbageInitialsCostLittleMemory) {
  // MsQuic keeps the memory of as many handshakes as it ever had at once: a step, then flat.
  const size_t at_first = rss();
  EXPECT_EQ(attack({"garbage-initials", "10000"}), 0);
  const size_t before = rss();
  EXPECT_EQ(attack({"garbage-initials", "10000"}), 0);
  EXPECT_LT(rss(), before + 16 * kMiB);
  EXPECT_LT(rss(), at_first + 96 * kMiB);
}

// A node that treats 127.0.0.0/8 as the addresses of strangers.
class LiveLimits : public Live {
 protected:
  LiveLimits() {
    config_.inbound.limit_loopback = true;
    config_.inbound.burst = 0;  // of the honest dials, which all come from 127.0.0.1
  }
};

TEST_F(LiveLimits, HalfHandshakesOfAFewAddressesLeaveRoomForOthers) {
  EXPECT_EQ(attack({"half-handshakes", "400", "--sources", "4"}), 0);
  for (const char* source : {"127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"}) {
    const std::string refusal = "too many connections from " + std::string(source) + "/32 (8)";
    EXPECT_EQ(std::count_if(node_->inbound_failures.begin(), node_->inbound_failures.end(),
                            [&](const std::string& e) { return e.find(refusal) != e.npos; }),
              1)
        << refusal << dump(node_->inbound_failures);
  }
  // Besides the four refusals, those that were taken fail at their deadline.
  node_->run_until([&] { return node_->inbound_failures.size() >= 36; }, seconds(15));
  EXPECT_EQ(node_->inbound_failures.size(), 4 + 4 * limits::kInboundPerAddress)
      << dump(node_->inbound_failures);
}

TEST_F(Live, HalfHandshakesEndAtTheDeadline) { EXPECT_EQ(attack({"half-handshakes", "300"}), 0); }

}  // namespace
}  // namespace kith::test
