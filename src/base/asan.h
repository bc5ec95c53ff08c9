// Marks memory that a pool keeps for reuse as out of bounds, in builds with AddressSanitizer: a pooled object that is used
// after its end is then found as surely as one that was freed. Nothing in other builds.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define KITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KITH_ASAN 1
#endif
#endif

#ifdef KITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace kith {

#ifdef KITH_ASAN
inline constexpr bool kHasAsan = true;  // everything takes several times as long
#else
inline constexpr bool kHasAsan = false;
#endif

inline void poison(const void* memory, size_t size) {
#ifdef KITH_ASAN
  __asan_poison_memory_region(memory, size);
#else
  static_cast<void>(memory), static_cast<void>(size);
#endif
}

inline void unpoison(const void* memory, size_t size) {
#ifdef KITH_ASAN
  __asan_unpoison_memory_region(memory, size);
#else
  static_cast<void>(memory), static_cast<void>(size);
#endif
}

}  // namespace kith
