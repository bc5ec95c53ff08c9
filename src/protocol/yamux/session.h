// Yamux: many streams over one ordered byte pipe. Sans-IO: bytes and time in, bytes and callbacks out.
// Spec: libp2p/specs yamux/README.md (hashicorp/yamux spec.md), with the error code of a reset in the length of its
// window update, as go-yamux 5 sends it and libp2p/specs pull request 622 defines it.
//
// Flow of bytes: a user's Buffer is cut in frames by fill(), as views; the caller encrypts (copies) them and calls sent().
// Received bytes are shown where they arrived; only what the handler leaves is kept.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/churn_budget.h"
#include "base/held_bytes.h"
#include "base/intrusive_list.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/result.h"
#include "base/send_queue.h"
#include "base/time.h"
#include "protocol/yamux/frame.h"
#include "protocol/yamux/seen_ids.h"

namespace kith::yamux {

inline constexpr std::string_view kProtocolId = "/yamux/1.0.0";

// Stream is the state of one stream, owned by its Session. The address is stable until on_closed.
class Stream {
 public:
  Stream(uint32_t id, bool is_inbound) : id_(id), is_inbound_(is_inbound) {}

  uint64_t id() const { return id_; }
  bool is_inbound() const { return is_inbound_; }
  // False after close_write(), reset(), or the peer's reset.
  bool can_write() const { return !fin_wanted_ && !ended_; }
  // False after on_read_closed, stop_reading() or reset by either side.
  bool can_read() const { return !read_closed_ && !is_discarding_ && !ended_; }

  void* user = nullptr;  // free for the owner of the session

 private:
  friend class Session;

  uint32_t id_;
  bool is_inbound_;
  bool is_waiting_ = false;     // outbound, may not be announced yet
  bool syn_owed_ = false;       // outbound, not announced
  bool ack_owed_ = false;       // inbound, not acknowledged
  bool is_acked_ = false;       // outbound, the peer has acknowledged it
  bool credit_owed_ = false;    // a window update is due
  bool fin_wanted_ = false;     // close_write() was called
  bool fin_sent_ = false;       // our side has ended
  bool fin_received_ = false;   // the peer's side has ended, though bytes may be held
  bool read_closed_ = false;    // on_read_closed was called, or never will be
  bool is_discarding_ = false;  // stop_reading() was called: drop what arrives
  bool write_refused_ = false;  // on_writable is owed
  bool resume_wanted_ = false;  // resume() was called
  bool ended_ = false;          // both sides; only on_closed is left

  uint32_t send_window_ = kInitialWindow;     // bytes the peer lets us send
  uint32_t receive_window_ = kInitialWindow;  // bytes we let the peer send
  uint32_t window_ = kInitialWindow;          // what receive_window_ returns to; grows
  uint32_t credit_ = 0;                       // consumed, and not returned to receive_window_
  uint32_t dropped_ = 0;                      // bytes dropped since stop_reading()
  uint32_t stop_code_ = 0;                    // of stop_reading()
  TimePoint epoch_ = 0;                       // when credit was returned last
  HeldBytes held_;
  SendQueue queue_;
  ListHook<Stream> control_hook_;  // control_: frames other than data are due; or waiting_
  ListHook<Stream> data_hook_;     // ready_: has data, or its end, that may be sent
  ListHook<Stream> due_hook_;      // due_: callbacks are due
};
static_assert(sizeof(Stream) <= 208, "an idle stream is small");

// SessionHandler receives what happens. on_stream, on_data, on_read_closed and on_reset come inside receive(); on_writable,
// on_closed, and what resume() and consume() set off, inside sent(); on_output inside any call. A handler may call
// everything but receive(), fill(), sent() and on_timeout(), and must not destroy the session.
class SessionHandler {
 public:
  // The peer opened a stream. The handler may reset it at once.
  virtual void on_stream(Stream& stream) = 0;
  // Bytes arrived. Returns how many of them were consumed. The session keeps the rest, and gives no more of this stream until
  // they are consumed, or comes with them again after resume().
  virtual size_t on_data(Stream& stream, Bytes data) = 0;
  // The peer ended its side, and every byte before that was consumed.
  virtual void on_read_closed(Stream& stream) = 0;
  // The peer reset the stream with `code`: both sides are gone, with what was held or queued. on_closed follows.
  virtual void on_reset(Stream& stream, uint64_t code) = 0;
  // There is room again after KITH_ERR_WOULD_BLOCK.
  virtual void on_writable(Stream& stream) = 0;
  // Both sides have ended, by whatever means. The stream is gone after this. Exactly once; not called by ~Session.
  virtual void on_closed(Stream& stream) = 0;
  // There is something for a flush to do: schedule one, later in this turn or in the next, that calls fill() as often as
  // there is room for its bytes, and sent() at least once. Comes once between two calls of sent().
  virtual void on_output() = 0;

 protected:
  ~SessionHandler() = default;
};

// What the sessions of one loop can share: memory of streams and queues that have ended, for the next.
struct Pools {
  ObjectPool<Stream, 256> streams;
  ObjectPool<FrameHeaders, 4> headers;
  HeldBytes::Pool chunks;
  SendQueue::Pool nodes;
};

struct Config {
  size_t max_inbound_streams = limits::kStreamsPerConnection;
  size_t max_outbound_streams = limits::kMuxerOutboundStreams;  // more wait
  uint32_t max_window = limits::kYamuxWindow;                   // of one stream; at least 256 KiB
  size_t max_window_growth = limits::kYamuxWindowGrowth;        // of all, above 256 KiB each
  size_t send_budget = 256 * 1024;                              // bytes queued in one stream
  Duration keep_alive = limits::kYamuxKeepAlive;      // between pings; kNever: only the first
  Duration ping_timeout = limits::kYamuxPingTimeout;  // silence after a ping: the peer is gone
  Pools* pools = nullptr;  // shared, must outlive the session; nullptr: the session's own
};

// Session multiplexes one connection. All time arguments are of one clock.
class Session {
 public:
  // `is_client`: we opened the connection (the spec's client: odd stream ids). `handler` is borrowed.
  Session(bool is_client, const Config& config, SessionHandler* handler, TimePoint now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // Streams end without a callback.
  ~Session();

  // receive takes all of `plaintext`, which is any part of the peer's bytes. An error is fatal for the connection: what the
  // output holds then is a go-away, and nothing is received any more. KITH_ERR_PROTOCOL_VIOLATION, KITH_ERR_LIMIT, or
  // KITH_ERR_CONNECTION_LOST when the peer went away with an error.
  //
  // Bytes that on_data leaves are copied. Given as a Buffer they are held where they are instead, by a reference, so that the
  // view that on_data had stays valid until they are consumed.
  Status receive(Bytes plaintext, TimePoint now) { return receive(plaintext, nullptr, now); }
  Status receive(const Buffer& plaintext, TimePoint now) {
    return receive(plaintext.bytes(), &plaintext, now);
  }

  // open makes a stream, which the peer hears of with the next flush. One beyond the number that the peer allows, or beyond a
  // few before the peer has answered at all, waits for its turn; it can be written to. KITH_ERR_CLOSED after a go-away of
  // either side, KITH_ERR_LIMIT when too many streams wait or the stream ids are used up.
  Result<Stream*> open(void* user);

  // write queues `data`, all or nothing, and keeps a reference until sent() or the stream's end. KITH_ERR_WOULD_BLOCK when the
  // stream's send budget is used up (on_writable follows), KITH_ERR_CLOSED after the write side has ended.
  Status write(Stream& stream, Buffer data);
  // close_write ends our side after what was written. Harmless after its end.
  void close_write(Stream& stream);
  // reset ends both sides at once; the peer sees `code` (32 bits; larger ones as 0x1008, CODE_OUT_OF_RANGE). What is held or
  // queued is dropped, on_closed follows. Harmless after the stream's end.
  void reset(Stream& stream, uint64_t code);
  // stop_reading drops what is held and what arrives. Yamux cannot tell the peer: the stream is reset with `code` when
  // kMuxerDroppedBytes have been dropped, or behind our own end. Harmless after the read side's end.
  void stop_reading(Stream& stream, uint64_t code);

  // held returns the first bytes of what on_data left, as many as are contiguous; valid, where they are, until consumed.
  Bytes held(const Stream& stream) const { return stream.held_.front(); }
  // consume takes `n` held bytes away; when none are left, delivery goes on. Precondition: n <= what is held. Not from inside
  // on_data of that stream.
  void consume(Stream& stream, size_t n);
  // resume gives what is held to on_data again, inside sent(). Harmless when nothing is held.
  void resume(Stream& stream);

  // fill appends views of the next frames to `out`, at most `max_bytes` in all, and returns how many bytes they are. They are
  // valid until sent(), which must come before any other call but fill() and has_output(). At least 13 bytes of room are needed
  // to get on. One fill() gives at most FrameHeaders::kMax frames: go on while has_output().
  size_t fill(std::vector<Bytes>& out, size_t max_bytes);
  // sent says that what fill() gave has been copied: references are dropped, and callbacks that are due are made. Call it
  // in each flush, also if there was no room to call fill(). A Buffer's release callback may run here, and may call
  // everything that a handler may.
  void sent();
  // Whether fill() would give something. So it would in a new session, without on_output: a ping.
  bool has_output() const;

  // When to call on_timeout() next, or kNever. Ask again after receive(), sent() and on_timeout(); calling too early does nothing.
  TimePoint next_timeout() const;
  // on_timeout sends a ping when one is due, which keeps the connection alive and measures rtt(). KITH_ERR_TIMEOUT, fatal,
  // if the peer does not answer and nothing else is heard from it.
  Status on_timeout(TimePoint now);

  // go_away tells the peer, with the next fill(), that the connection ends, and why. Nothing is sent after it, and nothing
  // received any more. Harmless the second time.
  void go_away(uint32_t code);
  // Whether either side sent a go-away, or an error ended the session.
  bool going_away() const { return state_ != State::kOpen; }
  // Streams of both sides that have not ended.
  size_t num_streams() const { return inbound_.size() + outbound_.size(); }
  // Bytes that wait to be consumed, of all streams.
  size_t held_bytes() const { return held_total_; }
  // The shortest round trip seen lately; 0 before the first.
  Duration rtt() const { return rtt_; }

 private:
  // kOpen ---- go-away received ----> kPeerAway     existing streams go on, none is opened
  //    |                                  |
  //    +-- go_away(), a fatal error ------+--> kEnding    only the go-away is sent
  enum class State : uint8_t { kOpen, kPeerAway, kEnding };

  struct Entry {
    uint32_t id;
    Stream* stream;
  };
  struct OwedReset {
    uint32_t id;
    uint32_t code;
  };

  // session.cc
  using Table = std::vector<Entry>;
  Table& table_of(uint32_t id);
  Stream* find(uint32_t id);
  Stream& add(uint32_t id, bool is_inbound);
  void end(Stream& stream);
  void end_with_reset(Stream& stream, uint32_t code);
  void end_if_done(Stream& stream);
  void owe_reset(uint32_t id, uint32_t code);
  void start_waiting();
  void drop_held(Stream& stream);
  void take_held(Stream& stream, size_t n);
  void return_credit(Stream& stream, size_t n);
  void grow_window(Stream& stream);
  void redeliver(Stream& stream);
  void close_read_if_done(Stream& stream);
  void run_due(Stream& stream);
  void ask_flush();
  void ask_callback(Stream& stream);
  Error fail(kith_status status, GoAway code, const char* detail);
  void start_ping();
  void advance(TimePoint now) { now_ = std::max(now_, now); }
  TimePoint silence_ends() const;

  // receive.cc
  Status receive(Bytes plaintext, const Buffer* backing, TimePoint now);
  Status on_frame(const FrameHeader& header);
  Status on_stream_frame(const FrameHeader& header);
  Status on_syn(const FrameHeader& header);
  Status on_known(Stream& stream, const FrameHeader& header);
  Status on_peer_reset(const FrameHeader& header);
  Status on_ping(const FrameHeader& header);
  Status on_go_away(const FrameHeader& header);
  Status begin_body(Stream* stream, const FrameHeader& header);
  void take_body(Bytes piece, const Buffer* backing);
  void deliver(Stream& stream, Bytes piece, const Buffer* backing);
  void discard(Stream& stream, size_t n);
  void on_fin(Stream& stream);
  void on_answered();
  Status charge();
  Error violation(const char* detail);

  // fill.cc
  class Filler;
  bool may_send(const Stream& stream) const;
  void update_ready(Stream& stream);

  const Config config_;
  std::unique_ptr<Pools> own_pools_;
  Pools& pools_;
  SessionHandler* const handler_;
  const bool is_client_;

  State state_ = State::kOpen;
  bool peer_answered_ = false;    // to a stream or a ping: it is up and running
  bool flush_asked_ = false;      // on_output was called since sent()
  bool is_filling_ = false;       // in fill(): no callbacks
  bool resets_overflow_ = false;  // more resets are owed than we keep
  bool go_away_owed_ = false;
  uint32_t go_away_code_ = 0;
  TimePoint now_;

  // Receiving. A body is passed on as it arrives.
  uint8_t header_size_ = 0;  // bytes of header_
  bool body_fin_ = false;
  std::array<uint8_t, kHeaderBytes> header_;
  uint32_t body_left_ = 0;
  Stream* body_stream_ = nullptr;  // nullptr: the body is dropped
  SeenIds seen_ids_;               // of streams that the peer opened
  ChurnBudget churn_;
  size_t held_total_ = 0;

  // Streams. Sorted by id: in the order of their opening, or almost.
  std::vector<Entry> inbound_;
  std::vector<Entry> outbound_;
  size_t num_waiting_ = 0;  // of outbound_
  size_t num_early_ = 0;    // announced before peer_answered_
  size_t window_growth_ = 0;
  uint32_t next_id_;
  IntrusiveList<Stream, &Stream::control_hook_> waiting_;  // outbound, may not be announced yet
  IntrusiveList<Stream, &Stream::control_hook_> control_;
  IntrusiveList<Stream, &Stream::data_hook_> ready_;
  IntrusiveList<Stream, &Stream::due_hook_> due_;

  // Sending.
  std::vector<OwedReset> owed_resets_;
  FrameHeaders* headers_ = nullptr;  // between fill() and sent()
  SendQueue in_flight_;              // the same; and what ended streams left
  std::optional<uint32_t> owed_pong_;

  // Pings.
  bool ping_owed_ = false;   // not sent yet
  bool is_pinging_ = false;  // not answered yet
  uint32_t ping_id_ = 0;
  TimePoint ping_started_ = 0;
  TimePoint next_ping_ = 0;
  TimePoint last_heard_ = 0;
  Duration rtt_ = 0;
};

}  // namespace kith::yamux
