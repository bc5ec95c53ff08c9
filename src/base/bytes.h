// Byte spans and the conversions everybody needs.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith {

using Bytes = std::span<const uint8_t>;   // borrowed, read only
using MutableBytes = std::span<uint8_t>;  // borrowed, writable
using ByteVector = std::vector<uint8_t>;  // owned

inline Bytes as_bytes(std::string_view s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}
inline std::string_view as_text(Bytes b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}
inline ByteVector to_vector(Bytes b) { return {b.begin(), b.end()}; }
inline void append(ByteVector& out, Bytes b) { out.insert(out.end(), b.begin(), b.end()); }
inline void append(ByteVector& out, std::string_view s) { append(out, as_bytes(s)); }
inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// Lower-case hexadecimal.
std::string to_hex(Bytes bytes);
// Upper or lower case, even length; nullopt otherwise.
std::optional<ByteVector> from_hex(std::string_view text);

}  // namespace kith
