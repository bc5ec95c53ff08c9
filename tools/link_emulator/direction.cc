#include "tools/link_emulator/direction.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tools/link_emulator/packet.h"

namespace kith::link_emulator {
namespace {

constexpr int kPacketsAtOnce = 64;  // of one kind, before the other's turn
constexpr int kRoundsAtOnce = 16;   // while others wait for the lock
constexpr size_t kMaxPacket = 65'536;
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

Time now() { return std::chrono::steady_clock::now().time_since_epoch(); }

timespec to_timespec(Duration d) {
  timespec ts{};
  ts.tv_sec = d.count() / kNanosecondsPerSecond;
  ts.tv_nsec = d.count() % kNanosecondsPerSecond;
  return ts;
}

}  // namespace

Direction::Direction(int from, int to, const LinkConfig& config, const Waiting& waiting)
    : from_(from),
      to_(to),
      wake_(eventfd(0, EFD_CLOEXEC)),
      waiting_(waiting),
      queue_(config, now()),
      thread_([this] { run(); }) {}

Direction::~Direction() {
  is_stopping_ = true;
  eventfd_write(wake_, 1);
  thread_.join();
  close(wake_);
}

void Direction::configure(const LinkConfig& config) {
  const std::lock_guard lock(mutex_);
  queue_.configure(config, now());
}

LinkCounters Direction::counters() const {
  const std::lock_guard lock(mutex_);
  return queue_.counters();
}

Lateness Direction::lateness() const {
  const std::lock_guard lock(mutex_);
  return lateness_;
}

// Both return whether there may be more to do at once.
bool Direction::read_some() {
  uint8_t packet[kMaxPacket];
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const ssize_t n = read(from_, packet, sizeof packet);
    if (n <= 0) return false;
    const std::span<const uint8_t> bytes(packet, static_cast<size_t>(n));
    if (!is_multicast(bytes)) queue_.push(bytes, now());
  }
  return true;
}

bool Direction::write_some() {
  for (int i = 0; i < kPacketsAtOnce; ++i) {
    const std::optional<Time> due = queue_.next_departure();
    const Time time = now();
    if (!due || *due > time) return false;
    const std::span<const uint8_t> packet = queue_.pop(time);
    lateness_.sum += time - *due;
    lateness_.max = std::max(lateness_.max, time - *due);
    if (time - *due > std::chrono::milliseconds(1)) ++lateness_.over_1ms;
    if (write(to_, packet.data(), packet.size()) < 0 && errno != EAGAIN) {
      std::perror("kith-link: write to the device");
    }
  }
  return true;
}

// Whether there was anything to move.
bool Direction::move_some() {
  const std::lock_guard lock(mutex_);
  const uint64_t before = queue_.counters().packets_in + queue_.counters().packets_out;
  bool more = true;
  for (int i = 0; more && i < kRoundsAtOnce; ++i) {
    more = read_some();
    more |= write_some();
  }
  return queue_.counters().packets_in + queue_.counters().packets_out != before;
}

// Sleeps until a packet comes, one departs, or the link changes.
void Direction::wait_for_work() {
  std::optional<Time> due;
  {
    const std::lock_guard lock(mutex_);
    due = queue_.next_departure();
  }
  Duration left{0};
  if (due) left = std::max(Duration{0}, *due - now() - waiting_.spin);
  const timespec timeout = to_timespec(left);
  pollfd fds[] = {{from_, POLLIN, 0}, {wake_, POLLIN, 0}};
  ppoll(fds, 2, due ? &timeout : nullptr, nullptr);
  eventfd_t count = 0;
  if (fds[1].revents != 0) eventfd_read(wake_, &count);
}

void Direction::run() {
  // The kernel may otherwise make a sleep 50 us longer, to save wake-ups.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  const timespec rest = to_timespec(waiting_.batch);
  while (!is_stopping_) {
    if (!move_some()) {
      wait_for_work();
    } else if (waiting_.batch.count() > 0) {
      nanosleep(&rest, nullptr);
    }
  }
}

}  // namespace kith::link_emulator
