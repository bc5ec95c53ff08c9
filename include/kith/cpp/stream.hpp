// Stream: an ordered, flow-controlled byte pipe of one protocol, read and written by coroutines.
// See kith/stream.h for what holds of streams.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kith/cpp/task.hpp"
#include "kith/stream.h"

namespace kith {
inline namespace api {

class Connection;
class Stream;

namespace detail {

// What a Stream and its C stream share. Counted: the Stream, the C stream's handler and a callback under way each hold
// a reference, because a coroutine that a callback resumes may destroy the Stream.
struct StreamState {
  size_t refs = 1;
  kith_stream* stream = nullptr;
  std::span<const uint8_t> view;  // delivered and not consumed
  size_t consumed = 0;            // while in_data
  bool in_data = false;
  bool is_open = false;
  bool read_ended = false;     // by the peer or by us
  bool read_finished = false;  // the peer has sent all it had
  bool write_ended = false;
  bool closed = false;
  bool detached = false;  // the Stream is gone
  std::optional<uint64_t> reset_code;
  std::optional<uint64_t> stop_code;
  Error error{KITH_OK};  // why it closed
  Waiter opener, reader, writer, closer;

  void unref() {
    if (--refs == 0) delete this;
  }
  // The memory behind `view` goes with the stream.
  void end_read() {
    read_ended = true;
    view = {};
  }
  bool read_ready() const { return !view.empty() || read_ended || closed; }
  Error read_error() const {
    if (reset_code) return coded("the peer reset the stream with code ", *reset_code);
    return end_error();
  }
  Error write_error(kith_status status) const {
    if (status != KITH_ERR_CLOSED) return Error(status);
    if (stop_code) return coded("the peer reads no more, with code ", *stop_code);
    return end_error();
  }
  Error end_error() const { return error.status() == KITH_OK ? Error(KITH_ERR_CLOSED) : error; }
  static Error coded(const char* text, uint64_t code) {
    return Error(KITH_ERR_RESET, text + std::to_string(code));
  }

  struct Guard {
    explicit Guard(void* user) : state(static_cast<StreamState*>(user)) { ++state->refs; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { state->unref(); }
    StreamState* operator->() const { return state; }
    StreamState* const state;
  };

  // The handler of the C stream. Once set it owns a reference, which its user_destroy drops.
  kith_stream_handler handler() {
    kith_stream_handler h{};
    h.struct_size = sizeof h;
    h.user = this;
    h.user_destroy = [](void* user) { static_cast<StreamState*>(user)->unref(); };
    h.on_open = [](void* user, kith_stream*, const char*) {
      const Guard s(user);
      s->is_open = true;
      s->opener.wake();
    };
    h.on_data = &StreamState::on_data;
    h.on_read_closed = [](void* user, kith_stream*) {
      const Guard s(user);
      s->read_finished = !s->read_ended;
      s->read_ended = true;
      s->reader.wake();
    };
    h.on_reset = [](void* user, kith_stream*, uint64_t code) {
      const Guard s(user);
      s->reset_code = code;
      s->end_read();
      s->reader.wake();
    };
    h.on_stop = [](void* user, kith_stream*, uint64_t code) {
      const Guard s(user);
      s->stop_code = code;
      s->write_ended = true;
      s->writer.wake();
    };
    h.on_writable = [](void* user, kith_stream*) { Guard(user)->writer.wake(); };
    h.on_closed = [](void* user, kith_stream*, const kith_error* why) {
      const Guard s(user);
      s->closed = true;
      s->error = Error(*why);
      s->view = {};
      s->opener.wake();
      s->reader.wake();
      s->writer.wake();
      s->closer.wake();
    };
    return h;
  }
  static size_t on_data(void* user, kith_stream*, const uint8_t* data, size_t data_len) {
    const Guard s(user);
    s->view = {data, data_len};
    if (!s->reader.waiting()) return 0;  // flow control holds the peer back until somebody reads
    s->in_data = true;
    s->consumed = 0;
    s->reader.wake();
    s->in_data = false;
    return s->detached ? data_len : s->consumed;
  }
  void consume(size_t n) {
    n = std::min(n, view.size());
    view = view.subspan(n);
    if (in_data) {
      consumed += n;
    } else if (n != 0) {
      kith_stream_consume(stream, n);
    }
  }
};

// What reads have in common: one at a time.
class ReadOperation : public Operation {
 public:
  bool await_ready() {
    is_second_ = state_.reader.waiting();
    return is_second_ || step();
  }

 protected:
  explicit ReadOperation(StreamState& state) : Operation(state.reader), state_(state) {}
  StreamState& state_;
  bool is_second_ = false;
};

class ReadView final : public ReadOperation {
 public:
  explicit ReadView(StreamState& state) : ReadOperation(state) {}
  Result<std::span<const uint8_t>> await_resume() {
    if (is_second_) return Error(KITH_ERR_INVALID_STATE);
    if (state_.view.empty() && !state_.read_finished) return state_.read_error();
    return state_.view;
  }

 private:
  bool step() override { return state_.read_ready(); }
};

class ReadInto final : public ReadOperation {
 public:
  ReadInto(StreamState& state, std::span<uint8_t> out, bool exactly)
      : ReadOperation(state), out_(out), exactly_(exactly) {}
  Result<size_t> await_resume() {
    if (is_second_) return Error(KITH_ERR_INVALID_STATE);
    if (is_complete()) return size_;
    if (!state_.read_finished) return state_.read_error();
    if (!exactly_) return size_t{0};
    return Error(KITH_ERR_CLOSED, "the peer's side ended after " + std::to_string(size_) + " of " +
                                      std::to_string(out_.size()) + " bytes");
  }

 private:
  bool step() override {
    while (size_ < out_.size() && !state_.view.empty()) {
      const size_t n = std::min(out_.size() - size_, state_.view.size());
      std::memcpy(out_.data() + size_, state_.view.data(), n);
      size_ += n;
      state_.consume(n);
    }
    return is_complete() || state_.read_ready();
  }
  bool is_complete() const { return exactly_ ? size_ == out_.size() : size_ != 0; }
  const std::span<uint8_t> out_;
  const bool exactly_;
  size_t size_ = 0;
};

class Write final : public Operation {
 public:
  Write(StreamState& state, std::span<const uint8_t> data)
      : Operation(state.writer), state_(state), data_(data) {}
  bool await_ready() {
    if (!state_.writer.waiting()) return step();
    status_ = KITH_ERR_INVALID_STATE;
    return true;
  }
  Status await_resume() {
    if (status_ == KITH_OK) return {};
    return state_.write_error(status_);
  }

 private:
  // Long data goes in pieces, so that no more of it is copied than the stream has room for.
  static constexpr size_t kPieceBytes = 64 * 1024;
  bool step() override {
    while (!data_.empty()) {
      const size_t n = std::min(data_.size(), kPieceBytes);
      const kith_status status = kith_stream_write(state_.stream, data_.data(), n);
      if (status == KITH_ERR_WOULD_BLOCK) return false;
      if (status != KITH_OK) {
        status_ = status;
        return true;
      }
      data_ = data_.subspan(n);
    }
    return true;
  }
  StreamState& state_;
  std::span<const uint8_t> data_;
  kith_status status_ = KITH_OK;
};

class AwaitClosed final : public Operation {
 public:
  explicit AwaitClosed(StreamState& state) : Operation(state.closer), state_(state) {}
  bool await_ready() { return step() || state_.closer.waiting(); }
  Status await_resume() {
    if (!state_.closed) return Error(KITH_ERR_INVALID_STATE);
    if (state_.error.status() != KITH_OK) return state_.error;
    return {};
  }

 private:
  bool step() override { return state_.closed; }
  StreamState& state_;
};

}  // namespace detail

// A Stream owns one stream: destroying it lets go of it. A side that has not ended is abandoned then (reset, or stop
// reading, with code 0); what was written before close_write() still arrives. All calls on the loop.
//
// One coroutine may read while another writes; a second one at the same end gets KITH_ERR_INVALID_STATE. Do not destroy
// a Stream that another coroutine awaits. Awaiting allocates nothing.
class Stream {
 public:
  Stream(Stream&& o) noexcept : state_(std::exchange(o.state_, nullptr)) {}
  Stream& operator=(Stream&& o) noexcept {
    std::swap(state_, o.state_);
    return *this;
  }
  ~Stream() {
    if (!state_) return;
    state_->detached = true;
    if (!state_->closed) {
      kith_stream_handler none{};
      none.struct_size = sizeof none;
      kith_stream_set_handler(state_->stream, &none);
      if (!state_->write_ended) kith_stream_reset(state_->stream, 0);
      if (!state_->read_ended) kith_stream_stop_reading(state_->stream, 0);
    }
    kith_stream_unref(state_->stream);
    state_->unref();
  }

  // co_await read() yields a Result of the next bytes, in kith's own memory, or of none at the end of the peer's side.
  // They stay until consume(), and no longer than the stream: copy what is needed across another co_await, except that
  // write() on this same stream may be given them. Bytes not consumed come again.
  detail::ReadView read() { return detail::ReadView(*state_); }
  // The first `n` bytes of what read() yielded are done with: the peer may send as many more.
  void consume(size_t n) { state_->consume(n); }
  // co_await read(buffer) copies bytes that have arrived to `buffer`, which must not be empty, and consumes them. Yields
  // a Result of how many (0: the end of the peer's side).
  detail::ReadInto read(std::span<uint8_t> buffer) {
    return detail::ReadInto(*state_, buffer, false);
  }
  // co_await read_exactly(buffer) fills it, or fails: KITH_ERR_CLOSED when the peer's side ends before.
  detail::ReadInto read_exactly(std::span<uint8_t> buffer) {
    return detail::ReadInto(*state_, buffer, true);
  }

  // co_await write(data) queues a copy of `data`, waiting for room as often as needed, and yields a Status. On error a
  // part may have been sent.
  detail::Write write(std::span<const uint8_t> data) { return detail::Write(*state_, data); }
  detail::Write write(std::string_view text) {
    return detail::Write(*state_, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  // Ends our side after what was written (half-close).
  void close_write() {
    if (kith_stream_close_write(state_->stream) == KITH_OK) state_->write_ended = true;
  }
  // Abandons our side: the peer sees `code`, and what was not sent is dropped.
  void reset(uint64_t code = 0) {
    if (kith_stream_reset(state_->stream, code) == KITH_OK) state_->write_ended = true;
  }
  // Tells the peer to stop sending; reads fail from now on.
  void stop_reading(uint64_t code = 0) {
    if (kith_stream_stop_reading(state_->stream, code) == KITH_OK) state_->end_read();
  }
  void abort(uint64_t code = 0) {
    reset(code);
    stop_reading(code);
  }
  // co_await closed() waits until both sides have ended and the peer has all that was written; yields a Status.
  detail::AwaitClosed closed() { return detail::AwaitClosed(*state_); }

  // The protocol agreed on, "" before; borrowed for the Stream's life.
  std::string_view protocol() const { return kith_stream_protocol(state_->stream); }
  // The stream's connection; empty after the stream's end.
  inline Connection connection() const;
  // The codes with which the peer abandoned its side, or stopped ours.
  std::optional<uint64_t> reset_code() const { return state_->reset_code; }
  std::optional<uint64_t> stop_code() const { return state_->stop_code; }

  // The C handle, borrowed. Its handler is this object's.
  kith_stream* get() const { return state_->stream; }
  // Becomes the handler of a stream that C code was given, and takes a reference of its own.
  static Result<Stream> adopt(kith_stream* stream) {
    auto* state = new detail::StreamState;
    state->stream = stream;
    const kith_stream_handler handler = state->handler();
    if (const kith_status status = kith_stream_set_handler(stream, &handler); status != KITH_OK) {
      delete state;
      return Error(status);
    }
    ++state->refs;
    kith_stream_ref(stream);
    return Stream(state);
  }

 private:
  friend class Connection;
  explicit Stream(detail::StreamState* state) : state_(state) {}
  detail::StreamState* state_;
};

}  // namespace api
}  // namespace kith
