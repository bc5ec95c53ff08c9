#include "output.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "command.h"

namespace cli {

namespace {
// Strings of peers may be any bytes; JSON is UTF-8. Escaped, so that a terminal is safe from them, too.
std::string dump(const Json& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}
}  // namespace

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  if (std::fflush(stdout) != 0) {
    throw Failure(std::string("cannot write to stdout: ") + std::strerror(errno));
  }
}

void print_event(const Json& event) { print_line(dump(event, -1)); }
void print_document(const Json& document) { print_line(dump(document, 2)); }

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += "\\x" + hex({&byte, 1});
    }
  }
  return out;
}

std::string hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const uint8_t b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

double milliseconds_value(double nanoseconds) { return std::round(nanoseconds) / 1e6; }

std::string milliseconds_text(double nanoseconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", nanoseconds / 1e6);
  return text;
}

std::string count_text(uint64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

}  // namespace cli
