#include "transport/quic/stream.h"

#include <algorithm>

#include "transport/quic/connection.h"
#include "transport/quic/status.h"
#include "transport/quic/transport.h"

namespace kith::transport::quic {

QuicStream::QuicStream(QuicConnection& connection, HQUIC handle, Direction direction)
    : connection_(connection),
      handle_(handle),
      flush_later_(runtime::Deferred::of<&QuicStream::flush>(connection.transport().loop(), this)),
      direction_(direction) {}

const QUIC_API_TABLE& QuicStream::api() const { return connection_.transport().api(); }

Connection& QuicStream::connection() { return connection_; }

Status QuicStream::do_write(Buffer data, bool more) {
  if (write_closed_) return Error(KITH_ERR_CLOSED, "stream");
  if (data.empty()) return {};
  if (queued_ >= send_budget_) {
    blocked_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "stream");
  }
  // In pieces: MsQuic reports a send once all of it is acknowledged, and more must be waiting by then.
  const size_t piece = send_budget_ / 4;
  while (data.size() > piece) {
    gather(data.slice(0, piece));
    flush();
    data = data.slice(piece, data.size() - piece);
  }
  gather(std::move(data));
  if (in_event_) return {};  // its end flushes
  if (more || flush_later_.is_scheduled()) {
    flush_later_.schedule();
  } else {
    flush();
  }
  return {};
}

void QuicStream::gather(Buffer data) {
  if (gathered_ && gathered_->num_writes == SendOp::kMaxWrites) flush();
  if (!gathered_) gathered_ = connection_.transport().send_ops().create();
  SendOp& op = *gathered_;
  const auto size = static_cast<uint32_t>(data.size());
  op.quic[op.num_writes] = {size, const_cast<uint8_t*>(data.data())};
  op.data[op.num_writes++] = std::move(data);
  op.num_bytes += size;
  queued_ += size;
}

void QuicStream::send_gathered(bool fin) {
  if (!gathered_) return;
  flush_later_.cancel();
  const SendOp& op = *gathered_;
  const QUIC_STATUS status = api().StreamSend(
      handle_, op.quic, op.num_writes, fin ? QUIC_SEND_FLAG_FIN : QUIC_SEND_FLAG_NONE, gathered_);
  if (QUIC_FAILED(status)) {  // the connection is ending: the last event says so
    write_closed_ = true;
    return drop_gathered();
  }
  gathered_ = nullptr;
}

void QuicStream::drop_gathered() {
  flush_later_.cancel();
  if (!gathered_) return;
  queued_ -= gathered_->num_bytes;
  connection_.transport().send_ops().destroy(std::exchange(gathered_, nullptr));
}

void QuicStream::do_close_write() {
  if (write_closed_) return;
  write_closed_ = true;
  if (gathered_) return send_gathered(/*fin=*/true);
  api().StreamShutdown(handle_, QUIC_STREAM_SHUTDOWN_FLAG_GRACEFUL, 0);
}

void QuicStream::do_reset(uint64_t code) {
  // Also after close_write(): what is still queued is dropped then.
  if (std::exchange(was_reset_, true)) return;
  write_closed_ = true;
  drop_gathered();
  api().StreamShutdown(handle_, QUIC_STREAM_SHUTDOWN_FLAG_ABORT_SEND, code);
}

void QuicStream::do_stop_reading(uint64_t code) {
  if (read_over()) return;
  read_stopped_ = true;
  forget_held();
  api().StreamShutdown(handle_, QUIC_STREAM_SHUTDOWN_FLAG_ABORT_RECEIVE, code);
}

void QuicStream::consume(size_t n) {
  if (read_over()) return;
  KITH_CHECK(n <= held_seen_);
  held_seen_ -= n;
  held_consumed_ += n;
  if (held_seen_ != 0) return;
  if (held_unseen_ != 0) return resume();
  const size_t total = std::exchange(held_consumed_, 0);
  if (total != 0) api().StreamReceiveComplete(handle_, total);
}

void QuicStream::resume() {
  if (held_consumed_ + held_seen_ + held_unseen_ == 0) return;
  const size_t consumed = std::exchange(held_consumed_, 0);
  held_seen_ = held_unseen_ = 0;
  // A partial completion turns delivery off; turning it on delivers the rest again.
  api().StreamReceiveComplete(handle_, consumed);
  api().StreamReceiveSetEnabled(handle_, TRUE);
}

QUIC_STATUS QuicStream::on_receive(QUIC_STREAM_EVENT* event) {
  const uint64_t total = event->RECEIVE.TotalBufferLength;
  uint64_t consumed = 0;
  if (total == 0 || read_over() || !handler_) return QUIC_STATUS_SUCCESS;
  for (uint32_t i = 0; i < event->RECEIVE.BufferCount; ++i) {
    Bytes view(event->RECEIVE.Buffers[i].Buffer, event->RECEIVE.Buffers[i].Length);
    while (!view.empty()) {
      StreamHandler* h = handler_;
      const size_t n = h->on_data(*this, view);
      KITH_CHECK(n <= view.size());
      consumed += n;
      view = view.subspan(n);
      if (!handler_ || read_stopped_) return QUIC_STATUS_SUCCESS;
      // A handler that hands the stream to another one leaves it the rest of the bytes.
      if (handler_ == h) break;
    }
    if (!view.empty()) {
      held_consumed_ = consumed;
      held_seen_ = view.size();
      held_unseen_ = total - consumed - view.size();
      return QUIC_STATUS_PENDING;
    }
  }
  return QUIC_STATUS_SUCCESS;
}

void QuicStream::on_send_complete(SendOp* op) {
  queued_ -= op->num_bytes;
  connection_.transport().send_ops().destroy(op);
  if (blocked_ && queued_ < send_budget_) {
    blocked_ = false;
    if (handler_ && !write_closed_) handler_->on_writable(*this);
  }
}

void QuicStream::on_shutdown_complete() {
  drop_gathered();
  api().StreamClose(handle_);
  if (StreamHandler* h = std::exchange(handler_, nullptr))
    h->on_closed(*this, connection_.end_of_stream());
  connection_.remove(this);
}

QUIC_STATUS QuicStream::on_event(HQUIC, void* ctx, QUIC_STREAM_EVENT* event) {
  auto* self = static_cast<QuicStream*>(ctx);
  if (event->Type == QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE) {
    self->on_shutdown_complete();
    return QUIC_STATUS_SUCCESS;
  }
  const bool was_in_event = std::exchange(self->in_event_, true);  // MsQuic calls back inside calls
  const QUIC_STATUS status = self->handle_event(event);
  self->in_event_ = was_in_event;
  if (!was_in_event) self->flush();
  return status;
}

QUIC_STATUS QuicStream::handle_event(QUIC_STREAM_EVENT* event) {
  StreamHandler* handler = handler_;
  switch (event->Type) {
    case QUIC_STREAM_EVENT_RECEIVE:
      return on_receive(event);
    case QUIC_STREAM_EVENT_SEND_COMPLETE:
      on_send_complete(static_cast<SendOp*>(event->SEND_COMPLETE.ClientContext));
      break;
    case QUIC_STREAM_EVENT_START_COMPLETE:
      id_ = event->START_COMPLETE.ID;
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_SHUTDOWN:
      if (read_over()) break;
      read_ended_ = true;
      if (handler) handler->on_read_closed(*this);
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_ABORTED:
      if (read_over()) break;
      read_ended_ = true;
      forget_held();
      if (handler) handler->on_reset(*this, event->PEER_SEND_ABORTED.ErrorCode);
      break;
    case QUIC_STREAM_EVENT_PEER_RECEIVE_ABORTED:
      write_closed_ = true;
      if (handler) handler->on_stop(*this, event->PEER_RECEIVE_ABORTED.ErrorCode);
      break;
    case QUIC_STREAM_EVENT_IDEAL_SEND_BUFFER_SIZE:
      send_budget_ = kWindows * event->IDEAL_SEND_BUFFER_SIZE.ByteCount;
      if (blocked_ && queued_ < send_budget_) {
        blocked_ = false;
        if (handler && !write_closed_) handler->on_writable(*this);
      }
      break;
    default:
      break;
  }
  return QUIC_STATUS_SUCCESS;
}

}  // namespace kith::transport::quic
