// ReadBuffer: the memory that all sockets of a loop read into, one after the other.
#pragma once

#include <memory>

#include "base/buffer.h"
#include "base/result.h"

namespace kith::transport::tcp {

// Bytes in it may be lent, and be kept by whoever wants them later: then it goes on with other memory. Outlives what it lent.
class ReadBuffer {
 public:
  // What one of our nodes sends in one go, 256 KiB and what its secure channel adds, fits whole.
  static constexpr size_t kBytes = 264 * 1024;
  explicit ReadBuffer(BufferPool& pool) : pool_(pool) {}
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { KITH_CHECK(!current_ || !current_->is_lent); }

  // Where to read to. Valid until the next call.
  MutableBytes room() {
    if (!current_ || current_->is_lent) {
      if (current_) current_.release()->is_alone = true;  // it goes when its bytes come back
      current_ = std::make_unique<Block>();
    }
    return {current_->bytes.get(), kBytes};
  }
  // Lends the first `size` bytes of room().
  Buffer lend(size_t size) {
    current_->is_lent = true;
    return pool_.wrap({current_->bytes.get(), size}, take_back, current_.get());
  }

 private:
  struct Block {
    std::unique_ptr<uint8_t[]> bytes = std::make_unique_for_overwrite<uint8_t[]>(kBytes);
    bool is_lent = false;
    bool is_alone = false;
  };
  static void take_back(void* ctx, const uint8_t*, size_t) {
    auto* block = static_cast<Block*>(ctx);
    block->is_lent = false;
    if (block->is_alone) delete block;
  }

  BufferPool& pool_;
  std::unique_ptr<Block> current_;
};

}  // namespace kith::transport::tcp
