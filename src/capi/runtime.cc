// kith/runtime.h
#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

extern "C" {

kith_status kith_runtime_new(kith_runtime** out, kith_error* out_error) {
  if (!out) return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "runtime"));
  Result<std::unique_ptr<host::Runtime>> r = host::Runtime::create();
  if (!r.ok()) return fill(out_error, r.error());
  *out = new kith_runtime{std::move(r).value(), {}};
  return KITH_OK;
}

void kith_runtime_free(kith_runtime* runtime) {
  if (!runtime) return;
  host::Runtime& r = *runtime->runtime;
  runtime::EpollLoop& loop = r.loop();
  if (runtime->in_callback()) return;  // nothing could run the rest of it
  r.join_thread();
  loop.release_thread();
  loop.drain_posted();
  for (;;) {
    for (kith_host* host : std::list<kith_host*>(runtime->hosts)) {
      host->mute();
      if (!host->closing) kith_host_close(host, nullptr, nullptr);
    }
    if (runtime->hosts.empty() && r.num_hosts == 0) break;
    loop.turn(runtime::EpollLoop::clock() + milliseconds(100));
  }
  delete runtime;
}

kith_status kith_runtime_start(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->on_loop() || runtime->in_callback()) return KITH_ERR_INVALID_STATE;  // it runs
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
  if (!runtime || runtime->runtime->has_thread() || !runtime->on_loop()) return -1;
  const TimePoint deadline = runtime->runtime->loop().next_deadline();
  if (deadline == kNever) return -1;
  const Duration left = deadline - runtime::EpollLoop::clock();
  return left <= 0 ? 0 : (left + milliseconds(1) - 1) / milliseconds(1);
}

kith_status kith_runtime_drive(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->runtime->has_thread()) return KITH_ERR_INVALID_STATE;
  runtime::EpollLoop& loop = runtime->runtime->loop();
  if (!loop.claim_thread()) return KITH_ERR_WRONG_THREAD;
  if (loop.in_turn()) return KITH_ERR_INVALID_STATE;
  loop.drive();
  return KITH_OK;
}

kith_status kith_runtime_run(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->runtime->has_thread()) return KITH_ERR_INVALID_STATE;
  runtime::EpollLoop& loop = runtime->runtime->loop();
  if (!loop.claim_thread()) return KITH_ERR_WRONG_THREAD;
  if (loop.in_turn()) return KITH_ERR_INVALID_STATE;
  return loop.run() ? KITH_OK : KITH_ERR_WRONG_THREAD;
}

void kith_runtime_quit(kith_runtime* runtime) {
  if (runtime && !runtime->runtime->has_thread()) runtime->runtime->loop().stop();
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
  return runtime->runtime->call([fn, user] { fn(user); }).status();
}

kith_status kith_runtime_after(kith_runtime* runtime, int64_t delay_ms, void (*fn)(void* user),
                               void* user) {
  if (!runtime || !fn || delay_ms < 0 || delay_ms > kMaxDelayMs) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->on_loop()) return KITH_ERR_WRONG_THREAD;
  runtime->runtime->loop().after(milliseconds(delay_ms), [fn, user] { fn(user); });
  return KITH_OK;
}

}  // extern "C"
