// kith/runtime.h: both ways to run a loop, and from which threads.
#include "kith/runtime.h"

#include <atomic>
#include <thread>

#include "tests/capi/node.h"

namespace kith_test {
namespace {

void count(void* user) { ++*static_cast<std::atomic<int>*>(user); }

class RuntimeH : public testing::Test {
 public:
  std::atomic<int> num{0};
  Loop loop;
};

TEST_F(RuntimeH, PostsAndDelaysRunWhenDriven) {
  kith_runtime* r = loop.runtime;
  EXPECT_LE(0, kith_runtime_fd(r));
  EXPECT_EQ(KITH_OK, kith_runtime_post(r, count, &num));
  EXPECT_EQ(0, num);
  EXPECT_EQ(0, kith_runtime_timeout_ms(r));
  EXPECT_EQ(KITH_OK, kith_runtime_drive(r));
  EXPECT_EQ(1, num);
  EXPECT_EQ(KITH_OK, kith_runtime_after(r, 30, count, &num));
  EXPECT_EQ(KITH_OK, kith_runtime_after(r, int64_t{1} << 40, count, &num));
  EXPECT_EQ(KITH_OK, kith_runtime_drive(r));
  EXPECT_EQ(1, num);
  const int64_t timeout = kith_runtime_timeout_ms(r);
  EXPECT_TRUE(timeout >= 0 && timeout <= 30) << timeout;
  EXPECT_TRUE(loop.until([&] { return num == 2; }));
}

TEST_F(RuntimeH, CallOnTheLoopIsAPlainCall) {
  EXPECT_EQ(KITH_OK, kith_runtime_call(loop.runtime, count, &num));
  EXPECT_EQ(1, num);
}

TEST_F(RuntimeH, APostFromAnotherThreadMakesTheDescriptorReadable) {
  EXPECT_EQ(KITH_OK, kith_runtime_drive(loop.runtime));
  std::thread([&] { EXPECT_EQ(KITH_OK, kith_runtime_post(loop.runtime, count, &num)); }).join();
  pollfd p = {kith_runtime_fd(loop.runtime), POLLIN, 0};
  EXPECT_EQ(1, poll(&p, 1, 5000));
  EXPECT_EQ(KITH_OK, kith_runtime_drive(loop.runtime));
  EXPECT_EQ(1, num);
}

TEST_F(RuntimeH, OtherThreadsThanTheDrivingOneAreRefused) {
  kith_runtime* r = loop.runtime;
  Node node;
  node.open(r, true);
  EXPECT_EQ(KITH_OK, kith_runtime_drive(r));
  std::thread([&] {
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_runtime_drive(r));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_runtime_run(r));
    EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_start(r));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_runtime_after(r, 0, count, &num));
    EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_call(r, count, &num));
    EXPECT_EQ(-1, kith_runtime_timeout_ms(r));
    kith_host* h = nullptr;
    kith_host_config c;
    kith_host_config_init(&c, sizeof c);
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_host_new(r, &h, &c, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_host_close(node.host, nullptr, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_host_listen(node.host, kAnyPort, nullptr));
    EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_host_unhandle(node.host, kEcho));
    EXPECT_EQ(0u, kith_host_num_addresses(node.host));
  }).join();
  EXPECT_EQ(0, num);
  node.close();
  EXPECT_TRUE(loop.until([&] { return node.closed == 1; }));
}

TEST_F(RuntimeH, CallsWaitForTheThread) {
  kith_runtime* r = loop.runtime;
  loop.start();
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(KITH_OK, kith_runtime_call(r, count, &num));
    EXPECT_EQ(i + 1, num);
  }
  EXPECT_EQ(KITH_ERR_WRONG_THREAD, kith_runtime_after(r, 0, count, &num));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_drive(r));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_run(r));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_start(r));
  EXPECT_EQ(-1, kith_runtime_timeout_ms(r));
}

TEST_F(RuntimeH, StartsAndStopsAgain) {
  kith_runtime* r = loop.runtime;
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_stop(r));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(KITH_OK, kith_runtime_start(r));
    EXPECT_EQ(KITH_OK, kith_runtime_post(r, count, &num));
    EXPECT_EQ(KITH_OK, kith_runtime_stop(r));
    EXPECT_EQ(i + 1, num);
  }
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_stop(r));
  EXPECT_EQ(KITH_OK, kith_runtime_drive(r));
}

TEST_F(RuntimeH, CallbacksMayNotRunOrEndTheirOwnLoop) {
  for (const bool own_thread : {false, true}) {
    num = 0;
    const auto misuse = [](void* user) {
      auto* self = static_cast<RuntimeH*>(user);
      kith_runtime* r = self->loop.runtime;
      EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_drive(r));
      EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_run(r));
      EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_start(r));
      EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_stop(r));
      kith_runtime_free(r);
      ++self->num;
    };
    if (own_thread) loop.start();
    EXPECT_EQ(KITH_OK, kith_runtime_post(loop.runtime, misuse, this));
    EXPECT_TRUE(loop.until([&] { return num == 1; }));
  }
}

TEST_F(RuntimeH, RunEndsWithQuit) {
  kith_runtime* r = loop.runtime;
  kith_runtime_quit(r);  // before: the next run ends at once
  EXPECT_EQ(KITH_OK, kith_runtime_run(r));
  EXPECT_EQ(KITH_OK,
            kith_runtime_after(
                r, 5, [](void* user) { kith_runtime_quit(static_cast<kith_runtime*>(user)); }, r));
  EXPECT_EQ(KITH_OK, kith_runtime_run(r));
  std::thread other([&] { kith_runtime_quit(r); });
  EXPECT_EQ(KITH_OK, kith_runtime_run(r));
  other.join();
}

TEST(RuntimeLimits, AProcessHasEight) {
  kith_runtime* all[8] = {};
  for (kith_runtime*& r : all) ASSERT_EQ(KITH_OK, kith_runtime_new(&r, nullptr));
  kith_runtime* more = nullptr;
  kith_error error{};
  EXPECT_EQ(KITH_ERR_LIMIT, kith_runtime_new(&more, &error));
  EXPECT_STRNE("", error.message);
  EXPECT_EQ(nullptr, more);
  kith_runtime_free(all[3]);
  EXPECT_EQ(KITH_OK, kith_runtime_new(&all[3], &error)) << error.message;
  for (kith_runtime* r : all) kith_runtime_free(r);
}

class BothModes : public Pair, public testing::WithParamInterface<bool> {};

TEST_P(BothModes, EchoOfAMebibyteWithHalfClose) {
  if (GetParam()) loop.start();
  connect();
  const std::vector<uint8_t> data = random_bytes(1 << 20, 7);
  StreamLog* s = nullptr;
  loop.run([&] {
    s = &open({kEcho});
    s->to_send = data;
    s->close_after = true;
    s->pump();
  });
  ASSERT_TRUE(loop.until([&] { return s->destroyed != 0; }));
  loop.run([&] {
    EXPECT_EQ(data, s->received);
    EXPECT_EQ(1, s->opened);
    EXPECT_EQ(kEcho, s->protocol);
    EXPECT_EQ(1, s->read_closed);
    EXPECT_EQ(1, s->closed);
    EXPECT_EQ(KITH_OK, s->end.status) << s->end.message;
    EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(s->stream, data.data(), 1));
  });
}

TEST_P(BothModes, FreeWithEverythingOpenLetsGoOfAllOnce) {
  if (GetParam()) loop.start();
  connect();
  loop.run([&] {
    for (int i = 0; i < 5; ++i) {
      StreamLog& s = open({i % 2 ? kEcho : kManual});
      s.to_send = random_bytes(300'000, 1);
      s.pump();
    }
    Outcome& ping = outcome();
    const kith_ping_handler h = ping.ping_handler();
    EXPECT_EQ(KITH_OK, kith_connection_ping(client.connection, 1000, 1, 0, &h));
    Outcome& perf = outcome();
    const kith_perf_handler p = perf.perf_handler();
    EXPECT_EQ(KITH_OK, kith_connection_perf(client.connection, 1 << 30, 1 << 30, &p));
    Outcome& dial = outcome();
    const kith_connect_handler c = dial.connect_handler();
    const char* nowhere = "/ip4/127.0.0.1/udp/9/quic-v1";
    EXPECT_EQ(KITH_OK, kith_host_connect(client.host, &nowhere, 1, &c, nullptr));
    ping.attached = perf.attached = dial.attached = true;
  });
  ASSERT_TRUE(loop.until([&] { return inbound.size() == 5 && outcomes[1].round_trips > 0; }));
  loop.free();  // TearDown checks the rest
  for (const StreamLog& s : logs) {
    EXPECT_EQ(0, s.closed);
    if (!s.stream) continue;
    EXPECT_EQ(KITH_ERR_CLOSED, kith_stream_write(s.stream, nullptr, 0));
    EXPECT_EQ(nullptr, kith_stream_connection(s.stream));
    EXPECT_STREQ(s.opened ? s.protocol.c_str() : kith_stream_protocol(s.stream),
                 kith_stream_protocol(s.stream));
  }
  EXPECT_EQ(KITH_ERR_CLOSED, kith_connection_close(client.connection));
  EXPECT_STRNE("", kith_connection_peer_id(client.connection));
}

INSTANTIATE_TEST_SUITE_P(RuntimeH, BothModes, testing::Bool(), [](const auto& param_info) {
  return param_info.param ? "OwnThread" : "Driven";
});

}  // namespace
}  // namespace kith_test
