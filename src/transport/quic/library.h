// The process's one MsQuic library, and its slots: one per event loop.
//
// MsQuic takes its loops once per process, before the first connection, so the library opens with kMaxLoops idle
// ones. A runtime borrows a slot and builds its EpollLoop on the slot's descriptor. The library stays open until the
// process ends: closing it would need every loop to be polled once more.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "runtime/epoll_loop.h"
#include "transport/ip.h"

struct QUIC_API_TABLE;
struct QUIC_HANDLE;
struct QUIC_EXECUTION;

namespace kith::transport::quic {

inline constexpr uint16_t kMaxLoops = 8;

// A Slot is one MsQuic partition: its epoll descriptor and its turn in the loop. Borrowed by one runtime at a time.
class Slot final : public runtime::Poller {
 public:
  // KITH_ERR_LIMIT when kMaxLoops runtimes exist, KITH_ERR_IO when MsQuic cannot start. Safe from any thread.
  static Result<std::unique_ptr<Slot>> acquire();
  ~Slot() override;

  int epoll_fd() const { return epoll_fd_; }
  uint16_t partition() const { return partition_; }
  const QUIC_API_TABLE& api() const { return *api_; }
  QUIC_HANDLE* registration() const { return registration_; }

  TimePoint poll(TimePoint now) override;

  // Where this slot listens, with repetitions: listeners at one address share its socket.
  std::vector<Endpoint> listening;

 private:
  Slot() = default;
  // Constant after acquire().
  int epoll_fd_ = -1;
  uint16_t partition_ = 0;
  QUIC_EXECUTION* execution_ = nullptr;
  const QUIC_API_TABLE* api_ = nullptr;
  QUIC_HANDLE* registration_ = nullptr;
};

}  // namespace kith::transport::quic
