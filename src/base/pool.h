// ObjectPool: a free list of objects of one type, for what comes and goes per message or per stream.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace kith {

// Keeps the memory of at most `kMaxFree` destroyed objects. Not thread safe.
template <typename T, size_t kMaxFree = 1024>
class ObjectPool {
 public:
  ObjectPool() { free_.reserve(kMaxFree); }
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;
  ~ObjectPool() {
    for (void* p : free_) ::operator delete(p, std::align_val_t(alignof(T)));
  }

  template <typename... Args>
  T* create(Args&&... args) {
    void* memory;
    if (free_.empty()) {
      memory = ::operator new(sizeof(T), std::align_val_t(alignof(T)));
    } else {
      memory = free_.back();
      free_.pop_back();
    }
    return new (memory) T(std::forward<Args>(args)...);
  }

  void destroy(T* object) {
    object->~T();
    if (free_.size() < kMaxFree) {
      free_.push_back(object);
    } else {
      ::operator delete(object, std::align_val_t(alignof(T)));
    }
  }

 private:
  std::vector<void*> free_;
};

}  // namespace kith
