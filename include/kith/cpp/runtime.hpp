// Runtime: the loop that hosts and their tasks run on. See kith/runtime.h for the ways to drive it and for threads.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "kith/cpp/task.hpp"
#include "kith/runtime.h"

namespace kith {
inline namespace api {

class Host;

namespace detail {

struct RuntimeState;

// What a Runtime knows of a Host.
struct RuntimeUser {
  RuntimeState* runtime = nullptr;  // null once it is gone
  virtual void close() = 0;

 protected:
  virtual ~RuntimeUser() = default;
};

// A timer of kith_runtime_after, which never fires if the runtime goes first.
struct Sleep final : Outcome<Status> {
  RuntimeState* state = nullptr;
  size_t index = 0;  // in state->sleeps
};

struct RuntimeState {
  kith_runtime* runtime = nullptr;
  TaskGroup tasks;
  std::vector<RuntimeUser*> users;
  size_t num_open = 0;  // of their C hosts, those that are not yet gone
  bool ending = false;
  std::vector<Sleep*> sleeps;
};

class SleepOperation final : public OutcomeOperation<Status> {
 public:
  SleepOperation(RuntimeState& state, int64_t delay_ms)
      : OutcomeOperation(new Sleep), state_(state), delay_ms_(delay_ms) {}
  bool await_ready() {
    auto* sleep = static_cast<Sleep*>(lend());
    const kith_status status = kith_runtime_after(state_.runtime, delay_ms_, &on_time, sleep);
    if (status == KITH_OK) {
      sleep->state = &state_;
      sleep->index = state_.sleeps.size();
      state_.sleeps.push_back(sleep);
    }
    return begun(status);
  }
  void await_resume() {}

 private:
  static void on_time(void* user) {
    auto* sleep = static_cast<Sleep*>(user);
    std::vector<Sleep*>& all = sleep->state->sleeps;
    all.back()->index = sleep->index;
    all[sleep->index] = all.back();
    all.pop_back();
    sleep->set({});
    sleep->unref();
  }
  RuntimeState& state_;
  const int64_t delay_ms_;
};

template <typename T>
struct RunResult {
  using type = Result<T>;
  static type take(Task<T>& task) { return task.take(); }
};
template <>
struct RunResult<void> {
  using type = Result<void>;
  static type take(Task<void>&) { return {}; }
};
template <typename T>
struct RunResult<Result<T>> {
  using type = Result<T>;
  static type take(Task<Result<T>>& task) { return task.take(); }
};

}  // namespace detail

// A Runtime owns one loop, and the tasks spawned on it.
class Runtime {
 public:
  // Returns KITH_ERR_LIMIT (8 in a process) or KITH_ERR_IO on failure.
  static Result<Runtime> create() {
    auto state = std::make_unique<detail::RuntimeState>();
    kith_error error{};
    const kith_status status = kith_runtime_new(&state->runtime, &error);
    if (status != KITH_OK) return detail::to_error(status, error);
    return Runtime(std::move(state));
  }
  Runtime(Runtime&&) noexcept = default;
  Runtime& operator=(Runtime&& o) noexcept {
    std::swap(state_, o.state_);
    return *this;
  }
  // Stops the thread, if any, cancels the tasks spawned, closes the hosts that are still open (they answer
  // KITH_ERR_CLOSED from then on) and waits until their peers have been told. Not from the loop's own callbacks.
  ~Runtime() {
    if (!state_) return;
    kith_runtime_stop(state_->runtime);  // KITH_ERR_INVALID_STATE without a thread: nothing to stop
    state_->tasks.cancel();
    for (detail::RuntimeUser* user : state_->users) user->close();
    state_->ending = true;  // the last host to go ends the loop; a quit() from before may, too
    while (state_->num_open != 0 && kith_runtime_run(state_->runtime) == KITH_OK) {
    }
    kith_runtime_free(state_->runtime);
    for (detail::RuntimeUser* user : state_->users) user->runtime = nullptr;
    for (detail::Sleep* sleep : state_->sleeps) sleep->unref();
  }

  // Runs `task` and the loop on this thread until the task has finished, and returns its value: a Result<T> for Task<T>
  // and for Task<Result<T>>. KITH_ERR_CANCELED when quit() ended the loop first, KITH_ERR_INVALID_STATE or
  // KITH_ERR_WRONG_THREAD when it runs already; the task is canceled then.
  template <typename T>
  typename detail::RunResult<T>::type run(Task<T> task) {
    struct Run {
      kith_runtime* runtime;
      bool done = false;
      bool running = false;
    } r{state_->runtime};
    // Refused on a foreign thread before anything of the task has run here.
    bool is_loop = false;
    const auto is_here = [&is_loop, here = std::this_thread::get_id()] {
      is_loop = here == std::this_thread::get_id();
    };
    if (!call(is_here).ok() || !is_loop) return Error(KITH_ERR_WRONG_THREAD);
    kith_status status = KITH_OK;
    task.start(
        [](void* ctx) {
          auto* self = static_cast<Run*>(ctx);
          self->done = true;
          if (self->running) kith_runtime_quit(self->runtime);
        },
        &r);
    if (!r.done) {
      r.running = true;
      status = kith_runtime_run(state_->runtime);
    }
    if (!r.done) return Error(status == KITH_OK ? KITH_ERR_CANCELED : status);
    return detail::RunResult<T>::take(task);
  }
  // Runs the loop on this thread until quit().
  Status run() { return detail::to_status(kith_runtime_run(state_->runtime)); }
  // Makes run() return. Any thread; safe in a signal handler.
  void quit() { kith_runtime_quit(state_->runtime); }

  // Runs the loop on a thread of kith's own until stop() or the destructor.
  Status start() { return detail::to_status(kith_runtime_start(state_->runtime)); }
  Status stop() { return detail::to_status(kith_runtime_stop(state_->runtime)); }

  // For a loop of your own: wait until fd() is readable or timeout() has passed (nothing: no deadline), then drive().
  int fd() { return kith_runtime_fd(state_->runtime); }
  std::optional<std::chrono::milliseconds> timeout() {
    const int64_t ms = kith_runtime_timeout_ms(state_->runtime);
    if (ms < 0) return std::nullopt;
    return std::chrono::milliseconds(ms);
  }
  Status drive() { return detail::to_status(kith_runtime_drive(state_->runtime)); }

  // Starts `task` and owns it until it has finished. On the loop.
  void spawn(Task<void> task) { state_->tasks.start(std::move(task)); }

  // Runs `f()` on the loop, later; at the latest in the destructor. Any thread. `f` must not throw.
  template <typename F>
  Status post(F f) {
    auto* heap = new F(std::move(f));
    const kith_status status = kith_runtime_post(
        state_->runtime,
        [](void* user) {
          const std::unique_ptr<F> own(static_cast<F*>(user));
          (*own)();
        },
        heap);
    if (status != KITH_OK) delete heap;
    return detail::to_status(status);
  }
  // Runs `f()` on the loop and waits until it has returned. Any thread while start()'s thread runs; on the loop a plain
  // call. KITH_ERR_INVALID_STATE when no thread runs the loop. `f` must not throw.
  template <typename F>
  Status call(F&& f) {
    using Callable = std::remove_reference_t<F>;
    return detail::to_status(kith_runtime_call(
        state_->runtime, [](void* user) { (*static_cast<Callable*>(user))(); },
        const_cast<void*>(static_cast<const void*>(std::addressof(f)))));
  }

  // co_await runtime.sleep(100ms). A negative delay is none.
  detail::SleepOperation sleep(std::chrono::milliseconds delay) {
    constexpr int64_t kLongest = int64_t{1} << 40;  // 34 years
    return detail::SleepOperation(*state_, std::clamp<int64_t>(delay.count(), 0, kLongest));
  }

  // The C handle, for what this wrapper lacks.
  kith_runtime* get() const { return state_->runtime; }

 private:
  friend class Host;
  explicit Runtime(std::unique_ptr<detail::RuntimeState> state) : state_(std::move(state)) {}
  std::unique_ptr<detail::RuntimeState> state_;
};

}  // namespace api
}  // namespace kith
