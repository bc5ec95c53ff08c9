// QuicStream: transport::Stream on one MsQuic stream. No copies: reads are views of MsQuic's buffer, writes hand it a
// reference of ours until the peer has acknowledged them.
#pragma once

#include "runtime/loop.h"
#include "transport/quic/msquic_api.h"
#include "transport/transport.h"

namespace kith::transport::quic {

class QuicConnection;

// One or two writes on their way in one call: MsQuic reads `quic` and the bytes until SEND_COMPLETE.
struct SendOp {
  static constexpr uint32_t kMaxWrites = 2;
  Buffer data[kMaxWrites];
  QUIC_BUFFER quic[kMaxWrites];
  uint32_t num_writes = 0;
  size_t num_bytes = 0;
};

class QuicStream final : public Stream {
 public:
  QuicStream(QuicConnection& connection, HQUIC handle, Direction direction);
  ~QuicStream() = default;

  void consume(size_t n) override;
  void resume() override;
  Connection& connection() override;
  uint64_t id() const override { return id_; }
  Direction direction() const override { return direction_; }

  void set_handle(HQUIC handle) { handle_ = handle; }
  static QUIC_STATUS on_event(HQUIC handle, void* ctx, QUIC_STREAM_EVENT* event);

 protected:
  Status do_write(Buffer data, bool more) override;
  void do_close_write() override;
  void do_reset(uint64_t code) override;
  void do_stop_reading(uint64_t code) override;

 private:
  QUIC_STATUS handle_event(QUIC_STREAM_EVENT* event);
  QUIC_STATUS on_receive(QUIC_STREAM_EVENT* event);
  void on_send_complete(SendOp* op);
  void gather(Buffer data);
  // Hands gathered_ to MsQuic, if there is one.
  void flush() { send_gathered(/*fin=*/false); }
  void send_gathered(bool fin);
  void drop_gathered();
  // MsQuic is done with the stream: the last callback, then this object goes back to its pool.
  void on_shutdown_complete();
  const QUIC_API_TABLE& api() const;
  // Nothing more is delivered, and nothing is held.
  bool read_over() const { return read_stopped_ || read_ended_; }
  void forget_held() { held_consumed_ = held_seen_ = held_unseen_ = 0; }

  QuicConnection& connection_;
  HQUIC handle_;
  uint64_t id_ = 0;
  // Writes inside an event, and those that ask for it, wait for the end of that event or turn: what is written there,
  // and the end, leave in one call.
  SendOp* gathered_ = nullptr;
  runtime::Deferred flush_later_;
  size_t queued_ = 0;  // bytes written and not yet acknowledged in order
  // MsQuic's ideal send buffer size is what has been in flight at once. Behind a lost packet waits twice that: what was
  // in flight when the loss shows, and what follows until it is repaired.
  static constexpr size_t kWindows = 2;
  size_t send_budget_ = kWindows * 128 * 1024;
  // Held after a handler consumed less than it was given: of the event's bytes, how many are consumed, how many of
  // the rest the handler has seen, and how many it has not.
  size_t held_consumed_ = 0;
  size_t held_seen_ = 0;
  size_t held_unseen_ = 0;
  Direction direction_;
  bool in_event_ = false;
  bool blocked_ = false;
  bool write_closed_ = false;
  bool was_reset_ = false;     // by us
  bool read_stopped_ = false;  // by us
  bool read_ended_ = false;    // by the peer, and the handler knows
};

}  // namespace kith::transport::quic
