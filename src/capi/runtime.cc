// kith/runtime.h
#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

bool kith_runtime::on_worker() const {
  for (size_t i = 1; i < loops.size(); ++i) {
    if (loops[i]->has_thread() && loops[i]->loop().on_loop()) return true;
  }
  return false;
}

Status kith_runtime::start_workers() {
  for (size_t i = 1; i < loops.size(); ++i) {
    if (Status s = loops[i]->start_thread(); !s.ok()) {
      stop_workers();
      return s;
    }
  }
  return {};
}

void kith_runtime::stop_workers() {
  for (size_t i = 1; i < loops.size(); ++i) loops[i]->join_thread();
}

extern "C" {

void kith_runtime_config_init(kith_runtime_config* config, size_t size) {
  init_struct(config, size, {size, 1});
}

kith_status kith_runtime_new(kith_runtime** out, kith_error* out_error) {
  kith_runtime_config config;
  kith_runtime_config_init(&config, sizeof config);
  return kith_runtime_new_with(out, &config, out_error);
}

kith_status kith_runtime_new_with(kith_runtime** out, const kith_runtime_config* config,
                                  kith_error* out_error) {
  kith_runtime_config c;
  kith_runtime_config_init(&c, sizeof c);
  if (!out || !copy_struct(config, &c) || c.num_loops == 0) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "runtime"));
  }
  if (c.num_loops > 1 && !KITH_MSQUIC_PATCHED) {
    return fill(out_error, Error(KITH_ERR_NOT_SUPPORTED, "runtime",
                                 "this MsQuic cannot listen on several loops"));
  }
  auto runtime = std::make_unique<kith_runtime>();
  for (uint32_t i = 0; i < c.num_loops; ++i) {
    Result<std::unique_ptr<host::Runtime>> loop = host::Runtime::create();
    if (!loop.ok()) return fill(out_error, loop.error());
    runtime->loops.push_back(std::move(loop).value());
  }
  *out = runtime.release();
  return KITH_OK;
}

void kith_runtime_free(kith_runtime* runtime) {
  if (!runtime) return;
  if (runtime->in_callback() || runtime->on_worker()) return;  // nothing could run the rest of it
  runtime->main().join_thread();
  runtime->stop_workers();
  for (const auto& l : runtime->loops) {
    l->loop().release_thread();
    l->loop().drain_posted();
  }
  size_t num_hosts = 1;
  while (num_hosts != 0) {
    for (kith_host* host : std::list<kith_host*>(runtime->hosts)) {
      host->mute();
      if (!host->closing) kith_host_close(host, nullptr, nullptr);
    }
    num_hosts = runtime->hosts.size();
    for (const auto& l : runtime->loops) num_hosts += l->num_hosts;
    const Duration wait = milliseconds(num_hosts == 0 ? 0 : runtime->has_workers() ? 1 : 100);
    for (const auto& l : runtime->loops) l->loop().turn(runtime::EpollLoop::clock() + wait);
  }
  delete runtime;
}

kith_status kith_runtime_start(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->on_loop() || runtime->in_callback()) return KITH_ERR_INVALID_STATE;  // it runs
  if (Status s = runtime->start_workers(); !s.ok()) return s.status();
  const Status status = runtime->main().start_thread();
  if (!status.ok()) runtime->stop_workers();
  return status.status();
}

kith_status kith_runtime_stop(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  host::Runtime& main = runtime->main();
  if (!main.has_thread() || runtime->on_loop() || runtime->on_worker()) {
    return KITH_ERR_INVALID_STATE;
  }
  main.join_thread();  // first: it may be waiting for a worker
  runtime->stop_workers();
  return KITH_OK;
}

int kith_runtime_fd(kith_runtime* runtime) {
  return runtime && !runtime->has_workers() ? runtime->main().loop().fd() : -1;
}

int64_t kith_runtime_timeout_ms(kith_runtime* runtime) {
  if (!runtime || runtime->has_workers() || runtime->main().has_thread() || !runtime->on_loop()) {
    return -1;
  }
  const TimePoint deadline = runtime->main().loop().next_deadline();
  if (deadline == kNever) return -1;
  const Duration left = deadline - runtime::EpollLoop::clock();
  return left <= 0 ? 0 : (left + milliseconds(1) - 1) / milliseconds(1);
}

kith_status kith_runtime_drive(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->has_workers() || runtime->main().has_thread()) return KITH_ERR_INVALID_STATE;
  runtime::EpollLoop& loop = runtime->main().loop();
  if (!loop.claim_thread()) return KITH_ERR_WRONG_THREAD;
  if (loop.in_turn()) return KITH_ERR_INVALID_STATE;
  loop.drive();
  return KITH_OK;
}

kith_status kith_runtime_run(kith_runtime* runtime) {
  if (!runtime) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->main().has_thread()) return KITH_ERR_INVALID_STATE;
  runtime::EpollLoop& loop = runtime->main().loop();
  if (!loop.claim_thread()) return KITH_ERR_WRONG_THREAD;
  if (loop.in_turn()) return KITH_ERR_INVALID_STATE;
  if (Status s = runtime->start_workers(); !s.ok()) return s.status();
  const bool ok = loop.run();
  runtime->stop_workers();
  return ok ? KITH_OK : KITH_ERR_WRONG_THREAD;
}

void kith_runtime_quit(kith_runtime* runtime) {
  if (runtime && !runtime->main().has_thread()) runtime->main().loop().stop();
}

kith_status kith_runtime_post(kith_runtime* runtime, void (*fn)(void* user), void* user) {
  if (!runtime || !fn) return KITH_ERR_INVALID_ARGUMENT;
  runtime->main().loop().post([fn, user] { fn(user); });
  return KITH_OK;
}

kith_status kith_runtime_call(kith_runtime* runtime, void (*fn)(void* user), void* user) {
  if (!runtime || !fn) return KITH_ERR_INVALID_ARGUMENT;
  if (runtime->on_loop()) {
    fn(user);
    return KITH_OK;
  }
  if (runtime->on_worker()) return KITH_ERR_WRONG_THREAD;  // the main loop may be waiting for it
  return runtime->main().call([fn, user] { fn(user); }).status();
}

kith_status kith_runtime_after(kith_runtime* runtime, int64_t delay_ms, void (*fn)(void* user),
                               void* user) {
  if (!runtime || !fn || delay_ms < 0 || delay_ms > kMaxDelayMs) return KITH_ERR_INVALID_ARGUMENT;
  if (!runtime->on_loop()) return KITH_ERR_WRONG_THREAD;
  runtime->main().loop().after(milliseconds(delay_ms), [fn, user] { fn(user); });
  return KITH_OK;
}

}  // extern "C"
