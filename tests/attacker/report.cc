// The JSON lines of the attacker.
#include "tests/attacker/report.h"

#include <algorithm>
#include <cstdio>
#include <mutex>

namespace kith::attacker {
namespace {

constexpr size_t kHexBytes = 256;

std::mutex& output_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    out += c;
  }
  return out + '"';
}

}  // namespace

Line::Line(std::string_view event) : json_("{\"event\":" + quoted(event)) {}

Line& Line::text(std::string_view key, std::string_view value) { return raw(key, quoted(value)); }

Line& Line::flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }

Line& Line::seconds(std::string_view key, double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.4f", value);
  return raw(key, digits);
}

Line& Line::hex(std::string_view key, std::span<const uint8_t> value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (uint8_t byte : value.first(std::min(value.size(), kHexBytes))) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return text(key, out);
}

Line& Line::raw(std::string_view key, std::string_view json) {
  json_ += ',';
  json_ += quoted(key);
  json_ += ':';
  json_ += json;
  return *this;
}

void Line::print() {
  std::lock_guard lock(output_mutex());
  json_ += "}\n";
  std::fwrite(json_.data(), 1, json_.size(), stdout);
  std::fflush(stdout);
}

}  // namespace kith::attacker
