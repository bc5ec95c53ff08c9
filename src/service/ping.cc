#include "service/ping.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "swarm/peer_connection.h"

namespace kith::service {

using transport::Stream;

// One ping stream of a peer's. Holds one block at most: a peer that does not read its echoes is paused.
class PingService::Inbound final : public transport::StreamHandler {
 public:
  Inbound(PingService& service, swarm::PeerConnection& from, Stream& stream)
      : connection(from),
        service_(service),
        stream_(stream),
        idle_(runtime::Timer::of<&Inbound::on_idle>(service.swarm_.loop().timers(), this)) {
    idle_.set(service_.swarm_.loop().now() + limits::kPingIdleTimeout);
  }

  size_t on_data(Stream& stream, Bytes data) override {
    size_t consumed = 0;
    idle_.set(service_.swarm_.loop().now() + limits::kPingIdleTimeout);
    while (flush(stream) && consumed < data.size()) {
      consumed += responder_.receive(data.subspan(consumed));
    }
    return consumed;
  }
  void on_read_closed(Stream& stream) override {
    if (Status s = responder_.end_of_input(); !s.ok()) {
      service_.swarm_.stream_failed(connection, s.error());
      return stream.reset(0);
    }
    read_closed_ = true;
    if (flush(stream)) stream.close_write();
  }
  void on_reset(Stream& stream, uint64_t) override {
    stop_counting();  // its place is free now, and the peer may take it again before on_closed
    stream.reset(0);
  }
  void on_stop(Stream& stream, uint64_t) override { stream.stop_reading(0); }
  void on_writable(Stream& stream) override {
    if (!flush(stream)) return;
    if (read_closed_) return stream.close_write();
    stream.resume();
  }
  void on_closed(Stream&, const Error&) override {
    PingService& service = service_;
    stop_counting();
    --service.num_inbound_;
    service.pool()->destroy(this);
  }

  swarm::PeerConnection& connection;

 private:
  // False while the echo has to wait for room.
  bool flush(Stream& stream) {
    const Bytes out = responder_.pending();
    if (out.empty()) return true;
    const size_t n = out.size();
    if (!stream.write(service_.swarm_.loop().buffers().copy(out)).ok()) return false;
    responder_.sent(n);
    return true;
  }
  void on_idle() { stream_.abort(0); }
  void stop_counting() {
    if (std::exchange(counts_, false)) --service_.num_inbound_of_[&connection];
  }

  PingService& service_;
  Stream& stream_;
  ping::Responder responder_;
  bool read_closed_ = false;  // and the last echo still waits for room
  bool counts_ = true;        // towards the peer's limit
  runtime::Timer idle_;
};

struct PingService::Pool {
  ObjectPool<Inbound> inbound;
};

PingService::PingService(swarm::Swarm& swarm, Random random, bool serve)
    : swarm_(swarm), random_(random), pool_(std::make_unique<Pool>()) {
  swarm_.add_observer(this);
  if (!serve) return;
  const Status s = swarm_.protocols().add(ping::kProtocolId, this);
  KITH_CHECK(s.ok());  // services register before applications do
}

PingService::~PingService() {
  swarm_.remove_observer(this);
  if (swarm_.protocols().find(ping::kProtocolId) == this)
    swarm_.protocols().remove(ping::kProtocolId);
  KITH_CHECK(num_inbound_ == 0);
}

ObjectPool<PingService::Inbound>* PingService::pool() { return &pool_->inbound; }

void PingService::on_stream(swarm::PeerConnection& connection, Stream& stream, std::string_view) {
  size_t& num = num_inbound_of_[&connection];
  if (num >= limits::kPingStreamsPerConnection) {
    swarm_.stream_failed(connection,
                         Error(KITH_ERR_LIMIT, "ping", "too many ping streams of one peer"));
    return;  // without a handler the stream is aborted
  }
  ++num;
  ++num_inbound_;
  stream.set_handler(pool()->create(*this, connection, stream));
}

void PingService::on_disconnected(swarm::PeerConnection& connection, const Error& error) {
  num_inbound_of_.erase(&connection);
  // Sessions with a stream were told by its on_closed; those that wait for their next ping hear it here. Each callback may
  // destroy any of them.
  for (;;) {
    const auto it = std::find_if(sessions_.begin(), sessions_.end(), [&](const PingSession* s) {
      return s->connection_ == &connection;
    });
    if (it == sessions_.end()) return;
    (*it)->end(error);
  }
}

Result<std::unique_ptr<PingSession>> PingService::start(swarm::PeerConnection& connection,
                                                        const PingOptions& options,
                                                        PingHandler* handler) {
  if (options.count == 0) return Error(KITH_ERR_INVALID_ARGUMENT, "ping", "a count of 0");
  auto session = std::make_unique<PingSession>(*this, connection, options, handler);
  KITH_TRY(session->start());
  return session;
}

PingSession::PingSession(PingService& service, swarm::PeerConnection& connection,
                         const PingOptions& options, PingHandler* handler)
    : service_(service),
      connection_(&connection),
      options_(options),
      handler_(handler),
      timer_(runtime::Timer::of<&PingSession::on_timer>(service.swarm_.loop().timers(), this)) {
  service_.sessions_.push_back(this);
}

PingSession::~PingSession() {
  service_.sessions_.remove(this);
  leave_stream();
}

Status PingSession::start() { return send(); }

Status PingSession::send() {
  if (stopped_) leave_stream();
  if (!stream_) {
    stopped_ = false;
    const std::string_view protocol = ping::kProtocolId;
    KITH_ASSIGN(stream_, connection_->open_stream(std::span(&protocol, 1), this));
    pinger_ = ping::Pinger();
  }
  runtime::Loop& loop = service_.swarm_.loop();
  std::array<uint8_t, limits::kPingBytes> payload;
  service_.random_(payload);
  sent_at_ = loop.precise_now();
  KITH_TRY(pinger_.start(payload, sent_at_));
  const size_t n = pinger_.pending().size();
  KITH_TRY(stream_->write(loop.buffers().copy(pinger_.pending())));
  pinger_.sent(n);
  waiting_ = true;
  timer_.set(loop.now() + limits::kPingTimeout);
  return {};
}

size_t PingSession::on_data(Stream&, Bytes data) {
  pinger_.receive(data, service_.swarm_.loop().precise_now());
  const size_t n = data.size();
  if (pinger_.state() == ping::Pinger::State::kFailed) {
    end(pinger_.error());
  } else if (waiting_ && pinger_.state() == ping::Pinger::State::kIdle) {
    on_round_trip();
  }
  return n;
}

void PingSession::on_round_trip() {
  waiting_ = false;
  ++num_done_;
  const bool is_last = num_done_ == options_.count;
  if (options_.new_stream || is_last) leave_stream();
  if (is_last) {
    timer_.cancel();
  } else {
    timer_.set(sent_at_ + options_.interval);
  }
  handler_->on_round_trip(pinger_.rtt());
  if (is_last) end(Error(KITH_OK, "ping"));
}

void PingSession::on_timer() {
  if (waiting_) {
    return end(Error(KITH_ERR_TIMEOUT, "ping",
                     "no echo within " + std::to_string(limits::kPingTimeout / seconds(1)) + " s"));
  }
  if (Status s = send(); !s.ok()) end(s.error());
}

void PingSession::on_read_closed(Stream&) {
  lose_stream(Error(KITH_ERR_CLOSED, "ping", "the peer ended the ping stream instead of an echo"));
}

void PingSession::on_reset(Stream&, uint64_t code) {
  lose_stream(Error(KITH_ERR_RESET, "ping",
                    "the peer reset the ping stream with code " + std::to_string(code)));
}

void PingSession::on_closed(Stream&, const Error& error) {
  stream_ = nullptr;
  lose_stream(error.status() != KITH_OK ? error : Error(KITH_ERR_CLOSED, "ping"));
}

void PingSession::lose_stream(Error error) {
  if (waiting_) return end(std::move(error));
  leave_stream();
}

void PingSession::leave_stream() {
  Stream* stream = std::exchange(stream_, nullptr);
  if (!stream) return;
  stream->detach();
  stream->close_write();
  stream->stop_reading(0);
}

// By value: the error may belong to the stream that is left here.
void PingSession::end(Error error) {  // NOLINT(performance-unnecessary-value-param)
  if (!connection_) return;
  connection_ = nullptr;
  timer_.cancel();
  leave_stream();
  handler_->on_ping_end(error);  // may destroy this
}

}  // namespace kith::service
