// What the muxers over a byte pipe, yamux and mplex, are made of: streams with bytes that wait in both directions, their
// ends, and the callbacks that fall due. Sans-IO: bytes and time in, bytes and callbacks out. The frames are the muxers'.
//
// Flow of bytes: a user's Buffer is cut in frames by fill(), as views; the caller encrypts (copies) them and calls sent().
// Received bytes are shown where they arrived; only what the handler leaves is kept.
#pragma once

#include <algorithm>
#include <memory>
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
#include "protocol/muxer/filler.h"

namespace kith::muxer {

// Stream is the state of one stream, owned by its Session. The address is stable until on_closed.
class Stream {
 public:
  Stream(uint64_t id, bool is_inbound)
      : id_(id), is_inbound_(is_inbound), is_announced_(is_inbound) {}

  // Unique together with is_inbound().
  uint64_t id() const { return id_; }
  bool is_inbound() const { return is_inbound_; }
  // False after close_write(), reset(), or the peer's reset.
  bool can_write() const { return !fin_wanted_ && !ended_; }
  // False after on_read_closed, stop_reading() or reset by either side.
  bool can_read() const { return !read_closed_ && !is_discarding_ && !ended_; }

  void* user = nullptr;  // free for the owner of the session

 protected:
  friend class Session;

  const uint64_t id_;
  HeldBytes held_;
  SendQueue queue_;
  ListHook<Stream> send_hook_;  // ready_: has something to send; or waiting_
  ListHook<Stream> due_hook_;   // due_: callbacks are due
  uint32_t dropped_ = 0;        // bytes dropped since stop_reading()
  uint32_t stop_code_ = 0;      // of the reset when that is too much
  const bool is_inbound_;
  bool is_waiting_ = false;     // outbound, may not be announced yet
  bool is_announced_;           // the peer knows of it
  bool fin_wanted_ = false;     // close_write() was called
  bool fin_sent_ = false;       // our side has ended
  bool fin_received_ = false;   // the peer's side has ended, though bytes may be held
  bool read_closed_ = false;    // on_read_closed was called, or never will be
  bool is_discarding_ = false;  // stop_reading() was called: drop what arrives
  bool write_refused_ = false;  // on_writable is owed
  bool resume_wanted_ = false;  // resume() was called
  bool ended_ = false;          // both sides; only on_closed is left
};

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
  virtual ~Pools() = default;
  ObjectPool<Headers, 4> headers;
  HeldBytes::Pool chunks;
  SendQueue::Pool nodes;
};

struct Config {
  size_t max_inbound_streams = limits::kStreamsPerConnection;
  size_t max_outbound_streams = limits::kMuxerOutboundStreams;  // more wait
  size_t send_budget = 256 * 1024;                              // bytes queued in one stream
  uint64_t first_id = 0;  // of the streams that we open: this or the next that the muxer allows
};

// Session multiplexes one connection. All time arguments are of one clock.
class Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // receive takes all of `plaintext`, which is any part of the peer's bytes. An error is fatal for the connection: what the
  // output holds then is a go-away, if the muxer has one, and nothing is received any more. KITH_ERR_PROTOCOL_VIOLATION,
  // KITH_ERR_LIMIT, or KITH_ERR_CONNECTION_LOST when the peer went away with an error.
  //
  // Bytes that on_data leaves are copied. Given as a Buffer they are held where they are instead, by a reference, so that the
  // view that on_data had stays valid until they are consumed. As whoever holds one byte keeps its whole block, on_data sees
  // a copy in small pieces while limits::kMuxerPinnedBlocks are held.
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
  // reset ends both sides at once, and tells the peer. What is held or queued is dropped, on_closed follows. Harmless after the
  // stream's end.
  virtual void reset(Stream& stream, uint64_t code) = 0;
  // stop_reading drops what is held and what arrives. The muxers cannot tell the peer that alone: the stream is reset when
  // kMuxerDroppedBytes have been dropped. Harmless after the read side's end.
  virtual void stop_reading(Stream& stream, uint64_t code) = 0;

  // held returns the first bytes of what on_data left, as many as are contiguous; valid, where they are, until consumed.
  Bytes held(const Stream& stream) const { return stream.held_.front(); }
  // consume takes `n` held bytes away; when none are left, delivery goes on. Precondition: n <= what is held. Not from inside
  // on_data of that stream.
  void consume(Stream& stream, size_t n);
  // resume gives what is held to on_data again, inside sent(). Harmless when nothing is held.
  void resume(Stream& stream);

  // fill appends views of the next frames to `out`, at most `max_bytes` in all, and returns how many bytes they are. They are
  // valid until sent(), which must come before any other call but fill() and has_output(). At least 13 bytes of room are needed
  // to get on. The fills before a sent() give a bounded number of frames: go on while has_output().
  size_t fill(std::vector<Bytes>& out, size_t max_bytes);
  // sent says that what fill() gave has been copied: references are dropped, and callbacks that are due are made. Call it
  // in each flush, also if there was no room to call fill(). A Buffer's release callback may run here, and may call
  // everything that a handler may.
  void sent();
  // Whether fill() would give something.
  virtual bool has_output() const = 0;

  // Whether either side sent a go-away, or an error ended the session.
  bool going_away() const { return state_ != State::kOpen; }
  // Streams of both sides that have not ended.
  size_t num_streams() const { return inbound_.size() + outbound_.size(); }
  // Bytes that wait to be consumed, of all streams.
  size_t held_bytes() const { return held_total_; }

 protected:
  // kOpen ---- go-away received ----> kPeerAway     existing streams go on, none is opened
  //    |                                  |
  //    +-- go away, a fatal error --------+--> kEnding    nothing is received, only a go-away is sent
  enum class State : uint8_t { kOpen, kPeerAway, kEnding };

  struct OwedReset {
    uint64_t id;
    uint32_t code;
  };

  // `name` is for errors; `own` the pools if they are not `shared`; `handler` is borrowed. The owner flushes a new session
  // without being asked.
  Session(const char* name, const Config& config, std::unique_ptr<Pools> own, Pools* shared,
          SessionHandler* handler, TimePoint now);
  ~Session() = default;
  Pools& pools() { return pools_; }
  // The last of a session, called by the destructor of a muxer: streams end without a callback.
  void end_all();

  // What a muxer is asked for.
  virtual Stream* create_outbound() = 0;  // with the next id; nullptr: there is none
  virtual void destroy(Stream& stream) = 0;
  virtual void announce(Stream& stream) = 0;              // its turn has come
  virtual bool may_send(const Stream& stream) const = 0;  // whether it belongs on ready_
  virtual Status take_header(Bytes& plaintext) = 0;       // or a part of it
  virtual void end_body() = 0;                            // all of body_left_ has come
  virtual void fill_frames(Filler& filler) = 0;
  virtual Error fail(kith_status status, const char* detail) = 0;  // ends the session
  // What it may do besides.
  virtual void on_heard() {}                 // bytes came from the peer
  virtual void on_taken(Stream&, size_t) {}  // so many received bytes are not held any more
  virtual bool make_room(Stream&, size_t) { return true; }  // to hold so many; false: ended
  virtual void on_end(Stream&) {}                           // the stream leaves its lists

  // Streams and their ends.
  Stream* find(uint64_t id, bool is_inbound);
  // The oldest inbound stream for which `is_it(stream)` holds, or nullptr.
  template <typename Predicate>
  Stream* find_inbound(Predicate is_it) {
    const auto it =
        std::ranges::find_if(inbound_, is_it, [](const Entry& e) -> Stream& { return *e.stream; });
    return it == inbound_.end() ? nullptr : it->stream;
  }
  void add(Stream& stream);
  void end(Stream& stream);
  void end_with_reset(Stream& stream, uint32_t code);
  void end_if_done(Stream& stream);
  void owe_reset(uint64_t id, uint32_t code);
  // The peer has said something that only a peer says who is up and running.
  void on_answered();
  // The peer's side has ended. Returns false if it had before.
  bool on_fin(Stream& stream);
  // The peer takes no more streams: those that wait for their turn have ended.
  void on_peer_away();
  void drop_held(Stream& stream);
  // For a frame or a stream that changed nothing, which costs the peer less than us.
  Status charge();

  // Output.
  void update_ready(Stream& stream);
  void ask_flush();
  // A `frame` for each reset that is owed. Returns false when the room is used up.
  bool fill_resets(Filler& filler, bool (*frame)(Filler&, const OwedReset&));
  // A turn for each stream that has something to send, until `turn` returns false.
  template <typename Turn>
  void fill_turns(Turn turn) {
    while (Stream* stream = ready_.front()) {
      if (!turn(*stream)) return;
      // To the end of the line.
      ready_.remove(*stream);
      update_ready(*stream);
    }
  }
  // Puts the first `n` queued bytes of the stream behind their header.
  void fill_data(Filler& filler, Stream& stream, size_t n);

  bool has_resets() const { return !owed_resets_.empty(); }
  bool has_ready() const { return !ready_.empty(); }
  bool is_full() const { return inbound_.size() >= config_.max_inbound_streams; }
  void advance(TimePoint now) { now_ = std::max(now_, now); }

  const char* const name_;
  SessionHandler* const handler_;
  State state_ = State::kOpen;
  TimePoint now_;
  size_t body_left_ = 0;           // of a frame, passed on as it arrives
  Stream* body_stream_ = nullptr;  // nullptr: it is dropped

 private:
  struct Entry {
    uint64_t id;
    Stream* stream;
  };
  using Table = std::vector<Entry>;  // sorted by id: in the order of their opening, or almost
  Table& table_of(bool is_inbound) { return is_inbound ? inbound_ : outbound_; }
  Status receive(Bytes plaintext, const Buffer* backing, TimePoint now);
  void deliver(Stream& stream, Bytes piece, const Buffer* backing);
  void deliver_from(Stream& stream, Bytes piece, const Buffer* backing);
  void discard(Stream& stream, size_t n);
  void take_held(Stream& stream, size_t n);
  void redeliver(Stream& stream);
  void close_read_if_done(Stream& stream);
  void run_due(Stream& stream);
  void ask_callback(Stream& stream);
  void start_waiting();

  const Config config_;
  std::unique_ptr<Pools> own_pools_;
  Pools& pools_;
  ChurnBudget churn_;
  bool peer_answered_ = false;    // it is up and running
  bool flush_asked_ = true;       // on_output was called since sent()
  bool is_filling_ = false;       // in fill(): no callbacks
  bool resets_overflow_ = false;  // more resets are owed than we keep
  size_t held_total_ = 0;
  size_t num_pinned_ = 0;  // streams whose held bytes keep a block

  Table inbound_;
  Table outbound_;
  size_t num_waiting_ = 0;                              // of outbound_
  size_t num_early_ = 0;                                // announced before peer_answered_
  IntrusiveList<Stream, &Stream::send_hook_> waiting_;  // outbound, may not be announced yet
  IntrusiveList<Stream, &Stream::send_hook_> ready_;
  IntrusiveList<Stream, &Stream::due_hook_> due_;

  std::vector<OwedReset> owed_resets_;
  Headers* headers_ = nullptr;  // between fill() and sent()
  SendQueue in_flight_;         // the same; and what ended streams left
};

}  // namespace kith::muxer
