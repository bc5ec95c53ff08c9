#include "base/held_bytes.h"

#include <algorithm>

#include "base/result.h"

namespace kith {

static_assert(sizeof(HeldBytes::Chunk) == 4096);

Bytes HeldBytes::front() const {
  if (!pinned_.empty() || !first_) return pinned_.bytes();
  return Bytes(first_->bytes).subspan(first_->begin, first_->end - first_->begin);
}

void HeldBytes::pin(Buffer bytes) {
  KITH_CHECK(empty());
  size_ = bytes.size();
  pinned_ = std::move(bytes);
}

void HeldBytes::append(Bytes bytes, Pool& pool) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (!last_ || last_->end == Chunk::kBytes) {
      Chunk* chunk = pool.create();
      (last_ ? last_->next : first_) = chunk;
      last_ = chunk;
    }
    const size_t n = std::min(bytes.size(), Chunk::kBytes - last_->end);
    std::copy_n(bytes.begin(), n, last_->bytes.begin() + last_->end);
    last_->end += static_cast<uint32_t>(n);
    bytes = bytes.subspan(n);
  }
}

void HeldBytes::consume(size_t n, Pool& pool) {
  KITH_CHECK(n <= size_);
  size_ -= n;
  if (!pinned_.empty()) {
    const size_t m = std::min(n, pinned_.size());
    pinned_ = m < pinned_.size() ? pinned_.slice(m, pinned_.size() - m) : Buffer();
    n -= m;
  }
  while (n != 0) {
    const size_t m = std::min<size_t>(n, first_->end - first_->begin);
    first_->begin += static_cast<uint32_t>(m);
    n -= m;
    if (first_->begin < first_->end) break;
    Chunk* used = first_;
    first_ = used->next;
    if (!first_) last_ = nullptr;
    pool.destroy(used);
  }
}

}  // namespace kith
