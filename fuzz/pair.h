// Two protocol machines that talk through two byte pipes, with every split and interleaving decided
// by a FuzzInput: the frame of every *_pair fuzz target and of the two-ended tests.
#pragma once

#include <concepts>

#include "base/bytes.h"
#include "base/result.h"
#include "fuzz/input.h"

namespace kith::fuzz {

// PipeMachine is a machine over one byte pipe. `receive` returns how many bytes it took; what it
// left is offered again. `pending` is what it wants to send, `sent(n)` takes the first n bytes of
// that away.
template <typename M>
concept PipeMachine = requires(M machine, Bytes bytes, size_t n) {
  { machine.receive(bytes) } -> std::same_as<size_t>;
  { machine.pending() } -> std::same_as<Bytes>;
  machine.sent(n);
};

// Pair moves bytes between `a` and `b`, which it borrows. A machine that waits for something other
// than bytes (a clock, an application) is wrapped in one that has that decided beforehand.
template <PipeMachine A, PipeMachine B>
class Pair {
 public:
  Pair(A& a, B& b) : a_(a), b_(b) {}

  // step does one thing that `in` decides: either side sends a part of what is pending, or receives
  // a part of what is under way to it.
  void step(FuzzInput& in) {
    switch (in.below(4)) {
      case 0:
        send(a_, to_b_, in);
        break;
      case 1:
        send(b_, to_a_, in);
        break;
      case 2:
        deliver(b_, to_b_, in);
        break;
      case 3:
        deliver(a_, to_a_, in);
        break;
    }
  }

  // settle moves all there is until nothing moves any more. Aborts if that takes more than
  // `max_rounds`: two machines that keep each other busy for ever.
  void settle(size_t max_rounds = 1 << 16) {
    for (size_t round = 0;; ++round) {
      KITH_CHECK(round < max_rounds);
      size_t moved = send(a_, to_b_, a_.pending().size());
      moved += send(b_, to_a_, b_.pending().size());
      moved += deliver(b_, to_b_, to_b_.size());
      moved += deliver(a_, to_a_, to_a_.size());
      if (moved == 0) return;
    }
  }

  // run steps until `in` is used up, then settles.
  void run(FuzzInput& in) {
    while (!in.empty()) step(in);
    settle();
  }

  // What is under way to each side, to look at or to tamper with.
  ByteVector& to_a() { return to_a_; }
  ByteVector& to_b() { return to_b_; }

 private:
  template <typename From>
  static size_t send(From& from, ByteVector& pipe, size_t n) {
    append(pipe, from.pending().first(n));
    if (n != 0) from.sent(n);
    return n;
  }
  template <typename From>
  static void send(From& from, ByteVector& pipe, FuzzInput& in) {
    const size_t size = from.pending().size();
    if (size != 0) send(from, pipe, 1 + in.below(size));
  }
  template <typename To>
  static size_t deliver(To& to, ByteVector& pipe, size_t n) {
    // A copy of exactly that size: a sanitizer sees whoever reads past it or keeps a view.
    const ByteVector piece(pipe.begin(), pipe.begin() + static_cast<ptrdiff_t>(n));
    if (n == 0) return 0;
    const size_t taken = to.receive(piece);
    KITH_CHECK(taken <= n);
    pipe.erase(pipe.begin(), pipe.begin() + static_cast<ptrdiff_t>(taken));
    return taken;
  }
  template <typename To>
  static void deliver(To& to, ByteVector& pipe, FuzzInput& in) {
    if (!pipe.empty()) deliver(to, pipe, 1 + in.below(pipe.size()));
  }

  A& a_;
  B& b_;
  ByteVector to_a_;
  ByteVector to_b_;
};

}  // namespace kith::fuzz
