// Bytes as letters. Spec: RFC 4648 (bit groups); multiformats/multibase rfcs/Base36.md and
// draft-msporny-base58 (numbers).
#include "wire/alphabet.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"
#include "wire/quote.h"

namespace kith::wire {
namespace {

// Numbers are handled in limbs of 32 bits, least significant first, on the stack: the text's length
// is limited, and every digit of every alphabet here carries fewer than 8 bits.
constexpr size_t kMaxLimbs = limits::kBigNumberTextBytes / 4 + 1;

struct BigNumber {
  std::array<uint32_t, kMaxLimbs> limbs;
  size_t size = 0;  // limbs in use; the last one is not zero

  // this = this * factor + summand
  void multiply_add(uint32_t factor, uint32_t summand) {
    uint64_t carry = summand;
    for (size_t i = 0; i < size; ++i) {
      carry += uint64_t{limbs[i]} * factor;
      limbs[i] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry == 0) return;
    KITH_CHECK(size < kMaxLimbs);
    limbs[size++] = static_cast<uint32_t>(carry);
  }

  // this = this / divisor; returns the remainder
  uint32_t divide(uint32_t divisor) {
    uint64_t remainder = 0;
    for (size_t i = size; i-- > 0;) {
      remainder = remainder << 32 | limbs[i];
      limbs[i] = static_cast<uint32_t>(remainder / divisor);
      remainder %= divisor;
    }
    while (size > 0 && limbs[size - 1] == 0) --size;
    return static_cast<uint32_t>(remainder);
  }
};

// Digits go in and out five at a time: 58^5 is below 2^32, which makes the square of the length 25
// times smaller.
constexpr size_t kDigitsPerStep = 5;

Error bad_character(const Alphabet& alphabet, std::string_view text, size_t offset) {
  return Error(KITH_ERR_MALFORMED, "multibase",
               "character " + quote(text.substr(offset, 1)) + " at offset " +
                   std::to_string(offset) + " is not a digit of " + std::string(alphabet.name));
}

}  // namespace

void append_bit_groups(std::string& out, const Alphabet& alphabet, Bytes bytes) {
  const auto bits = static_cast<uint32_t>(std::countr_zero(alphabet.digits.size()));
  const uint32_t mask = (1U << bits) - 1;
  out.reserve(out.size() + (bytes.size() * 8 + bits - 1) / bits);
  uint32_t window = 0;  // its low num_bits bits wait to be written
  uint32_t num_bits = 0;
  for (const uint8_t byte : bytes) {
    window = window << 8 | byte;
    for (num_bits += 8; num_bits >= bits; num_bits -= bits) {
      out += alphabet.digits[window >> (num_bits - bits) & mask];
    }
  }
  if (num_bits > 0) out += alphabet.digits[window << (bits - num_bits) & mask];
}

Result<ByteVector> decode_bit_groups(const Alphabet& alphabet, std::string_view text,
                                     TrailingBits trailing_bits) {
  const auto bits = static_cast<uint32_t>(std::countr_zero(alphabet.digits.size()));
  ByteVector out;
  out.reserve(text.size() * bits / 8);
  uint32_t window = 0;
  uint32_t num_bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t digit = alphabet.values[static_cast<uint8_t>(text[i])];
    if (digit == Alphabet::kNotADigit) return bad_character(alphabet, text, i);
    window = window << bits | digit;
    num_bits += bits;
    if (num_bits >= 8) {
      num_bits -= 8;
      out.push_back(static_cast<uint8_t>(window >> num_bits));
    }
  }
  if (num_bits >= bits) {
    return Error(KITH_ERR_MALFORMED, "multibase",
                 std::to_string(text.size()) + " digits of " + std::string(alphabet.name) +
                     " are no whole number of bytes");
  }
  if (trailing_bits == TrailingBits::kMustBeZero && (window & ((1U << num_bits) - 1)) != 0) {
    return Error(KITH_ERR_MALFORMED, "multibase",
                 "the last digit of " + std::string(alphabet.name) + " has stray bits");
  }
  return out;
}

void append_number(std::string& out, const Alphabet& alphabet, Bytes bytes) {
  KITH_CHECK(bytes.size() <= limits::kBigNumberBytes);
  const auto base = static_cast<uint32_t>(alphabet.digits.size());
  while (!bytes.empty() && bytes.front() == 0) {
    out += alphabet.digits[0];
    bytes = bytes.subspan(1);
  }
  BigNumber number;
  for (const uint8_t byte : bytes) number.multiply_add(256, byte);
  uint32_t step = 1;
  for (size_t i = 0; i < kDigitsPerStep; ++i) step *= base;
  const size_t start = out.size();
  while (number.size > 0) {
    uint32_t group = number.divide(step);
    // The last group, the number's front, is written without its leading zeros.
    for (size_t i = 0; i < kDigitsPerStep && (number.size > 0 || group > 0); ++i, group /= base) {
      out += alphabet.digits[group % base];
    }
  }
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(start), out.end());
}

Result<ByteVector> decode_number(const Alphabet& alphabet, std::string_view text) {
  NumberRoom room;
  KITH_ASSIGN(const Bytes bytes, decode_number(alphabet, text, room));
  return to_vector(bytes);
}

Result<Bytes> decode_number(const Alphabet& alphabet, std::string_view text, NumberRoom& room) {
  if (text.size() > limits::kBigNumberTextBytes) {
    return Error(KITH_ERR_LIMIT, "multibase",
                 std::to_string(text.size()) + " characters of " + std::string(alphabet.name) +
                     " exceed the limit of " + std::to_string(limits::kBigNumberTextBytes));
  }
  const auto base = static_cast<uint32_t>(alphabet.digits.size());
  size_t num_zeros = 0;
  while (num_zeros < text.size() && text[num_zeros] == alphabet.digits[0]) ++num_zeros;
  BigNumber number;
  uint32_t group = 0;
  uint32_t step = 1;
  for (size_t i = num_zeros; i < text.size(); ++i) {
    const uint8_t digit = alphabet.values[static_cast<uint8_t>(text[i])];
    if (digit == Alphabet::kNotADigit) return bad_character(alphabet, text, i);
    group = group * base + digit;
    step *= base;
    if ((i - num_zeros) % kDigitsPerStep == kDigitsPerStep - 1 || i + 1 == text.size()) {
      number.multiply_add(step, group);
      group = 0;
      step = 1;
    }
  }
  std::fill_n(room.begin(), num_zeros, uint8_t{0});
  size_t size = num_zeros;
  for (size_t i = number.size * 4; i-- > 0;) {
    const auto byte = static_cast<uint8_t>(number.limbs[i / 4] >> (i % 4 * 8));
    if (byte != 0 || size > num_zeros) room[size++] = byte;
  }
  return Bytes(room).first(size);
}

}  // namespace kith::wire
