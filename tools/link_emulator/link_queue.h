// One direction of an emulated link, sans-IO: packets go in with the time and come out with the time.
//
//   arrives -> [mtu, blackhole] -> queue -> rate -> [loss, corruption, duplication] -> delay, jitter -> departs
//
// Everything random follows from the seed and the number of the packet, and each effect has random numbers of its own:
// which packets are lost does not change when jitter is turned on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace kith::link_emulator {

using Duration = std::chrono::nanoseconds;
using Time = std::chrono::nanoseconds;  // since an origin of the caller's

// LinkConfig is what one direction does to packets. The default does nothing.
struct LinkConfig {
  uint64_t seed = 1;
  size_t mtu = 0;  // longer packets are dropped; 0: all pass

  Duration delay{0};
  Duration jitter{0};  // up to this much more delay, evenly distributed
  bool reorder =
      false;  // jitter may put packets out of order; otherwise one waits for those before

  uint64_t rate_bps = 0;  // bits of IP packets per second; 0: no limit, and then no queue either
  size_t queue_bytes =
      0;  // what waits or is being sent; a packet that finds no room is dropped; 0: no limit
  size_t queue_packets = 0;  // the same in packets

  double loss = 0;         // share of packets, independent of each other
  size_t loss_run = 0;     // at most so many lost in a row (by `loss`); 0: no limit
  double burst_begin = 0;  // Gilbert-Elliott: chance, before each packet, that a bad period begins
  double burst_end = 1;    // and that it ends
  double burst_loss = 1;   // loss while it is bad
  size_t drop_first = 0;   // packets number drop_first to drop_last are lost, from 1; 0: none
  size_t drop_last = 0;

  double corrupt = 0;    // share of packets in which one bit of the payload flips
  double duplicate = 0;  // share of packets that arrive twice

  Duration blackhole_on{0};   // the link works so long,
  Duration blackhole_off{0};  // then loses everything so long, and so on; 0: it always works

  bool operator==(const LinkConfig&) const = default;
};

struct LinkCounters {
  uint64_t packets_in = 0;
  uint64_t bytes_in = 0;
  uint64_t packets_out = 0;
  uint64_t bytes_out = 0;
  uint64_t too_long = 0;    // dropped: longer than the MTU
  uint64_t blackholed = 0;  // dropped: the link was off
  uint64_t overflowed = 0;  // dropped: no room in the queue
  uint64_t lost = 0;        // dropped: loss of any kind
  uint64_t corrupted = 0;
  uint64_t duplicated = 0;
  uint64_t max_queue_bytes = 0;  // the most that the queue held
};

// Random is SplitMix64: small, seeded, the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  bool chance(double p);           // consumes one number whatever p is
  uint64_t below(uint64_t bound);  // 0 for bound 0

 private:
  uint64_t state_;
};

// LinkQueue is not thread-safe.
class LinkQueue {
 public:
  LinkQueue(const LinkConfig& config, Time now) { configure(config, now); }

  // configure makes `config` apply to what arrives from now on, with random numbers, packet numbers and the blackhole's
  // schedule from their beginning. What is under way stays so.
  void configure(const LinkConfig& config, Time now);

  // push takes a copy of a packet that arrives at `now`, which never goes back.
  void push(std::span<const uint8_t> packet, Time now);

  // next_departure is when the first packet departs; nothing if none is under way.
  std::optional<Time> next_departure() const;

  // pop is the first packet if it has departed by `now`, else an empty span. The bytes are valid until the next call of
  // a function that is not const.
  std::span<const uint8_t> pop(Time now);

  size_t size() const { return departures_.size(); }
  const LinkCounters& counters() const { return counters_; }

 private:
  struct Departure {
    Time at;
    uint64_t number;  // of equal times, the first in goes first
    uint32_t slot;
    // For a heap whose top departs first.
    bool operator<(const Departure& o) const { return at != o.at ? at > o.at : number > o.number; }
  };
  struct Waiting {
    Time sent;  // when its last bit has been sent
    size_t length;
  };
  bool is_blackhole(Time now) const;
  bool is_lost();
  std::optional<Time> enqueue(size_t length, Time now);
  Duration jitter();
  void depart(std::span<const uint8_t> packet, Time at);

  LinkConfig config_;
  Time origin_{0};
  uint64_t arrived_ = 0;  // packets since configure()
  size_t run_ = 0;        // lost in a row
  bool is_bad_ = false;   // Gilbert-Elliott
  Random loss_{0}, burst_{0}, corruption_{0}, duplication_{0}, jitter_{0};

  // The queue before the wire: times in order.
  std::deque<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
  Time idle_at_{0};  // the wire is busy until then
  Time last_departure_{0};

  // Packets under way: a heap of departures, and memory for packets, reused.
  std::vector<Departure> departures_;
  std::vector<std::vector<uint8_t>> slots_;
  std::vector<uint32_t> free_slots_;
  uint32_t newest_slot_ = 0;
  uint64_t departed_number_ = 0;
  LinkCounters counters_;
};

}  // namespace kith::link_emulator
