// SimLoop: the same loop with virtual time. Nothing waits: time jumps to the next timer. Deterministic.
#pragma once

#include "runtime/loop.h"

namespace kith::runtime {

class SimLoop final : public Loop {
 public:
  // Virtual clocks start at `start` and, for certificates, at `unix_seconds`.
  explicit SimLoop(TimePoint start = 0, int64_t unix_seconds = 1'700'000'000)
      : now_(start), start_(start), unix_start_(unix_seconds) {}

  TimePoint now() const override { return now_; }
  int64_t unix_seconds() const override { return unix_start_ + (now_ - start_) / seconds(1); }

  // Runs everything due until virtual time `now() + d`, and sets the time to it.
  void run_for(Duration d);
  // Runs until nothing is left to do, or until virtual `limit` has passed. Returns false at the limit.
  bool run_until_idle(Duration limit = seconds(3600));
  // Runs until `done()` holds (checked after each step); false if it never did before `limit`.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(3600));

 protected:
  void wake() override {}

 private:
  // One step: pending work, or the jump to the next timer not after `limit`. False when there is none.
  bool step(TimePoint limit);
  TimePoint now_;
  const TimePoint start_;
  const int64_t unix_start_;
};

}  // namespace kith::runtime
