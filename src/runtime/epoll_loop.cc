#include "runtime/epoll_loop.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace kith::runtime {

namespace {
constexpr int kEventsPerTurn = 64;

int wait_ms(TimePoint now, TimePoint deadline) {
  if (deadline == kNever) return -1;
  if (deadline <= now) return 0;
  // Rounded up: a timer never runs early, and at most 1 ms late.
  const Duration ms = (deadline - now + milliseconds(1) - 1) / milliseconds(1);
  return static_cast<int>(std::min<Duration>(ms, 60'000));
}
}  // namespace

TimePoint EpollLoop::clock() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return seconds(ts.tv_sec) + ts.tv_nsec;
}

int64_t EpollLoop::unix_seconds() const { return static_cast<int64_t>(std::time(nullptr)); }

Result<std::unique_ptr<EpollLoop>> EpollLoop::create() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0)
    return Error(KITH_ERR_IO, "loop", std::string("epoll_create1: ") + std::strerror(errno));
  std::unique_ptr<EpollLoop> loop(new EpollLoop(fd, /*owns=*/true));
  KITH_TRY(loop->open_wake());
  return loop;
}

Result<std::unique_ptr<EpollLoop>> EpollLoop::create_on(int epoll_fd) {
  std::unique_ptr<EpollLoop> loop(new EpollLoop(epoll_fd, /*owns=*/false));
  KITH_TRY(loop->open_wake());
  return loop;
}

Status EpollLoop::open_wake() {
  wake_.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_.fd < 0)
    return Error(KITH_ERR_IO, "loop", std::string("eventfd: ") + std::strerror(errno));
  wake_.on_event = [](epoll_event* event) {
    auto* self = static_cast<Wake*>(static_cast<EpollSource*>(event->data.ptr));
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = read(self->fd, &count, sizeof count);
    // After the read: who finds it still set may skip the write, because this turn runs what was posted after this.
    self->pending.store(false);
  };
  return watch(&wake_, EPOLLIN);
}

EpollLoop::~EpollLoop() {
  if (wake_.fd > 0) {
    unwatch(&wake_);
    close(wake_.fd);
  }
  if (owns_fd_) close(epoll_fd_);
}

Status EpollLoop::watch(EpollSource* source, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = source;
  int rc = epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, source->fd, &event);
  if (rc < 0 && errno == EEXIST) rc = epoll_ctl(epoll_fd_, EPOLL_CTL_MOD, source->fd, &event);
  if (rc < 0) return Error(KITH_ERR_IO, "loop", std::string("epoll_ctl: ") + std::strerror(errno));
  return {};
}

void EpollLoop::unwatch(EpollSource* source) {
  epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, source->fd, nullptr);
}

void EpollLoop::wake() {
  if (is_bound_to_this_thread() && in_turn_) return;  // the turn looks for work before it waits
  if (wake_.pending.exchange(true)) return;
  interrupt();
}

void EpollLoop::interrupt() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(wake_.fd, &one, sizeof one);
}

void EpollLoop::stop() {
  stop_.store(true);
  interrupt();
}

TimePoint EpollLoop::poll_all() {
  poller_deadline_ = kNever;
  for (size_t i = 0; i < pollers_.size(); ++i) {
    poller_deadline_ = std::min(poller_deadline_, pollers_[i]->poll(now_));
  }
  return next_deadline();
}

TimePoint EpollLoop::next_deadline() const {
  if (has_work()) return now();
  return std::min(poller_deadline_, const_cast<EpollLoop*>(this)->timers().next_deadline());
}

void EpollLoop::turn(TimePoint deadline) {
  KITH_CHECK(!in_turn_);
  in_turn_ = true;
  now_ = clock();
  const TimePoint due = std::min(poll_all(), deadline);
  epoll_event events[kEventsPerTurn];
  const int n = epoll_wait(epoll_fd_, events, kEventsPerTurn, wait_ms(now_, due));
  now_ = clock();
  for (int i = 0; i < n; ++i) {
    static_cast<EpollSource*>(events[i].data.ptr)->on_event(&events[i]);
  }
  timers().run(now_);
  run_posted();
  run_deferred();
  in_turn_ = false;
}

bool EpollLoop::run_until(const std::atomic<bool>& done) {
  if (!bind_to_this_thread()) return false;
  while (!done.load()) turn(kNever);
  unbind_thread();
  return true;
}

bool EpollLoop::run() {
  if (!run_until(stop_)) return false;
  stop_.store(false);
  return true;
}

void EpollLoop::drain_posted() {
  in_turn_ = true;
  now_ = clock();
  run_posted();
  in_turn_ = false;
}

TimePoint EpollLoop::drive() {
  KITH_CHECK(bind_to_this_thread());
  // What arrived and what it caused; bounded, so that a busy node cannot starve its caller.
  constexpr int kMaxTurns = 16;
  for (int i = 0; i < kMaxTurns; ++i) {
    turn(0);
    in_turn_ = true;
    now_ = clock();
    const TimePoint due = poll_all();
    in_turn_ = false;
    if (due > now_) return due;
  }
  return now_;
}

}  // namespace kith::runtime
