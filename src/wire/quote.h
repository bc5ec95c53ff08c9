// Text of others inside our error sentences: short, and without anything that could confuse a
// terminal or log.
#pragma once

#include <string>
#include <string_view>

namespace kith::wire {

// quote returns `text` in single quotes with everything but printable ASCII as \xNN, and cut after
// 64 characters (then "..." follows the closing quote).
std::string quote(std::string_view text);

}  // namespace kith::wire
