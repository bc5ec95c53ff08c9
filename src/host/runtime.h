// Runtime: one event loop that QUIC runs on, driven by a thread of its own or by the caller.
#pragma once

#include <memory>
#include <thread>

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

  // Runs the loop on a thread of its own. KITH_ERR_INVALID_STATE if it runs already.
  Status start_thread();
  // Stops that thread and waits for it. Not from the loop. Harmless without a thread.
  void join_thread();
  bool has_thread() const { return thread_.joinable(); }

 private:
  Runtime() = default;
  std::unique_ptr<transport::quic::Slot> slot_;
  std::unique_ptr<runtime::EpollLoop> loop_;
  std::thread thread_;
};

}  // namespace kith::host
