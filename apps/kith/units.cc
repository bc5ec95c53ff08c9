#include "units.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "command.h"

namespace cli {

namespace {

struct SizeUnit {
  std::string_view name;
  uint64_t bytes;
};
constexpr std::array<SizeUnit, 8> kSizeUnits = {{{"", 1},
                                                 {"B", 1},
                                                 {"kB", 1'000},
                                                 {"KiB", 1ULL << 10},
                                                 {"MB", 1'000'000},
                                                 {"MiB", 1ULL << 20},
                                                 {"GB", 1'000'000'000},
                                                 {"GiB", 1ULL << 30}}};
// Beyond 2^53 a double no longer holds every whole number; no link moves that much in a year.
constexpr double kMaxBytes = 9007199254740992.0;

}  // namespace

uint64_t parse_size(const std::string& option, const std::string& text) {
  const auto refuse = [&](const std::string& why) {
    return UsageError(option + " " + (text.empty() ? "''" : text) + ": " + why);
  };
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number)) {
    throw refuse("a size is a number and a unit, such as 100MB or 1.5GiB");
  }
  std::string_view unit(rest, static_cast<size_t>(end - rest));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const SizeUnit& u : kSizeUnits) {
    if (u.name != unit) continue;
    const double bytes = number * static_cast<double>(u.bytes);
    if (std::signbit(number)) throw refuse("a size cannot be negative");
    if (bytes > kMaxBytes) throw refuse("too large: at most 8388608GiB");
    if (bytes != std::floor(bytes)) throw refuse("not a whole number of bytes");
    return static_cast<uint64_t>(bytes);
  }
  throw refuse(fmt::format("no unit is called '{}': take B, kB, KiB, MB, MiB, GB or GiB", unit));
}

RateUnit rate_unit(double bps) {
  if (bps >= 1e9) return {1e9, "Gbit/s"};
  if (bps >= 1e6) return {1e6, "Mbit/s"};
  return {1e3, "kbit/s"};
}

std::string size_text(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1ULL << 30) return fmt::format("{:.2f} GiB", value / (1ULL << 30));
  if (bytes >= 1ULL << 20) return fmt::format("{:.2f} MiB", value / (1ULL << 20));
  if (bytes >= 1ULL << 10) return fmt::format("{:.2f} KiB", value / (1ULL << 10));
  return fmt::format("{} B", bytes);
}

std::string rate_text(double bps) {
  const RateUnit unit = rate_unit(bps);
  return fmt::format("{:.2f} {}", bps / unit.bps, unit.name);
}

std::string time_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.3f} ms", seconds * 1e3) : fmt::format("{:.3f} s", seconds);
}

}  // namespace cli
