// What the tests of kith.hpp share: two hosts on one runtime, and coroutines as test bodies.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kith/kith.hpp"

namespace kith_test {

inline constexpr const char* kEcho = "/kith-test/echo/1.0.0";
inline constexpr const char* kSink = "/kith-test/sink/1.0.0";

// ASSERT_TRUE for coroutines.
#define CO_ASSERT_TRUE(condition)           \
  if (!(condition)) {                       \
    ADD_FAILURE() << "not so: " #condition; \
    co_return;                              \
  }                                         \
  static_assert(true)
// ... for a Result, with its error.
#define CO_ASSERT_OK(result)                                          \
  if (const auto& co_result = (result); !co_result.ok()) {            \
    ADD_FAILURE() << #result ": " << co_result.error().name() << ": " \
                  << co_result.error().message();                     \
    co_return;                                                        \
  }                                                                   \
  static_assert(true)

inline std::vector<uint8_t> random_bytes(size_t size, uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<uint8_t> out(size);
  for (uint8_t& b : out) b = static_cast<uint8_t>(random() >> 8);
  return out;
}

inline kith::Task<> echo(kith::Stream stream) {
  for (;;) {
    const auto data = co_await stream.read();
    if (!data.ok()) co_return;
    if (data->empty()) break;
    if (!(co_await stream.write(*data)).ok()) co_return;
    stream.consume(data->size());
  }
  stream.close_write();
}

// Everything until the peer's side ends.
inline kith::Task<kith::Result<std::vector<uint8_t>>> read_all(kith::Stream& stream) {
  std::vector<uint8_t> out;
  for (;;) {
    const auto data = co_await stream.read();
    if (!data.ok()) co_return data.error();
    if (data->empty()) co_return out;
    out.insert(out.end(), data->begin(), data->end());
    stream.consume(data->size());
  }
}

inline kith::Runtime make_runtime() {
  auto runtime = kith::Runtime::create();
  if (!runtime.ok()) std::abort();
  return std::move(*runtime);
}
inline kith::Host make_host(kith::Runtime& runtime, kith::HostConfig config = {}) {
  auto host = kith::Host::create(runtime, std::move(config));
  if (!host.ok()) std::abort();
  return std::move(*host);
}
inline kith::HostConfig listening() {
  kith::HostConfig config;
  config.listen = {"/ip4/127.0.0.1/udp/0/quic-v1"};
  return config;
}

// A server that echoes, and a client, on one loop.
class CppApi : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server.handle(kEcho, echo).ok()); }
  // Runs a coroutine lambda to its end.
  template <typename F>
  void run(F body) {
    const kith::Status status = runtime.run(body());
    EXPECT_TRUE(status.ok()) << status.error().message();
  }
  std::string address() const { return server.addresses().at(0); }

  kith::Runtime runtime = make_runtime();
  kith::Host server = make_host(runtime, listening());
  kith::Host client = make_host(runtime);
};

}  // namespace kith_test
