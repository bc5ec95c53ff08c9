// The timer heap: order, changes from inside callbacks, and a long random run against a model.
#include "runtime/timer.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace kith::runtime {
namespace {

// A timer that runs a function.
struct TestTimer {
  TestTimer(TimerQueue& queue, std::function<void()> f)
      : fn(std::move(f)), timer(Timer::of<&TestTimer::run>(queue, this)) {}
  void run() { fn(); }
  std::function<void()> fn;
  Timer timer;
};

TEST(Timer, RunsInTheOrderOfDeadlines) {
  TimerQueue queue;
  std::string order;
  TestTimer a(queue, [&] { order += 'a'; }), b(queue, [&] { order += 'b'; }),
      c(queue, [&] { order += 'c'; });
  a.timer.set(30);
  b.timer.set(10);
  c.timer.set(20);
  EXPECT_EQ(queue.next_deadline(), 10);
  EXPECT_EQ(queue.run(5), 0U);
  EXPECT_EQ(queue.run(20), 2U);
  EXPECT_EQ(order, "bc");
  EXPECT_EQ(queue.next_deadline(), 30);
  EXPECT_EQ(queue.run(1000), 1U);
  EXPECT_EQ(order, "bca");
  EXPECT_EQ(queue.next_deadline(), kNever);
  EXPECT_EQ(queue.run(kNever), 0U);
}

TEST(Timer, EqualDeadlinesRunInTheOrderTheyWereSet) {
  TimerQueue queue;
  std::vector<int> order;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<TestTimer>(queue, [&order, i] { order.push_back(i); }));
    timers.back()->timer.set(7);
  }
  queue.run(7);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Timer, MovesAndCancels) {
  TimerQueue queue;
  int runs = 0;
  TestTimer a(queue, [&] { ++runs; });
  EXPECT_FALSE(a.timer.is_set());
  a.timer.cancel();  // harmless
  a.timer.set(10);
  EXPECT_TRUE(a.timer.is_set());
  a.timer.set(20);
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.run(15), 0U);
  a.timer.set(16);
  EXPECT_EQ(queue.run(16), 1U);
  EXPECT_FALSE(a.timer.is_set());
  a.timer.set(30);
  a.timer.cancel();
  EXPECT_EQ(queue.run(100), 0U);
  a.timer.set(kNever);
  EXPECT_FALSE(a.timer.is_set());
  EXPECT_EQ(runs, 1);
}

TEST(Timer, DestroyingItCancels) {
  TimerQueue queue;
  int runs = 0;
  {
    TestTimer a(queue, [&] { ++runs; });
    a.timer.set(1);
  }
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.run(10), 0U);
  EXPECT_EQ(runs, 0);
}

TEST(Timer, OneThatIsSetInACallbackWaitsForTheNextRun) {
  TimerQueue queue;
  int runs = 0;
  TestTimer* self = nullptr;
  TestTimer a(queue, [&] {
    ++runs;
    self->timer.set(0);  // due at once, and yet no endless run
  });
  self = &a;
  a.timer.set(1);
  EXPECT_EQ(queue.run(10), 1U);
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(a.timer.is_set());
  EXPECT_EQ(queue.run(10), 1U);
  a.timer.cancel();
}

TEST(Timer, OneThatIsAlwaysOverdueHoldsNobodyUp) {
  TimerQueue queue;
  std::string order;
  TestTimer* self = nullptr;
  TestTimer eager(queue, [&] {
    order += 'e';
    self->timer.set(0);  // in the past, before everybody else's deadline
  });
  self = &eager;
  TestTimer b(queue, [&] { order += 'b'; }), c(queue, [&] { order += 'c'; });
  eager.timer.set(1);
  b.timer.set(2);
  c.timer.set(3);
  EXPECT_EQ(queue.run(3), 3U);  // every one that was due and set before
  EXPECT_EQ(order, "ebc");
  EXPECT_EQ(queue.run(3), 1U);
  eager.timer.cancel();
}

TEST(Timer, CallbacksCancelOthers) {
  TimerQueue queue;
  std::string order;
  TestTimer b(queue, [&] { order += 'b'; }), c(queue, [&] { order += 'c'; });
  TestTimer a(queue, [&] {
    order += 'a';
    b.timer.cancel();
  });
  a.timer.set(1);
  b.timer.set(1);
  c.timer.set(1);
  EXPECT_EQ(queue.run(1), 2U);
  EXPECT_EQ(order, "ac");
}

TEST(Timer, CallbacksDestroyThemselvesAndOthers) {
  TimerQueue queue;
  int runs = 0;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<TestTimer>(queue, [&] {
      ++runs;
      const auto keep = std::move(timers);  // this timer and all the others
      timers.clear();
    }));
    timers.back()->timer.set(5);
  }
  EXPECT_EQ(queue.run(5), 1U);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(TimerDeathTest, AQueueMustOutliveItsTimers) {
  EXPECT_DEATH(
      {
        auto queue = std::make_unique<TimerQueue>();
        TestTimer a(*queue, [] {});
        a.timer.set(1);
        queue.reset();
      },
      "invariant");
}

// 10^5 operations on a few hundred timers, checked against an ordered set after each run.
TEST(Timer, BehavesAsAnOrderedSet) {
  TimerQueue queue;
  std::mt19937_64 random(42);
  constexpr size_t kTimers = 300;
  struct Model {
    TimePoint deadline = kNever;
    uint64_t sequence = 0;
  };
  std::vector<Model> model(kTimers);
  std::vector<std::unique_ptr<TestTimer>> timers(kTimers);
  std::vector<size_t> ran;
  uint64_t sequence = 0;
  TimePoint now = 0;
  const auto make = [&](size_t i) {
    timers[i] = std::make_unique<TestTimer>(queue, [&ran, i] { ran.push_back(i); });
    model[i] = {};
  };
  for (size_t i = 0; i < kTimers; ++i) make(i);
  for (int step = 0; step < 100000; ++step) {
    const size_t i = random() % kTimers;
    switch (random() % 8) {
      case 0:
        timers[i]->timer.cancel();
        model[i] = {};
        break;
      case 1:
        make(i);  // destroys the old one
        break;
      case 2: {
        now += static_cast<TimePoint>(random() % 50);
        using Key = std::tuple<TimePoint, uint64_t, size_t>;
        std::set<Key> due;
        for (size_t k = 0; k < kTimers; ++k) {
          if (model[k].deadline <= now) due.insert({model[k].deadline, model[k].sequence, k});
        }
        std::vector<size_t> expected;
        for (const Key& key : due) expected.push_back(std::get<2>(key));
        for (const size_t k : expected) model[k] = {};
        ran.clear();
        ASSERT_EQ(queue.run(now), expected.size());
        ASSERT_EQ(ran, expected) << "step " << step;
        break;
      }
      default: {
        const TimePoint deadline = now + static_cast<TimePoint>(random() % 200) - 20;
        timers[i]->timer.set(deadline);
        model[i] = {std::max(deadline, now), ++sequence};
        break;
      }
    }
    TimePoint earliest = kNever;
    size_t num_set = 0;
    if (step % 64 == 0) {
      for (const Model& m : model) {
        earliest = std::min(earliest, m.deadline);
        num_set += m.deadline != kNever ? 1 : 0;
      }
      ASSERT_EQ(queue.next_deadline(), earliest);
      ASSERT_EQ(queue.size(), num_set);
    }
  }
}

// As many timers at once.
TEST(Timer, RunsAHundredThousandInOrder) {
  TimerQueue queue;
  std::mt19937_64 random(1);
  TimePoint last = 0;
  size_t num_run = 0;
  std::vector<std::unique_ptr<TestTimer>> timers;
  for (int i = 0; i < 100000; ++i) {
    const auto deadline = static_cast<TimePoint>(1 + random() % 1000000);
    timers.push_back(std::make_unique<TestTimer>(queue, [&last, &num_run, deadline] {
      EXPECT_LE(last, deadline);
      last = deadline;
      ++num_run;
    }));
    timers.back()->timer.set(deadline);
  }
  for (size_t i = 0; i < timers.size(); i += 3) timers[i]->timer.cancel();
  queue.run(kNever - 1);
  EXPECT_EQ(num_run, 66666U);
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace kith::runtime
