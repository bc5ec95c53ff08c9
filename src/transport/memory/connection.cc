#include "transport/memory/connection.h"

namespace kith::transport::memory {

MemoryStream::MemoryStream(MemoryConnection& connection, Direction direction, uint64_t id)
    : connection_(connection),
      id_(id),
      direction_(direction),
      arrival_(
          runtime::Timer::of<&MemoryStream::deliver>(connection.transport().loop().timers(), this)),
      announced_(direction == Direction::kOutbound) {}

MemoryStream::~MemoryStream() {
  if (peer_) peer_->peer_ = nullptr;
}

Connection& MemoryStream::connection() { return connection_; }

void MemoryStream::send(Kind kind, Buffer data, uint64_t code) {
  if (!peer_) return;
  MemoryTransport& t = connection_.transport();
  peer_->inbox_.push_back({t.loop().now() + t.network().latency, kind, std::move(data), code});
  peer_->schedule();
}

void MemoryStream::schedule() {
  if (inbox_.empty() || arrival_.is_set()) return;
  // Data behind held data waits, everything else does not.
  if (holding_ && inbox_.size() == 1) return;
  arrival_.set(inbox_[holding_ ? 1 : 0].due);
}

Status MemoryStream::do_write(Buffer data, bool) {
  if (write_ended_) return Error(KITH_ERR_CLOSED, "stream");
  if (data.empty()) return {};
  if (in_flight_ >= connection_.transport().config().stream_window_bytes) {
    blocked_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "stream");
  }
  if (peer_) in_flight_ += data.size();
  send(Kind::kData, std::move(data), 0);
  return {};
}

void MemoryStream::do_close_write() {
  if (write_ended_) return;
  send(Kind::kFin, {}, 0);
  finish_write();
}

void MemoryStream::reset(uint64_t code) {
  if (write_ended_) return;
  send(Kind::kReset, {}, code);
  finish_write();
}

void MemoryStream::finish_write() {
  write_ended_ = true;
  arrival_.cancel();
  arrival_.set(connection_.transport().loop().now());  // check_closed() in a later turn
}

void MemoryStream::stop_reading(uint64_t code) {
  if (read_ended_) return;
  read_ended_ = true;
  holding_ = false;
  send(Kind::kStop, {}, code);
  arrival_.cancel();
  arrival_.set(connection_.transport().loop().now());
}

void MemoryStream::consume(size_t n) {
  KITH_CHECK(holding_ && n <= inbox_.front().data.size() - held_consumed_);
  held_consumed_ += n;
  if (held_consumed_ < inbox_.front().data.size()) return;
  holding_ = false;
  Event event = std::move(inbox_.front());
  inbox_.pop_front();
  held_consumed_ = 0;
  credit(event.data.size());
  schedule();
}

void MemoryStream::credit(size_t n) {
  if (!peer_ || n == 0) return;
  peer_->inbox_.push_back({connection_.transport().loop().now(), Kind::kCredit, {}, n});
  peer_->schedule();
}

void MemoryStream::resume() {
  if (!holding_) return;
  holding_ = false;
  credit(held_consumed_);
  inbox_.front().data =
      inbox_.front().data.slice(held_consumed_, inbox_.front().data.size() - held_consumed_);
  held_consumed_ = 0;
  schedule();
}

bool MemoryStream::deliver_data(Event& event) {
  const size_t size = event.data.size();
  size_t consumed = 0;
  while (handler_ && consumed < size && !read_ended_) {
    StreamHandler* h = handler_;
    const size_t n = h->on_data(*this, event.data.bytes().subspan(consumed));
    consumed += n;
    if (!handler_ || handler_ == h) break;
  }
  if (read_ended_ || !handler_) consumed = size;
  if (consumed < size) {
    // The event keeps its bytes where they are: the handler's view stays valid.
    held_consumed_ = consumed;
    holding_ = true;
    return false;
  }
  credit(size);
  return true;
}

void MemoryStream::deliver() {
  const TimePoint now = connection_.transport().loop().now();
  // Control events overtake held data only.
  while (inbox_.size() > (holding_ ? 1U : 0U)) {
    const size_t index = holding_ ? 1 : 0;
    if (inbox_[index].due > now) break;
    const Kind kind = inbox_[index].kind;
    if (holding_ && (kind == Kind::kData || kind == Kind::kFin)) break;
    if (!announced_ && kind != Kind::kCredit) {
      announced_ = true;
      connection_.handler_->on_stream(connection_, *this);
      if (!handler_) {
        reset(0);
        stop_reading(0);
      }
    }
    if (kind == Kind::kData && !read_ended_) {
      Event event = inbox_.front();  // shares the buffer
      if (!deliver_data(event)) break;
      inbox_.pop_front();
      continue;
    }
    Event event = std::move(inbox_[index]);
    inbox_.erase(inbox_.begin() + static_cast<std::ptrdiff_t>(index));
    switch (event.kind) {
      case Kind::kData:
        break;
      case Kind::kCredit:
        in_flight_ -= std::min<size_t>(in_flight_, event.code);
        if (blocked_ && in_flight_ < connection_.transport().config().stream_window_bytes) {
          blocked_ = false;
          if (!write_ended_ && handler_) handler_->on_writable(*this);
        }
        break;
      case Kind::kFin:
        if (!std::exchange(read_ended_, true) && handler_) handler_->on_read_closed(*this);
        break;
      case Kind::kReset:
        holding_ = false;
        if (!std::exchange(read_ended_, true) && handler_) handler_->on_reset(*this, event.code);
        break;
      case Kind::kStop:
        if (!write_ended_) {
          send(Kind::kReset, {}, 0);
          write_ended_ = true;
          if (handler_) handler_->on_stop(*this, event.code);
        }
        break;
    }
  }
  if (write_ended_ && read_ended_) return check_closed();
  schedule();
}

void MemoryStream::check_closed() {
  if (handler_) handler_->on_closed(*this, Error(KITH_OK, "stream"));
  connection_.destroy(this);
}

MemoryConnection::MemoryConnection(MemoryTransport& transport, Direction direction,
                                   wire::Multiaddr local, wire::Multiaddr remote)
    : transport_(transport),
      direction_(direction),
      local_(std::move(local)),
      remote_(std::move(remote)),
      end_timer_(runtime::Timer::of<&MemoryConnection::on_end>(transport.loop().timers(), this)) {
  transport.add(this);
}

MemoryConnection::~MemoryConnection() {
  if (peer_) peer_->peer_ = nullptr;
}

void MemoryConnection::join(MemoryConnection* a, MemoryConnection* b) {
  a->peer_ = b;
  b->peer_ = a;
  a->remote_peer_ = b->transport_.self();
  b->remote_peer_ = a->transport_.self();
}

Result<Stream*> MemoryConnection::open_stream(StreamHandler* handler) {
  if (ending_ || !peer_ || peer_->ending_) return Error(KITH_ERR_CLOSED, "connection");
  if (peer_->inbound_streams_ >= peer_->transport_.config().max_inbound_streams)
    return Error(KITH_ERR_LIMIT, "connection", "the peer allows no more streams");
  auto* near = new MemoryStream(*this, Direction::kOutbound, next_stream_id_);
  auto* far = new MemoryStream(*peer_, Direction::kInbound, next_stream_id_++);
  near->peer_ = far;
  far->peer_ = near;
  near->set_handler(handler);
  streams_.push_back(near);
  peer_->streams_.push_back(far);
  ++peer_->inbound_streams_;
  return static_cast<Stream*>(near);
}

void MemoryConnection::destroy(MemoryStream* stream) {
  if (stream->direction() == Direction::kInbound) --inbound_streams_;
  streams_.remove(stream);
  delete stream;
}

void MemoryConnection::close(uint64_t code) {
  if (peer_) {
    peer_->end(Error(KITH_ERR_CLOSED, "connection",
                     "closed by the peer with code " + std::to_string(code)),
               transport_.network().latency);
  }
  end(Error(KITH_ERR_CLOSED, "connection", "closed here"), 0);
}

void MemoryConnection::end(Error reason, Duration delay) {
  if (ending_) return;
  ending_ = delay == 0;  // until the news arrives this side goes on
  if (end_timer_.is_set()) return;
  end_ = std::move(reason);
  end_timer_.set(transport_.loop().now() + delay);
}

void MemoryConnection::on_end() {
  ending_ = true;
  while (!streams_.empty()) {
    MemoryStream* stream = streams_.front();
    streams_.pop_front();
    if (stream->handler_) stream->handler_->on_closed(*stream, end_);
    delete stream;
  }
  if (handler_) handler_->on_closed(*this, end_);
  transport_.remove(this);
}

}  // namespace kith::transport::memory
