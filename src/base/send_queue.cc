#include "base/send_queue.h"

#include <algorithm>
#include <utility>

#include "base/result.h"

namespace kith {

void SendQueue::push_node(Node* node) {
  node->next = nullptr;
  (last_ ? last_->next : first_) = node;
  last_ = node;
  size_ += node->data.size();
}

SendQueue::Node* SendQueue::pop_node() {
  Node* node = first_;
  first_ = node->next;
  if (!first_) last_ = nullptr;
  size_ -= node->data.size();
  return node;
}

void SendQueue::push(Buffer data, Pool& pool) {
  KITH_CHECK(!data.empty());
  Node* node = pool.create();
  node->data = std::move(data);
  push_node(node);
}

void SendQueue::take(size_t n, std::vector<Bytes>& out, SendQueue& done) {
  KITH_CHECK(n <= size_);
  while (n != 0) {
    Buffer& data = first_->data;
    const size_t m = std::min(n, data.size());
    out.push_back(data.bytes().first(m));
    n -= m;
    if (m < data.size()) {
      data = data.slice(m, data.size() - m);
      size_ -= m;
    } else {
      done.push_node(pop_node());
    }
  }
}

void SendQueue::move_to(SendQueue& other) {
  if (!first_) return;
  (other.last_ ? other.last_->next : other.first_) = first_;
  other.last_ = last_;
  other.size_ += std::exchange(size_, 0);
  first_ = last_ = nullptr;
}

void SendQueue::clear(Pool& pool) {
  while (first_) pool.destroy(pop_node());
}

}  // namespace kith
