// IntrusiveList: a doubly linked list through a member of its elements. Nothing is allocated, an element leaves in
// constant time, and the list never owns what is on it.
#pragma once

#include <utility>

#include "base/result.h"

namespace kith {

// A place in a list; one per list that an element can be on.
template <typename T>
struct ListHook {
  T* prev = nullptr;
  T* next = nullptr;
  bool is_on = false;
};

// IntrusiveList<Stream, &Stream::hook> is a list of streams, oldest first. Elements must leave before they are destroyed.
template <typename T, ListHook<T> T::*kHook>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return first_ == nullptr; }
  T* front() const { return first_; }
  static bool has(const T& element) { return (element.*kHook).is_on; }

  // Harmless if `element` is on the list.
  void push_back(T& element) {
    ListHook<T>& hook = element.*kHook;
    if (hook.is_on) return;
    hook = {last_, nullptr, true};
    (last_ ? (last_->*kHook).next : first_) = &element;
    last_ = &element;
  }
  // Harmless if `element` is on no list; otherwise it must be on this one.
  void remove(T& element) {
    const ListHook<T> hook = std::exchange(element.*kHook, {});
    if (!hook.is_on) return;
    (hook.prev ? (hook.prev->*kHook).next : first_) = hook.next;
    (hook.next ? (hook.next->*kHook).prev : last_) = hook.prev;
  }
  // nullptr when empty.
  T* pop_front() {
    T* element = first_;
    if (element) remove(*element);
    return element;
  }
  // Takes over the elements of `other`. Precondition: this list is empty.
  void take(IntrusiveList& other) {
    KITH_CHECK(empty());
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace kith
