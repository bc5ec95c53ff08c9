// Tests of kith-link itself: datagrams between two namespaces. Skipped without root. Times are only bounded from below.
#include "tools/link_emulator/emulated_link.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>

namespace kith::link_emulator {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kLong = 10'000;  // milliseconds
constexpr int kShort = 300;

class EmulatedLinkTest : public testing::TestWithParam<bool> {
 protected:
  // False if this machine cannot do it.
  bool start(const std::vector<std::string>& words) {
    std::string why;
    link_ = EmulatedLink::start(KITH_LINK, words, &why);
    if (!link_) return false;
    a_ = EmulatedLink::udp_socket(link_->a(), GetParam());
    b_ = EmulatedLink::udp_socket(link_->b(), GetParam());
    EXPECT_GE(a_, 0);
    EXPECT_GE(b_, 0);
    connect_to(a_, b_);
    connect_to(b_, a_);
    return true;
  }
  void TearDown() override {
    if (a_ >= 0) close(a_);
    if (b_ >= 0) close(b_);
  }
  static void connect_to(int from, int to) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(to, reinterpret_cast<sockaddr*>(&address), &size);
    ASSERT_EQ(connect(from, reinterpret_cast<sockaddr*>(&address), size), 0);
  }
  static bool send_text(int fd, const std::string& text) {
    return send(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  }
  // The next datagram; nothing if none comes in `timeout_ms`.
  static std::optional<std::string> receive(int fd, int timeout_ms) {
    pollfd p{fd, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return std::nullopt;
    char text[2000];
    const ssize_t n = recv(fd, text, sizeof text, 0);
    if (n < 0) return std::nullopt;
    return std::string(text, static_cast<size_t>(n));
  }

  std::unique_ptr<EmulatedLink> link_;
  int a_ = -1;
  int b_ = -1;
};

#define START_OR_SKIP(...) \
  if (!start({__VA_ARGS__})) GTEST_SKIP() << "no root or no /dev/net/tun"

TEST_P(EmulatedLinkTest, CarriesDatagramsBothWaysNoSoonerThanTheDelay) {
  START_OR_SKIP("a-to-b", "delay_ms=30", "b-to-a", "delay_ms=20");
  const Clock::time_point start = Clock::now();
  ASSERT_TRUE(send_text(a_, "there"));
  EXPECT_EQ(receive(b_, kLong), "there");
  EXPECT_GE(Clock::now() - start, milliseconds(30));
  ASSERT_TRUE(send_text(b_, "and back"));
  EXPECT_EQ(receive(a_, kLong), "and back");
  EXPECT_GE(Clock::now() - start, milliseconds(50));
}

TEST_P(EmulatedLinkTest, LosesAndDuplicatesWhatItIsTold) {
  START_OR_SKIP("a-to-b", "drop_first=2", "drop_last=3");
  for (const char* text : {"1", "2", "3", "4"}) ASSERT_TRUE(send_text(a_, text));
  EXPECT_EQ(receive(b_, kLong), "1");
  EXPECT_EQ(receive(b_, kLong), "4");
  ASSERT_TRUE(link_->set("a-to-b clear duplicate=1"));
  ASSERT_TRUE(send_text(a_, "twice"));
  EXPECT_EQ(receive(b_, kLong), "twice");
  EXPECT_EQ(receive(b_, kLong), "twice");
  EXPECT_EQ(link_->counters()["a_to_b"].value("lost", 0), 2);
}

TEST_P(EmulatedLinkTest, DamageArrives) {
  START_OR_SKIP("a-to-b", "corrupt=1");
  const std::string sent(500, 'x');
  ASSERT_TRUE(send_text(a_, sent));
  const std::optional<std::string> got = receive(b_, kLong);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), sent.size());
  EXPECT_NE(*got, sent);
}

TEST_P(EmulatedLinkTest, LosesEveryPacketOfASegmentedSendOnItsOwn) {
  START_OR_SKIP("a-to-b", "drop_first=2", "drop_last=9");
  constexpr int kSegment = 1000;
  constexpr int kUdpSegment = 103;  // UDP_SEGMENT of linux/udp.h
  ASSERT_EQ(setsockopt(a_, IPPROTO_UDP, kUdpSegment, &kSegment, sizeof kSegment), 0);
  ASSERT_TRUE(send_text(a_, std::string(10 * kSegment, 'x')));
  EXPECT_EQ(receive(b_, kLong), std::string(kSegment, 'x'));
  EXPECT_EQ(receive(b_, kLong), std::string(kSegment, 'x'));
  EXPECT_EQ(receive(b_, kShort), std::nullopt);
  EXPECT_EQ(link_->counters()["a_to_b"].value("packets_in", 0), 10);
}

TEST_P(EmulatedLinkTest, CanBeCutAndMendedWhileItRuns) {
  START_OR_SKIP("delay_ms=1");
  ASSERT_TRUE(link_->set("both loss=1"));
  ASSERT_TRUE(send_text(a_, "lost"));
  EXPECT_EQ(receive(b_, kShort), std::nullopt);
  ASSERT_TRUE(link_->set("both loss=0"));
  ASSERT_TRUE(send_text(a_, "found"));
  EXPECT_EQ(receive(b_, kLong), "found");
  EXPECT_FALSE(link_->set("both loss=7"));
}

TEST_P(EmulatedLinkTest, EndsWhatRunsAtItsEnds) {
  START_OR_SKIP("delay_ms=1");
  auto child = support::ChildProcess::spawn(
      EmulatedLink::command(link_->a(), {"sh", "-c", "echo here; exec sleep 1000"}));
  ASSERT_TRUE(child);
  ASSERT_EQ(child->read_line(support::Timeout(kLong)), "here");
  link_.reset();
  EXPECT_EQ(child->wait(support::Timeout(kLong)), (support::Exit{-1, SIGKILL}));
}

INSTANTIATE_TEST_SUITE_P(Families, EmulatedLinkTest, testing::Bool(),
                         [](const auto& family) { return family.param ? "Ip6" : "Ip4"; });

}  // namespace
}  // namespace kith::link_emulator
