// MsQuic streams and connections of the attacker. See peer.h; the endpoint is in endpoint.cc.
#include "tests/attacker/peer.h"

#include <cstdio>

#include "tests/attacker/quic_api.h"
#include "tests/attacker/report.h"
#include "tests/attacker/responder.h"

namespace kith::attacker {
namespace {

constexpr size_t kKeptBytes = 64 * 1024;
constexpr size_t kBlocksInFlight = 4;

// Lives from StreamSend to SEND_COMPLETE.
struct SendBlock {
  explicit SendBlock(Bytes content) : bytes(std::move(content)) {
    buffer.Length = static_cast<uint32_t>(bytes.size());
    buffer.Buffer = bytes.data();
  }
  Bytes bytes;
  QUIC_BUFFER buffer{};
};

}  // namespace

Stream::Stream(Connection& connection, int label) : connection_(connection), label_(label) {}

Stream::~Stream() {
  if (handle_ != nullptr) quic_api()->StreamClose(handle_);
}

bool Stream::send(Bytes bytes, bool fin) {
  auto lock = connection_.endpoint_.lock();
  auto* block = new SendBlock(std::move(bytes));
  QUIC_SEND_FLAGS flags = fin ? QUIC_SEND_FLAG_FIN : QUIC_SEND_FLAG_NONE;
  ++state.sends_in_flight;
  if (QUIC_SUCCEEDED(quic_api()->StreamSend(handle_, &block->buffer, 1, flags, block))) return true;
  --state.sends_in_flight;
  delete block;
  return false;
}

void Stream::pump(Generator next, bool fin) {
  auto lock = connection_.endpoint_.lock();
  next_ = std::move(next);
  fin_after_next_ = fin;
  fill();
}

void Stream::fill() {
  while (next_ && state.sends_in_flight < kBlocksInFlight) {
    Bytes block;
    bool has_more = next_(block);
    if (!has_more) next_ = nullptr;
    bool fin = !has_more && fin_after_next_;
    if ((!block.empty() || fin) && !send(std::move(block), fin)) next_ = nullptr;
  }
}

void Stream::reset(uint64_t code) {
  quic_api()->StreamShutdown(handle_, QUIC_STREAM_SHUTDOWN_FLAG_ABORT, code);
}

bool Stream::is_quiet() const { return connection_.is_quiet_; }

QUIC_STATUS Stream::callback(HQUIC, void* self, QUIC_STREAM_EVENT* event) {
  auto* stream = static_cast<Stream*>(self);
  Endpoint& endpoint = stream->connection_.endpoint_;
  {
    auto lock = endpoint.lock();
    stream->handle(*event);
  }
  endpoint.changed_.notify_all();
  return QUIC_STATUS_SUCCESS;
}

void Stream::handle(QUIC_STREAM_EVENT& event) {
  switch (event.Type) {
    case QUIC_STREAM_EVENT_START_COMPLETE:
      state.is_started = QUIC_SUCCEEDED(event.START_COMPLETE.Status);
      state.is_accepted = event.START_COMPLETE.PeerAccepted != 0;
      break;
    case QUIC_STREAM_EVENT_PEER_ACCEPTED:
      state.is_accepted = true;
      break;
    case QUIC_STREAM_EVENT_RECEIVE:
      receive(event);
      break;
    case QUIC_STREAM_EVENT_SEND_COMPLETE:
      send_completed(event);
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_SHUTDOWN:
      state.fin = true;
      end("stream_fin", 0);
      if (responder_) responder_->finish();
      break;
    case QUIC_STREAM_EVENT_PEER_SEND_ABORTED:
      state.reset = true;
      end("stream_reset", event.PEER_SEND_ABORTED.ErrorCode);
      if (responder_) reset(0);
      break;
    case QUIC_STREAM_EVENT_PEER_RECEIVE_ABORTED:
      state.stopped = true;
      next_ = nullptr;
      end("stream_stopped", event.PEER_RECEIVE_ABORTED.ErrorCode);
      break;
    case QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE:
      state.is_closed = true;
      next_ = nullptr;
      break;
    default:
      break;
  }
}

void Stream::receive(QUIC_STREAM_EVENT& event) {
  if (holds_reads_) {
    event.RECEIVE.TotalBufferLength = 0;
    return;
  }
  Bytes bytes;
  for (uint32_t i = 0; i < event.RECEIVE.BufferCount; ++i) {
    const QUIC_BUFFER& buffer = event.RECEIVE.Buffers[i];
    append(bytes, View(buffer.Buffer, buffer.Length));
  }
  if (bytes.empty()) return;
  state.received_bytes += bytes.size();
  connection_.state.node_bytes += bytes.size();
  if (!connection_.is_quiet_) {
    Line("stream_data")
        .number("stream", label_)
        .number("bytes", bytes.size())
        .hex("hex", bytes)
        .print();
  }
  if (state.received.size() + bytes.size() <= kKeptBytes) append(state.received, bytes);
  if (responder_) responder_->receive(bytes);
}

void Stream::send_completed(const QUIC_STREAM_EVENT& event) {
  auto* block = static_cast<SendBlock*>(event.SEND_COMPLETE.ClientContext);
  --state.sends_in_flight;
  if (event.SEND_COMPLETE.Canceled) {
    next_ = nullptr;
  } else {
    state.acked_bytes += block->bytes.size();
  }
  delete block;
  fill();
}

void Stream::end(const char* event, uint64_t code) {
  state.code = code;
  if (connection_.is_quiet_) return;
  Line line(event);
  line.number("stream", label_).number("code", code).number("acked_bytes", state.acked_bytes);
  if (responder_) line.text("protocol", responder_->protocol());
  line.print();
}

Connection::~Connection() {
  if (handle_ == nullptr) return;
  close(0);
  endpoint_.wait_until(Clock::now() + std::chrono::seconds(3), [&] { return state.is_complete; });
  std::list<std::unique_ptr<Stream>> streams;
  {
    auto lock = endpoint_.lock();
    streams.swap(streams_);
  }
  streams.clear();
  quic_api()->ConnectionClose(handle_);
}

Stream* Connection::open_stream() {
  auto lock = endpoint_.lock();
  if (state.is_ended) return nullptr;
  std::unique_ptr<Stream> stream(new Stream(*this, next_label_++));
  if (QUIC_FAILED(quic_api()->StreamOpen(handle_, QUIC_STREAM_OPEN_FLAG_NONE, Stream::callback,
                                         stream.get(), &stream->handle_))) {
    return nullptr;
  }
  QUIC_STREAM_START_FLAGS flags =
      QUIC_STREAM_START_FLAG_IMMEDIATE | QUIC_STREAM_START_FLAG_INDICATE_PEER_ACCEPT;
  if (QUIC_FAILED(quic_api()->StreamStart(stream->handle_, flags))) return nullptr;
  streams_.push_back(std::move(stream));
  return streams_.back().get();
}

void Connection::close(uint64_t code) {
  quic_api()->ConnectionShutdown(handle_, QUIC_CONNECTION_SHUTDOWN_FLAG_NONE, code);
}

void Connection::reap() {
  std::list<std::unique_ptr<Stream>> closed;
  {
    auto lock = endpoint_.lock();
    for (auto at = streams_.begin(); at != streams_.end();) {
      auto next = std::next(at);
      if ((*at)->state.is_closed) closed.splice(closed.end(), streams_, at);
      at = next;
    }
  }
}

std::vector<Stream*> Connection::node_streams() {
  std::vector<Stream*> out;
  for (auto& stream : streams_) {
    if (stream->responder_) out.push_back(stream.get());
  }
  return out;
}

QUIC_STATUS Connection::callback(HQUIC, void* self, QUIC_CONNECTION_EVENT* event) {
  auto* connection = static_cast<Connection*>(self);
  {
    auto lock = connection->endpoint_.lock();
    connection->handle(*event);
  }
  connection->endpoint_.changed_.notify_all();
  return QUIC_STATUS_SUCCESS;
}

void Connection::handle(QUIC_CONNECTION_EVENT& event) {
  switch (event.Type) {
    case QUIC_CONNECTION_EVENT_CONNECTED:
      state.is_connected = true;
      state.is_resumed = event.CONNECTED.SessionResumed != 0;
      state.connected = Clock::now();
      if (!is_quiet_) Line("connected").flag("resumed", state.is_resumed).print();
      break;
    case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_TRANSPORT:
      end(false, event.SHUTDOWN_INITIATED_BY_TRANSPORT.Status,
          event.SHUTDOWN_INITIATED_BY_TRANSPORT.ErrorCode);
      break;
    case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_PEER:
      end(true, 0, event.SHUTDOWN_INITIATED_BY_PEER.ErrorCode);
      break;
    case QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE:
      state.is_ended = true;
      state.is_complete = true;
      break;
    case QUIC_CONNECTION_EVENT_PEER_STREAM_STARTED: {
      ++state.node_streams;
      std::unique_ptr<Stream> stream(new Stream(*this, next_label_++));
      stream->handle_ = event.PEER_STREAM_STARTED.Stream;
      stream->responder_ = endpoint_.responders_(*stream, public_key_);
      quic_api()->SetCallbackHandler(stream->handle_, reinterpret_cast<void*>(&Stream::callback),
                                     stream.get());
      if (!is_quiet_) Line("stream_opened_by_node").number("stream", stream->label_).print();
      streams_.push_back(std::move(stream));
      break;
    }
    case QUIC_CONNECTION_EVENT_STREAMS_AVAILABLE:
      state.streams_available = event.STREAMS_AVAILABLE.BidirectionalCount;
      break;
    case QUIC_CONNECTION_EVENT_RESUMPTION_TICKET_RECEIVED: {
      const auto& ticket = event.RESUMPTION_TICKET_RECEIVED;
      state.ticket.assign(ticket.ResumptionTicket,
                          ticket.ResumptionTicket + ticket.ResumptionTicketLength);
      if (!is_quiet_) Line("resumption_ticket").number("bytes", state.ticket.size()).print();
      break;
    }
    default:
      break;
  }
}

void Connection::end(bool by_peer, QUIC_STATUS status, uint64_t error_code) {
  state.is_ended = true;
  state.ended_by_peer = by_peer;
  state.status = status;
  state.error_code = error_code;
  state.ended = Clock::now();
  if (is_quiet_) return;
  char hex[16];
  std::snprintf(hex, sizeof hex, "0x%x", status);
  Line("shutdown")
      .text("by", by_peer ? "peer" : "transport")
      .text("status", hex)
      .number("error_code", error_code)
      .seconds("seconds", std::chrono::duration<double>(state.ended - state.started).count())
      .print();
}

}  // namespace kith::attacker
