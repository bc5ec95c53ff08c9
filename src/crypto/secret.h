// Secrets in memory: a byte vector that overwrites itself before its memory goes back, and
// comparison whose time does not depend on the content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "base/bytes.h"

namespace kith::crypto {

// cleanse overwrites `bytes` with zeros in a way that the compiler does not remove.
void cleanse(MutableBytes bytes);

// constant_time_equal compares in a time that depends only on the sizes.
bool constant_time_equal(Bytes a, Bytes b);

// CleansingAllocator cleanses every block before freeing it, so that growing a vector leaves no
// copy behind either.
template <typename T>
struct CleansingAllocator {
  using value_type = T;
  CleansingAllocator() = default;
  template <typename U>
  CleansingAllocator(const CleansingAllocator<U>&) {}  // NOLINT: rebinding is implicit

  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T))); }
  void deallocate(T* p, size_t n) {
    cleanse({reinterpret_cast<uint8_t*>(p), n * sizeof(T)});
    ::operator delete(p);
  }
  friend bool operator==(const CleansingAllocator&, const CleansingAllocator&) { return true; }
};

// SecretBytes is a ByteVector for key material; it converts to Bytes like one.
using SecretBytes = std::vector<uint8_t, CleansingAllocator<uint8_t>>;

}  // namespace kith::crypto
