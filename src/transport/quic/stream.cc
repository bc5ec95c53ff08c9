#include "transport/quic/stream.h"

#include <algorithm>

#include "transport/quic/connection.h"
#include "transport/quic/status.h"
#include "transport/quic/transport.h"

namespace kith::transport::quic {

QuicStream::QuicStream(QuicConnection& connection, HQUIC handle, Direction direction)
    : connection_(connection), handle_(handle), direction_(direction) {}

const QUIC_API_TABLE& QuicStream::api() const { return connection_.transport().api(); }

Connection& QuicStream::connection() { return connection_; }

Status QuicStream::do_write(Buffer data, bool more) {
  if (write_closed_) return Error(KITH_ERR_CLOSED, "stream");
  if (data.empty()) return {};
  if (queued_ >= send_budget_) {
    blocked_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "stream");
  }
  if (data.size() > UINT32_MAX)
    return Error(KITH_ERR_INVALID_ARGUMENT, "stream", "write above 4 GiB");
  SendOp* op = connection_.transport().send_ops().create();
  op->data = std::move(data);
  op->quic.Buffer = const_cast<uint8_t*>(op->data.data());
  op->quic.Length = static_cast<uint32_t>(op->data.size());
  queued_ += op->quic.Length;
  const QUIC_STATUS status = api().StreamSend(
      handle_, &op->quic, 1, more ? QUIC_SEND_FLAG_DELAY_SEND : QUIC_SEND_FLAG_NONE, op);
  if (QUIC_FAILED(status)) {
    queued_ -= op->quic.Length;
    connection_.transport().send_ops().destroy(op);
    return Error(KITH_ERR_CLOSED, "stream");
  }
  return {};
}

void QuicStream::do_close_write() {
  if (write_closed_) return;
  write_closed_ = true;
  api().StreamShutdown(handle_, QUIC_STREAM_SHUTDOWN_FLAG_GRACEFUL, 0);
}

void QuicStream::do_reset(uint64_t code) {
  // Also after close_write(): what is still queued is dropped then.
  if (std::exchange(was_reset_, true)) return;
  write_closed_ = true;
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
  queued_ -= op->quic.Length;
  connection_.transport().send_ops().destroy(op);
  if (blocked_ && queued_ < send_budget_) {
    blocked_ = false;
    if (handler_ && !write_closed_) handler_->on_writable(*this);
  }
}

void QuicStream::on_shutdown_complete() {
  api().StreamClose(handle_);
  if (StreamHandler* h = std::exchange(handler_, nullptr))
    h->on_closed(*this, connection_.end_of_stream());
  connection_.remove(this);
}

QUIC_STATUS QuicStream::on_event(HQUIC, void* ctx, QUIC_STREAM_EVENT* event) {
  auto* self = static_cast<QuicStream*>(ctx);
  StreamHandler* handler = self->handler_;
  switch (event->Type) {
    case QUIC_STREAM_EVENT_RECEIVE:
      return self->on_receive(event);
    case QUIC_STREAM_EVENT_SEND_COMPLETE:
      self->on_send_complete(static_cast<SendOp*>(event->SEND_COMPLETE.ClientContext));
      break;
    case QUIC_STREAM_EVENT_START_COMPLETE:
      self->id_ = event->START_COMPLETE.ID;
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_SHUTDOWN:
      if (self->read_over()) break;
      self->read_ended_ = true;
      if (handler) handler->on_read_closed(*self);
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_ABORTED:
      if (self->read_over()) break;
      self->read_ended_ = true;
      self->forget_held();
      if (handler) handler->on_reset(*self, event->PEER_SEND_ABORTED.ErrorCode);
      break;
    case QUIC_STREAM_EVENT_PEER_RECEIVE_ABORTED:
      self->write_closed_ = true;
      if (handler) handler->on_stop(*self, event->PEER_RECEIVE_ABORTED.ErrorCode);
      break;
    case QUIC_STREAM_EVENT_IDEAL_SEND_BUFFER_SIZE:
      self->send_budget_ = event->IDEAL_SEND_BUFFER_SIZE.ByteCount;
      if (self->blocked_ && self->queued_ < self->send_budget_) {
        self->blocked_ = false;
        if (handler && !self->write_closed_) handler->on_writable(*self);
      }
      break;
    case QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE:
      self->on_shutdown_complete();
      break;
    default:
      break;
  }
  return QUIC_STATUS_SUCCESS;
}

}  // namespace kith::transport::quic
