#include "swarm/stream_io.h"

#include "swarm/peer_connection.h"

namespace kith::swarm {

using transport::Stream;

StreamIo::~StreamIo() {
  if (destroyed_) *destroyed_ = true;
  if (!stream_) return;
  // Nobody listens any more; the stream ends by itself, and well if both sides have ended.
  stream_->detach();
  if (!write_closed_) stream_->reset(0);
  if (!read_closed_) stream_->stop_reading(0);
}

Status StreamIo::open(PeerConnection& connection, std::span<const std::string_view> protocols) {
  KITH_ASSIGN(stream_, connection.open_stream(protocols, this));
  return {};
}

void StreamIo::attach(Stream& stream) {
  stream_ = &stream;
  stream.set_handler(this);
}

size_t StreamIo::on_data(Stream&, Bytes data) {
  view_ = data;
  if (!readable_.waiting()) return 0;  // held until somebody reads
  bool destroyed = false;
  destroyed_ = &destroyed;
  in_call_ = true;
  consumed_in_call_ = 0;
  readable_.resume();
  if (destroyed) return data.size();
  destroyed_ = nullptr;
  in_call_ = false;
  return consumed_in_call_;
}

void StreamIo::consume(size_t n) {
  view_ = view_.subspan(n);
  if (in_call_) {
    consumed_in_call_ += n;
  } else if (stream_) {
    stream_->consume(n);
  }
}

Result<Bytes> StreamIo::take_read() const {
  if (view_.empty() && !read_closed_ && error_.status() != KITH_OK) return error_;
  return view_;
}

Status StreamIo::write(Buffer data) {
  if (!stream_) return error_.status() != KITH_OK ? error_ : Error(KITH_ERR_CLOSED, "stream");
  return stream_->write(std::move(data));
}

void StreamIo::close_write() {
  write_closed_ = true;
  if (stream_) stream_->close_write();
}

void StreamIo::fail(Error error) {
  if (error_.status() != KITH_OK) return;
  error_ = std::move(error);
  view_ = {};
  if (Stream* stream = std::exchange(stream_, nullptr)) {
    stream->detach();
    stream->abort(0);
  }
  wake_both();
}

void StreamIo::wake_both() {
  bool destroyed = false;
  bool* const outer = std::exchange(destroyed_, &destroyed);
  readable_.resume();
  if (destroyed) {
    if (outer) *outer = true;
    return;
  }
  destroyed_ = outer;
  writable_.resume();
}

void StreamIo::on_read_closed(Stream&) {
  read_closed_ = true;
  readable_.resume();
}

void StreamIo::on_reset(Stream&, uint64_t code) {
  fail(Error(KITH_ERR_RESET, "stream",
             "the peer reset the stream with code " + std::to_string(code)));
}

void StreamIo::on_stop(Stream&, uint64_t) { writable_.resume(); }

void StreamIo::on_closed(Stream&, const Error& error) {
  stream_ = nullptr;
  if (error_.status() == KITH_OK) {
    error_ = error.status() != KITH_OK ? error : Error(KITH_ERR_CLOSED, "stream");
  }
  view_ = {};
  wake_both();
}

}  // namespace kith::swarm
