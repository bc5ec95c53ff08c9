// IP addresses as text. Spec: RFC 4291 section 2.2, RFC 5952.
#include "wire/ip_text.h"

#include <algorithm>
#include <array>

namespace kith::wire {
namespace {

constexpr size_t kNoGap = 17;  // not 16, where a "::" after all eight groups would be

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes a group of 1..4 hexadecimal digits off the front.
bool take_group(std::string_view* text, uint32_t* value) {
  size_t n = 0;
  *value = 0;
  for (int digit; n < text->size() && (digit = hex_value((*text)[n])) >= 0; ++n) {
    if (n == 4) return false;
    *value = *value << 4 | static_cast<uint32_t>(digit);
  }
  text->remove_prefix(n);
  return n > 0;
}

// Everything after a leading "::" has been taken; `gap` is where in `out` it stood, 16 if there was
// none.
bool parse_groups(std::string_view text, std::span<uint8_t, 16> out, size_t* gap, size_t* size) {
  while (*size < 16) {
    const std::string_view group = text;
    uint32_t value = 0;
    if (!take_group(&text, &value)) return false;
    if (text.starts_with('.')) {
      // The last 32 bits may be written as an IPv4 address.
      if (*size > 12 || !parse_ip4(group, out.subspan(*size).first<4>())) return false;
      *size += 4;
      return true;
    }
    out[(*size)++] = static_cast<uint8_t>(value >> 8);
    out[(*size)++] = static_cast<uint8_t>(value);
    if (text.empty()) return true;
    if (!text.starts_with(':') || text.size() == 1) return false;
    text.remove_prefix(1);
    if (text.starts_with(':')) {
      if (*gap != kNoGap) return false;
      *gap = *size;
      text.remove_prefix(1);
      if (text.empty()) return true;
    }
  }
  return false;
}

}  // namespace

bool parse_ip4(std::string_view text, std::span<uint8_t, 4> out) {
  for (size_t i = 0; i < 4; ++i) {
    uint32_t value = 0;
    size_t n = 0;
    for (; n < text.size() && text[n] >= '0' && text[n] <= '9'; ++n) {
      if (n == 3 || (n > 0 && text[0] == '0')) return false;
      value = value * 10 + static_cast<uint32_t>(text[n] - '0');
    }
    if (n == 0 || value > 255) return false;
    out[i] = static_cast<uint8_t>(value);
    text.remove_prefix(n);
    if (i == 3) break;
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
  return text.empty();
}

bool parse_ip6(std::string_view text, std::span<uint8_t, 16> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  size_t gap = kNoGap;
  size_t size = 0;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  if (!parse_groups(text, out, &gap, &size)) return false;
  // "::" stands for at least one group of zeros, and without it there must be all eight groups.
  if ((gap == kNoGap) != (size == 16)) return false;
  if (gap != kNoGap) {
    const auto first = out.begin() + static_cast<std::ptrdiff_t>(gap);
    const auto last = out.begin() + static_cast<std::ptrdiff_t>(size);
    std::fill(first, std::move_backward(first, last, out.end()), uint8_t{0});
  }
  return true;
}

void append_ip4(std::string& out, std::span<const uint8_t, 4> address) {
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0) out += '.';
    out += std::to_string(address[i]);
  }
}

void append_ip6(std::string& out, std::span<const uint8_t, 16> address) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), address.begin())) {
    out += "::ffff:";
    append_ip4(out, address.subspan<12>());
    return;
  }
  const auto group = [&](size_t i) {
    return static_cast<uint32_t>(address[2 * i] << 8 | address[2 * i + 1]);
  };
  // The longest run of two or more zero groups, the first of equals, becomes "::".
  size_t gap = 8, gap_end = 8;
  for (size_t i = 0; i < 8; ++i) {
    size_t end = i;
    while (end < 8 && group(end) == 0) ++end;
    if (end - i >= 2 && end - i > gap_end - gap) gap = i, gap_end = end;
    i = std::max(i, end);
  }
  for (size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      out += "::";
      i = gap_end;
      if (i == 8) return;
    } else if (i > 0) {
      out += ':';
    }
    bool started = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const uint32_t digit = group(i) >> shift & 15;
      started = started || digit != 0 || shift == 0;
      if (started) out += "0123456789abcdef"[digit];
    }
  }
}

}  // namespace kith::wire
