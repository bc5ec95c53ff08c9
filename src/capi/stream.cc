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

void kith_stream::on_open(transport::Stream&, std::string_view id) {
  protocol = store->intern(id);
  may_write = true;
  if (handler.on_open) handler.on_open(handler.user, this, protocol);
}

size_t kith_stream::on_data(transport::Stream&, Bytes data) {
  if (!handler.on_data) return data.size();
  in_data = true;
  const size_t n =
      std::min(data.size(), handler.on_data(handler.user, this, data.data(), data.size()));
  in_data = false;
  held = data.size() - n;
  return n;
}

void kith_stream::on_read_closed(transport::Stream&) {
  if (handler.on_read_closed) handler.on_read_closed(handler.user, this);
}

void kith_stream::on_reset(transport::Stream&, uint64_t code) {
  held = 0;
  if (handler.on_reset) handler.on_reset(handler.user, this, code);
}

void kith_stream::on_stop(transport::Stream&, uint64_t code) {
  if (handler.on_stop) handler.on_stop(handler.user, this, code);
}

void kith_stream::on_writable(transport::Stream&) {
  if (handler.on_writable) handler.on_writable(handler.user, this);
}

void kith_stream::on_closed(transport::Stream&, const Error& error) {
  stream = nullptr;
  held = 0;
  if (handler.on_closed) {
    const kith_error e = to_c(error);
    handler.on_closed(handler.user, this, &e);
  }
  drop_handler();
  unref();
}

namespace {
// The checks that every call on a stream begins with.
kith_status check(const kith_stream* s) {
  if (!s) return KITH_ERR_INVALID_ARGUMENT;
  if (!s->stream) return KITH_ERR_CLOSED;
  return s->connection->host->runtime->on_loop() ? KITH_OK : KITH_ERR_WRONG_THREAD;
}
}  // namespace

extern "C" {

void kith_stream_handler_init(kith_stream_handler* handler) {
  if (!handler) return;
  *handler = {};
  handler->struct_size = sizeof *handler;
}

kith_status kith_stream_set_handler(kith_stream* s, const kith_stream_handler* handler) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  kith_stream_handler copy{};
  if (!copy_struct(handler, &copy)) return KITH_ERR_INVALID_ARGUMENT;
  s->drop_handler();
  s->handler = copy;
  if (!s->stream->handler()) s->stream->set_handler(s);
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
  return s->stream
      ->write(s->connection->host->runtime->runtime->loop().buffers().copy({data, data_len}))
      .status();
}

kith_status kith_stream_write_lent(kith_stream* s, const uint8_t* data, size_t data_len,
                                   void (*release)(void* ctx, const uint8_t* data, size_t data_len),
                                   void* ctx) {
  if (const kith_status status = check(s); status != KITH_OK) return status;
  if (!data || data_len == 0 || !release) return KITH_ERR_INVALID_ARGUMENT;
  if (!s->may_write) return KITH_ERR_INVALID_STATE;
  // On failure the buffer is dropped here: the caller's release must not run then.
  struct Guard {
    void (*release)(void*, const uint8_t*, size_t);
    void* ctx;
    bool armed;
  };
  auto* guard = new Guard{release, ctx, true};
  Buffer buffer = Buffer::wrap(
      {data, data_len},
      [](void* g, const uint8_t* d, size_t n) {
        auto* own = static_cast<Guard*>(g);
        if (own->armed) own->release(own->ctx, d, n);
        delete own;
      },
      guard);
  const Buffer keep = buffer;  // the guard lives until we know
  const Status status = s->stream->write(std::move(buffer));
  if (!status.ok()) guard->armed = false;
  return status.status();
}

kith_status kith_stream_close_write(kith_stream* s) {
  const kith_status status = check(s);
  if (status == KITH_OK) s->stream->close_write();
  return status;
}

kith_status kith_stream_reset(kith_stream* s, uint64_t code) {
  const kith_status status = check(s);
  if (status == KITH_OK) s->stream->reset(code);
  return status;
}

kith_status kith_stream_stop_reading(kith_stream* s, uint64_t code) {
  const kith_status status = check(s);
  if (status == KITH_OK) {
    s->held = 0;
    s->stream->stop_reading(code);
  }
  return status;
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
