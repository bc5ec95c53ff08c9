#include "base/buffer.h"

#include <bit>
#include <new>

#include "base/asan.h"
#include "base/result.h"

namespace kith {

namespace {
constexpr size_t kSmallest = 64;
constexpr size_t kNumClasses = 11;  // 64 B .. 64 KiB, doubling

size_t class_of(size_t size) {
  if (size <= kSmallest) return 0;
  return static_cast<size_t>(std::bit_width((size - 1) / kSmallest));
}
}  // namespace

// One header for all kinds of blocks; pooled blocks carry their bytes behind it, unless they stand for lent ones.
struct Buffer::Block {
  uint32_t refs = 1;
  uint32_t size_class = 0;
  BufferPool::State* pool = nullptr;  // pooled
  Release release = nullptr;          // lent
  void* ctx = nullptr;
  Bytes lent;
  Block* next = nullptr;  // in the free list
  uint8_t* payload() { return reinterpret_cast<uint8_t*>(this + 1); }
};

struct BufferPool::State {
  std::array<Buffer::Block*, kNumClasses> free{};
  size_t cached = 0;
  size_t outstanding = 0;
  bool orphaned = false;
};

Buffer Buffer::wrap(Bytes b, Release release, void* ctx) {
  Block* block = new Block;
  block->release = release;
  block->ctx = ctx;
  block->lent = b;
  return Buffer(block, b.data(), b.size());
}

Buffer Buffer::take(ByteVector bytes) {
  auto* owned = new ByteVector(std::move(bytes));
  return wrap(
      *owned, [](void* ctx, const uint8_t*, size_t) { delete static_cast<ByteVector*>(ctx); },
      owned);
}

Buffer Buffer::slice(size_t offset, size_t size) const {
  KITH_CHECK(offset <= size_ && size <= size_ - offset);
  Buffer out = *this;
  out.data_ += offset;
  out.size_ = size;
  return out;
}

void Buffer::ref() {
  if (block_) ++block_->refs;
}

void Buffer::cancel_release() {
  if (block_) block_->release = nullptr;
}

void Buffer::unref() {
  if (!block_ || --block_->refs != 0) return;
  if (block_->release) block_->release(block_->ctx, block_->lent.data(), block_->lent.size());
  BufferPool::State* pool = block_->pool;
  if (!pool) {
    delete block_;
    return;
  }
  const size_t capacity = kSmallest << block_->size_class;
  --pool->outstanding;
  if (!pool->orphaned && block_->size_class < kNumClasses &&
      pool->cached + capacity <= BufferPool::kMaxCached) {
    block_->next = std::exchange(pool->free[block_->size_class], block_);
    pool->cached += capacity;
    poison(block_->payload(), capacity);
    return;
  }
  ::operator delete(block_);
  if (pool->orphaned && pool->outstanding == 0) delete pool;
}

BufferPool::BufferPool() : state_(new State) {}

BufferPool::~BufferPool() {
  for (size_t i = 0; i < kNumClasses; ++i) {
    for (Buffer::Block* b = state_->free[i]; b != nullptr;) {
      Buffer::Block* next = b->next;
      unpoison(b->payload(), kSmallest << i);
      ::operator delete(b);
      b = next;
    }
  }
  state_->orphaned = true;
  if (state_->outstanding == 0) delete state_;
}

Buffer::Block* BufferPool::take_block(size_t size) {
  const size_t size_class = class_of(size);
  Buffer::Block* block = nullptr;
  if (size_class < kNumClasses && state_->free[size_class]) {
    block = state_->free[size_class];
    state_->free[size_class] = block->next;
    state_->cached -= kSmallest << size_class;
    unpoison(block->payload(), kSmallest << size_class);
  } else {
    const size_t capacity = size_class < kNumClasses ? kSmallest << size_class : size;
    block = new (::operator new(sizeof(Buffer::Block) + capacity)) Buffer::Block;
    block->size_class = static_cast<uint32_t>(size_class);
    block->pool = state_;
  }
  block->refs = 1;
  block->release = nullptr;
  ++state_->outstanding;
  return block;
}

Buffer BufferPool::allocate(size_t size, uint8_t** out) {
  Buffer::Block* block = take_block(size);
  *out = block->payload();
  return Buffer(block, block->payload(), size);
}

Buffer BufferPool::copy(Bytes bytes) {
  uint8_t* out = nullptr;
  Buffer b = allocate(bytes.size(), &out);
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return b;
}

Buffer BufferPool::wrap(Bytes bytes, Buffer::Release release, void* ctx) {
  Buffer::Block* block = take_block(0);
  block->release = release;
  block->ctx = ctx;
  block->lent = bytes;
  return Buffer(block, bytes.data(), bytes.size());
}

}  // namespace kith
