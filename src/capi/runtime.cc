// kith/runtime.h
#include <latch>

#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

extern "C" {

kith_status kith_runtime_new(kith_runtime** out, kith_error* out_error) {
  if (!out) return KITH_ERR_INVALID_ARGUMENT;
  Result<std::unique_ptr<host::Runtime>> r = host::Runtime::create();
  if (!r.ok()) return fill(out_error, r.error());
  *out = new kith_runtime{std::move(r).value(), {}};
  return KITH_OK;
}

void kith_runtime_free(kith_runtime* runtime) {
  if (!runtime) return;
  runtime->runtime->join_thread();
  runtime::EpollLoop& loop = runtime->runtime->loop();
  for (kith_host* host : std::list<kith_host*>(runtime->hosts)) {
    host->handler = {};
    if (!host->closing) kith_host_close(host, nullptr, nullptr);
  }
  while (!runtime->hosts.empty()) loop.turn(runtime::EpollLoop::clock() + milliseconds(100));
  delete runtime;
}

kith_status kith_runtime_start(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  return runtime->runtime->start_thread().status();
}

kith_status kith_runtime_stop(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->runtime->has_thread() || runtime->on_loop()) return KITH_ERR_INVALID_STATE;
  runtime->runtime->join_thread();
  return KITH_OK;
}

int kith_runtime_fd(kith_runtime* runtime) { return runtime ? runtime->runtime->loop().fd() : -1; }

int64_t kith_runtime_timeout_ms(kith_runtime* runtime) {
  if (!runtime) return -1;
  const TimePoint deadline = runtime->runtime->loop().next_deadline();
  if (deadline == kNever) return -1;
  const Duration left = deadline - runtime::EpollLoop::clock();
  return left <= 0 ? 0 : (left + milliseconds(1) - 1) / milliseconds(1);
}

kith_status kith_runtime_drive(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->runtime->has_thread()) return KITH_ERR_INVALID_STATE;
  if (!runtime->on_loop()) return KITH_ERR_WRONG_THREAD;
  if (runtime->runtime->loop().in_turn()) return KITH_ERR_INVALID_STATE;
  runtime->runtime->loop().drive();
  return KITH_OK;
}

kith_status kith_runtime_run(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->runtime->has_thread() || runtime->runtime->loop().in_turn())
    return KITH_ERR_INVALID_STATE;
  runtime->runtime->loop().run();
  return KITH_OK;
}

void kith_runtime_quit(kith_runtime* runtime) {
  if (runtime) runtime->runtime->loop().stop();
}

kith_status kith_runtime_post(kith_runtime* runtime, void (*fn)(void* user), void* user) {
  if (!runtime || !fn) return KITH_ERR_INVALID_ARGUMENT;
  runtime->runtime->loop().post([fn, user] { fn(user); });
  return KITH_OK;
}

kith_status kith_runtime_call(kith_runtime* runtime, void (*fn)(void* user), void* user) {
  if (!runtime || !fn) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->on_loop()) {
    fn(user);
    return KITH_OK;
  }
  if (!runtime->runtime->has_thread()) return KITH_ERR_INVALID_STATE;
  std::latch done(1);
  runtime->runtime->loop().post([&] {
    fn(user);
    done.count_down();
  });
  done.wait();
  return KITH_OK;
}

kith_status kith_runtime_after(kith_runtime* runtime, int64_t delay_ms, void (*fn)(void* user),
                               void* user) {
  if (!runtime || !fn || delay_ms < 0) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->on_loop()) return KITH_ERR_WRONG_THREAD;
  runtime->runtime->loop().after(milliseconds(delay_ms), [fn, user] { fn(user); });
  return KITH_OK;
}

}  // extern "C"
