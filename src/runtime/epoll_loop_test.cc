// The machine's loop: timers against the real clock, descriptors, posts from other threads, and being driven by somebody
// else's poll.
#include "runtime/epoll_loop.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace kith::runtime {
namespace {

std::unique_ptr<EpollLoop> make() {
  auto loop = EpollLoop::create();
  EXPECT_TRUE(loop.ok());
  return std::move(loop).value();
}

// As the documentation tells a caller with its own loop to do.
void poll_and_drive(EpollLoop& loop) {
  const TimePoint deadline = loop.next_deadline();
  int timeout = -1;
  if (deadline != kNever) {
    const Duration left = deadline - EpollLoop::clock();
    timeout = left <= 0 ? 0 : static_cast<int>((left + milliseconds(1) - 1) / milliseconds(1));
  }
  pollfd p{loop.fd(), POLLIN, 0};
  poll(&p, 1, timeout);
  loop.drive();
}

bool is_readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

bool is_due(EpollLoop& loop) {
  const TimePoint deadline = loop.next_deadline();
  return deadline <= EpollLoop::clock();
}

// A source that counts its events.
struct Counter : EpollSource {
  Counter() {
    fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    on_event = [](epoll_event* event) {
      auto* self = static_cast<Counter*>(static_cast<EpollSource*>(event->data.ptr));
      uint64_t n = 0;
      ASSERT_EQ(read(self->fd, &n, sizeof n), static_cast<ssize_t>(sizeof n));
      ++self->num_events;
      self->sum += n;
    };
  }
  ~Counter() { close(fd); }
  void signal() const {
    const uint64_t one = 1;
    ASSERT_EQ(write(fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
  int num_events = 0;
  uint64_t sum = 0;
};

TEST(EpollLoop, TimersAreNeverEarlyAndRoundedToTheMillisecond) {
  const auto loop = make();
  struct Shot {
    TimePoint due = 0;
    TimePoint ran = 0;
  };
  std::vector<Shot> shots(40);
  size_t num_run = 0;
  for (size_t i = 0; i < shots.size(); ++i) {
    const Duration delay = microseconds(static_cast<int64_t>(i) * 730);
    shots[i].due = loop->now() + delay;
    loop->after(delay, [&, i] {
      shots[i].ran = EpollLoop::clock();
      if (++num_run == shots.size()) loop->stop();
    });
  }
  EXPECT_TRUE(loop->run());
  Duration least = kNever;
  for (const Shot& s : shots) {
    EXPECT_GE(s.ran, s.due);
    EXPECT_LT(s.ran, s.due + seconds(20));  // sanity: a busy machine is no failure
    least = std::min(least, s.ran - s.due);
  }
  EXPECT_LE(least, milliseconds(100));
}

TEST(EpollLoop, NowStandsStillWithinATurnAndMovesBetween) {
  const auto loop = make();
  const TimePoint before = loop->now();
  TimePoint in_turn = 0;
  loop->post([&] {
    in_turn = loop->now();
    usleep(2000);
    EXPECT_EQ(loop->now(), in_turn);
    EXPECT_GE(loop->precise_now(), in_turn + milliseconds(2));
  });
  loop->drive();
  EXPECT_GE(in_turn, before);
  usleep(2000);
  // The caller was away: what it sets now must not count from before it left.
  EXPECT_GE(loop->now(), in_turn + milliseconds(2));
}

TEST(EpollLoop, ADelayCountsFromTheCallAlsoBetweenTurns) {
  const auto loop = make();
  loop->drive();
  usleep(30000);
  bool ran = false;
  loop->after(milliseconds(20), [&] { ran = true; });
  loop->drive();
  EXPECT_FALSE(ran);  // 30 ms have passed since the last turn, but none since the call
  const TimePoint limit = EpollLoop::clock() + seconds(20);
  while (!ran && EpollLoop::clock() < limit) poll_and_drive(*loop);
  EXPECT_TRUE(ran);
}

TEST(EpollLoop, PostsFromOtherThreadsAllArrive) {
  const auto loop = make();
  constexpr int kThreads = 4, kPosts = 5000;
  std::atomic<bool> started{false};
  std::thread runner([&] {
    started = true;
    EXPECT_TRUE(loop->run());
  });
  std::vector<int> seen(kThreads, 0);
  int total = 0;
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&, t, i] {
          EXPECT_EQ(seen[static_cast<size_t>(t)]++, i);  // each thread's in its order
          if (++total == kThreads * kPosts) loop->stop();
        });
        if (i % 100 == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& p : posters) p.join();
  runner.join();
  EXPECT_EQ(total, kThreads * kPosts);
}

// Each post is made only after the one before has run, so that the loop falls asleep in between: a lost wake-up would
// hang this test.
TEST(EpollLoop, EveryPostWakesASleepingLoop) {
  const auto loop = make();
  std::thread runner([&] { EXPECT_TRUE(loop->run()); });
  std::thread second([&] {
    std::atomic<int> done{0};
    for (int i = 0; i < 3000; ++i) {
      loop->post([&] { ++done; });
      while (done.load() <= i) std::this_thread::yield();
    }
  });
  std::atomic<int> done{0};
  for (int i = 0; i < 3000; ++i) {
    loop->post([&] { ++done; });
    while (done.load() <= i) std::this_thread::yield();
  }
  second.join();
  loop->stop();
  runner.join();
}

TEST(EpollLoop, KnowsItsThread) {
  const auto loop = make();
  EXPECT_TRUE(loop->on_loop());  // nobody runs it yet
  bool on_loop_inside = false, on_loop_outside = true;
  std::thread runner([&] { loop->run(); });
  std::atomic<bool> running{false};
  loop->post([&] {
    on_loop_inside = loop->on_loop();
    running = true;
  });
  while (!running) std::this_thread::yield();
  on_loop_outside = loop->on_loop();
  EXPECT_FALSE(loop->run());  // somebody else's
  EXPECT_FALSE(loop->claim_thread());
  loop->stop();
  runner.join();
  EXPECT_TRUE(on_loop_inside);
  EXPECT_FALSE(on_loop_outside);
  EXPECT_TRUE(loop->on_loop());
  EXPECT_TRUE(loop->claim_thread());
  std::thread([&] { EXPECT_FALSE(loop->on_loop()); }).join();
  loop->release_thread();
}

TEST(EpollLoop, StopEndsTheTurnAndCountsInAdvance) {
  const auto loop = make();
  loop->stop();
  EXPECT_TRUE(loop->run());  // at once
  int turns = 0;
  loop->post([&] {
    ++turns;
    loop->stop();
  });
  EXPECT_TRUE(loop->run());
  EXPECT_EQ(turns, 1);
}

TEST(EpollLoop, RunUntilIsNotEndedByStop) {
  const auto loop = make();
  std::atomic<bool> done{false};
  std::atomic<int> posts{0};
  std::thread runner([&] { EXPECT_TRUE(loop->run_until(done)); });
  loop->stop();
  loop->post([&] { ++posts; });
  while (posts == 0) std::this_thread::yield();
  done = true;
  loop->interrupt();
  runner.join();
  EXPECT_TRUE(loop->run());  // the stop() from above
}

TEST(EpollLoop, DispatchesDescriptors) {
  const auto loop = make();
  Counter a, b;
  ASSERT_TRUE(loop->watch(&a, EPOLLIN).ok());
  ASSERT_TRUE(loop->watch(&b, EPOLLIN).ok());
  ASSERT_TRUE(loop->watch(&b, EPOLLIN | EPOLLET).ok());  // changes it
  a.signal();
  a.signal();
  loop->drive();
  EXPECT_EQ(a.num_events, 1);
  EXPECT_EQ(a.sum, 2U);
  EXPECT_EQ(b.num_events, 0);
  loop->unwatch(&a);
  a.signal();
  b.signal();
  loop->drive();
  EXPECT_EQ(a.num_events, 1);
  EXPECT_EQ(b.num_events, 1);
  loop->unwatch(&b);
  Counter none;
  const int saved = std::exchange(none.fd, -1);
  EXPECT_EQ(loop->watch(&none, EPOLLIN).status(), KITH_ERR_IO);
  none.fd = saved;
}

TEST(EpollLoop, HandlesMoreEventsThanOneWaitReturns) {
  const auto loop = make();
  std::vector<std::unique_ptr<Counter>> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(std::make_unique<Counter>());
    ASSERT_TRUE(loop->watch(all.back().get(), EPOLLIN).ok());
    all.back()->signal();
  }
  for (int i = 0; i < 10; ++i) loop->drive();
  for (const auto& c : all) EXPECT_EQ(c->num_events, 1);
  for (const auto& c : all) loop->unwatch(c.get());
}

// Driven by a caller's own poll: the descriptor is readable exactly while there is something to do.
TEST(EpollLoop, ItsDescriptorIsReadableWhenWorkIsPosted) {
  const auto loop = make();
  loop->drive();
  EXPECT_FALSE(is_readable(loop->fd()));
  EXPECT_EQ(loop->next_deadline(), kNever);
  bool ran = false;
  std::thread([&] { loop->post([&] { ran = true; }); }).join();
  EXPECT_TRUE(is_readable(loop->fd()));
  EXPECT_TRUE(is_due(*loop));
  loop->drive();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(is_readable(loop->fd()));
  EXPECT_EQ(loop->next_deadline(), kNever);
}

TEST(EpollLoop, WorkThatIsMadeBetweenTurnsIsSeen) {
  const auto loop = make();
  loop->drive();
  int runs = 0;
  struct Job {
    int* runs;
    void run() { ++*runs; }
  } job{&runs};
  Deferred deferred = Deferred::of<&Job::run>(*loop, &job);
  deferred.schedule();  // on the loop's thread, but outside of a turn
  EXPECT_TRUE(is_readable(loop->fd()));
  EXPECT_TRUE(is_due(*loop));
  poll_and_drive(*loop);
  EXPECT_EQ(runs, 1);
  Timer timer = Timer::of<&Job::run>(loop->timers(), &job);
  timer.set(loop->now() + milliseconds(5));
  EXPECT_NE(loop->next_deadline(), kNever);
  const TimePoint limit = EpollLoop::clock() + seconds(20);
  while (runs == 1 && EpollLoop::clock() < limit) poll_and_drive(*loop);
  EXPECT_EQ(runs, 2);
}

TEST(EpollLoop, OneDriveDoesWhatIsDueButNotForEver) {
  const auto loop = make();
  int chain = 0;
  std::function<void()> next = [&] {
    if (++chain < 5) loop->post(next);
  };
  loop->post(next);
  EXPECT_EQ(loop->drive(), kNever);
  EXPECT_EQ(chain, 5);  // what it caused is due too
  int endless = 0;
  std::function<void()> again = [&] {
    ++endless;
    loop->post(again);
  };
  loop->post(again);
  const TimePoint next_deadline = loop->drive();
  EXPECT_LE(next_deadline, EpollLoop::clock());
  EXPECT_GT(endless, 1);
  EXPECT_LT(endless, 1000);
  again = [] {};
  loop->drive();
}

TEST(EpollLoop, PollersRunEveryTurnAndSetTheDeadline) {
  struct Engine final : Poller {
    TimePoint poll(TimePoint now) override {
      ++polls;
      return wanted == kNever ? kNever : now + wanted;
    }
    Duration wanted = kNever;
    int polls = 0;
  };
  const auto loop = make();
  Engine engine;
  loop->add_poller(&engine);
  loop->drive();
  EXPECT_GE(engine.polls, 1);
  EXPECT_EQ(loop->next_deadline(), kNever);
  engine.wanted = milliseconds(50);
  loop->drive();
  EXPECT_NE(loop->next_deadline(), kNever);
  EXPECT_LE(loop->next_deadline(), EpollLoop::clock() + milliseconds(60));
  const int before = engine.polls;
  engine.wanted = 0;  // has more to do: is asked again and again, but drive returns
  loop->drive();
  EXPECT_GT(engine.polls, before + 1);
  loop->remove_poller(&engine);
  const int after = engine.polls;
  loop->drive();
  EXPECT_EQ(engine.polls, after);
}

TEST(EpollLoop, BuildsOnADescriptorOfTheCallers) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  {
    auto loop = EpollLoop::create_on(fd);
    ASSERT_TRUE(loop.ok());
    EXPECT_EQ((*loop)->fd(), fd);
    bool ran = false;
    (*loop)->post([&] { ran = true; });
    EXPECT_TRUE(is_readable(fd));
    (*loop)->drive();
    EXPECT_TRUE(ran);
  }
  EXPECT_FALSE(is_readable(fd));  // still open, and without the loop's own source
  EXPECT_EQ(close(fd), 0);
  EXPECT_EQ(EpollLoop::create_on(-1).status(), KITH_ERR_IO);
}

TEST(EpollLoop, DrainsPostsOfAThreadThatIsGone) {
  const auto loop = make();
  std::thread([&] {
    loop->stop();
    loop->run();
  }).join();
  int runs = 0;
  loop->post([&] { ++runs; });
  loop->drain_posted();
  EXPECT_EQ(runs, 1);
  loop->drain_posted();
  EXPECT_EQ(runs, 1);
}

TEST(EpollLoop, WallClockIsTheSystems) {
  const auto loop = make();
  EXPECT_NEAR(static_cast<double>(loop->unix_seconds()), static_cast<double>(time(nullptr)), 60);
}

}  // namespace
}  // namespace kith::runtime
