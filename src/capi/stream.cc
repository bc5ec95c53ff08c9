// kith/stream.h
#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

namespace kith::capi {

const char* StreamStore::intern(std::string_view name) {
  auto it = names.find(name);
  if (it == names.end()) it = names.emplace(name).first;
  return it->c_str();
}

}  // namespace kith::capi

kith_stream::kith_stream(kith_connection* c, StreamStore* s)
    : connection(kith_connection_ref(c)), store(s) {
  ++store->refs;
}

kith_stream::~kith_stream() { kith_connection_unref(connection); }

void kith_stream::unref() {
  if (--refs != 0) return;
  StreamStore* s = store;
  s->streams.destroy(this);
  s->unref();
}

void kith_stream::drop_handler() {
  const kith_stream_handler old = std::exchange(handler, {});
  if (old.user_destroy) old.user_destroy(old.user);
}

template <typename T>
T kith_stream::callback(T kith_stream_handler::*member) const {
  return connection->shard->node.muted ? nullptr : handler.*member;
}

void kith_stream::on_open(transport::Stream&, std::string_view id) {
  protocol = store->intern(id);
  may_write = true;
  if (auto* fn = callback(&kith_stream_handler::on_open)) fn(handler.user, this, protocol);
}

size_t kith_stream::on_data(transport::Stream&, Bytes data) {
  size_t consumed = 0;
  // A handler that is replaced in its on_data leaves the rest to the new one; not without end, if nobody takes any.
  constexpr int kMaxHandlers = 8;
  for (int i = 0; i < kMaxHandlers && consumed < data.size(); ++i) {
    auto* fn = callback(&kith_stream_handler::on_data);
    if (!fn) return data.size();
    const uint32_t before = num_handlers;
    const Bytes rest = data.subspan(consumed);
    in_data = true;
    consumed += std::min(rest.size(), fn(handler.user, this, rest.data(), rest.size()));
    in_data = false;
    if (num_handlers == before) break;
  }
  held = read_ended ? 0 : data.size() - consumed;
  return consumed;
}

void kith_stream::on_read_closed(transport::Stream&) {
  if (auto* fn = callback(&kith_stream_handler::on_read_closed)) fn(handler.user, this);
}

void kith_stream::on_reset(transport::Stream&, uint64_t code) {
  held = 0;
  read_ended = true;
  if (auto* fn = callback(&kith_stream_handler::on_reset)) fn(handler.user, this, code);
}

void kith_stream::on_stop(transport::Stream&, uint64_t code) {
  if (auto* fn = callback(&kith_stream_handler::on_stop)) fn(handler.user, this, code);
}

void kith_stream::on_writable(transport::Stream&) {
  if (auto* fn = callback(&kith_stream_handler::on_writable)) fn(handler.user, this);
}

void kith_stream::on_closed(transport::Stream&, const Error& error) {
  stream = nullptr;
  held = 0;
  if (auto* fn = callback(&kith_stream_handler::on_closed)) {
    const kith_error e = to_c(error);
    fn(handler.user, this, &e);
  }
  drop_handler();
  unref();
}

namespace {
// The checks that every call on a stream begins with.
kith_status check(const kith_stream* s) {
  if (!s) return KITH_ERR_INVALID_ARGUMENT;
  if (!s->stream) return KITH_ERR_CLOSED;
  return s->connection->loop->on_loop() ? KITH_OK : KITH_ERR_WRONG_THREAD;
}
}  // namespace

extern "C" {

kith_status kith_stream_set_handler(kith_stream* s, const kith_stream_handler* handler) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  kith_stream_handler copy{};
  if (!copy_struct(handler, &copy)) return KITH_ERR_INVALID_ARGUMENT;
  const kith_stream_handler old = std::exchange(s->handler, copy);
  ++s->num_handlers;
  if (!s->stream->handler()) s->stream->set_handler(s);
  if (old.user_destroy) old.user_destroy(old.user);
  return KITH_OK;
}

kith_stream* kith_stream_ref(kith_stream* s) {
  if (s) ++s->refs;
  return s;
}

void kith_stream_unref(kith_stream* s) {
  if (s) s->unref();
}

kith_status kith_stream_write(kith_stream* s, const uint8_t* data, size_t data_len) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (!data && data_len != 0) return KITH_ERR_INVALID_ARGUMENT;
  if (!s->may_write) return KITH_ERR_INVALID_STATE;
  return s->stream->write(s->connection->loop->buffers().copy({data, data_len})).status();
}

kith_status kith_stream_write_lent(kith_stream* s, const uint8_t* data, size_t data_len,
                                   void (*release)(void* ctx, const uint8_t* data, size_t data_len),
                                   void* ctx) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (!data || data_len == 0 || !release) return KITH_ERR_INVALID_ARGUMENT;
  if (!s->may_write) return KITH_ERR_INVALID_STATE;
  Buffer buffer = s->connection->loop->buffers().wrap({data, data_len}, release, ctx);
  Buffer keep = buffer;
  const Status status = s->stream->write(std::move(buffer));
  if (!status.ok()) keep.cancel_release();  // nothing was taken
  return status.status();
}

kith_status kith_stream_close_write(kith_stream* s) {
  const kith_status status = check(s);
  if (status == KITH_OK) s->stream->close_write();
  return status;
}

kith_status kith_stream_reset(kith_stream* s, uint64_t code) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (code > transport::kMaxErrorCode) return KITH_ERR_INVALID_ARGUMENT;
  s->stream->reset(code);
  return KITH_OK;
}

kith_status kith_stream_stop_reading(kith_stream* s, uint64_t code) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (code > transport::kMaxErrorCode) return KITH_ERR_INVALID_ARGUMENT;
  s->held = 0;
  s->read_ended = true;
  s->stream->stop_reading(code);
  return KITH_OK;
}

kith_status kith_stream_abort(kith_stream* s, uint64_t code) {
  const kith_status status = kith_stream_reset(s, code);
  return status == KITH_OK ? kith_stream_stop_reading(s, code) : status;
}

kith_status kith_stream_consume(kith_stream* s, size_t n) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (s->in_data) return KITH_ERR_INVALID_STATE;
  if (n > s->held) return KITH_ERR_INVALID_ARGUMENT;
  s->held -= n;
  if (n != 0) s->stream->consume(n);
  return KITH_OK;
}

kith_status kith_stream_resume(kith_stream* s) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (s->in_data) return KITH_ERR_INVALID_STATE;
  s->held = 0;
  s->stream->resume();
  return KITH_OK;
}

const char* kith_stream_protocol(const kith_stream* s) { return s ? s->protocol : ""; }

kith_connection* kith_stream_connection(const kith_stream* s) {
  return s && s->stream ? s->connection : nullptr;
}

}  // extern "C"
