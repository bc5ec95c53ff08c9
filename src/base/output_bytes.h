// OutputBytes: bytes on their way out. Machines append at the end, a writer takes away at the
// front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace kith {

// OutputBytes is a growing block of memory that, unlike a vector, does not zero what is about to be
// overwritten. Memory stays allocated until release() or the end, so that one object can serve a
// whole loop.
class OutputBytes {
 public:
  OutputBytes() = default;
  OutputBytes(OutputBytes&& o) noexcept { swap(o); }
  OutputBytes& operator=(OutputBytes&& o) noexcept {
    OutputBytes(std::move(o)).swap(*this);
    return *this;
  }

  // bytes returns what was appended and not consumed, valid until the next change.
  Bytes bytes() const { return {data_.get() + begin_, size()}; }
  // mutable_bytes is the same, for a layer below that encrypts in place.
  MutableBytes mutable_bytes() { return {data_.get() + begin_, size()}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }

  // extend appends `n` bytes of unspecified content, for the caller to write before anybody reads.
  // Valid until the next change.
  uint8_t* extend(size_t n) {
    if (capacity_ - end_ < n) grow(n);
    uint8_t* out = data_.get() + end_;
    end_ += n;
    return out;
  }
  void append(Bytes b) {
    if (!b.empty()) std::memcpy(extend(b.size()), b.data(), b.size());
  }
  // truncate takes away the end, down to `size` bytes: the rest of an extend() that was not needed.
  void truncate(size_t size) {
    KITH_CHECK(size <= end_ - begin_);
    end_ = begin_ + size;
  }
  // consume takes away the first `n` bytes: they are sent.
  void consume(size_t n) {
    KITH_CHECK(n <= end_ - begin_);
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() { begin_ = end_ = 0; }
  // release gives the memory back; what was in it is gone.
  void release() { OutputBytes().swap(*this); }

 private:
  struct Free {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  static constexpr size_t kMinCapacity = 512;

  void swap(OutputBytes& o) noexcept {
    data_.swap(o.data_);
    std::swap(begin_, o.begin_);
    std::swap(end_, o.end_);
    std::swap(capacity_, o.capacity_);
  }
  void grow(size_t n) {
    const size_t used = size();
    // What was consumed is used again first, when that makes room for half as much as is kept.
    if (capacity_ - used < n || begin_ < used / 2) {
      size_t capacity = capacity_ < kMinCapacity ? kMinCapacity : capacity_ * 2;
      if (capacity < used + n) capacity = used + n;
      std::unique_ptr<uint8_t, Free> larger(static_cast<uint8_t*>(std::malloc(capacity)));
      KITH_CHECK(larger);
      if (used != 0) std::memcpy(larger.get(), data_.get() + begin_, used);
      data_ = std::move(larger);
      capacity_ = capacity;
    } else if (used != 0) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<uint8_t, Free> data_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

}  // namespace kith
