// One end of a byte pipe in memory, in virtual time, with whatever a network and its kernel may do to it: pieces of any size,
// delays, writes that are taken bit by bit, a line that breaks, and one that changes a byte. All of it from a seed.
#pragma once

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "base/buffer.h"
#include "base/result.h"
#include "runtime/loop.h"
#include "transport/upgrade/pipe.h"

namespace kith::test {

// What happens to the bytes of one direction. The order stays.
struct Faults {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  size_t max_read = SIZE_MAX;    // they arrive in pieces of 1 to so many
  size_t max_write = SIZE_MAX;   // they are taken in pieces of 1 to so many; the rest waits
  Duration max_delay = 0;        // of a piece, on top of the latency
  uint64_t break_at = kNever;    // so many arrive, and both ends hear that the line broke
  uint64_t corrupt_at = kNever;  // in this byte a bit is flipped
  int* num_hits = nullptr;       // counts the breaks and flips that happened
};

class SimPipe final : public transport::upgrade::Pipe {
 public:
  SimPipe(runtime::Loop& loop, Duration latency, uint64_t seed, const Faults& f = {},
          wire::Multiaddr local = {}, wire::Multiaddr remote = {})
      : faults(f),
        loop_(loop),
        latency_(latency),
        local_(std::move(local)),
        remote_(std::move(remote)),
        random_(seed),
        arrival_(runtime::Timer::of<&SimPipe::arrive>(loop.timers(), this)),
        write_(runtime::Timer::of<&SimPipe::write_more>(loop.timers(), this)) {}
  ~SimPipe() override { cut(Error(KITH_ERR_CONNECTION_LOST, "pipe", "cut")); }
  static void join(SimPipe& a, SimPipe& b) {
    a.peer_ = &b;
    b.peer_ = &a;
  }

  bool is_open() const override { return !is_broken_; }
  void send(OutputBytes& bytes) override {
    num_flights += !bytes.empty();
    if (peer_) append(waiting_, bytes.bytes());
    bytes.clear();
    if (!write_.is_set()) take_some();
  }
  size_t waiting() const override { return waiting_.size(); }
  void finish() override {
    handler_ = nullptr;
    is_finishing_ = true;
    if (waiting_.empty() || !peer_) leave();
  }
  wire::Multiaddr local_address() const override { return local_; }
  wire::Multiaddr remote_address() const override { return remote_; }

  // The line breaks here and now.
  void break_line() {
    const Error lost(KITH_ERR_CONNECTION_LOST, "pipe", "the line is cut");
    waiting_.clear();
    cut(lost);
    end_ = lost;
    schedule();
  }

  Faults faults;
  bool is_stalled = false;  // what is sent gets lost, as on a line that is dead and does not say so
  int num_flights = 0;
  uint64_t num_sent = 0;  // bytes

 private:
  // Moves to the peer what is taken at once, and the rest later.
  void take_some() {
    if (waiting_.empty() || !peer_) return;
    size_t n = waiting_.size();
    if (faults.max_write != SIZE_MAX) n = std::min(n, 1 + random_() % faults.max_write);
    n = static_cast<size_t>(std::min<uint64_t>(n, faults.break_at - num_sent));
    ByteVector piece(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(n));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(n));
    if (faults.corrupt_at >= num_sent && faults.corrupt_at < num_sent + n) {
      uint8_t& byte = piece[static_cast<size_t>(faults.corrupt_at - num_sent)];
      byte = static_cast<uint8_t>(byte ^ 1 << random_() % 8);
      if (faults.num_hits) ++*faults.num_hits;
    }
    num_sent += n;
    if (n != 0 && !is_stalled) peer_->receive(std::move(piece));
    if (num_sent == faults.break_at) {
      if (faults.num_hits) ++*faults.num_hits;
      return break_line();
    }
    if (!waiting_.empty()) write_.set(loop_.now() + delay());
  }
  void write_more() {
    take_some();
    if (!waiting_.empty() || is_broken_) return;
    if (is_finishing_) return leave();
    if (handler_) handler_->on_pipe_writable();
  }
  Duration delay() {
    const Duration most = std::max<Duration>(faults.max_delay, microseconds(1));
    return 1 + static_cast<Duration>(random_() % static_cast<uint64_t>(most));
  }
  void receive(ByteVector bytes) {
    TimePoint at = loop_.now() + latency_ + (faults.max_delay > 0 ? delay() : 0);
    if (!queue_.empty()) at = std::max(at, queue_.back().first);
    queue_.push_back({at, std::move(bytes)});
    schedule();
  }
  void cut(Error error) {
    if (!peer_) return;
    SimPipe& peer = *std::exchange(peer_, nullptr);
    peer.peer_ = nullptr;
    if (is_stalled) return;
    peer.end_ = std::move(error);
    peer.schedule();
  }
  void leave() {
    if (std::exchange(is_left_, true)) return;
    cut(Error(KITH_OK, "pipe"));
    write_.cancel();
    arrival_.cancel();
    loop_.post([this] { delete this; });
  }
  void schedule() {
    if (is_left_) return;
    if (is_finishing_ && end_) return leave();
    if (!arrival_.is_set()) arrival_.set(queue_.empty() ? loop_.now() : queue_.front().first);
  }
  void arrive() {
    if (queue_.empty()) {
      if (!end_) return;
      is_broken_ = end_->status() != KITH_OK;
      if (handler_) handler_->on_pipe_end(*end_);
      return;
    }
    ByteVector& front = queue_.front().second;
    const size_t n = std::min<size_t>(front.size(), 1 + random_() % faults.max_read);
    uint8_t* copy = nullptr;
    const Buffer piece = loop_.buffers().allocate(n, &copy);
    std::copy_n(front.begin(), n, copy);
    front.erase(front.begin(), front.begin() + static_cast<ptrdiff_t>(n));
    if (front.empty()) queue_.pop_front();
    if (!queue_.empty() || end_) schedule();
    if (handler_) handler_->on_pipe_data({copy, n}, piece);
  }

  runtime::Loop& loop_;
  const Duration latency_;
  const wire::Multiaddr local_, remote_;
  std::mt19937_64 random_;
  runtime::Timer arrival_;
  runtime::Timer write_;
  SimPipe* peer_ = nullptr;
  ByteVector waiting_;
  std::deque<std::pair<TimePoint, ByteVector>> queue_;
  std::optional<Error> end_;
  bool is_broken_ = false;
  bool is_finishing_ = false;
  bool is_left_ = false;  // destroyed in a later turn
};

}  // namespace kith::test
