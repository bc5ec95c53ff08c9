// ChurnBudget: how much a peer may make us work for nothing, per time.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/limits.h"
#include "base/time.h"

namespace kith {

// ChurnBudget is a bucket of limits::kMuxerChurnBurst units that refills by kMuxerChurnPerSecond. A frame without effect,
// or a stream that was opened for nothing, costs one; a stream that did its work gives some back, so that frames which
// cross its end are free however fast streams come and go.
class ChurnBudget {
 public:
  static constexpr size_t kEarnedPerStream = 4;

  void spend(TimePoint now) { empty_at_ = std::max(empty_at_, now) + kUnit; }
  // For what we gave up ourselves: it takes half of the bucket at most, so that an honest peer can afford its next frame.
  void spend_softly(TimePoint now) {
    if (empty_at_ < now + kBurst / 2) spend(now);
  }
  void earn() { empty_at_ -= static_cast<Duration>(kEarnedPerStream) * kUnit; }
  // Whether more was spent than there was.
  bool is_overspent(TimePoint now) const { return empty_at_ > now && empty_at_ - now > kBurst; }

 private:
  static constexpr Duration kUnit =
      seconds(1) / static_cast<Duration>(limits::kMuxerChurnPerSecond);
  static constexpr Duration kBurst = static_cast<Duration>(limits::kMuxerChurnBurst) * kUnit;
  TimePoint empty_at_ = 0;  // when all that was spent is refilled
};

}  // namespace kith
