#include "host/runtime.h"

#include <cstring>
#include <latch>

namespace kith::host {

Result<std::unique_ptr<Runtime>> Runtime::create() {
  std::unique_ptr<Runtime> r(new Runtime);
  KITH_ASSIGN(r->slot_, transport::quic::Slot::acquire());
  KITH_ASSIGN(r->loop_, runtime::EpollLoop::create_on(r->slot_->epoll_fd()));
  r->loop_->add_poller(r->slot_.get());
  return r;
}

Runtime::~Runtime() {
  KITH_CHECK(!has_thread() && num_hosts == 0);
  if (!loop_) return;
  // MsQuic closes its sockets in turns after the last connection; the slot's next user should not find them.
  loop_->release_thread();
  loop_->drive();
}

Status Runtime::start_thread() {
  std::lock_guard lock(lifecycle_);
  if (has_thread()) return Error(KITH_ERR_INVALID_STATE, "runtime", "it runs already");
  joining_ = false;
  const auto body = [](void* ctx) -> void* {
    auto* self = static_cast<Runtime*>(ctx);
    self->loop_->run_until(self->joining_);
    return nullptr;
  };
  // Whoever drove the loop until now has handed it over.
  loop_->release_thread();
  if (const int error = pthread_create(&thread_, nullptr, body, this); error != 0) {
    return Error(KITH_ERR_IO, "runtime", std::string("no thread: ") + std::strerror(error));
  }
  has_thread_ = true;
  // From here on every other thread must count as foreign.
  std::latch running(1);
  loop_->post([&] { running.count_down(); });
  running.wait();
  std::lock_guard calls(calls_);
  takes_calls_ = true;
  return {};
}

void Runtime::join_thread() {
  std::lock_guard lock(lifecycle_);
  if (!has_thread()) return;
  {
    std::lock_guard calls(calls_);
    takes_calls_ = false;
  }
  joining_ = true;
  loop_->interrupt();
  pthread_join(thread_, nullptr);
  has_thread_ = false;
  loop_->drain_posted();  // among it the calls that others wait for
}

Status Runtime::call(const std::function<void()>& fn) {
  std::latch done(1);
  {
    std::lock_guard calls(calls_);
    if (!takes_calls_) return Error(KITH_ERR_INVALID_STATE, "runtime", "no thread runs the loop");
    loop_->post([&] {
      fn();
      done.count_down();
    });
  }
  done.wait();
  return {};
}

}  // namespace kith::host
