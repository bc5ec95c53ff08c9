#include "transport/quic/library.h"

#include <unistd.h>

#include <cstddef>
#include <mutex>

#include "transport/quic/msquic_api.h"
#include "transport/quic/status.h"

namespace kith::transport::quic {

// EpollLoop dispatches MsQuic's events as its own: the layouts must agree.
static_assert(sizeof(QUIC_SQE) == sizeof(runtime::EpollSource));
static_assert(offsetof(QUIC_SQE, fd) == offsetof(runtime::EpollSource, fd));
static_assert(offsetof(QUIC_SQE, Completion) == offsetof(runtime::EpollSource, on_event));

namespace {

// The process-wide library handle. Guarded by its mutex; the parts are constant once open.
struct Library {
  std::mutex mutex;
  const QUIC_API_TABLE* api = nullptr;
  HQUIC registration = nullptr;
  int epoll_fds[kMaxLoops] = {};
  QUIC_EXECUTION* executions[kMaxLoops] = {};
  bool taken[kMaxLoops] = {};

  Status open();
};

Library& library() {
  static Library* instance = new Library;  // never destroyed: see the header
  return *instance;
}

Status Library::open() {
  if (api) return {};
  const QUIC_API_TABLE* table = nullptr;
  QUIC_STATUS status = MsQuicOpen2(&table);
  if (QUIC_FAILED(status)) return error_of(status, "msquic", "MsQuicOpen2");
  QUIC_EXECUTION_CONFIG configs[kMaxLoops];
  for (uint16_t i = 0; i < kMaxLoops; ++i) {
    epoll_fds[i] = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fds[i] < 0) return Error(KITH_ERR_IO, "msquic", "epoll_create1 failed");
    configs[i] = {0, &epoll_fds[i]};
  }
  status = table->ExecutionCreate(QUIC_GLOBAL_EXECUTION_CONFIG_FLAG_NONE, 0, kMaxLoops, configs,
                                  executions);
  if (QUIC_FAILED(status)) return error_of(status, "msquic", "ExecutionCreate");
  const QUIC_REGISTRATION_CONFIG config = {"kith", QUIC_EXECUTION_PROFILE_LOW_LATENCY};
  status = table->RegistrationOpen(&config, &registration);
  if (QUIC_FAILED(status)) return error_of(status, "msquic", "RegistrationOpen");
  api = table;
  return {};
}

}  // namespace

Result<std::unique_ptr<Slot>> Slot::acquire() {
  Library& lib = library();
  std::lock_guard lock(lib.mutex);
  KITH_TRY(lib.open());
  for (uint16_t i = 0; i < kMaxLoops; ++i) {
    if (lib.taken[i]) continue;
    lib.taken[i] = true;
    std::unique_ptr<Slot> slot(new Slot);
    slot->epoll_fd_ = lib.epoll_fds[i];
    slot->partition_ = i;
    slot->execution_ = lib.executions[i];
    slot->api_ = lib.api;
    slot->registration_ = lib.registration;
    return slot;
  }
  return Error(KITH_ERR_LIMIT, "runtime",
               "at most " + std::to_string(kMaxLoops) + " runtimes may exist at once in a process");
}

Slot::~Slot() {
  Library& lib = library();
  std::lock_guard lock(lib.mutex);
  lib.taken[partition_] = false;
}

TimePoint Slot::poll(TimePoint now) {
  const uint32_t wait_ms = api_->ExecutionPoll(execution_);
  return wait_ms == UINT32_MAX ? kNever : now + milliseconds(wait_ms);
}

}  // namespace kith::transport::quic
