// Drives muxer sessions: two that talk, every call, split and interleaving decided by the input; or one alone, whose peer
// the input is.
#pragma once

#include <algorithm>

#include "fuzz/input.h"
#include "fuzz/muxer_end.h"

namespace kith::fuzz {

// MuxerFuzz runs one input. M has M::Session, M::config() and M::max_held(number of streams).
template <typename M>
class MuxerFuzz {
 public:
  explicit MuxerFuzz(FuzzInput in) : in_(in) {}

  void run() {
    if (in_.flag()) {
      run_alone();
    } else {
      run_pair();
    }
  }

 private:
  using End = MuxerEnd<typename M::Session>;
  using Seen = typename End::Seen;
  static constexpr size_t kMaxWrite = 256 * 1024;
  static constexpr size_t kPeriod = 65521;

  // What is written on a stream, from `offset` on. It differs between streams, directions and offsets.
  static Bytes pattern(const Seen& seen, bool is_sender_client, size_t offset, size_t n) {
    static const ByteVector kBytes = [] {
      const ByteVector period = random_bytes(1, kPeriod);
      ByteVector bytes;
      while (bytes.size() < kPeriod + kMaxWrite) append(bytes, period);
      return bytes;
    }();
    const size_t key = (seen.id * 2 + (is_sender_client ? 1 : 0)) * 997;
    return Bytes(kBytes).subspan((offset + key) % kPeriod, n);
  }

  // How much of `data` a handler takes: nothing, a part or all, and sometimes it has had enough.
  size_t appetite(End& end, Seen& seen, Bytes data) {
    const uint8_t decision = in_.byte();
    if (decision == 0xff || decision == 0xfe) {
      seen.is_broken = true;
      decision == 0xff ? end.session.reset(*seen.stream, decision)
                       : end.session.stop_reading(*seen.stream, decision);
      return 0;
    }
    return decision < 0xa0 ? data.size() : in_.below(data.size() + 1);
  }

  void set_hooks(End& end) {
    end.on_bytes = [this, &end](Seen& seen, Bytes data) { return appetite(end, seen, data); };
    end.on_new = [this, &end](Seen& seen) {
      if (in_.byte() != 0xff) return;
      seen.is_broken = true;
      end.session.reset(*seen.stream, 1);
    };
  }

  static void check_memory(const End& end) {
    KITH_CHECK(end.session.held_bytes() <= M::max_held(end.session.num_streams()));
  }

  // One thing that the owner of a session does.
  void act(End& end, bool is_client) {
    const size_t action = in_.below(8);
    if (action == 0) {
      end.open();
      return;
    }
    if (end.streams.empty()) return;
    Seen& seen = end.streams[in_.below(end.streams.size())];
    if (!seen.stream) return;
    switch (action) {
      case 1:
      case 2: {
        const size_t n =
            in_.below(in_.byte() < 0x40 ? kMaxWrite : 4096);  // few, or a window's worth
        const Bytes bytes = pattern(seen, is_client, seen.written, n);
        if (end.session.write(*seen.stream, Buffer::static_bytes(bytes)).ok()) seen.written += n;
        break;
      }
      case 3:
        end.session.close_write(*seen.stream);
        seen.is_write_closed = true;
        break;
      case 4:
        if (!in_.flag()) break;
        seen.is_broken = true;
        end.session.reset(*seen.stream, in_.byte());
        break;
      case 5:
        if (!in_.flag()) break;
        seen.is_broken = true;
        end.session.stop_reading(*seen.stream, in_.byte());
        break;
      case 6: {
        const size_t held = end.session.held(*seen.stream).size();
        if (held != 0) end.consume(seen, in_.flag() ? held : in_.below(held + 1));
        break;
      }
      case 7:
        end.session.resume(*seen.stream);
        break;
    }
  }

  void flush(End& end, ByteVector& pipe) {
    append(pipe, end.flush(in_.below(400000), 13 + in_.below(70000)));
  }

  Status deliver(End& end, ByteVector& pipe, size_t n) {
    // Memory of its own, so that a sanitizer sees who keeps a view; as a Buffer or as bytes.
    const ByteVector piece(pipe.begin(), pipe.begin() + static_cast<ptrdiff_t>(n));
    pipe.erase(pipe.begin(), pipe.begin() + static_cast<ptrdiff_t>(n));
    const Status status = in_.flag() ? end.session.receive(Buffer::take(ByteVector(piece)), now_)
                                     : end.session.receive(piece, now_);
    check_memory(end);
    return status;
  }

  // Two honest sessions part only for churn, which a long input may make. Returns false then.
  bool deliver_honest(End& end, ByteVector& pipe, size_t n) {
    const Status status = deliver(end, pipe, n);
    KITH_CHECK(status.ok() || status.status() == KITH_ERR_LIMIT);
    return status.ok();
  }

  void run_pair() {
    End a(true, M::config()), b(false, M::config());
    set_hooks(a);
    set_hooks(b);
    ByteVector to_a, to_b;
    while (!in_.empty()) {
      const bool is_a = in_.flag();
      End& end = is_a ? a : b;
      ByteVector& from_end = is_a ? to_b : to_a;
      ByteVector& to_end = is_a ? to_a : to_b;
      switch (in_.below(6)) {
        case 0:
        case 1:
          act(end, is_a);
          break;
        case 2:
          flush(end, from_end);
          break;
        case 3:
        case 4:
          if (!to_end.empty() && !deliver_honest(end, to_end, 1 + in_.below(to_end.size()))) return;
          break;
        case 5:
          now_ += microseconds(static_cast<int64_t>(in_.below(1 << 20)));
          if (!end.session.on_timeout(now_).ok()) return;
          break;
      }
    }
    settle(a, b, to_a, to_b);
  }

  // Everything that can still arrive does, and then everything must have.
  void settle(End& a, End& b, ByteVector& to_a, ByteVector& to_b) {
    a.on_bytes = b.on_bytes = nullptr;
    a.on_new = b.on_new = nullptr;
    for (size_t round = 0;; ++round) {
      KITH_CHECK(round < 100000);
      for (End* end : {&a, &b}) {
        for (Seen& seen : end->streams) {
          if (seen.stream) end->session.resume(*seen.stream);
        }
      }
      append(to_b, a.flush());
      append(to_a, b.flush());
      if (to_a.empty() && to_b.empty() && !a.is_flush_asked && !b.is_flush_asked) break;
      if (!deliver_honest(b, to_b, to_b.size()) || !deliver_honest(a, to_a, to_a.size())) return;
    }
    KITH_CHECK(a.session.held_bytes() == 0 && b.session.held_bytes() == 0);
    for (Seen& seen : a.streams) compare(seen, b, true);
    for (Seen& seen : b.streams) compare(seen, a, false);
  }

  void compare(const Seen& sent, const End& to, bool is_sender_client) {
    const auto it = std::ranges::find_if(to.streams, [&](const Seen& s) {
      return s.id == sent.id && s.is_inbound != sent.is_inbound;
    });
    const bool is_whole = !sent.is_broken && sent.num_resets == 0;
    if (it == to.streams.end()) {
      // Waits for its turn, was reset before it came, or was refused.
      KITH_CHECK(sent.written == 0 || !is_whole || !sent.is_inbound);
      return;
    }
    const Seen& got = *it;
    KITH_CHECK(got.received.size() <= sent.written);
    for (size_t at = 0; at < got.received.size();) {
      const size_t n = std::min(kMaxWrite, got.received.size() - at);
      KITH_CHECK(equal(Bytes(got.received).subspan(at, n), pattern(sent, is_sender_client, at, n)));
      at += n;
    }
    if (!is_whole || got.is_broken || got.num_resets != 0) return;
    KITH_CHECK(got.received.size() == sent.written);
    KITH_CHECK(got.num_read_closed == (sent.is_write_closed ? 1 : 0));
    KITH_CHECK(got.num_closed == (sent.is_write_closed && got.is_write_closed ? 1 : 0));
  }

  void run_alone() {
    const bool is_client = in_.flag();
    End end(is_client, M::config());
    set_hooks(end);
    ByteVector sent;
    while (!in_.empty()) {
      switch (in_.below(8)) {
        case 0:
          act(end, is_client);
          break;
        case 1:
          sent.clear();
          flush(end, sent);
          break;
        case 2:
          now_ += microseconds(static_cast<int64_t>(in_.below(1 << 20)));
          if (!end.session.on_timeout(now_).ok()) return;
          break;
        default: {
          ByteVector piece = to_vector(in_.bytes(1 + in_.below(64)));
          // Frames with more data than an input has.
          if (in_.byte() > 0xf0) append(piece, ByteVector(in_.below(70000)));
          if (!deliver(end, piece, piece.size()).ok()) {
            end.flush();
            KITH_CHECK(end.session.going_away() && !end.session.has_output());
            return;
          }
        }
      }
    }
    end.flush();
    check_memory(end);
  }

  FuzzInput in_;
  TimePoint now_ = 0;
};

}  // namespace kith::fuzz
