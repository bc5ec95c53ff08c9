// Virtual time: it moves only from timer to timer, and the same run gives the same order.
#include "runtime/sim_loop.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace kith::runtime {
namespace {

TEST(SimLoop, TimeStandsStillWithoutTimers) {
  SimLoop loop(seconds(5));
  EXPECT_EQ(loop.now(), seconds(5));
  EXPECT_EQ(loop.precise_now(), seconds(5));
  loop.post([] {});
  EXPECT_TRUE(loop.run_until_idle());
  EXPECT_EQ(loop.now(), seconds(5));
}

TEST(SimLoop, JumpsToTheNextTimer) {
  SimLoop loop;
  TimePoint ran_at = -1;
  loop.after(seconds(86400), [&] { ran_at = loop.now(); });
  EXPECT_FALSE(loop.run_until_idle(seconds(3600)));
  EXPECT_EQ(ran_at, -1);
  EXPECT_TRUE(loop.run_until_idle(seconds(86400)));
  EXPECT_EQ(ran_at, seconds(86400));
}

TEST(SimLoop, RunForSetsTheTimeToItsEnd) {
  SimLoop loop;
  int runs = 0;
  loop.after(milliseconds(10), [&] { ++runs; });
  loop.after(milliseconds(30), [&] { ++runs; });
  loop.run_for(milliseconds(20));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(loop.now(), milliseconds(20));
  loop.run_for(milliseconds(10));  // the end is included
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(loop.now(), milliseconds(30));
}

TEST(SimLoop, RunUntilStopsAsSoonAsItHolds) {
  SimLoop loop;
  int runs = 0;
  for (int i = 1; i <= 10; ++i) loop.after(seconds(i), [&] { ++runs; });
  EXPECT_TRUE(loop.run_until([&] { return runs == 3; }));
  EXPECT_EQ(loop.now(), seconds(3));
  EXPECT_FALSE(loop.run_until([&] { return runs == 100; }, seconds(2)));
  EXPECT_EQ(runs, 5);
  EXPECT_FALSE(loop.run_until([&] { return runs == 100; }));
  EXPECT_EQ(runs, 10);
}

TEST(SimLoop, WallClockMovesWithVirtualTime) {
  SimLoop loop(seconds(7), 1'000'000);
  EXPECT_EQ(loop.unix_seconds(), 1'000'000);
  loop.run_for(seconds(3600) + milliseconds(999));
  EXPECT_EQ(loop.unix_seconds(), 1'003'600);
}

std::string random_run(uint32_t seed) {
  SimLoop loop;
  std::mt19937 random(seed);
  std::string trace;
  int left = 2000;
  std::function<void(int)> spawn = [&](int id) {
    trace += std::to_string(id) + "@" + std::to_string(loop.now()) + " ";
    while (left > 0 && random() % 3 != 0) {
      const int next = --left;
      if (random() % 2 == 0) {
        loop.post([&, next] { spawn(next); });
      } else {
        loop.after(static_cast<Duration>(random() % 50), [&, next] { spawn(next); });
      }
    }
    if (left > 0 && random() % 2 == 0) loop.after(1, [&, next = --left] { spawn(next); });
  };
  for (int i = 0; i < 20; ++i) loop.after(i, [&, i] { spawn(10000 + i); });
  EXPECT_TRUE(loop.run_until_idle());
  return trace;
}

TEST(SimLoop, TheSameSeedGivesTheSameRun) {
  const std::string first = random_run(3);
  EXPECT_GT(first.size(), 1000U);
  EXPECT_EQ(first, random_run(3));
  EXPECT_NE(first, random_run(4));
}

}  // namespace
}  // namespace kith::runtime
