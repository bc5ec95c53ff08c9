// Timers: a binary heap of intrusive entries. Setting and canceling cost O(log n) and never allocate once grown.
#pragma once

#include <cstddef>
#include <vector>

#include "base/time.h"

namespace kith::runtime {

class Timer;

// TimerQueue orders timers by deadline, and by the order they were set among equals; a deadline that had passed when it was
// set counts as the time of the latest run(), so that nobody overtakes who is due. Used by both loops.
class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  // The earliest deadline, or kNever.
  TimePoint next_deadline() const;
  // Runs every timer due at `now` that was set before this call. Returns how many ran.
  size_t run(TimePoint now);
  size_t size() const { return heap_.size(); }

 private:
  friend class Timer;
  void insert(Timer* t);
  void remove(Timer* t);
  void place(size_t index, Timer* t);
  void sift_up(size_t index);
  void sift_down(size_t index);
  static bool before(const Timer* a, const Timer* b);
  std::vector<Timer*> heap_;
  uint64_t sequence_ = 0;
  TimePoint run_at_ = std::numeric_limits<TimePoint>::min();  // of the latest run()
};

// A Timer calls `fn(ctx)` once, on the loop, at the first turn at or after its deadline. Destroying it cancels it.
// The callback may set or destroy any timer, itself included.
class Timer {
 public:
  using Callback = void (*)(void* ctx);
  Timer(TimerQueue& queue, Callback fn, void* ctx) : queue_(&queue), fn_(fn), ctx_(ctx) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  // Timer::of<&Foo::on_deadline>(queue, this)
  template <auto Method, typename T>
  static Timer of(TimerQueue& queue, T* object) {
    return Timer(
        queue, [](void* ctx) { (static_cast<T*>(ctx)->*Method)(); }, object);
  }

  // Sets or moves the deadline.
  void set(TimePoint deadline);
  void cancel();
  bool is_set() const { return index_ != kNotQueued; }
  TimePoint deadline() const { return deadline_; }

 private:
  friend class TimerQueue;
  static constexpr size_t kNotQueued = static_cast<size_t>(-1);
  TimerQueue* queue_;
  Callback fn_;
  void* ctx_;
  TimePoint deadline_ = kNever;
  uint64_t sequence_ = 0;
  size_t index_ = kNotQueued;
};

}  // namespace kith::runtime
