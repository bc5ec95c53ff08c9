// Moves the packets of one direction from one TUN device to the other, on a thread of its own, through a LinkQueue.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "tools/link_emulator/link_queue.h"

namespace kith::link_emulator {

// How the thread waits.
struct Waiting {
  // After it moved packets it rests so long: they come a little later, and cost much less.
  Duration batch = std::chrono::microseconds(100);
  // It does not sleep when the next departure is nearer than this.
  Duration spin{0};
};

// How much later than LinkQueue said packets departed.
struct Lateness {
  Duration sum{0};
  Duration max{0};
  uint64_t over_1ms = 0;  // packets
};

class Direction {
 public:
  // Starts the thread. `from` and `to` are TUN devices that do not block and outlive it.
  Direction(int from, int to, const LinkConfig& config, const Waiting& waiting);
  // Ends the thread; packets under way are lost.
  ~Direction();
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  void configure(const LinkConfig& config);
  LinkCounters counters() const;
  Lateness lateness() const;

 private:
  void run();
  bool read_some();
  bool write_some();
  bool move_some();
  void wait_for_work();

  const int from_;
  const int to_;
  const int wake_;  // an eventfd, against missing a change while it sleeps
  std::atomic<bool> is_stopping_ = false;
  const Waiting waiting_;
  mutable std::mutex mutex_;
  LinkQueue queue_;    // guarded by mutex_
  Lateness lateness_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace kith::link_emulator
