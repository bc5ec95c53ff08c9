#include "service/perf.h"

#include <algorithm>

#include "swarm/peer_connection.h"

namespace kith::service {

using transport::Stream;

namespace {
constexpr size_t kChunk = 256 * 1024;
alignas(64) const uint8_t kZeros[kChunk] = {};
}  // namespace

void ZeroSource::pump(Stream& stream) {
  while (left_ != 0 && !closed_) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(left_, kChunk));
    if (!stream.write(Buffer::static_bytes({kZeros, n})).ok()) return;
    left_ -= n;
  }
  end(stream);
}

void ZeroSource::end(Stream& stream) {
  if (!std::exchange(closed_, true)) stream.close_write();
}

class PerfService::Inbound final : public transport::StreamHandler {
 public:
  Inbound(PerfService& service, swarm::PeerConnection& connection)
      : service_(service), connection_(connection) {}
  size_t on_data(Stream&, Bytes data) override {
    receiver_.receive(data);
    return data.size();
  }
  void on_read_closed(Stream& stream) override {
    const Result<uint64_t> wanted = receiver_.finish();
    if (!wanted.ok()) {
      service_.swarm_.stream_failed(connection_, wanted.error());
      return stream.reset(0);
    }
    source_ = ZeroSource(*wanted);
    source_.pump(stream);
  }
  void on_reset(Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(Stream& stream, uint64_t) override { stream.stop_reading(0); }
  void on_writable(Stream& stream) override { source_.pump(stream); }
  void on_closed(Stream&, const Error&) override {
    service_.inbound_.remove_if([this](const auto& i) { return i.get() == this; });
  }

 private:
  PerfService& service_;
  swarm::PeerConnection& connection_;
  perf::Receiver receiver_;
  ZeroSource source_{0};
};

PerfService::PerfService(swarm::Swarm& swarm) : swarm_(swarm) {}

PerfService::~PerfService() {
  if (serving_) swarm_.protocols().remove(perf::kProtocolId);
  KITH_CHECK(inbound_.empty());
}

void PerfService::serve() {
  KITH_CHECK(swarm_.protocols().add(perf::kProtocolId, this).ok());
  serving_ = true;
}

void PerfService::on_stream(swarm::PeerConnection& connection, Stream& stream, std::string_view) {
  inbound_.push_back(std::make_unique<Inbound>(*this, connection));
  stream.set_handler(inbound_.back().get());
}

Result<std::unique_ptr<PerfSession>> PerfService::start(swarm::PeerConnection& connection,
                                                        uint64_t upload, uint64_t download,
                                                        PerfHandler* handler) {
  auto session = std::make_unique<PerfSession>(swarm_.loop(), upload, download, handler);
  KITH_TRY(session->start(connection));
  return session;
}

PerfSession::PerfSession(runtime::Loop& loop, uint64_t upload, uint64_t download,
                         PerfHandler* handler)
    : loop_(loop),
      upload_(upload),
      download_(download),
      handler_(handler),
      source_(upload),
      progress_(runtime::Timer::of<&PerfSession::on_progress>(loop.timers(), this)) {}

PerfSession::~PerfSession() {
  if (Stream* stream = std::exchange(stream_, nullptr)) {
    stream->detach();
    stream->abort(0);
  }
}

Status PerfSession::start(swarm::PeerConnection& connection) {
  started_ = loop_.precise_now();
  const std::string_view protocol = perf::kProtocolId;
  KITH_ASSIGN(stream_, connection.open_stream(std::span(&protocol, 1), this));
  // A measurement of latency must not wait for the negotiation before it ends its side.
  stream_->hold_fin(false);
  KITH_TRY(stream_->write(loop_.buffers().copy(perf::header(download_))));
  source_.pump(*stream_);
  progress_.set(loop_.now() + kInterval);
  return {};
}

size_t PerfSession::on_data(Stream&, Bytes data) {
  if (first_byte_ == 0) first_byte_ = loop_.precise_now();
  downloaded_ += data.size();
  // The end of a stopped session comes from the timer: the transport still uses the stream when this returns.
  if (stopping_) progress_.set(loop_.now());
  return data.size();
}

void PerfSession::on_read_closed(Stream&) {
  if (first_byte_ == 0) first_byte_ = loop_.precise_now();
  if (downloaded_ != download_) {
    return end(Error(KITH_ERR_PROTOCOL_VIOLATION, "perf",
                     "the peer sent " + std::to_string(downloaded_) + " bytes instead of " +
                         std::to_string(download_)));
  }
  end(Error(KITH_OK, "perf"));
}

void PerfSession::on_reset(Stream&, uint64_t code) {
  end(Error(KITH_ERR_RESET, "perf", "the peer reset the stream with code " + std::to_string(code)));
}

void PerfSession::on_closed(Stream&, const Error& error) {
  stream_ = nullptr;
  end(error.status() != KITH_OK ? error : Error(KITH_ERR_CLOSED, "perf"));
}

PerfResult PerfSession::result() const {
  const TimePoint now = loop_.precise_now();
  PerfResult r;
  r.uploaded = upload_ - source_.left();
  r.downloaded = downloaded_;
  r.upload_time = (first_byte_ != 0 ? first_byte_ : now) - started_;
  r.download_time = first_byte_ != 0 ? now - first_byte_ : 0;
  return r;
}

void PerfSession::on_progress() {
  if (stopping_) {
    source_.end(*stream_);
    if (first_byte_ != 0) end(Error(KITH_OK, "perf"));
    return;
  }
  progress_.set(loop_.now() + kInterval);
  handler_->on_perf_progress(result());
}

void PerfSession::stop() {
  if (!stream_ || std::exchange(stopping_, true)) return;
  progress_.set(loop_.now());
}

void PerfSession::end(const Error& error) {
  progress_.cancel();
  const PerfResult r = result();
  if (Stream* stream = std::exchange(stream_, nullptr)) {
    stream->detach();
    if (error.status() != KITH_OK || downloaded_ != download_) stream->abort(0);
  }
  handler_->on_perf_end(r, error);  // may destroy this
}

}  // namespace kith::service
