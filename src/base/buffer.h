// Refcounted, immutable-once-shared byte buffers, and the pool that makes them free of allocations in steady state.
//
// Buffers belong to one loop: the count is not atomic. Pass bytes between loops by posting a copy.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace kith {

class BufferPool;

// Buffer is a counted view of a block of memory. Copying shares the block; the block goes back to its pool, or to
// the release callback of whoever lent it, with the last view.
class Buffer {
 public:
  using Release = void (*)(void* ctx, const uint8_t* data, size_t size);

  Buffer() = default;
  Buffer(const Buffer& o) : block_(o.block_), data_(o.data_), size_(o.size_) { ref(); }
  Buffer(Buffer&& o) noexcept
      : block_(std::exchange(o.block_, nullptr)),
        data_(std::exchange(o.data_, nullptr)),
        size_(std::exchange(o.size_, 0)) {}
  Buffer& operator=(Buffer o) noexcept {
    std::swap(block_, o.block_);
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~Buffer() { unref(); }

  // static_bytes: memory that outlives every user (literals, tables). Never released.
  static Buffer static_bytes(Bytes b) { return Buffer(nullptr, b.data(), b.size()); }
  // wrap lends the caller's memory: `release(ctx, data, size)` runs once, on the loop, after the last view is gone.
  static Buffer wrap(Bytes b, Release release, void* ctx);
  // take moves a vector in.
  static Buffer take(ByteVector bytes);
  // Undoes wrap(): the lender has its memory back now, and `release` will not run.
  void cancel_release();

  Bytes bytes() const { return {data_, size_}; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // A view of [offset, offset + size) of this one, sharing the block.
  Buffer slice(size_t offset, size_t size) const;

 private:
  friend class BufferPool;
  struct Block;
  Buffer(Block* block, const uint8_t* data, size_t size)
      : block_(block), data_(data), size_(size) {}
  void ref();
  void unref();
  Block* block_ = nullptr;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// BufferPool keeps freed blocks by size class, at most kMaxCached bytes in all. Buffers may outlive the pool.
class BufferPool {
 public:
  static constexpr size_t kMaxCached = 1 << 20;
  BufferPool();
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // copy returns a buffer holding a copy of `bytes`.
  Buffer copy(Bytes bytes);
  // allocate returns a buffer of `size` bytes and, in `*out`, where to write them before sharing it.
  Buffer allocate(size_t size, uint8_t** out);
  // wrap is Buffer::wrap without an allocation in steady state.
  Buffer wrap(Bytes bytes, Buffer::Release release, void* ctx);

 private:
  friend class Buffer;
  struct State;
  Buffer::Block* take_block(size_t size);
  State* state_;
};

}  // namespace kith
