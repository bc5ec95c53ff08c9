// A live node under attack over TCP: the upgrade, Noise, TLS, yamux, and TLS of the web.
#include <cstdio>
#include <ctime>

#include "tests/live/live.h"
#include "tests/support/web_certificate.h"

namespace kith::test {
namespace {

class LiveTcp : public Live {
 protected:
  LiveTcp() : Live("/ip4/127.0.0.1/tcp/0") {}
  // Attacks twice, the first time to fill pools and the allocator, and tells how much the node has grown since.
  size_t growth_by(const std::vector<std::string>& small, const std::vector<std::string>& large) {
    EXPECT_EQ(attack(small), 0);
    const size_t before = rss();
    Json done;
    EXPECT_EQ(attack(large, &done), 0);
    const size_t after = rss();
    std::printf("    %s %s: RSS %zu KiB before, %zu KiB after, %.1f s\n", large[0].c_str(),
                large[1].c_str(), before / 1024, after / 1024, done.value("seconds", 0.0));
    return after > before ? after - before : 0;
  }
  // The same for an attack that needs a connection of its own each time.
  size_t growth_by_repeating(const char* scenario) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(attack({scenario}), 0);
    const size_t before = rss();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(attack({scenario}), 0);
    const size_t after = rss();
    std::printf("    100 x %s: RSS %zu KiB before, %zu KiB after\n", scenario, before / 1024,
                after / 1024);
    return after > before ? after - before : 0;
  }
};

TEST_F(LiveTcp, TheAttackerIsAGoodPeerWhenAsked) { EXPECT_EQ(attack({"tcp-good"}), 0); }

// The upgrade.

TEST_F(LiveTcp, AnOversizedMultistreamLineIsRefused) {
  EXPECT_EQ(attack({"tcp-oversized-line"}), 0);
  expect_inbound_failure("MESSAGE_TOO_LARGE");
}

TEST_F(LiveTcp, ADribbledUpgradeEndsAtTheDeadline) {
  EXPECT_EQ(attack({"tcp-dribbled-upgrade"}), 0);
  expect_inbound_failure("TIMEOUT");
}

class LiveTcpLimits : public LiveTcp {
 protected:
  LiveTcpLimits() { config_.inbound.max_handshakes = 64; }
};

TEST_F(LiveTcpLimits, HalfUpgradesBeyondTheLimitAreTurnedAway) {
  EXPECT_EQ(attack({"tcp-half-upgrades", "300", "--max", "64"}), 0);
  expect_inbound_failure("TIMEOUT");
  EXPECT_LE(node_->inbound_failures.size(), 64U + 1);  // that others are refused is told once
}

TEST_F(LiveTcp, AClientWithoutACertificateIsRefused) {
  EXPECT_EQ(attack({"tls-no-certificate"}), 0);
  expect_inbound_failure("tls handshake");
  EXPECT_EQ(node_->num_connected, 1U);  // the honest peer
}

TEST_F(LiveTcp, TheSignatureOfAnotherNoiseKeyIsRefused) {
  EXPECT_EQ(attack({"noise-foreign-signature"}), 0);
  expect_inbound_failure("BAD_SIGNATURE");
  EXPECT_EQ(attack({"noise-no-signature"}), 0);
  expect_inbound_failure("no signature");
  EXPECT_EQ(node_->num_connected, 1U);
}

TEST_F(LiveTcp, AKeyOfSmallOrderIsRefused) {
  EXPECT_EQ(attack({"noise-small-order"}), 0);
  expect_inbound_failure("noise handshake");
}

TEST_F(LiveTcp, NothingIsTakenAfterABadNoiseFrame) { EXPECT_EQ(attack({"noise-bad-frame"}), 0); }

TEST_F(LiveTcp, KeyUpdatesWithoutDataEndTheConnectionAndCostNoMemory) {
  EXPECT_LT(growth_by({"tls-key-updates", "5000"}, {"tls-key-updates", "100000"}), 4 * kMiB);
  node_->run_until([&] { return mentions({node_->last_disconnect}, "LIMIT"); }, seconds(15));
  EXPECT_TRUE(mentions({node_->last_disconnect}, "LIMIT")) << node_->last_disconnect;
}

#if KITH_WEBSOCKET
class LiveWss : public LiveTcp {
 protected:
  LiveWss() {
    const WebCertificate c = make_web_certificate(std::time(nullptr));
    config_.websocket = {c.certificate_pem, c.private_key_pem, "", false};
    also_listens_ = {"/ip4/127.0.0.1/tcp/0/tls/ws"};
  }
  std::string port() const override {
    for (const wire::Multiaddr& a : node_->host().swarm().listen_addresses()) {
      if (a.has(wire::proto::kWs)) return a.find(wire::proto::kTcp)->value_text();
    }
    return "none";
  }
};

TEST_F(LiveWss, KeyUpdatesWithoutDataEndTheConnectionAndCostNoMemory) {
  const auto flood = [](const char* count) {
    return std::vector<std::string>{"tls-key-updates", count, "--web", "1"};
  };
  EXPECT_LT(growth_by(flood("5000"), flood("100000")), 4 * kMiB);
  expect_inbound_failure("LIMIT");
}
#endif

// Yamux.

TEST_F(LiveTcp, WindowsThatOverflowCostNoMemory) {
  EXPECT_LT(growth_by_repeating("yamux-window-overflow"), kMiB);
}

TEST_F(LiveTcp, OversizedFirstFramesCostNoMemory) {
  EXPECT_LT(growth_by_repeating("yamux-large-first-frame"), kMiB);
}

TEST_F(LiveTcp, YamuxViolationsEndTheConnectionWithAGoAway) {
  EXPECT_EQ(attack({"yamux-beyond-the-window"}), 0);
  EXPECT_EQ(attack({"yamux-own-id"}), 0);
}

TEST_F(LiveTcp, StreamsAreTakenInBothForms) { EXPECT_EQ(attack({"yamux-syn-forms"}), 0); }

TEST_F(LiveTcp, PingsThatAreNeverReadCostNoMemory) {
  EXPECT_LT(growth_by({"yamux-ping-flood", "50000"}, {"yamux-ping-flood", "1000000"}), 4 * kMiB);
}

TEST_F(LiveTcp, ResetChurnCostsNoMemory) {
  EXPECT_LT(growth_by({"yamux-reset-churn", "50000"}, {"yamux-reset-churn", "1000000"}), 4 * kMiB);
}

TEST_F(LiveTcp, EmptyDataCostsNoMemory) {
  EXPECT_LT(growth_by({"yamux-empty-data", "50000"}, {"yamux-empty-data", "1000000"}), 4 * kMiB);
}

}  // namespace
}  // namespace kith::test
