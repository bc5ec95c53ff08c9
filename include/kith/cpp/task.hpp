// Task and TaskGroup: coroutines on a runtime's loop, and who owns them.
//
// A Task is lazy: it starts when it is awaited, or given to a TaskGroup or a Runtime. Whoever holds it owns it, and
// destroying it cancels it wherever it waits: its frame goes, and with the frame every operation under way. Tasks of
// one runtime run on its loop only, one at a time, so they need no locks. An exception that leaves a task terminates
// the program.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "kith/cpp/result.hpp"

namespace kith {
inline namespace api {

template <typename T = void>
class Task;

namespace detail {

struct PromiseBase {
  std::coroutine_handle<> continuation;  // of the task that awaits this one
  void (*on_done)(void* ctx) = nullptr;  // of a task that nobody awaits; may destroy the frame
  void* ctx = nullptr;
  bool starting = false;  // the awaiting task is still in await_suspend

  std::suspend_always initial_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { std::terminate(); }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    // Out of line, because on_done may free the frame that an inlined copy would keep its variables in.
    template <typename P>
    [[gnu::noinline]] std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) noexcept {
      PromiseBase& p = h.promise();
      if (p.starting) return std::noop_coroutine();
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

// A Task is a coroutine that yields a T: `Task<Result<size_t>> f() { ... co_return n; }`.
template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using value_type = T;
  Task() = default;
  explicit Task(std::coroutine_handle<promise_type> h) : handle_(h) {}
  Task(Task&& o) noexcept : handle_(std::exchange(o.handle_, {})) {}
  Task& operator=(Task&& o) noexcept {
    if (this != &o) {
      cancel();
      handle_ = std::exchange(o.handle_, {});
    }
    return *this;
  }
  ~Task() { cancel(); }

  // Destroys the coroutine. Not from inside it.
  void cancel() {
    if (auto h = std::exchange(handle_, {})) h.destroy();
  }
  // False after a move and after cancel().
  explicit operator bool() const { return static_cast<bool>(handle_); }

  // co_await std::move(task) runs it and yields its value.
  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> handle;
      bool await_ready() noexcept { return false; }
      // Without symmetric transfer: a task that never waits must not deepen the stack, optimized or not.
      bool await_suspend(std::coroutine_handle<> caller) noexcept {
        detail::PromiseBase& p = handle.promise();
        p.continuation = caller;
        p.starting = true;
        handle.resume();
        p.starting = false;
        return !handle.done();
      }
      T await_resume() { return handle.promise().take(); }
    };
    return Awaiter{handle_};
  }

  // For Runtime and TaskGroup: runs the task until it first waits. `on_done(ctx)` runs when it has finished, perhaps
  // now, and may destroy it.
  void start(void (*on_done)(void* ctx), void* ctx) {
    const auto h = handle_;
    h.promise().on_done = on_done;
    h.promise().ctx = ctx;
    h.resume();
  }
  // The value of a finished task, once.
  T take() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

class Operation;

// A Waiter is a place where at most one coroutine waits.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  inline ~Waiter();
  bool waiting() const { return operation_ != nullptr; }
  // Resumes the coroutine, inline, if what it waits for is complete. It may destroy this object.
  inline void wake();

 private:
  friend class Operation;
  Operation* operation_ = nullptr;
};

// An Operation is what a coroutine awaits: an object in its frame. Destroying the frame takes it from its Waiter.
class Operation {
 public:
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  void await_suspend(std::coroutine_handle<> h) noexcept {
    handle_ = h;
    waiter_->operation_ = this;
  }

 protected:
  Operation() = default;
  explicit Operation(Waiter& waiter) : waiter_(&waiter) {}
  virtual ~Operation() {
    // Without a handle it never waited, and the Waiter may be gone.
    if (handle_ && waiter_ && waiter_->operation_ == this) waiter_->operation_ = nullptr;
  }
  void wait_at(Waiter& waiter) { waiter_ = &waiter; }
  // Goes on as far as possible; true when complete.
  virtual bool step() = 0;

 private:
  friend class Waiter;
  Waiter* waiter_ = nullptr;
  std::coroutine_handle<> handle_;
};

Waiter::~Waiter() {
  if (operation_) operation_->waiter_ = nullptr;
}

void Waiter::wake() {
  Operation* operation = operation_;
  if (!operation || !operation->step()) return;
  operation_ = nullptr;
  operation->waiter_ = nullptr;
  operation->handle_.resume();
}

// An Outcome is where a C callback that cannot be canceled meets the coroutine that wants its result: whoever comes
// last frees it.
template <typename T>
struct Outcome {
  size_t refs = 1;
  std::optional<T> value;
  Waiter waiter;
  virtual ~Outcome() = default;
  void unref() {
    if (--refs == 0) delete this;
  }
  void set(T v) {
    value.emplace(std::move(v));
    waiter.wake();
  }
  static void unref_user(void* user) { static_cast<Outcome*>(user)->unref(); }
};

// Awaits an Outcome. Derived operations begin it in await_ready(), which ends with begun().
template <typename T>
class OutcomeOperation : public Operation {
 public:
  T await_resume() { return std::move(*outcome_->value); }

 protected:
  explicit OutcomeOperation(Outcome<T>* outcome) : Operation(outcome->waiter), outcome_(outcome) {}
  ~OutcomeOperation() { outcome_->unref(); }
  bool step() override { return outcome_->value.has_value(); }
  // The callback holds a reference from before it can run.
  Outcome<T>* lend() {
    ++outcome_->refs;
    return outcome_;
  }
  // Without an error the callback will come, and drop its reference.
  bool begun(kith_status status, const kith_error& error = {}) {
    if (status == KITH_OK) return outcome_->value.has_value();
    outcome_->unref();
    outcome_->value.emplace(to_error(status, error));
    return true;
  }
  Outcome<T>* const outcome_;
};

}  // namespace detail

// A TaskGroup owns tasks that run side by side. On the loop.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  // Cancels what still runs. Not from inside one of its tasks.
  ~TaskGroup() { remove_all(); }

  // Runs `task` until it first waits, and keeps it until it has finished.
  void start(Task<void> task) {
    if (!task) return;
    auto* member = new Member{this, std::move(task), nullptr, first_};
    if (first_) first_->previous = member;
    first_ = member;
    ++size_;
    member->task.start(&TaskGroup::on_done, member);
  }
  size_t size() const { return size_; }
  // Destroys all of them. Not from inside one.
  void cancel() {
    remove_all();
    joiner_.wake();
  }

  // co_await group.join() waits until no task is left. One coroutine at a time.
  auto join() {
    class Join : public detail::Operation {
     public:
      explicit Join(TaskGroup& group) : Operation(group.joiner_), group_(group) {}
      bool await_ready() { return step() || group_.joiner_.waiting(); }
      void await_resume() {}

     private:
      bool step() override { return group_.size_ == 0; }
      TaskGroup& group_;
    };
    return Join(*this);
  }

 private:
  struct Member {
    TaskGroup* group;
    Task<void> task;
    Member* previous;
    Member* next;
  };
  static void on_done(void* ctx) {
    auto* member = static_cast<Member*>(ctx);
    TaskGroup* group = member->group;
    group->remove(member);
    group->joiner_.wake();
  }
  void remove(Member* member) {
    (member->previous ? member->previous->next : first_) = member->next;
    if (member->next) member->next->previous = member->previous;
    --size_;
    delete member;
  }
  void remove_all() {
    while (first_) remove(first_);
  }

  Member* first_ = nullptr;
  size_t size_ = 0;
  detail::Waiter joiner_;
};

}  // namespace api
}  // namespace kith
