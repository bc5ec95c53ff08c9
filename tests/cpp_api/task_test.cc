// Task, TaskGroup and Runtime of kith.hpp: values, order, ownership, cancellation, threads.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/cpp_api/node.h"

namespace {

using namespace std::chrono_literals;  // NOLINT: 1ms
using kith_test::make_runtime;

kith::Task<int> seven() { co_return 7; }
kith::Task<kith::Result<int>> refused() { co_return kith::Error(KITH_ERR_TIMEOUT, "too late"); }

// Counts itself while it exists.
struct Token {
  explicit Token(int& c) : count(&c) { ++*count; }
  Token(Token&& o) noexcept : count(std::exchange(o.count, nullptr)) {}
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() {
    if (count) --*count;
  }
  int* count;
};

TEST(Task, YieldsAValueToRun) {
  kith::Runtime runtime = make_runtime();
  const kith::Result<int> value = runtime.run(seven());
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, 7);
}

TEST(Task, YieldsItsOwnResultToRun) {
  kith::Runtime runtime = make_runtime();
  const kith::Result<int> value = runtime.run(refused());
  EXPECT_EQ(value.status(), KITH_ERR_TIMEOUT);
  EXPECT_STREQ(value.error().message(), "too late");
  EXPECT_STREQ(value.error().name(), "KITH_ERR_TIMEOUT");
}

TEST(Task, YieldsAValueToTheTaskThatAwaitsIt) {
  kith::Runtime runtime = make_runtime();
  const auto body = [&]() -> kith::Task<int> {
    const int a = co_await seven();
    co_await runtime.sleep(1ms);
    kith::Task<int> later = seven();
    co_return a + co_await std::move(later);
  };
  EXPECT_EQ(runtime.run(body()).value(), 14);
}

TEST(Task, ThatNeverStartsOnlyFreesItsFrame) {
  int tokens = 0;
  {
    const auto body = [](Token) -> kith::Task<> { co_return; };
    const kith::Task<> task = body(Token(tokens));
    EXPECT_EQ(tokens, 1);
  }
  EXPECT_EQ(tokens, 0);
}

TEST(Task, ThatNeverWaitsDoesNotDeepenTheStack) {
  kith::Runtime runtime = make_runtime();
  const auto body = []() -> kith::Task<int64_t> {
    int64_t sum = 0;
    for (int i = 0; i < 300'000; ++i) sum += co_await seven();
    co_return sum;
  };
  EXPECT_EQ(runtime.run(body()).value(), 2'100'000);
}

TEST(Task, DestroyedWhileItSleepsIsCanceled) {
  kith::Runtime runtime = make_runtime();
  int tokens = 0;
  bool woke = false;
  const auto sleeper = [&](Token) -> kith::Task<> {
    co_await runtime.sleep(20ms);
    woke = true;
  };
  const auto body = [&]() -> kith::Task<> {
    kith::TaskGroup group;
    group.start(sleeper(Token(tokens)));
    EXPECT_EQ(tokens, 1);
    group.cancel();
    EXPECT_EQ(tokens, 0);
    co_await runtime.sleep(60ms);  // the timer that could not be canceled fires meanwhile
  };
  EXPECT_TRUE(runtime.run(body()).ok());
  EXPECT_FALSE(woke);
}

TEST(TaskGroup, JoinsWhenTheLastTaskHasFinished) {
  kith::Runtime runtime = make_runtime();
  int finished = 0;
  const auto one = [&](int ms) -> kith::Task<> {
    if (ms != 0) co_await runtime.sleep(std::chrono::milliseconds(ms));
    ++finished;
  };
  const auto body = [&]() -> kith::Task<> {
    kith::TaskGroup group;
    for (const int ms : {3, 0, 1, 2}) group.start(one(ms));
    EXPECT_EQ(group.size(), 3U);
    EXPECT_EQ(finished, 1);
    co_await group.join();
    EXPECT_EQ(finished, 4);
    co_await group.join();  // nothing to wait for
  };
  EXPECT_TRUE(runtime.run(body()).ok());
}

TEST(Runtime, SleepsAtLeastAsLongAsAsked) {
  kith::Runtime runtime = make_runtime();
  std::this_thread::sleep_for(30ms);  // between turns the loop's idea of the time is old
  const auto body = [&]() -> kith::Task<std::chrono::nanoseconds> {
    const auto start = std::chrono::steady_clock::now();
    co_await runtime.sleep(20ms);
    co_return std::chrono::steady_clock::now() - start;
  };
  EXPECT_GE(runtime.run(body()).value(), 19ms);
}

TEST(Runtime, TakesANegativeDelayForNone) {
  kith::Runtime runtime = make_runtime();
  const auto body = [&]() -> kith::Task<> { co_await runtime.sleep(-1h); };
  EXPECT_TRUE(runtime.run(body()).ok());
}

TEST(Runtime, QuitCancelsTheTaskThatRuns) {
  kith::Runtime runtime = make_runtime();
  int tokens = 0;
  const auto body = [&](Token) -> kith::Task<> {
    runtime.quit();
    co_await runtime.sleep(1h);
  };
  EXPECT_EQ(runtime.run(body(Token(tokens))).status(), KITH_ERR_CANCELED);
  EXPECT_EQ(tokens, 0);
  EXPECT_EQ(runtime.run(seven()).value(), 7);  // and runs again
}

TEST(Runtime, DestroysTheTasksThatItOwns) {
  int tokens = 0;
  {
    kith::Runtime runtime = make_runtime();
    const auto body = [&](Token) -> kith::Task<> { co_await runtime.sleep(1h); };
    runtime.spawn(body(Token(tokens)));
    EXPECT_EQ(tokens, 1);
  }
  EXPECT_EQ(tokens, 0);
}

TEST(Runtime, GoneBeforeATaskThatSleepsLeavesItWaiting) {
  kith::Task<> outer;
  int tokens = 0;
  kith::TaskGroup group;
  {
    kith::Runtime runtime = make_runtime();
    const auto body = [](kith::Runtime& r, Token) -> kith::Task<> { co_await r.sleep(1h); };
    group.start(body(runtime, Token(tokens)));
  }
  EXPECT_EQ(tokens, 1);
  group.cancel();
  EXPECT_EQ(tokens, 0);
}

TEST(Runtime, RunsPostsAndCallsOfOtherThreadsOnItsOwn) {
  kith::Runtime runtime = make_runtime();
  ASSERT_TRUE(runtime.start().ok());
  EXPECT_EQ(runtime.start().status(), KITH_ERR_INVALID_STATE);
  std::thread::id loop;
  ASSERT_TRUE(runtime.call([&] { loop = std::this_thread::get_id(); }).ok());
  EXPECT_NE(loop, std::this_thread::get_id());

  std::atomic<bool> slept{false};
  const auto body = [&]() -> kith::Task<> {
    co_await runtime.sleep(1ms);
    EXPECT_EQ(loop, std::this_thread::get_id());
    slept = true;
    slept.notify_one();
  };
  auto owned = std::make_unique<int>(3);  // what is posted may be move-only
  ASSERT_TRUE(runtime.post([&, owned = std::move(owned)] { runtime.spawn(body()); }).ok());
  slept.wait(false);
  EXPECT_EQ(runtime.run(seven()).status(), KITH_ERR_WRONG_THREAD);
  EXPECT_TRUE(runtime.stop().ok());
  EXPECT_EQ(runtime.run(seven()).value(), 7);
}

TEST(Runtime, RunsWhatWasPostedAtTheLatestWhenItGoes) {
  bool ran = false;
  {
    kith::Runtime runtime = make_runtime();
    ASSERT_TRUE(runtime.post([&] { ran = true; }).ok());
  }
  EXPECT_TRUE(ran);
}

TEST(Runtime, IsDrivenByALoopOfTheCallers) {
  kith::Runtime runtime = make_runtime();
  bool done = false;
  const auto body = [&]() -> kith::Task<> {
    co_await runtime.sleep(5ms);
    done = true;
  };
  runtime.spawn(body());
  EXPECT_GE(runtime.fd(), 0);
  while (!done) {
    const auto timeout = runtime.timeout();
    ASSERT_TRUE(timeout.has_value());
    std::this_thread::sleep_for(std::min(*timeout, 5ms));
    ASSERT_TRUE(runtime.drive().ok());
  }
}

}  // namespace
