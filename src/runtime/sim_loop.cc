#include "runtime/sim_loop.h"

namespace kith::runtime {

bool SimLoop::step(TimePoint limit) {
  if (has_work()) {
    run_posted();
    run_deferred();
    return true;
  }
  const TimePoint next = timers().next_deadline();
  if (next == kNever || next > limit) return false;
  if (next > now_) now_ = next;
  timers().run(now_);
  return true;
}

void SimLoop::run_for(Duration d) {
  const TimePoint limit = now_ + d;
  while (step(limit)) {
  }
  now_ = limit;
}

bool SimLoop::run_until_idle(Duration limit) {
  const TimePoint end = now_ + limit;
  while (step(end)) {
  }
  return !has_work() && timers().next_deadline() == kNever;
}

bool SimLoop::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = now_ + limit;
  while (!done()) {
    if (!step(end)) return false;
  }
  return true;
}

}  // namespace kith::runtime
