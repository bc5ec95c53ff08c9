#include "runtime/loop.h"

#include "base/result.h"

namespace kith::runtime {

void Deferred::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  sequence_ = ++loop_->sequence_;
  next_ = nullptr;
  prev_ = loop_->tail_;
  (prev_ ? prev_->next_ : loop_->head_) = this;
  loop_->tail_ = this;
  loop_->wake();
}

void Deferred::cancel() {
  if (!scheduled_) return;
  scheduled_ = false;
  (prev_ ? prev_->next_ : loop_->head_) = next_;
  (next_ ? next_->prev_ : loop_->tail_) = prev_;
}

struct Loop::Delayed {
  Delayed(Loop& l, std::function<void()> f)
      : loop(l), fn(std::move(f)), timer(Timer::of<&Delayed::run>(l.timers_, this)) {}
  void run() {
    const std::function<void()> mine = std::move(fn);
    loop.delayed_.erase(position);
    mine();
  }
  Loop& loop;
  std::function<void()> fn;
  Timer timer;
  std::list<Delayed>::iterator position;
};

Loop::Loop() = default;

void Loop::after(Duration delay, std::function<void()> fn) {
  Delayed& delayed = delayed_.emplace_back(*this, std::move(fn));
  delayed.position = std::prev(delayed_.end());
  delayed.timer.set(now() + delay);
}

Loop::~Loop() { KITH_CHECK(head_ == nullptr); }

void Loop::post(std::function<void()> fn) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(fn));
  }
  wake();
}

bool Loop::bind_to_this_thread() {
  const std::thread::id self = std::this_thread::get_id();
  std::thread::id bound;
  return thread_.compare_exchange_strong(bound, self) || bound == self;
}

bool Loop::on_loop() const {
  const std::thread::id id = thread_.load(std::memory_order_relaxed);
  return id == std::thread::id() || id == std::this_thread::get_id();
}

bool Loop::has_work() const {
  if (head_) return true;
  std::lock_guard lock(mutex_);
  return !posted_.empty();
}

void Loop::run_posted() {
  {
    std::lock_guard lock(mutex_);
    if (posted_.empty()) return;
    running_.swap(posted_);
  }
  for (auto& fn : running_) fn();
  running_.clear();
}

void Loop::run_deferred() {
  // What a deferred call schedules waits for the next turn.
  const uint64_t scheduled_before = sequence_;
  while (head_ && head_->sequence_ <= scheduled_before) {
    Deferred* d = head_;
    d->cancel();
    d->fn_(d->ctx_);  // may destroy d
  }
}

}  // namespace kith::runtime
