#include "transport/memory/connection.h"

#include <algorithm>
#include <utility>

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
  Event event{kind, std::move(data), code};
  if (waiting_) {
    unsent_.push_back(std::move(event));
  } else if (peer_) {
    peer_->receive(std::move(event));
  }
}

void MemoryStream::receive(Event event) {
  MemoryTransport& t = connection_.transport();
  last_due_ = std::max(last_due_, t.loop().now() + t.network().latency);
  event.due = last_due_;
  event.sequence = ++num_received_;
  const bool is_data = event.kind == Kind::kData || event.kind == Kind::kFin;
  (is_data ? data_ : control_).push_back(std::move(event));
  schedule();
}

std::deque<MemoryStream::Event>* MemoryStream::next_queue() {
  const bool data = !data_.empty() && held_.empty();
  const bool control = !control_.empty();
  if (data && control) {
    return data_.front().sequence < control_.front().sequence ? &data_ : &control_;
  }
  return data ? &data_ : control ? &control_ : nullptr;
}

void MemoryStream::schedule() {
  const std::deque<Event>* queue = next_queue();
  if (!queue || (arrival_.is_set() && arrival_.deadline() <= queue->front().due)) return;
  arrival_.set(queue->front().due);
}

void MemoryStream::schedule_now() { arrival_.set(connection_.transport().loop().now()); }

Status MemoryStream::do_write(Buffer data, bool) {
  if (write_ended_) return Error(KITH_ERR_CLOSED, "stream");
  if (data.empty()) return {};
  if (in_flight_ >= connection_.transport().config().stream_window_bytes) {
    blocked_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "stream");
  }
  in_flight_ += data.size();
  send(Kind::kData, std::move(data), 0);
  return {};
}

void MemoryStream::do_close_write() {
  if (std::exchange(write_ended_, true)) return;
  send(Kind::kFin, {}, 0);
  schedule_now();
}

void MemoryStream::do_reset(uint64_t code) {
  // Also after close_write(): what the peer has not read is dropped then.
  if (std::exchange(was_reset_, true)) return;
  write_ended_ = true;
  send(Kind::kReset, {}, code);
  schedule_now();
}

void MemoryStream::do_stop_reading(uint64_t code) {
  if (read_ended_) return;
  end_read();
  send(Kind::kStop, {}, code);
  schedule_now();
}

void MemoryStream::end_read() {
  read_ended_ = true;
  data_.clear();
  held_ = {};
  held_consumed_ = 0;
}

void MemoryStream::consume(size_t n) {
  if (read_ended_) return;
  KITH_CHECK(n <= held_.size() - held_consumed_);
  held_consumed_ += n;
  if (held_consumed_ < held_.size()) return;
  send(Kind::kCredit, {}, std::exchange(held_consumed_, 0));
  held_ = {};
  schedule();
}

void MemoryStream::resume() {
  if (held_.empty()) return;
  const size_t consumed = std::exchange(held_consumed_, 0);
  if (consumed != 0) send(Kind::kCredit, {}, consumed);
  const TimePoint now = connection_.transport().loop().now();
  data_.push_front({Kind::kData, held_.slice(consumed, held_.size() - consumed), 0, now, 0});
  held_ = {};
  schedule();
}

void MemoryStream::announce() {
  announced_ = true;
  connection_.handler_->on_stream(connection_, *this);
  if (!handler_) abort(0);
}

void MemoryStream::deliver_data(Buffer data) {
  size_t consumed = 0;
  while (handler_ && consumed < data.size() && !read_ended_) {
    StreamHandler* h = handler_;
    const size_t n = h->on_data(*this, data.bytes().subspan(consumed));
    KITH_CHECK(n <= data.size() - consumed);
    consumed += n;
    // A handler that hands the stream to another one leaves it the rest of the bytes.
    if (handler_ == h) break;
  }
  if (read_ended_) return;
  if (handler_ && consumed < data.size()) {
    held_ = std::move(data);  // the bytes stay where they are: the handler's view stays valid
    held_consumed_ = consumed;
  } else {
    send(Kind::kCredit, {}, data.size());
  }
}

void MemoryStream::deliver_control(const Event& event) {
  switch (event.kind) {
    case Kind::kReset:
      if (read_ended_) break;
      end_read();
      if (handler_) handler_->on_reset(*this, event.code);
      break;
    case Kind::kStop:
      if (write_ended_) break;
      write_ended_ = was_reset_ = true;
      send(Kind::kReset, {}, 0);
      if (handler_) handler_->on_stop(*this, event.code);
      break;
    default:  // kCredit
      in_flight_ -= std::min<size_t>(in_flight_, event.code);
      if (blocked_ && in_flight_ < connection_.transport().config().stream_window_bytes) {
        blocked_ = false;
        if (!write_ended_ && handler_) handler_->on_writable(*this);
      }
      break;
  }
}

void MemoryStream::deliver() {
  if (connection_.ending_) return;  // its end is due in the same turn
  const TimePoint now = connection_.transport().loop().now();
  for (std::deque<Event>* queue; (queue = next_queue()) && queue->front().due <= now;) {
    const Event event = std::move(queue->front());
    queue->pop_front();
    if (!announced_) announce();
    if (event.kind == Kind::kData) {
      if (!read_ended_) deliver_data(event.data);
    } else if (event.kind == Kind::kFin) {
      if (!std::exchange(read_ended_, true) && handler_) handler_->on_read_closed(*this);
    } else {
      deliver_control(event);
    }
  }
  if (write_ended_ && read_ended_) {
    if (handler_) handler_->on_closed(*this, Error(KITH_OK, "stream"));
    return connection_.destroy(this);
  }
  schedule();
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
  if (ending_) return Error(KITH_ERR_CLOSED, "connection");
  auto* near = new MemoryStream(*this, Direction::kOutbound, next_stream_id_++);
  near->set_handler(handler);
  streams_.push_back(near);
  if (!connect_stream(near)) {
    near->waiting_ = true;
    waiting_.push_back(near);
  }
  return static_cast<Stream*>(near);
}

bool MemoryConnection::connect_stream(MemoryStream* near) {
  if (!peer_ || peer_->ending_) return true;  // nobody will hear it; the news is on its way
  if (peer_->inbound_streams_ >= peer_->transport_.config().max_inbound_streams) return false;
  auto* far = new MemoryStream(*peer_, Direction::kInbound, near->id_);
  near->peer_ = far;
  far->peer_ = near;
  peer_->streams_.push_back(far);
  ++peer_->inbound_streams_;
  return true;
}

void MemoryConnection::admit_waiting() {
  while (!waiting_.empty() && connect_stream(waiting_.front())) {
    MemoryStream* near = waiting_.front();
    waiting_.pop_front();
    near->waiting_ = false;
    for (MemoryStream::Event& e : std::exchange(near->unsent_, {})) {
      if (near->peer_) near->peer_->receive(std::move(e));
    }
  }
}

void MemoryConnection::destroy(MemoryStream* stream) {
  const bool was_inbound = stream->direction() == Direction::kInbound;
  if (stream->waiting_) std::erase(waiting_, stream);
  streams_.remove(stream);
  delete stream;
  if (!was_inbound) return;
  --inbound_streams_;
  if (peer_) peer_->admit_waiting();
}

void MemoryConnection::close(uint64_t code) {
  if (ending_) return;
  if (peer_) peer_->on_peer_closed(std::min(code, kMaxErrorCode));
  ending_ = true;
  if (!end_timer_.is_set()) end_ = Error(KITH_ERR_CLOSED, "connection", "closed here");
  end_timer_.set(transport_.loop().now());
}

void MemoryConnection::on_peer_closed(uint64_t code) {
  if (ending_ || end_timer_.is_set()) return;
  end_ =
      Error(KITH_ERR_CLOSED, "connection", "closed by the peer with code " + std::to_string(code));
  end_timer_.set(transport_.loop().now() + transport_.network().latency);
}

void MemoryConnection::on_end() {
  ending_ = true;
  waiting_.clear();
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
