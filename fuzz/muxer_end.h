// One end of a multiplexed connection that writes down what happens: for the tests and fuzz targets of the muxers, which
// have the same shape.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "protocol/muxer/session.h"

namespace kith::fuzz {

// What is known of a stream at one end.
struct SeenStream {
  muxer::Stream* stream = nullptr;  // nullptr after on_closed
  uint64_t id = 0;
  bool is_inbound = false;
  ByteVector received;
  size_t num_read_closed = 0;
  size_t num_resets = 0;
  uint64_t code = 0;  // of the reset
  size_t num_writable = 0;
  size_t num_closed = 0;
  // For whoever drives the end.
  size_t written = 0;
  bool is_write_closed = false;
  bool is_broken = false;  // reset or stopped
};

// MuxerEnd owns a session: yamux::Session or mplex::Session.
template <typename Session>
class MuxerEnd : public muxer::SessionHandler {
 public:
  using Stream = muxer::Stream;
  using Seen = SeenStream;

  explicit MuxerEnd(bool is_client, const typename Session::Config& config = {}, TimePoint now = 0)
      : session(is_client, config, this, now) {}

  Seen* open() {
    auto stream = session.open(nullptr);
    if (!stream.ok()) return nullptr;
    return &note(**stream);
  }
  Status write(Seen& seen, std::string_view text) {
    return session.write(*seen.stream, Buffer::take(to_vector(as_bytes(text))));
  }
  // flush returns what the session has to send, at most `max_bytes` of it, in fills of at most `fill_bytes`.
  ByteVector flush(size_t max_bytes = SIZE_MAX, size_t fill_bytes = 65519) {
    ByteVector out;
    do {
      std::vector<Bytes> views;
      const size_t room = std::min(fill_bytes, max_bytes - out.size());
      const size_t filled = session.fill(views, room);
      size_t total = 0;
      for (const Bytes view : views) {
        total += view.size();
        append(out, view);
      }
      KITH_CHECK(total == filled && filled <= room);
      is_flush_asked = false;
      session.sent();
      if (filled == 0) break;
    } while (session.has_output());
    return out;
  }
  // Every stream there was, oldest first, also those that have ended.
  std::deque<Seen> streams;
  // What on_data returns; everything is consumed if not set.
  std::function<size_t(Seen&, Bytes)> on_bytes;
  std::function<void(Seen&)> on_new;
  bool is_flush_asked = true;  // a new session has output
  size_t num_flushes_asked = 0;

  Session session;  // last: the first to go

  void on_stream(Stream& stream) override {
    KITH_CHECK(stream.is_inbound());
    Seen& seen = note(stream);
    if (on_new) on_new(seen);
  }
  size_t on_data(Stream& stream, Bytes data) override {
    Seen& seen = of(stream);
    KITH_CHECK(!data.empty() && seen.num_read_closed == 0 && seen.num_resets == 0);
    const size_t n = on_bytes ? on_bytes(seen, data) : data.size();
    append(seen.received, data.first(n));
    return n;
  }
  void on_read_closed(Stream& stream) override { ++of(stream).num_read_closed; }
  void on_reset(Stream& stream, uint64_t code) override {
    ++of(stream).num_resets;
    of(stream).code = code;
  }
  void on_writable(Stream& stream) override { ++of(stream).num_writable; }
  void on_closed(Stream& stream) override {
    Seen& seen = of(stream);
    KITH_CHECK(++seen.num_closed == 1);
    KITH_CHECK(!stream.can_write() && !stream.can_read());
    seen.stream = nullptr;
  }
  void on_output() override {
    KITH_CHECK(!is_flush_asked);
    is_flush_asked = true;
    ++num_flushes_asked;
  }
  // consume takes held bytes, and writes them down.
  void consume(Seen& seen, size_t n) {
    while (n != 0) {
      const Bytes held = session.held(*seen.stream);
      const Bytes part = held.first(std::min(n, held.size()));
      KITH_CHECK(!part.empty());
      append(seen.received, part);
      n -= part.size();
      session.consume(*seen.stream, part.size());
    }
  }

 private:
  Seen& note(Stream& stream) {
    Seen& seen = streams.emplace_back();
    seen.stream = &stream;
    seen.id = stream.id();
    seen.is_inbound = stream.is_inbound();
    stream.user = &seen;
    return seen;
  }
  static Seen& of(Stream& stream) {
    Seen& seen = *static_cast<Seen*>(stream.user);
    KITH_CHECK(seen.stream == &stream);
    return seen;
  }
};

// exchange moves bytes between two ends until neither has any. Returns how many moved.
template <typename End>
size_t exchange(End& a, End& b, TimePoint now = 0) {
  size_t total = 0;
  for (;;) {
    const ByteVector to_b = a.flush();
    const ByteVector to_a = b.flush();
    if (to_a.empty() && to_b.empty()) return total;
    KITH_CHECK(b.session.receive(to_b, now).ok());
    KITH_CHECK(a.session.receive(to_a, now).ok());
    total += to_a.size() + to_b.size();
  }
}

}  // namespace kith::fuzz
