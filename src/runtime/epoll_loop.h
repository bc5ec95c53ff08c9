// EpollLoop: the machine's loop. One thread, one epoll descriptor for everything: sockets, timers, wake-ups, and the
// engines (MsQuic) that poll beside it.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <vector>

#include "base/result.h"
#include "runtime/loop.h"

namespace kith::runtime {

// An EpollSource is what an event's data pointer points to. The layout (a descriptor, then the function that handles
// its event) is the one MsQuic uses for its own sources, so that one dispatch serves both without knowing MsQuic.
struct EpollSource {
  int fd;
  void (*on_event)(epoll_event* event);
};

// A Poller does work beside the descriptors. poll() runs once per turn, before the wait, and returns when it wants to
// run again at the latest (kNever: only after an event).
class Poller {
 public:
  virtual ~Poller() = default;
  virtual TimePoint poll(TimePoint now) = 0;
};

class EpollLoop final : public Loop {
 public:
  // Makes its own epoll descriptor.
  static Result<std::unique_ptr<EpollLoop>> create();
  // Uses `epoll_fd`, which stays the caller's and must outlive the loop.
  static Result<std::unique_ptr<EpollLoop>> create_on(int epoll_fd);
  ~EpollLoop() override;

  // Between turns nobody has looked at the clock for as long as the caller was away: then it is the clock's.
  TimePoint now() const override { return in_turn_ ? now_ : clock(); }
  TimePoint precise_now() const override { return clock(); }
  int64_t unix_seconds() const override;

  // Runs turns on this thread until stop(). The thread is the loop's meanwhile; false if another one is.
  bool run();
  // Makes run() return after the current turn, or at once when it is called next. Safe from any thread and in signal
  // handlers.
  void stop();
  // run() until `done` is set by somebody who then calls interrupt(); stop() does not end it.
  bool run_until(const std::atomic<bool>& done);
  // Ends a wait. Safe from any thread and in signal handlers.
  void interrupt();
  // Runs what was posted, and nothing else: for after the end of the thread that ran the loop.
  void drain_posted();

  // For a caller with a loop of its own: poll fd() for reading until next_deadline(), then drive().
  int fd() const { return epoll_fd_; }
  TimePoint next_deadline() const;
  // Does what is due, without waiting. Returns the next deadline. The thread is the loop's from then on.
  TimePoint drive();
  // Makes this thread the loop's; false if another one is. release_thread: nobody's is, until the next run() or drive().
  bool claim_thread() { return bind_to_this_thread(); }
  void release_thread() { unbind_thread(); }
  // True while a turn runs, that is, inside any callback.
  bool in_turn() const { return in_turn_; }
  // One turn that waits at most until `deadline`.
  void turn(TimePoint deadline);

  Status watch(EpollSource* source, uint32_t events);
  void unwatch(EpollSource* source);
  void add_poller(Poller* poller) { pollers_.push_back(poller); }
  void remove_poller(Poller* poller) { std::erase(pollers_, poller); }

  static TimePoint clock();

 protected:
  void wake() override;

 private:
  explicit EpollLoop(int epoll_fd, bool owns)
      : epoll_fd_(epoll_fd), owns_fd_(owns), now_(clock()) {}
  Status open_wake();
  // Runs the pollers; the earliest time anything wants to run.
  TimePoint poll_all();

  // Constant after creation.
  const int epoll_fd_;
  const bool owns_fd_;
  // On the loop.
  TimePoint now_;
  TimePoint poller_deadline_ = 0;
  bool in_turn_ = false;
  std::vector<Poller*> pollers_;
  // Any thread.
  struct Wake : EpollSource {
    std::atomic<bool> pending{false};
  } wake_{};
  std::atomic<bool> stop_{false};
};

}  // namespace kith::runtime
