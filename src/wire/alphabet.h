// The two ways of writing bytes as letters, over any alphabet: in groups of bits (base16, 32, 64),
// and as one big number (base36, 58). multibase.h and multiaddr's garlic addresses choose the
// alphabets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace kith::wire {

// Alphabet is a set of digits and the value of every character in it.
struct Alphabet {
  static constexpr uint8_t kNotADigit = 0xff;

  std::string_view name;                 // for error sentences
  std::string_view digits;               // digit of value i at i
  std::array<uint8_t, 256> values = {};  // kNotADigit for characters outside
};

enum class LetterCase { kExact, kIgnored };

// make_alphabet builds the table of values; with kIgnored the other case of each letter counts as
// well.
constexpr Alphabet make_alphabet(std::string_view name, std::string_view digits,
                                 LetterCase letter_case) {
  Alphabet a{name, digits};
  a.values.fill(Alphabet::kNotADigit);
  for (size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[i];
    a.values[static_cast<uint8_t>(c)] = static_cast<uint8_t>(i);
    if (letter_case == LetterCase::kExact) continue;
    if (c >= 'a' && c <= 'z')
      a.values[static_cast<uint8_t>(c - 'a' + 'A')] = static_cast<uint8_t>(i);
    if (c >= 'A' && c <= 'Z')
      a.values[static_cast<uint8_t>(c - 'A' + 'a')] = static_cast<uint8_t>(i);
  }
  return a;
}

enum class TrailingBits { kMustBeZero, kIgnored };

// append_bit_groups appends `bytes` in digits of 4, 5 or 6 bits (by the alphabet's size), first bit
// first, without padding.
void append_bit_groups(std::string& out, const Alphabet& alphabet, Bytes bytes);

// decode_bit_groups is the inverse. Fails on a character outside the alphabet, on a length that no
// whole number of bytes has, and, with kMustBeZero, when the bits left over are not zero.
Result<ByteVector> decode_bit_groups(const Alphabet& alphabet, std::string_view text,
                                     TrailingBits trailing_bits);

// append_number appends `bytes` read as one big-endian number; each leading zero byte becomes a
// zero digit. Precondition: bytes.size() <= limits::kBigNumberBytes, since the cost grows with its
// square.
void append_number(std::string& out, const Alphabet& alphabet, Bytes bytes);

// Room for any number that may be decoded: no digit carries more than a byte.
using NumberRoom = std::array<uint8_t, limits::kBigNumberTextBytes>;

// decode_number is the inverse. Fails on a character outside the alphabet, and with KITH_ERR_LIMIT
// on more than limits::kBigNumberTextBytes characters.
Result<ByteVector> decode_number(const Alphabet& alphabet, std::string_view text);

// The same without allocating: fills the front of `room` and returns it.
Result<Bytes> decode_number(const Alphabet& alphabet, std::string_view text, NumberRoom& room);

}  // namespace kith::wire
