// Connection: a secured connection to one peer, on which streams are opened. See kith/host.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kith/cpp/stream.hpp"
#include "kith/host.h"

namespace kith {
inline namespace api {

// What a peer said of itself; borrowed until the connection's next on_identified, or its end.
struct Identify {
  std::string_view agent;
  std::string_view protocol_version;
  std::string_view observed_address;  // ours, as the peer sees it; "" if it did not say
  std::span<const char* const> listen_addrs;
  std::span<const char* const> protocols;
};

// What a Connection::perf moved, and how long it took; see kith_perf_result.
struct PerfResult {
  uint64_t uploaded = 0;
  uint64_t downloaded = 0;
  std::chrono::nanoseconds upload_time{};
  std::chrono::nanoseconds download_time{};
};

namespace detail {

class Ping final : public OutcomeOperation<Result<std::chrono::nanoseconds>> {
 public:
  explicit Ping(kith_connection* connection)
      : OutcomeOperation(new PingOutcome), connection_(connection) {}
  bool await_ready() {
    kith_ping_handler h{};
    h.struct_size = sizeof h;
    h.user = lend();
    h.user_destroy = &PingOutcome::unref_user;
    h.on_round_trip = [](void* user, int64_t rtt_ns) {
      static_cast<PingOutcome*>(user)->rtt = std::chrono::nanoseconds(rtt_ns);
    };
    h.on_end = [](void* user, const kith_error* error) {
      auto* outcome = static_cast<PingOutcome*>(user);
      if (error->status != KITH_OK) return outcome->set(Error(*error));
      outcome->set(outcome->rtt);
    };
    return begun(kith_connection_ping(connection_, 1, 0, /*new_stream=*/0, &h));
  }

 private:
  struct PingOutcome final : Outcome<Result<std::chrono::nanoseconds>> {
    std::chrono::nanoseconds rtt{};
  };
  kith_connection* const connection_;
};

class Perf final : public OutcomeOperation<Result<PerfResult>> {
 public:
  Perf(kith_connection* connection, uint64_t upload, uint64_t download)
      : OutcomeOperation(new PerfOutcome),
        connection_(connection),
        upload_(upload),
        download_(download) {}
  bool await_ready() {
    kith_perf_handler h{};
    h.struct_size = sizeof h;
    h.user = lend();
    h.user_destroy = &PerfOutcome::unref_user;
    h.on_end = [](void* user, const kith_perf_result* r, const kith_error* error) {
      auto* outcome = static_cast<PerfOutcome*>(user);
      if (error->status != KITH_OK) return outcome->set(Error(*error));
      outcome->set(PerfResult{r->uploaded, r->downloaded, std::chrono::nanoseconds(r->upload_ns),
                              std::chrono::nanoseconds(r->download_ns)});
    };
    return begun(kith_connection_perf(connection_, upload_, download_, &h));
  }

 private:
  using PerfOutcome = Outcome<Result<PerfResult>>;
  kith_connection* const connection_;
  const uint64_t upload_;
  const uint64_t download_;
};

}  // namespace detail

// A Connection is a counted reference: copies are the same connection, and destroying one ends nothing. After the
// connection's end its calls answer KITH_ERR_CLOSED. An empty one (default constructed) answers
// KITH_ERR_INVALID_ARGUMENT and "". All calls on the loop.
class Connection {
 public:
  Connection() = default;
  // Takes a reference of its own.
  explicit Connection(kith_connection* borrowed) : connection_(kith_connection_ref(borrowed)) {}
  Connection(const Connection& o) : Connection(o.connection_) {}
  Connection(Connection&& o) noexcept : connection_(std::exchange(o.connection_, nullptr)) {}
  Connection& operator=(Connection o) noexcept {
    std::swap(connection_, o.connection_);
    return *this;
  }
  ~Connection() { kith_connection_unref(connection_); }
  explicit operator bool() const { return connection_ != nullptr; }
  bool operator==(const Connection& o) const { return connection_ == o.connection_; }

  // Borrowed for the life of this object; the remote address, which follows the peer, until it is asked for again.
  std::string_view peer_id() const { return kith_connection_peer_id(connection_); }
  std::string_view remote_address() const { return kith_connection_remote_address(connection_); }
  std::string_view local_address() const { return kith_connection_local_address(connection_); }
  bool is_inbound() const { return kith_connection_is_inbound(connection_) != 0; }
  // Ends the connection and its streams.
  Status close() { return detail::to_status(kith_connection_close(connection_)); }

  // KITH_ERR_WOULD_BLOCK before the host's on_identified, KITH_ERR_CLOSED after the end.
  Result<Identify> identify() const {
    kith_identify c{};
    c.struct_size = sizeof c;
    const kith_status status = kith_connection_identify(connection_, &c);
    if (status != KITH_OK) return Error(status);
    return Identify{c.agent,
                    c.protocol_version,
                    c.observed_address,
                    {c.listen_addrs, c.num_listen_addrs},
                    {c.protocols, c.num_protocols}};
  }

  // co_await open_stream("/proto") opens a stream and yields a Result of it once the peer has agreed to the protocol, or
  // to the first it supports of several (1..16). KITH_ERR_PROTOCOL_NOT_SUPPORTED, KITH_ERR_CLOSED, KITH_ERR_LIMIT.
  auto open_stream(std::string_view protocol) { return OpenStream(start(std::span(&protocol, 1))); }
  auto open_stream(std::span<const std::string_view> protocols) {
    return OpenStream(start(protocols));
  }
  // Opens a stream and does not wait for the peer: what is written now travels with the proposal, one round trip
  // earlier. A refusal is the error of the first read.
  Result<Stream> start_stream(std::string_view protocol) { return start(std::span(&protocol, 1)); }

  // co_await ping() yields a Result of one round-trip time.
  detail::Ping ping() { return detail::Ping(connection_); }
  // co_await perf(upload, download) sends and fetches so many bytes, if the peer serves perf, and yields a Result of a
  // PerfResult.
  detail::Perf perf(uint64_t upload, uint64_t download) {
    return detail::Perf(connection_, upload, download);
  }
  // Ends what perf() is doing early: it yields what was moved until now. See kith_connection_stop_perf.
  Status stop_perf() { return detail::to_status(kith_connection_stop_perf(connection_)); }

  // The C handle, borrowed.
  kith_connection* get() const { return connection_; }

 private:
  class OpenStream final : public detail::Operation {
   public:
    explicit OpenStream(Result<Stream> stream) : stream_(std::move(stream)) {}
    bool await_ready() {
      if (!stream_.ok()) return true;
      wait_at(stream_->state_->opener);
      return step();
    }
    Result<Stream> await_resume() {
      if (stream_.ok() && !stream_->state_->is_open) return stream_->state_->end_error();
      return std::move(stream_);
    }

   private:
    bool step() override { return stream_->state_->is_open || stream_->state_->closed; }
    Result<Stream> stream_;
  };

  Result<Stream> start(std::span<const std::string_view> protocols) {
    std::vector<std::string> texts(protocols.begin(), protocols.end());
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    auto* state = new detail::StreamState;
    const kith_stream_handler handler = state->handler();
    const kith_status status = kith_connection_open_stream(
        connection_, &state->stream, pointers.data(), pointers.size(), &handler);
    if (status != KITH_OK) {
      delete state;
      return Error(status);
    }
    ++state->refs;
    return Stream(state);
  }

  kith_connection* connection_ = nullptr;
};

Connection Stream::connection() const { return Connection(kith_stream_connection(state_->stream)); }

}  // namespace api
}  // namespace kith
