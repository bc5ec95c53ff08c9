// One JSON object per line on stdout: what the attacker saw. Any thread may report.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kith::attacker {

// Line is one observation, built field by field and written by `print`.
class Line {
 public:
  explicit Line(std::string_view event);

  Line& text(std::string_view key, std::string_view value);
  Line& flag(std::string_view key, bool value);
  Line& seconds(std::string_view key, double value);
  // Writes at most the first 256 bytes, in hex.
  Line& hex(std::string_view key, std::span<const uint8_t> value);

  template <std::integral T>
  Line& number(std::string_view key, T value) {
    return raw(key, std::to_string(value));
  }

  // Writes the line to stdout in one piece and flushes it.
  void print();

 private:
  Line& raw(std::string_view key, std::string_view json);

  std::string json_;
};

}  // namespace kith::attacker
