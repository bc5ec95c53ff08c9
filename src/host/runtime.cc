#include "host/runtime.h"

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
  KITH_CHECK(!thread_.joinable());
  // MsQuic closes its sockets in turns after the last connection; the slot's next user should not find them.
  if (loop_) loop_->drive();
}

Status Runtime::start_thread() {
  if (thread_.joinable()) return Error(KITH_ERR_INVALID_STATE, "runtime", "it runs already");
  thread_ = std::thread([this] { loop_->run(); });
  // From here on every other thread must count as foreign.
  std::latch running(1);
  loop_->post([&] { running.count_down(); });
  running.wait();
  return {};
}

void Runtime::join_thread() {
  if (!thread_.joinable()) return;
  loop_->stop();
  thread_.join();
}

}  // namespace kith::host
