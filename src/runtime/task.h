// Task: a coroutine for sequential flows on the loop. Lazy, owned by whoever holds it; destroying it cancels it: the
// frame goes, and with it every awaited operation (each deregisters in its destructor).
#pragma once

#include <coroutine>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

#include "base/result.h"

namespace kith::runtime {

template <typename T>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;
  // Top-level tasks have no continuation but a function to call; it may destroy the frame.
  void (*on_done)(void* ctx) = nullptr;
  void* ctx = nullptr;

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::abort(); }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) noexcept {
      PromiseBase& p = h.promise();
      if (p.continuation) return p.continuation;
      if (p.on_done) p.on_done(p.ctx);
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
};

template <typename T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <typename U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;
  Task() = default;
  explicit Task(Handle h) : handle_(h) {}
  Task(Task&& o) noexcept : handle_(std::exchange(o.handle_, {})) {}
  Task& operator=(Task&& o) noexcept {
    if (this != &o) {
      reset();
      handle_ = std::exchange(o.handle_, {});
    }
    return *this;
  }
  ~Task() { reset(); }

  // Cancels the task if it has not finished.
  void reset() {
    if (Handle h = std::exchange(handle_, {})) h.destroy();
  }
  bool valid() const { return static_cast<bool>(handle_); }

  // Starts a top-level task. `on_done(ctx)` runs when it has finished; it may destroy the task.
  void start(void (*on_done)(void* ctx) = nullptr, void* ctx = nullptr) {
    handle_.promise().on_done = on_done;
    handle_.promise().ctx = ctx;
    handle_.resume();
  }

  // co_await task: runs it and yields its value.
  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle handle;
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
        handle.promise().continuation = caller;
        return handle;
      }
      T await_resume() { return handle.promise().take(); }
    };
    return Awaiter{handle_};
  }

 private:
  Handle handle_;
};

namespace detail {
template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

// A Waiter is the place where at most one coroutine waits to be resumed. `co_await waiter` suspends; resume() wakes
// it, inline. Forgets a coroutine that was destroyed while waiting.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    if (waiting_) waiting_->owner = nullptr;
  }
  bool waiting() const { return waiting_ != nullptr; }
  // Returns false if nobody waits. The resumed coroutine may destroy this object.
  bool resume() {
    Awaiter* a = std::exchange(waiting_, nullptr);
    if (!a) return false;
    a->owner = nullptr;
    a->handle.resume();
    return true;
  }

  struct Awaiter {
    explicit Awaiter(Waiter& w) : owner(&w) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (owner && owner->waiting_ == this) owner->waiting_ = nullptr;
    }
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) noexcept {
      KITH_CHECK(owner->waiting_ == nullptr);
      handle = h;
      owner->waiting_ = this;
    }
    void await_resume() const noexcept {}
    Waiter* owner;
    std::coroutine_handle<> handle;
  };
  Awaiter operator co_await() { return Awaiter(*this); }

 private:
  Awaiter* waiting_ = nullptr;
};

}  // namespace kith::runtime
