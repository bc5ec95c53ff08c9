// ObjectPool: a free list of objects of one type, for what comes and goes per message or per stream.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/asan.h"

namespace kith {

// Keeps the memory of at most `kMaxFree` destroyed objects. Not thread safe.
template <typename T, size_t kMaxFree = 1024>
class ObjectPool {
 public:
  ObjectPool() { free_.reserve(kMaxFree); }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() {
    for (void* p : free_) release(p);
  }

  template <typename... Args>
  T* create(Args&&... args) {
    void* memory;
    if (free_.empty()) {
      memory = ::operator new(sizeof(T), std::align_val_t(alignof(T)));
    } else {
      memory = free_.back();
      free_.pop_back();
      unpoison(memory, sizeof(T));
    }
    return new (memory) T(std::forward<Args>(args)...);
  }

  void destroy(T* object) {
    object->~T();
    if (free_.size() < kMaxFree) {
      poison(object, sizeof(T));
      free_.push_back(object);
    } else {
      release(object);
    }
  }

 private:
  static void release(void* memory) {
    unpoison(memory, sizeof(T));
    ::operator delete(memory, std::align_val_t(alignof(T)));
  }

  std::vector<void*> free_;
};

}  // namespace kith
