// Time as a value. Nothing below runtime/ asks a clock: the time is an argument.
#pragma once

#include <cstdint>
#include <limits>

namespace kith {

// Nanoseconds between two points of one monotonic clock.
using Duration = int64_t;
// Nanoseconds since an arbitrary start; comes from Loop::now().
using TimePoint = int64_t;

inline constexpr Duration kNever = std::numeric_limits<int64_t>::max();
constexpr Duration nanoseconds(int64_t n) { return n; }
constexpr Duration microseconds(int64_t n) { return n * 1000; }
constexpr Duration milliseconds(int64_t n) { return n * 1000000; }
constexpr Duration seconds(int64_t n) { return n * 1000000000; }
constexpr double to_ms(Duration d) { return static_cast<double>(d) / 1e6; }

}  // namespace kith
