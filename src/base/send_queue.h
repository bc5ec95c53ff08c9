// SendQueue: buffers that wait to be sent, taken in pieces of any size without copying.
#pragma once

#include <cstddef>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/pool.h"
#include "base/result.h"

namespace kith {

// SendQueue keeps a reference to each buffer until its last byte is taken, and longer if the taker wants it. Clear it before
// its end.
class SendQueue {
 public:
  struct Node {
    Node* next = nullptr;
    Buffer data;
  };
  using Pool = ObjectPool<Node, 256>;

  SendQueue() = default;
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;
  ~SendQueue() { KITH_CHECK(first_ == nullptr); }

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }  // bytes
  // Precondition: `data` is not empty.
  void push(Buffer data, Pool& pool);
  // take appends views of the first `n` bytes to `out`. They stay valid while this queue keeps what follows them, or `done`
  // keeps the buffers that they finish, which move there. Precondition: n <= size().
  void take(size_t n, std::vector<Bytes>& out, SendQueue& done);
  // move_to moves everything to the end of `other`.
  void move_to(SendQueue& other);
  // clear drops the references, oldest first. Release callbacks may push again, which is dropped as well.
  void clear(Pool& pool);

 private:
  void push_node(Node* node);
  Node* pop_node();
  Node* first_ = nullptr;
  Node* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kith
