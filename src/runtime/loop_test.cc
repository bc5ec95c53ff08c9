// What both loops share: posts, deferred calls, delayed functions. Run on the loop with virtual time.
#include "runtime/loop.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_loop.h"

namespace kith::runtime {
namespace {

struct TestDeferred {
  TestDeferred(Loop& loop, std::function<void()> f)
      : fn(std::move(f)), deferred(Deferred::of<&TestDeferred::run>(loop, this)) {}
  void run() { fn(); }
  std::function<void()> fn;
  Deferred deferred;
};

TEST(Deferred, RunsOnceInALaterTurn) {
  SimLoop loop;
  int runs = 0;
  TestDeferred d(loop, [&] { ++runs; });
  d.deferred.schedule();
  d.deferred.schedule();  // still once
  EXPECT_TRUE(d.deferred.is_scheduled());
  EXPECT_EQ(runs, 0);
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(d.deferred.is_scheduled());
}

TEST(Deferred, RunsInTheOrderOfScheduling) {
  SimLoop loop;
  std::string order;
  TestDeferred a(loop, [&] { order += 'a'; }), b(loop, [&] { order += 'b'; }),
      c(loop, [&] { order += 'c'; });
  c.deferred.schedule();
  a.deferred.schedule();
  b.deferred.schedule();
  c.deferred.cancel();
  c.deferred.schedule();
  loop.run_until_idle();
  EXPECT_EQ(order, "abc");
}

TEST(Deferred, WhatItSchedulesWaitsForTheNextTurn) {
  SimLoop loop;
  int runs = 0;
  TestDeferred* self = nullptr;
  TestDeferred d(loop, [&] {
    if (++runs < 5) self->deferred.schedule();
  });
  self = &d;
  d.deferred.schedule();
  EXPECT_TRUE(loop.run_until([&] { return runs == 1; }));
  EXPECT_TRUE(d.deferred.is_scheduled());
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(runs, 5);
}

TEST(Deferred, CancelingWorksFromAnywhereInTheList) {
  SimLoop loop;
  std::string order;
  std::vector<std::unique_ptr<TestDeferred>> all;
  for (const char c : std::string("abcdef")) {
    all.push_back(std::make_unique<TestDeferred>(loop, [&order, c] { order += c; }));
    all.back()->deferred.schedule();
  }
  all[0]->deferred.cancel();  // the head
  all[5].reset();             // the tail, by destroying it
  all[2]->deferred.cancel();
  all[2]->deferred.cancel();  // harmless
  loop.run_until_idle();
  EXPECT_EQ(order, "bde");
}

TEST(Deferred, CallbacksDestroyThemselvesAndOthers) {
  SimLoop loop;
  int runs = 0;
  std::vector<std::unique_ptr<TestDeferred>> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(std::make_unique<TestDeferred>(loop, [&] {
      ++runs;
      const auto keep = std::move(all);
      all.clear();
    }));
    all.back()->deferred.schedule();
  }
  loop.run_until_idle();
  EXPECT_EQ(runs, 1);
}

TEST(Loop, PostsRunInOrderAndLater) {
  SimLoop loop;
  std::string order;
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'c'; });
    order += 'A';
  });
  loop.post([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  loop.run_until_idle();
  EXPECT_EQ(order, "aAbc");
}

TEST(Loop, PostsThatNeverRanAreDestroyedWithIt) {
  const auto shared = std::make_shared<int>(1);
  {
    SimLoop loop;
    loop.post([shared] { FAIL(); });
    loop.after(seconds(1), [shared] { FAIL(); });
    EXPECT_EQ(shared.use_count(), 3);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Loop, DelayedFunctionsRunOnceAtTheirTime) {
  SimLoop loop(seconds(100));
  std::vector<std::pair<char, TimePoint>> ran;
  loop.after(milliseconds(20), [&] { ran.emplace_back('b', loop.now()); });
  loop.after(milliseconds(10), [&] {
    ran.emplace_back('a', loop.now());
    loop.after(milliseconds(10), [&] { ran.emplace_back('c', loop.now()); });
  });
  EXPECT_TRUE(loop.run_until_idle());
  ASSERT_EQ(ran.size(), 3U);
  EXPECT_EQ(ran[0], std::make_pair('a', seconds(100) + milliseconds(10)));
  EXPECT_EQ(ran[1], std::make_pair('b', seconds(100) + milliseconds(20)));
  EXPECT_EQ(ran[2], std::make_pair('c', seconds(100) + milliseconds(20)));
}

TEST(Loop, TenThousandDelayedFunctionsAreNoBurden) {
  SimLoop loop;
  size_t num_run = 0;
  for (int i = 0; i < 10000; ++i) loop.after(milliseconds(10000 - i), [&] { ++num_run; });
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(num_run, 10000U);
}

TEST(LoopDeathTest, ScheduledCallsMustNotOutliveIt) {
  EXPECT_DEATH(
      {
        auto loop = std::make_unique<SimLoop>();
        TestDeferred d(*loop, [] {});
        d.deferred.schedule();
        loop.reset();
      },
      "invariant");
}

}  // namespace
}  // namespace kith::runtime
