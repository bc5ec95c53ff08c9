// Filler: what one fill() of a muxer gives out: headers, and views of the data behind them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/send_queue.h"

namespace kith::muxer {

// The headers of one flush, at fixed addresses.
struct Headers {
  static constexpr size_t kMaxBytes = 12;  // of one
  static constexpr size_t kMax = 128;      // of that size
  size_t size = 0;
  std::array<uint8_t, kMaxBytes * kMax> bytes;
};

class Filler {
 public:
  // Appends to `out` at most `room` bytes.
  Filler(Headers& headers, std::vector<Bytes>& out, size_t room)
      : headers_(headers), out_(out), room_(room), left_(room) {}

  size_t written() const { return room_ - left_; }

  // header_room returns where to write the next header, Headers::kMaxBytes; empty if there is no room.
  MutableBytes header_room() {
    const MutableBytes rest = MutableBytes(headers_.bytes).subspan(headers_.size);
    if (left_ < Headers::kMaxBytes || rest.size() < Headers::kMaxBytes) return {};
    return rest.first(Headers::kMaxBytes);
  }
  // header appends the first `n` bytes there.
  void header(size_t n) {
    const uint8_t* bytes = headers_.bytes.data() + headers_.size;
    if (end_ == bytes) {
      out_.back() = Bytes(out_.back().data(), out_.back().size() + n);
    } else {
      out_.emplace_back(bytes, n);
    }
    end_ = bytes + n;
    headers_.size += n;
    left_ -= n;
  }

  // cut returns how much of `size` bytes of data goes in the next frame, in one turn of its stream; 0 if there is no room.
  size_t cut(size_t size) const {
    const size_t wanted = std::min(size, kMaxData);
    const size_t n = std::min(wanted, left_ - std::min(left_, Headers::kMaxBytes));
    return n < wanted && n < kMinCut && written() != 0 ? 0 : n;
  }
  // data appends the first `n` bytes of `queue`, behind their header.
  void data(SendQueue& queue, size_t n, SendQueue& in_flight) {
    queue.take(n, out_, in_flight);
    left_ -= n;
    end_ = nullptr;
  }

 private:
  // Of one turn of a stream. Small enough that a turn takes 1.3 ms at 100 Mbit/s, so that others are not kept waiting; large
  // enough that the header is nothing; and four of them just fill a noise message.
  static constexpr size_t kMaxData = 16 * 1024;
  // The end of the room is left unused rather than filled with less than this of a longer frame.
  static constexpr size_t kMinCut = 512;

  Headers& headers_;
  std::vector<Bytes>& out_;
  const size_t room_;
  size_t left_;
  const uint8_t* end_ = nullptr;  // of the last header, if nothing came after it
};

}  // namespace kith::muxer
