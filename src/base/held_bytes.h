// HeldBytes: bytes that arrived and wait for somebody to consume them, at fixed addresses, in pooled chunks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/pool.h"
#include "base/result.h"

namespace kith {

// HeldBytes is a queue of bytes. Small pieces share a chunk, so that a peer who sends byte by byte makes us hold little
// more than the bytes. Whoever fills it bounds it. Clear it before its end.
class HeldBytes {
 public:
  struct Chunk {
    static constexpr size_t kBytes = 4096 - 16;
    Chunk* next = nullptr;
    uint32_t begin = 0;
    uint32_t end = 0;
    std::array<uint8_t, kBytes> bytes;
  };
  using Pool = ObjectPool<Chunk, 64>;

  HeldBytes() = default;
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() { KITH_CHECK(size_ == 0); }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // front returns the first bytes, as many as are contiguous; valid, where they are, until they are consumed.
  Bytes front() const;
  bool is_pinned() const { return !pinned_.empty(); }
  // pin holds `bytes` without a copy. Precondition: empty.
  void pin(Buffer bytes);
  // append copies `bytes` behind what is held.
  void append(Bytes bytes, Pool& pool);
  // consume takes the first `n` bytes away. Precondition: n <= size().
  void consume(size_t n, Pool& pool);
  void clear(Pool& pool) { consume(size_, pool); }

 private:
  Buffer pinned_;  // before the chunks
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kith
