// SeenIds: which of the peer's stream ids were used, as far back as it costs nothing to remember.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kith::yamux {

// SeenIds remembers the last kWindow ids of one parity. Ids may come out of order: go sends them from several threads, and
// rust announces a stream with its first bytes. An id from before the window counts as new.
class SeenIds {
 public:
  static constexpr uint32_t kWindow = 512;

  // insert returns whether `id` was not seen before. Precondition: always the same parity.
  bool insert(uint32_t id) {
    const uint32_t n = id / 2;
    if (n >= end_) {
      const uint32_t from = n - end_ >= kWindow ? n - kWindow + 1 : end_;
      for (uint32_t i = from; i <= n; ++i) bit(i) &= ~mask(i);
      end_ = n + 1;
    } else if (end_ - n > kWindow) {
      return true;
    }
    const bool is_new = (bit(n) & mask(n)) == 0;
    bit(n) |= mask(n);
    return is_new;
  }

 private:
  uint64_t& bit(uint32_t n) { return bits_[n % kWindow / 64]; }
  static uint64_t mask(uint32_t n) { return uint64_t{1} << (n % 64); }

  std::array<uint64_t, kWindow / 64> bits_{};
  uint32_t end_ = 0;  // behind the highest id seen, halved
};

}  // namespace kith::yamux
