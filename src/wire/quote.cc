// Quoted text for error sentences.
#include "wire/quote.h"

#include <cstdint>

namespace kith::wire {

std::string quote(std::string_view text) {
  static constexpr size_t kMaxChars = 64;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kMaxChars)) {
    if (c >= ' ' && c <= '~' && c != '\'' && c != '\\') {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  out += text.size() > kMaxChars ? "'..." : "'";
  return out;
}

}  // namespace kith::wire
