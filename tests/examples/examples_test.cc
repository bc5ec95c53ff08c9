// The examples as programs: each ping against each echo, the echo itself, and what they say when they fail.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kith/kith.hpp"
#include "tests/support/child_process.h"

namespace {

using kith::support::ChildProcess;
using kith::support::Exit;
constexpr kith::support::Timeout kTimeout{20'000};
const std::optional<Exit> kGood = Exit{0, 0};

std::unique_ptr<ChildProcess> start(const std::string& example,
                                    const std::vector<std::string>& args) {
  std::vector<std::string> words = {KITH_EXAMPLES "/" + example};
  words.insert(words.end(), args.begin(), args.end());
  return ChildProcess::spawn(words);
}

std::vector<std::string> rest_of_output(ChildProcess& child) {
  std::vector<std::string> lines;
  while (auto line = child.read_line(kTimeout)) lines.push_back(*line);
  return lines;
}

// In C and in C++.
class Examples : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    echo = start(std::string("echo_") + GetParam(), {});
    ASSERT_NE(echo, nullptr);
    address = echo->read_line(kTimeout).value_or("");
    ASSERT_NE(address.find("/p2p/"), std::string::npos) << address;
  }
  void TearDown() override {
    echo->kill(SIGINT);
    EXPECT_EQ(echo->wait(kTimeout), kGood);
  }
  std::unique_ptr<ChildProcess> echo;
  std::string address;
};

TEST_P(Examples, PingMeasuresFourRoundTrips) {
  for (const char* ping : {"ping_c", "ping_cpp"}) {
    const auto child = start(ping, {address});
    ASSERT_NE(child, nullptr);
    const std::vector<std::string> lines = rest_of_output(*child);
    EXPECT_EQ(child->wait(kTimeout), kGood) << ping;
    ASSERT_EQ(lines.size(), 5U) << ping;
    EXPECT_EQ(lines[0], "connected to " + address.substr(address.rfind('/') + 1));
    for (size_t i = 1; i < lines.size(); ++i) EXPECT_GT(std::stod(lines[i]), 0) << lines[i];
  }
}

TEST_P(Examples, EchoReturnsAMebibyte) {
  std::vector<uint8_t> sent(1 << 20);
  std::minstd_rand random(1);
  for (uint8_t& b : sent) b = static_cast<uint8_t>(random() >> 8);

  auto runtime = kith::Runtime::create();
  ASSERT_TRUE(runtime.ok());
  auto host = kith::Host::create(*runtime);
  ASSERT_TRUE(host.ok());
  const auto write = [&](kith::Stream& stream) -> kith::Task<> {
    EXPECT_TRUE((co_await stream.write(sent)).ok());
    stream.close_write();
  };
  const auto body = [&]() -> kith::Task<kith::Result<std::vector<uint8_t>>> {
    auto connection = co_await host->connect(address);
    if (!connection.ok()) co_return connection.error();
    auto stream = co_await connection->open_stream("/kith-example/echo/1.0.0");
    if (!stream.ok()) co_return stream.error();
    kith::TaskGroup writer;
    writer.start(write(*stream));
    std::vector<uint8_t> received(sent.size());
    const auto all = co_await stream->read_exactly(received);
    if (!all.ok()) co_return all.error();
    const auto end = co_await stream->read();
    EXPECT_TRUE(end.ok() && end->empty());
    co_return received;
  };
  const auto received = runtime->run(body());
  ASSERT_TRUE(received.ok()) << received.error().message();
  EXPECT_TRUE(*received == sent);
}

INSTANTIATE_TEST_SUITE_P(Languages, Examples, testing::Values("c", "cpp"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(Ping, FailsWithAnExitCode) {
  for (const char* ping : {"ping_c", "ping_cpp"}) {
    for (const char* bad : {"/ip4/127.0.0.1/tcp/9", "/ip4/127.0.0.1", "nonsense"}) {
      const auto child = start(ping, {bad});
      ASSERT_NE(child, nullptr);
      EXPECT_TRUE(rest_of_output(*child).empty());
      EXPECT_EQ(child->wait(kTimeout), (Exit{1, 0})) << ping << " " << bad;
    }
    const auto child = start(ping, {});
    ASSERT_NE(child, nullptr);
    EXPECT_EQ(child->wait(kTimeout), (Exit{2, 0})) << ping;
  }
}

TEST(Echo, FailsWithAnExitCode) {
  for (const char* echo : {"echo_c", "echo_cpp"}) {
    const auto child = start(echo, {"/ip4/127.0.0.1/tcp/0/tls"});
    ASSERT_NE(child, nullptr);
    EXPECT_TRUE(rest_of_output(*child).empty());
    EXPECT_EQ(child->wait(kTimeout), (Exit{1, 0})) << echo;
  }
}

}  // namespace
