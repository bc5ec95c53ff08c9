#include "runtime/timer.h"

#include <algorithm>

#include "base/result.h"

namespace kith::runtime {

TimerQueue::~TimerQueue() { KITH_CHECK(heap_.empty()); }

TimePoint TimerQueue::next_deadline() const { return heap_.empty() ? kNever : heap_[0]->deadline_; }

size_t TimerQueue::run(TimePoint now) {
  const uint64_t set_before = sequence_;
  size_t num_run = 0;
  run_at_ = now;
  // A timer set by a callback waits for the next turn even if it is due: no turn is endless.
  while (!heap_.empty() && heap_[0]->deadline_ <= now && heap_[0]->sequence_ <= set_before) {
    Timer* t = heap_[0];
    remove(t);
    ++num_run;
    t->fn_(t->ctx_);  // may destroy t
  }
  return num_run;
}

bool TimerQueue::before(const Timer* a, const Timer* b) {
  return a->deadline_ != b->deadline_ ? a->deadline_ < b->deadline_ : a->sequence_ < b->sequence_;
}

void TimerQueue::place(size_t index, Timer* t) {
  heap_[index] = t;
  t->index_ = index;
}

void TimerQueue::sift_up(size_t index) {
  Timer* t = heap_[index];
  while (index > 0 && before(t, heap_[(index - 1) / 2])) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  place(index, t);
}

void TimerQueue::sift_down(size_t index) {
  Timer* t = heap_[index];
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], t)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, t);
}

void TimerQueue::insert(Timer* t) {
  t->sequence_ = ++sequence_;
  t->deadline_ = std::max(t->deadline_, run_at_);
  heap_.push_back(t);
  t->index_ = heap_.size() - 1;
  sift_up(t->index_);
}

void TimerQueue::remove(Timer* t) {
  const size_t index = t->index_;
  t->index_ = Timer::kNotQueued;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == t) return;
  place(index, last);
  sift_up(index);
  sift_down(last->index_);
}

void Timer::set(TimePoint deadline) {
  cancel();
  deadline_ = deadline;
  if (deadline != kNever) queue_->insert(this);
}

void Timer::cancel() {
  if (is_set()) queue_->remove(this);
}

}  // namespace kith::runtime
