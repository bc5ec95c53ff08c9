// What fuzz targets and two-ended tests share to draw decisions and splits from bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kith::fuzz {

// FuzzInput turns bytes into decisions. When they are used up every decision is 0, so that a target
// always ends. Tests fill it from random_bytes() and get the same machinery, seeded.
class FuzzInput {
 public:
  explicit FuzzInput(Bytes in) : rest_(in) {}

  bool empty() const { return rest_.empty(); }
  size_t size() const { return rest_.size(); }

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const uint8_t b = rest_.front();
    rest_ = rest_.subspan(1);
    return b;
  }
  bool flag() { return (byte() & 1) != 0; }
  // below returns a number in [0, n), from as many bytes as n needs. Precondition: n > 0.
  size_t below(size_t n) {
    KITH_CHECK(n > 0);
    uint64_t value = byte();
    for (size_t reach = n - 1; reach > 0xff; reach >>= 8) value = value << 8 | byte();
    return static_cast<size_t>(value % n);
  }
  // bytes returns the next `n` bytes, fewer at the end.
  Bytes bytes(size_t n) {
    const Bytes out = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }

 private:
  Bytes rest_;
};

inline ByteVector random_bytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  ByteVector out(size);
  for (uint8_t& b : out) b = static_cast<uint8_t>(random());
  return out;
}

// feed gives `in` to `machine` in the pieces that `cuts` (ascending offsets into it) make, each in
// memory of its own so that a sanitizer sees a machine that keeps or passes the end of a view. A
// machine that takes less than a piece is offered the rest with the next one. Returns how many
// bytes it took.
template <typename Machine>
size_t feed(Machine& machine, Bytes in, const std::vector<size_t>& cuts) {
  size_t taken = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : in.size();
    const ByteVector piece = to_vector(in.subspan(taken, std::max(end, taken) - taken));
    const size_t n = machine.receive(piece);
    KITH_CHECK(n <= piece.size());
    taken += n;
  }
  return taken;
}

// for_each_split calls `fn(cuts)` for the ways to cut `size` bytes in pieces that tend to matter:
// none, everywhere, at every one place, at every two places of a short input, and 64 seeded random
// ways.
template <typename Fn>
void for_each_split(size_t size, Fn fn) {
  static constexpr size_t kShort = 96;
  std::vector<size_t> cuts;
  fn(cuts);
  for (size_t i = 1; i < size; ++i) fn(std::vector<size_t>{i});
  if (size <= kShort) {
    for (size_t i = 1; i < size; ++i) {
      for (size_t j = i + 1; j < size; ++j) fn(std::vector<size_t>{i, j});
    }
  }
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  fn(cuts);
  std::mt19937_64 random(size);
  for (int round = 0; round < 64; ++round) {
    cuts.clear();
    for (size_t at = 1 + random() % 16; at < size; at += 1 + random() % 16) cuts.push_back(at);
    fn(cuts);
  }
}

}  // namespace kith::fuzz
