// A byte buffer that lives inside its owner up to N bytes and moves to the heap beyond: what keeps
// an ordinary negotiation free of allocations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "base/bytes.h"

namespace kith::multistream {

// SmallBuffer<N> holds bytes that are appended. Views of bytes() die with the next reserve(),
// append() or clear(). Not copyable and not movable: it is a member of objects that stay where they
// are.
template <size_t N>
class SmallBuffer {
 public:
  SmallBuffer() = default;
  SmallBuffer(const SmallBuffer&) = delete;
  SmallBuffer& operator=(const SmallBuffer&) = delete;

  Bytes bytes() const { return {heap_ ? heap_.get() : inline_, size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // clear empties the buffer and gives heap memory back.
  void clear() {
    size_ = 0;
    capacity_ = N;
    heap_.reset();
  }

  // reserve makes room for `capacity` bytes in all.
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    auto grown = std::make_unique_for_overwrite<uint8_t[]>(capacity);
    if (size_ != 0) std::memcpy(grown.get(), bytes().data(), size_);
    heap_ = std::move(grown);
    capacity_ = static_cast<uint32_t>(capacity);
  }

  // append copies `b`, which must not point into this buffer.
  void append(Bytes b) {
    if (b.empty()) return;
    if (size_ + b.size() > capacity_) reserve(std::max<size_t>(size_ + b.size(), 2 * capacity_));
    std::memcpy((heap_ ? heap_.get() : inline_) + size_, b.data(), b.size());
    size_ += static_cast<uint32_t>(b.size());
  }

 private:
  uint32_t size_ = 0;
  uint32_t capacity_ = N;
  std::unique_ptr<uint8_t[]> heap_;
  uint8_t inline_[N];  // the content while heap_ is null
};

}  // namespace kith::multistream
