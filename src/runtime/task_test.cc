// Coroutines on the loop: values, nesting, and cancellation at every place where they can wait.
#include "runtime/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace kith::runtime {
namespace {

// Leaves a letter when it goes: shows that a frame and what is in it were destroyed.
struct Mark {
  Mark(std::string& l, char c) : log(l), letter(c) {}
  ~Mark() { log += letter; }
  Mark(const Mark&) = delete;
  std::string& log;
  char letter;
};

TEST(Task, IsLazyAndRunsToTheEnd) {
  bool ran = false;
  const auto body = [](bool* r) -> Task<> {
    *r = true;
    co_return;
  };
  Task<> task = body(&ran);
  EXPECT_TRUE(task.valid());
  EXPECT_FALSE(ran);
  int done = 0;
  task.start([](void* ctx) { ++*static_cast<int*>(ctx); }, &done);
  EXPECT_TRUE(ran);
  EXPECT_EQ(done, 1);
}

TEST(Task, NeverStartedIsDestroyed) {
  std::string log;
  const auto body = [](std::string& l) -> Task<> {
    const Mark m(l, 'x');
    co_return;
  };
  { const Task<> task = body(log); }
  EXPECT_EQ(log, "");  // the body never began
}

Task<int> add(Waiter& waiter, int a, int b) {
  co_await waiter;
  co_return a + b;
}

Task<std::string> twice(Waiter& waiter) {
  const int first = co_await add(waiter, 1, 2);
  const int second = co_await add(waiter, first, 10);
  co_return std::to_string(second);
}

Task<> store(Waiter& waiter, std::string* out) { *out = co_await twice(waiter); }

TEST(Task, YieldsValuesThroughSeveralLevels) {
  Waiter waiter;
  std::string out;
  Task<> task = store(waiter, &out);
  EXPECT_FALSE(waiter.resume());  // nobody waits yet
  task.start();
  EXPECT_TRUE(waiter.waiting());
  EXPECT_TRUE(waiter.resume());
  EXPECT_EQ(out, "");
  EXPECT_TRUE(waiter.resume());
  EXPECT_EQ(out, "13");
  EXPECT_FALSE(waiter.waiting());
}

Task<std::unique_ptr<int>> make_unique_later(Waiter& waiter) {
  co_await waiter;
  co_return std::make_unique<int>(5);
}

TEST(Task, MovesValuesThatCannotBeCopied) {
  Waiter waiter;
  std::unique_ptr<int> out;
  const auto body = [](Waiter& w, std::unique_ptr<int>* o) -> Task<> {
    *o = co_await make_unique_later(w);
  };
  Task<> task = body(waiter, &out);
  task.start();
  waiter.resume();
  ASSERT_TRUE(out);
  EXPECT_EQ(*out, 5);
}

Task<Result<int>> checked(int n) {
  if (n < 0) co_return Error(KITH_ERR_MALFORMED, "test", "negative");
  co_return n;
}

TEST(Task, CarriesResults) {
  std::vector<kith_status> out;
  const auto body = [](std::vector<kith_status>* o) -> Task<> {
    o->push_back((co_await checked(1)).status());
    o->push_back((co_await checked(-1)).status());
  };
  Task<> task = body(&out);
  task.start();
  EXPECT_EQ(out, (std::vector<kith_status>{KITH_OK, KITH_ERR_MALFORMED}));
}

// Three levels, each with an object of its own, waiting three times each.
Task<int> inner(Waiter& w, std::string& log, int n) {
  const Mark m(log, 'i');
  for (int i = 0; i < 3; ++i) co_await w;
  co_return n;
}
Task<int> middle(Waiter& w, std::string& log) {
  const Mark m(log, 'm');
  const int a = co_await inner(w, log, 1);
  co_await w;
  const int b = co_await inner(w, log, 2);
  co_return a + b;
}
Task<> outer(Waiter& w, std::string& log, bool* finished) {
  const Mark m(log, 'o');
  co_await w;
  EXPECT_EQ(co_await middle(w, log), 3);
  *finished = true;
}

TEST(Task, CanBeCanceledAtEverySuspensionPoint) {
  constexpr int kPoints = 1 + 3 + 1 + 3;
  for (int point = 0; point <= kPoints; ++point) {
    Waiter waiter;
    std::string log;
    bool finished = false;
    {
      Task<> task = outer(waiter, log, &finished);
      task.start();
      for (int i = 0; i < point; ++i) ASSERT_TRUE(waiter.resume()) << point;
      EXPECT_EQ(waiter.waiting(), point < kPoints);
      EXPECT_EQ(finished, point == kPoints);
    }
    // All frames are gone, the innermost first, and nobody waits any more.
    EXPECT_FALSE(waiter.waiting()) << point;
    EXPECT_FALSE(waiter.resume());
    std::string expected = "o";
    if (point >= 1) expected = "mo";
    if (point >= 1 && point < 4) expected = "imo";
    if (point >= 4) expected = "imo";
    if (point >= 5) expected = "iimo";
    EXPECT_EQ(log, expected) << point;
  }
}

TEST(Task, AWaiterThatGoesFirstLeavesTheTaskAsleep) {
  std::string log;
  bool finished = false;
  Task<> task;
  {
    Waiter waiter;
    task = outer(waiter, log, &finished);
    task.start();
  }
  EXPECT_EQ(log, "");
  task.reset();
  EXPECT_EQ(log, "o");
  EXPECT_FALSE(finished);
}

TEST(Task, MovingItKeepsItRunning) {
  Waiter waiter;
  std::string log;
  bool finished = false;
  Task<> a = outer(waiter, log, &finished);
  a.start();
  Task<> b = std::move(a);
  EXPECT_FALSE(a.valid());  // NOLINT: defined
  while (waiter.resume()) {
  }
  EXPECT_TRUE(finished);
  b = Task<>();
  EXPECT_EQ(log, "iimo");
}

// The function that hears of the end may destroy the task, from inside its last step.
struct Owner {
  Waiter waiter;
  std::string log;
  Task<> task;
  bool* destroyed;
  explicit Owner(bool* d) : destroyed(d) {}
  ~Owner() { *destroyed = true; }
};

Task<> waits_times(Owner& owner, int n) {
  const Mark m(owner.log, 'x');
  for (int i = 0; i < n; ++i) co_await owner.waiter;
}

TEST(Task, TheEndMayDestroyTheTaskAndItsOwner) {
  for (const int n : {0, 1, 2}) {
    bool destroyed = false;
    auto* owner = new Owner(&destroyed);
    owner->task = waits_times(*owner, n);
    owner->task.start([](void* ctx) { delete static_cast<Owner*>(ctx); }, owner);
    for (int i = 0; i < n; ++i) {
      EXPECT_FALSE(destroyed);
      EXPECT_TRUE(owner->waiter.resume());  // the last one destroys the waiter that resumes it
    }
    EXPECT_TRUE(destroyed);
  }
}

TEST(Task, ATaskMayStartAndCancelOthers) {
  Waiter first, second;
  std::string log;
  const auto sleeper = [](Waiter& w, std::string& l, char c) -> Task<> {
    const Mark m(l, c);
    co_await w;
    l += '!';
  };
  Task<> other = sleeper(second, log, 'b');
  const auto killer = [](Waiter& w, Task<>* victim, std::string& l) -> Task<> {
    const Mark m(l, 'a');
    co_await w;
    victim->reset();
    l += 'k';
  };
  Task<> task = killer(first, &other, log);
  other.start();
  task.start();
  first.resume();
  EXPECT_EQ(log, "bka");
  EXPECT_FALSE(second.waiting());
}

TEST(TaskDeathTest, TwoMayNotWaitAtOnePlace) {
  EXPECT_DEATH(
      {
        Waiter waiter;
        const auto body = [](Waiter& w) -> Task<> { co_await w; };
        Task<> a = body(waiter);
        Task<> b = body(waiter);
        a.start();
        b.start();
      },
      "invariant");
}

}  // namespace
}  // namespace kith::runtime
