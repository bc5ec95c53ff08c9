#include "tools/link_emulator/options.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace kith::link_emulator {
namespace {

constexpr double kMaxMilliseconds = 3600e3;
constexpr double kMaxBytes = 1e12;

// Applies a number to a direction's configuration.
struct Key {
  std::string_view name;
  double max;
  void (*apply)(LinkConfig& config, double value);
};

Duration from_ms(double ms) { return Duration(std::llround(ms * 1e6)); }
size_t to_size(double value) { return static_cast<size_t>(value); }

double bandwidth_delay_bytes(const LinkConfig& c, double round_trip_ms) {
  return static_cast<double>(c.rate_bps) / 8 * round_trip_ms / 1000;
}

constexpr Key kKeys[] = {
    {"seed", 9e15, [](LinkConfig& c, double v) { c.seed = static_cast<uint64_t>(v); }},
    {"mtu", 65535, [](LinkConfig& c, double v) { c.mtu = to_size(v); }},
    {"delay_ms", kMaxMilliseconds, [](LinkConfig& c, double v) { c.delay = from_ms(v); }},
    {"jitter_ms", kMaxMilliseconds, [](LinkConfig& c, double v) { c.jitter = from_ms(v); }},
    {"reorder", 1, [](LinkConfig& c, double v) { c.reorder = v != 0; }},
    {"rate_mbit", 1e6,
     [](LinkConfig& c, double v) { c.rate_bps = static_cast<uint64_t>(std::llround(v * 1e6)); }},
    {"queue_bytes", kMaxBytes, [](LinkConfig& c, double v) { c.queue_bytes = to_size(v); }},
    {"queue_packets", 1e9, [](LinkConfig& c, double v) { c.queue_packets = to_size(v); }},
    {"queue_ms", kMaxMilliseconds,
     [](LinkConfig& c, double v) { c.queue_bytes = to_size(bandwidth_delay_bytes(c, v)); }},
    {"loss", 1, [](LinkConfig& c, double v) { c.loss = v; }},
    {"loss_run", 1e9, [](LinkConfig& c, double v) { c.loss_run = to_size(v); }},
    {"burst_begin", 1, [](LinkConfig& c, double v) { c.burst_begin = v; }},
    {"burst_end", 1, [](LinkConfig& c, double v) { c.burst_end = v; }},
    {"burst_loss", 1, [](LinkConfig& c, double v) { c.burst_loss = v; }},
    {"drop_first", 1e15, [](LinkConfig& c, double v) { c.drop_first = to_size(v); }},
    {"drop_last", 1e15, [](LinkConfig& c, double v) { c.drop_last = to_size(v); }},
    {"corrupt", 1, [](LinkConfig& c, double v) { c.corrupt = v; }},
    {"duplicate", 1, [](LinkConfig& c, double v) { c.duplicate = v; }},
    {"on_ms", kMaxMilliseconds, [](LinkConfig& c, double v) { c.blackhole_on = from_ms(v); }},
    {"off_ms", kMaxMilliseconds, [](LinkConfig& c, double v) { c.blackhole_off = from_ms(v); }},
};

std::string quoted(std::string_view word) { return "\"" + std::string(word) + "\""; }

std::string apply_option(std::string_view word, LinkConfig* const (&directions)[2]) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) return quoted(word) + " is no key=value";
  const std::string value(word.substr(equals + 1));
  for (const Key& key : kKeys) {
    if (key.name != word.substr(0, equals)) continue;
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || !(number >= 0 && number <= key.max)) {
      char max[32];
      std::snprintf(max, sizeof max, "%g", key.max);
      return quoted(word) + ": not a number from 0 to " + max;
    }
    for (LinkConfig* direction : directions) {
      if (direction) key.apply(*direction, number);
    }
    return "";
  }
  return quoted(word) + ": no such key";
}

}  // namespace

std::string apply_words(LinkOptions& options, std::string_view words) {
  LinkConfig* directions[2] = {&options.a_to_b, &options.b_to_a};
  while (!words.empty()) {
    const size_t space = words.find(' ');
    const std::string_view word = words.substr(0, space);
    words = space == std::string_view::npos ? "" : words.substr(space + 1);
    if (word.empty()) continue;
    if (word == "both" || word == "a-to-b" || word == "b-to-a") {
      directions[0] = word == "b-to-a" ? nullptr : &options.a_to_b;
      directions[1] = word == "a-to-b" ? nullptr : &options.b_to_a;
      continue;
    }
    if (word == "clear") {
      for (LinkConfig* direction : directions) {
        if (direction) *direction = {};
      }
      continue;
    }
    std::string why = apply_option(word, directions);
    if (!why.empty()) return why;
  }
  return "";
}

std::string to_json(const LinkCounters& c) {
  const struct {
    const char* name;
    uint64_t value;
  } fields[] = {
      {"packets_in", c.packets_in},
      {"bytes_in", c.bytes_in},
      {"packets_out", c.packets_out},
      {"bytes_out", c.bytes_out},
      {"too_long", c.too_long},
      {"blackholed", c.blackholed},
      {"overflowed", c.overflowed},
      {"lost", c.lost},
      {"corrupted", c.corrupted},
      {"duplicated", c.duplicated},
      {"max_queue_bytes", c.max_queue_bytes},
  };
  std::string out = "{";
  for (const auto& field : fields) {
    if (out.size() > 1) out += ",";
    out += quoted(field.name) + ":" + std::to_string(field.value);
  }
  return out + "}";
}

}  // namespace kith::link_emulator
