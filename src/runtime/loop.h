// Loop: what every other part sees of the event loop: time, timers, deferred calls, posts, buffers.
//
// Two implementations: EpollLoop (the machine's clock and sockets) and SimLoop (virtual time). Everything of a node
// runs on one loop, on one thread; only post() may be called from elsewhere.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "base/buffer.h"
#include "base/time.h"
#include "runtime/timer.h"

namespace kith::runtime {

class Loop;

// A Deferred runs once, after the current callback has returned to the loop: the way to break recursion. Scheduling
// allocates nothing; destroying it cancels it.
class Deferred {
 public:
  using Callback = void (*)(void* ctx);
  Deferred(Loop& loop, Callback fn, void* ctx) : loop_(&loop), fn_(fn), ctx_(ctx) {}
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;
  ~Deferred() { cancel(); }
  template <auto Method, typename T>
  static Deferred of(Loop& loop, T* object) {
    return Deferred(
        loop, [](void* ctx) { (static_cast<T*>(ctx)->*Method)(); }, object);
  }
  void schedule();
  void cancel();
  bool is_scheduled() const { return scheduled_; }

 private:
  friend class Loop;
  Loop* loop_;
  Callback fn_;
  void* ctx_;
  Deferred* next_ = nullptr;
  Deferred* prev_ = nullptr;
  uint64_t sequence_ = 0;
  bool scheduled_ = false;
};

class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  virtual ~Loop();

  // Monotonic time of the current turn.
  virtual TimePoint now() const = 0;
  // The clock itself, for measurements within a turn.
  virtual TimePoint precise_now() const { return now(); }
  // Wall-clock seconds since 1970, for certificates and records.
  virtual int64_t unix_seconds() const = 0;
  // Runs `fn` on the loop in a later turn. Safe from any thread.
  void post(std::function<void()> fn);
  // Runs `fn` once after `delay`, unless the loop is destroyed before. On the loop; allocates: for what happens rarely.
  void after(Duration delay, std::function<void()> fn);
  // True on the thread that runs the loop (or before any thread has run it).
  bool on_loop() const;

  TimerQueue& timers() { return timers_; }
  BufferPool& buffers() { return buffers_; }

 protected:
  // Interrupts a wait, from any thread.
  virtual void wake() = 0;
  // Makes this thread the loop's. False if another one is.
  bool bind_to_this_thread();
  void unbind_thread() { thread_ = std::thread::id(); }
  // Stricter than on_loop(): false while no thread is bound.
  bool is_bound_to_this_thread() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  bool has_work() const;
  // Runs what was posted and deferred before this call.
  void run_posted();
  void run_deferred();

 private:
  friend class Deferred;
  // Constant for the life of the loop.
  TimerQueue timers_;
  BufferPool buffers_;
  // On the loop.
  Deferred* head_ = nullptr;
  Deferred* tail_ = nullptr;
  uint64_t sequence_ = 0;
  std::vector<std::function<void()>> running_;
  struct Delayed;
  std::list<Delayed> delayed_;
  std::atomic<std::thread::id> thread_;
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace kith::runtime
