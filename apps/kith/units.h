// Amounts of data, rates and times for people: reading them from the command line, and showing them.
#pragma once

#include <cstdint>
#include <string>

namespace cli {

// Reads "64KiB", "1.5 GB", "1000B" or plain bytes. Throws UsageError, which names `option` and what is wrong.
uint64_t parse_size(const std::string& option, const std::string& text);

// A unit to show rates in, so that several can share one.
struct RateUnit {
  double bps;
  const char* name;
};
// The unit in which `bps` bits per second has one to three digits before the point: "kbit/s", "Mbit/s" or "Gbit/s".
RateUnit rate_unit(double bps);

// "1.00 GiB", "17 B".
std::string size_text(uint64_t bytes);
// "2.04 Gbit/s".
std::string rate_text(double bps);
// "4.210 s", "0.412 ms".
std::string time_text(double seconds);

}  // namespace cli
