// A node that runs out of file descriptors: what exists goes on, what is new fails or waits, and all is well again soon
// after there are descriptors. The limit is the kernel's own, set from outside while the node runs.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/support/child_process.h"
#include "tests/support/test_node.h"

namespace kith::test {
namespace {

using support::ChildProcess;
using support::Json;
using support::Timeout;

constexpr Timeout kPatience{20'000};

std::unique_ptr<ChildProcess> start(std::vector<std::string> words) {
  words.insert(words.begin(), KITH_PROGRAM);
  return ChildProcess::spawn(words, {.environment = {"KITH_KEY=", "KITH_PSK="}, .is_quiet = true});
}

// The CPU time that a process has used, in clock ticks.
int64_t cpu_ticks(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  int64_t user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

// A `kith listen` on TCP and QUIC, whose descriptors can be taken away.
class Pressure : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = start({"listen", "--json", "--listen", "/ip4/127.0.0.1/tcp/0", "--listen",
                       "/ip4/127.0.0.1/udp/0/quic-v1"});
    ASSERT_TRUE(listener_);
    const Json listening = listener_->read_event("listening", kPatience);
    ASSERT_TRUE(listening.is_object());
    tcp_ = listening["addrs"][0];
    quic_ = listening["addrs"][1];
  }
  // No descriptor beyond those that it has: the limit is on their numbers, and the lowest that is free is next.
  void take_descriptors() {
    const std::string folder = "/proc/" + std::to_string(listener_->pid()) + "/fd/";
    rlim_t lowest_free = 0;
    while (std::filesystem::is_symlink(folder + std::to_string(lowest_free))) ++lowest_free;
    ASSERT_EQ(prlimit(listener_->pid(), RLIMIT_NOFILE, nullptr, &before_), 0);
    rlimit tight = before_;
    tight.rlim_cur = lowest_free;
    ASSERT_EQ(prlimit(listener_->pid(), RLIMIT_NOFILE, &tight, nullptr), 0);
  }
  void give_back() { ASSERT_EQ(prlimit(listener_->pid(), RLIMIT_NOFILE, &before_, nullptr), 0); }
  // A ping that goes on and on; connected.
  static std::unique_ptr<ChildProcess> pinging(const std::string& address) {
    auto child = start({"ping", "--json", "-c", "0", "-i", "0.02", address});
    EXPECT_TRUE(child && child->read_event("ping", kPatience).is_object());
    return child;
  }
  static void expect_answers(ChildProcess& ping) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(ping.read_event("ping", kPatience).is_object());
  }

  std::unique_ptr<ChildProcess> listener_;
  std::string tcp_, quic_;
  rlimit before_{};
};

TEST_F(Pressure, WithoutDescriptorsConnectionsGoOnAndNewOnesWait) {
  const auto over_tcp = pinging(tcp_), over_quic = pinging(quic_);
  take_descriptors();
  expect_answers(*over_tcp);
  expect_answers(*over_quic);
  const auto another = pinging(quic_);  // QUIC needs no descriptor for a connection
  // It waits in the kernel's queue: the node neither takes it nor turns in circles.
  const auto waiting = start({"ping", "--json", "-c", "1", "--timeout", "60", tcp_});
  const int64_t used = cpu_ticks(listener_->pid());
  EXPECT_EQ(waiting->read_line(Timeout(1500)), std::nullopt);
  EXPECT_LT(cpu_ticks(listener_->pid()) - used, sysconf(_SC_CLK_TCK) / 2);
  give_back();
  EXPECT_TRUE(waiting->read_event("ping", kPatience).is_object());
  expect_answers(*over_tcp);
  expect_answers(*over_quic);
  expect_answers(*another);
}

TEST(PressureInProcess, DialsFailWithAWordAndWorkAgainLater) {
  auto server = TestNode::create({}, {"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"});
  ASSERT_TRUE(server);
  auto client = TestNode::create({}, {}, &server->runtime());
  ASSERT_TRUE(client);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  const int lowest_free = dup(STDERR_FILENO);
  close(lowest_free);
  const rlimit tight{static_cast<rlim_t>(lowest_free), old.rlim_max};
  for (const wire::Multiaddr& address : server->host().swarm().listen_addresses()) {
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    EXPECT_EQ(client->connect(address.to_string()), nullptr);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    EXPECT_NE(client->failure.find("Too many open files (KITH_ERR_LIMIT)"), std::string::npos)
        << client->failure;
  }
  for (const wire::Multiaddr& address : server->host().swarm().listen_addresses()) {
    auto again = TestNode::create({}, {}, &server->runtime());
    EXPECT_NE(again->connect(address.to_string()), nullptr) << again->failure;
    EXPECT_NE(client->connect(address.to_string()), nullptr) << client->failure;
  }
}

}  // namespace
}  // namespace kith::test
