// Streams: ordered, flow-controlled byte pipes, one protocol each. All calls on the loop.
#ifndef KITH_STREAM_H
#define KITH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "kith/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kith_connection kith_connection;
typedef struct kith_stream kith_stream;

// kith_stream_handler receives what happens on a stream. Any pointer may be NULL: the event is then ignored, and data
// dropped. Nothing comes after on_closed, which comes exactly once; then user_destroy(user) runs.
typedef struct kith_stream_handler {
  size_t struct_size;  // sizeof(kith_stream_handler)
  void* user;
  void (*user_destroy)(void* user);
  // The peer has agreed to `protocol` (streams that we open only). Before any data.
  void (*on_open)(void* user, kith_stream* stream, const char* protocol);
  // Bytes arrived, in kith's own memory. Returns how many were consumed. Fewer pauses the peer by flow control: the
  // rest stays valid until kith_stream_consume() has taken it, or comes again after kith_stream_resume().
  size_t (*on_data)(void* user, kith_stream* stream, const uint8_t* data, size_t data_len);
  // The peer has finished its side; everything before it has been delivered.
  void (*on_read_closed)(void* user, kith_stream* stream);
  // The peer abandoned its side, with `code`.
  void (*on_reset)(void* user, kith_stream* stream, uint64_t code);
  // The peer reads no more, with `code`; our side has ended.
  void (*on_stop)(void* user, kith_stream* stream, uint64_t code);
  // There is room again after KITH_ERR_WOULD_BLOCK.
  void (*on_writable)(void* user, kith_stream* stream);
  // Both sides have ended (`error->status` is KITH_OK), or the stream or its connection failed.
  void (*on_closed)(void* user, kith_stream* stream, const kith_error* error);
} kith_stream_handler;

// kith_stream_set_handler makes `handler` (copied) the stream's: in a protocol's on_stream, or later in its place (the
// former handler's user_destroy runs). Returns KITH_OK, KITH_ERR_CLOSED, KITH_ERR_INVALID_ARGUMENT.
KITH_API kith_status kith_stream_set_handler(kith_stream* stream,
                                             const kith_stream_handler* handler);

// kith_stream_ref and kith_stream_unref count references. Callbacks lend theirs; keep a stream beyond them with ref.
// After the stream's end all calls on it return KITH_ERR_CLOSED. Dropping the last reference does not end a stream.
KITH_API kith_stream* kith_stream_ref(kith_stream* stream);
KITH_API void kith_stream_unref(kith_stream* stream);

// kith_stream_write queues a copy of `data`, all or nothing.
// Returns KITH_OK, KITH_ERR_WOULD_BLOCK (on_writable follows), KITH_ERR_CLOSED, or KITH_ERR_INVALID_STATE before on_open
// of a stream with several proposed protocols.
KITH_API kith_status kith_stream_write(kith_stream* stream, const uint8_t* data, size_t data_len);
// kith_stream_write_lent queues `data` without a copy: it must stay as it is until release(ctx, data, data_len) runs, on
// the loop, exactly once, also if the stream ends early. On error nothing was taken and release is not called.
KITH_API kith_status
kith_stream_write_lent(kith_stream* stream, const uint8_t* data, size_t data_len,
                       void (*release)(void* ctx, const uint8_t* data, size_t data_len), void* ctx);
// kith_stream_close_write ends our side after what was written (half-close).
KITH_API kith_status kith_stream_close_write(kith_stream* stream);
// kith_stream_reset abandons our side; the peer sees `code`. What was not sent is dropped. Over TCP it ends reading too:
// yamux and mplex have one reset for both directions.
KITH_API kith_status kith_stream_reset(kith_stream* stream, uint64_t code);
// kith_stream_stop_reading tells the peer to stop sending, with `code`. Over TCP the peer hears of it when our side has
// ended, or when it has sent too much in vain.
KITH_API kith_status kith_stream_stop_reading(kith_stream* stream, uint64_t code);
// kith_stream_abort is reset and stop_reading in one.
KITH_API kith_status kith_stream_abort(kith_stream* stream, uint64_t code);
// kith_stream_consume takes `n` bytes that on_data left; not from inside on_data. KITH_ERR_INVALID_ARGUMENT if `n` is
// more than what was left.
KITH_API kith_status kith_stream_consume(kith_stream* stream, size_t n);
// kith_stream_resume delivers what on_data left once more, and goes on.
KITH_API kith_status kith_stream_resume(kith_stream* stream);

// The protocol agreed on, borrowed for the life of the reference; "" before on_open.
KITH_API const char* kith_stream_protocol(const kith_stream* stream);
// The stream's connection, borrowed; NULL after its end.
KITH_API kith_connection* kith_stream_connection(const kith_stream* stream);

#ifdef __cplusplus
}
#endif
#endif  // KITH_STREAM_H
