// Runtime: one event loop that QUIC runs on, driven by a thread of its own or by the caller.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "runtime/epoll_loop.h"
#include "transport/quic/library.h"

namespace kith::host {

class Runtime {
 public:
  // KITH_ERR_LIMIT when the process has quic::kMaxLoops runtimes.
  static Result<std::unique_ptr<Runtime>> create();
  // The thread, if any, must have been joined; every host on the runtime must be gone.
  ~Runtime();

  runtime::EpollLoop& loop() { return *loop_; }
  transport::quic::Slot& slot() { return *slot_; }

  // Runs the loop on a thread of its own, which loop().stop() does not end. KITH_ERR_INVALID_STATE if it runs already;
  // KITH_ERR_IO if there can be no thread. Not from the loop.
  Status start_thread();
  // Stops that thread, waits for it and runs what was posted to it. Not from the loop. Harmless without a thread.
  void join_thread();
  // Any thread.
  bool has_thread() const { return has_thread_.load(); }
  // Runs `fn` on that thread and waits until it has returned. KITH_ERR_INVALID_STATE without a thread. Any thread but that
  // one.
  Status call(const std::function<void()>& fn);

  // Hosts on this runtime that are not destroyed. On the loop.
  size_t num_hosts = 0;

 private:
  Runtime() = default;
  std::unique_ptr<transport::quic::Slot> slot_;
  std::unique_ptr<runtime::EpollLoop> loop_;
  std::mutex lifecycle_;  // held by start_thread() and join_thread()
  pthread_t thread_{};
  std::atomic<bool> has_thread_{false};
  std::atomic<bool> joining_{false};
  // Guards the step from "there is a thread" to a post, against the thread's end in between.
  std::mutex calls_;
  bool takes_calls_ = false;
};

}  // namespace kith::host
