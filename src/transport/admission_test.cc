// Who is admitted, in virtual time: each limit, the networks it counts by, what is told, and what many addresses cost.
#include "transport/admission.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <vector>

namespace kith::transport {
namespace {

Endpoint at(const std::string& host) {
  Endpoint e;
  if (inet_pton(AF_INET, host.c_str(), &e.v4.sin_addr) == 1) {
    e.v4.sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, host.c_str(), &e.v6.sin6_addr), 1) << host;
    e.v6.sin6_family = AF_INET6;
  }
  e.set_port(4001);
  return e;
}

identity::PeerId peer(uint8_t n) { return identity::PeerId::decode(ByteVector{0, 1, n}).value(); }

class Admit : public testing::Test {
 protected:
  // Whether one more connection from `host` is taken; it then lives until tickets_ is cleared.
  bool takes(const std::string& host) {
    Admission::Ticket ticket = admission_->admit(at(host), now_, &refusal_);
    if (!ticket) return false;
    tickets_.push_back(std::move(ticket));
    return true;
  }
  int count(const std::string& host, int tries) {
    int taken = 0;
    for (int i = 0; i < tries; ++i) taken += takes(host) ? 1 : 0;
    return taken;
  }
  void set_up(const AdmissionConfig& config) {
    tickets_.clear();
    admission_ = std::make_unique<Admission>(config);
  }
  std::string refusal() const {
    return refusal_.ok() ? "" : std::string(refusal_.error().detail());
  }

  TimePoint now_ = 1;
  Status refusal_;
  std::unique_ptr<Admission> admission_ = std::make_unique<Admission>(AdmissionConfig());
  std::vector<Admission::Ticket> tickets_;
};

TEST_F(Admit, AnIpv4AddressHasItsConnectionsAndNoMore) {
  EXPECT_EQ(count("192.0.2.1", 20), static_cast<int>(limits::kInboundPerAddress));
  EXPECT_EQ(refusal_.status(), KITH_OK);  // said before
  EXPECT_TRUE(takes("192.0.2.2"));
  EXPECT_FALSE(takes("::ffff:192.0.2.1"));  // the same address, seen by an IPv6 socket
  tickets_.erase(tickets_.begin());
  EXPECT_TRUE(takes("::ffff:192.0.2.1"));
  EXPECT_FALSE(takes("192.0.2.1"));
  EXPECT_EQ(refusal_.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(refusal(), "too many connections from 192.0.2.1/32 (8)");
}

TEST_F(Admit, AnIpv6LinkIsOneAddressAndASiteEight) {
  int taken = 0;
  for (int host = 0; host < 100; ++host) {
    taken += count("2001:db8:0:1::" + std::to_string(host), 1);
  }
  EXPECT_EQ(taken, static_cast<int>(limits::kInboundPerAddress));
  EXPECT_FALSE(takes("2001:db8:0:1:ffff::1"));
  for (int link = 2; link < 100; ++link) {
    taken += count("2001:db8:0:" + std::to_string(link) + "::1", 3);
  }
  EXPECT_EQ(taken, static_cast<int>(8 * limits::kInboundPerAddress));
  EXPECT_FALSE(takes("2001:db8:0:ffff::1"));
  EXPECT_TRUE(takes("2001:db8:1::1"));
  set_up({});
  EXPECT_EQ(count("2001:db8::1", 9), 8);
  EXPECT_EQ(refusal(), "too many connections from 2001:db8::1/64 (8)");
}

TEST_F(Admit, NewConnectionsOfAnAddressComeInABurstAndThenSlowly) {
  const auto burst = static_cast<int>(limits::kInboundBurst);
  int taken = 0;
  for (int i = 0; i < 2 * burst; ++i) {
    taken += count("192.0.2.1", 1);
    tickets_.clear();
  }
  EXPECT_EQ(taken, burst);
  now_ += limits::kInboundInterval - 1;
  EXPECT_FALSE(takes("192.0.2.1"));
  now_ += 1;
  EXPECT_TRUE(takes("192.0.2.1"));
  EXPECT_FALSE(takes("192.0.2.1"));
  EXPECT_EQ(refusal(), "connections from 192.0.2.1/32 come too fast");
  EXPECT_TRUE(takes("192.0.2.2"));
  tickets_.clear();
  now_ += burst * limits::kInboundInterval;
  EXPECT_EQ(count("192.0.2.1", 100), static_cast<int>(limits::kInboundPerAddress));
}

TEST_F(Admit, ASiteMayOpenEightTimesAsFastAsALink) {
  const int burst = 8 * static_cast<int>(limits::kInboundBurst);
  int taken = 0;
  for (int i = 0; i < 2 * burst; ++i) {
    taken += count("2001:db8:0:" + std::to_string(i % 100) + "::1", 1);
    tickets_.clear();
  }
  EXPECT_EQ(taken, burst);
  now_ += limits::kInboundInterval / 8;
  EXPECT_TRUE(takes("2001:db8:0:ffff::1"));
  EXPECT_FALSE(takes("2001:db8:0:ffff::1"));
}

TEST_F(Admit, LoopbackHasNoLimitOfItsOwnUnlessAskedFor) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"}) {
    set_up({});
    EXPECT_EQ(count(host, 100), 100) << host;
    set_up({.limit_loopback = true});
    EXPECT_EQ(count(host, 100), static_cast<int>(limits::kInboundPerAddress)) << host;
  }
}

TEST_F(Admit, ZeroTakesALimitAway) {
  set_up({.max_per_address = 0});
  EXPECT_EQ(count("192.0.2.1", 100), static_cast<int>(limits::kInboundBurst));
  set_up({.burst = 0});
  EXPECT_EQ(count("192.0.2.1", 100), static_cast<int>(limits::kInboundPerAddress));
  set_up({.max_per_address = 0, .interval = 0});
  EXPECT_EQ(count("192.0.2.1", 100), 100);
  set_up({.max_per_peer = 0});
  ASSERT_EQ(count("127.0.0.1", 100), 100);
  for (Admission::Ticket& t : tickets_) EXPECT_TRUE(t.identify(peer(1)).ok());
}

TEST_F(Admit, TheLargestSettingsDoNotOverflow) {
  set_up({.max_connections = SIZE_MAX,
          .max_handshakes = SIZE_MAX,
          .max_per_address = SIZE_MAX / 8,
          .burst = SIZE_MAX,
          .interval = seconds(86'400)});
  now_ = kNever / 2;
  EXPECT_EQ(count("2001:db8::1", 1000), 1000);
}

TEST_F(Admit, ConnectionsInAllAreLimited) {
  set_up({.max_connections = 20});
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += count("192.0.2." + std::to_string(i), 1);
    EXPECT_EQ(refusal(), i == 20 ? "too many connections (20)" : "");
  }
  EXPECT_EQ(taken, 20);
  EXPECT_FALSE(takes("192.0.2.200"));
  tickets_.pop_back();
  EXPECT_TRUE(takes("192.0.2.200"));
  EXPECT_FALSE(takes("192.0.2.201"));
  EXPECT_EQ(refusal(), "too many connections (20)");
}

TEST_F(Admit, HandshakesAreLimitedUntilTheyAreOver) {
  set_up({.max_handshakes = 3});
  EXPECT_EQ(count("127.0.0.1", 5), 3);
  EXPECT_TRUE(tickets_[0].identify(peer(1)).ok());
  tickets_.erase(tickets_.begin() + 1);
  EXPECT_EQ(count("127.0.0.1", 5), 2);
  EXPECT_FALSE(takes("127.0.0.1"));
}

TEST_F(Admit, APeerHasItsConnectionsWhereverTheyComeFrom) {
  for (size_t i = 0; i < limits::kInboundPerPeer; ++i) {
    ASSERT_TRUE(takes("192.0.2." + std::to_string(i)));
    EXPECT_TRUE(tickets_.back().identify(peer(1)).ok());
  }
  ASSERT_TRUE(takes("198.51.100.1"));
  const Status refused = tickets_.back().identify(peer(1));
  EXPECT_EQ(refused.status(), KITH_ERR_LIMIT);
  EXPECT_EQ(refused.error().detail(), "too many connections of " + peer(1).to_string() + " (8)");
  tickets_.pop_back();
  ASSERT_TRUE(takes("198.51.100.1"));
  EXPECT_TRUE(tickets_.back().identify(peer(2)).ok());
  tickets_.erase(tickets_.begin());
  ASSERT_TRUE(takes("198.51.100.1"));
  EXPECT_TRUE(tickets_.back().identify(peer(1)).ok());
}

TEST_F(Admit, EveryCountEndsWithItsConnection) {
  set_up({.limit_loopback = true});
  for (int round = 0; round < 100; ++round) {
    now_ += 100 * limits::kInboundInterval;
    EXPECT_EQ(count("127.0.0.1", 10), 8);
    for (size_t i = 0; i < tickets_.size(); i += 2) EXPECT_TRUE(tickets_[i].identify(peer(1)).ok());
    Admission::Ticket moved = std::move(tickets_[0]);
    tickets_.clear();
  }
  now_ += 100 * limits::kInboundInterval;
  EXPECT_TRUE(takes("192.0.2.1"));
  EXPECT_EQ(admission_->num_known(), 1U);  // 127.0.0.1 is forgotten
}

TEST_F(Admit, ManyAddressesCostBoundedMemoryAndSpareThoseConnected) {
  set_up({});
  ASSERT_EQ(count("192.0.2.1", 8), 8);
  for (int i = 0; i < 100'000; ++i) {
    Endpoint e = at("10.0.0.0");
    e.v4.sin_addr.s_addr = htonl(0x0a000000U + static_cast<uint32_t>(i));
    ASSERT_TRUE(admission_->admit(e, now_, &refusal_));
    ASSERT_LE(admission_->num_known(), limits::kInboundIdleAddresses + 2);
  }
  EXPECT_GE(admission_->num_known(), limits::kInboundIdleAddresses);
  EXPECT_FALSE(takes("192.0.2.1"));
  // All of it is forgotten in time.
  now_ += limits::kInboundInterval;
  EXPECT_TRUE(takes("192.0.2.2"));
  EXPECT_EQ(admission_->num_known(), 2U);
}

TEST_F(Admit, NoMoreRefusalsAreToldThanConnectionsTaken) {
  int taken = 0, told = 0;
  for (int i = 0; i < 10'000; ++i) {
    now_ += milliseconds(10);
    if (takes("2001:db8:0:" + std::to_string(i % 50) + "::1")) {
      ++taken;
    } else {
      told += refusal_.ok() ? 0 : 1;
    }
    if (i % 7 == 0 && !tickets_.empty()) tickets_.erase(tickets_.begin());
  }
  EXPECT_GT(told, 0);
  EXPECT_LE(told, taken);
}

}  // namespace
}  // namespace kith::transport
