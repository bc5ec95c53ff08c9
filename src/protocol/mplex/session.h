// Mplex: many streams over one ordered byte pipe, without flow control. Deprecated by libp2p: for peers that speak nothing
// else. Sans-IO, in the shape of yamux::Session.
// Spec: libp2p/specs mplex/README.md.
//
// The pipe is shared by all streams, and a peer cannot be asked to wait: a stream whose reader is too slow is reset.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
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

namespace kith::mplex {

inline constexpr std::string_view kProtocolId = "/mplex/6.7.0";

// Of a message, in the low three bits of its header. Those of the stream's receiver are odd.
enum Tag : uint8_t {
  kNewStream = 0,
  kMessageReceiver = 1,
  kMessageInitiator = 2,
  kCloseReceiver = 3,
  kCloseInitiator = 4,
  kResetReceiver = 5,
  kResetInitiator = 6,
};

// Stream is the state of one stream, owned by its Session. The address is stable until on_closed.
class Stream {
 public:
  Stream(uint64_t id, bool is_inbound) : id_(id), is_inbound_(is_inbound) {}

  // Unique together with is_inbound().
  uint64_t id() const { return id_; }
  bool is_inbound() const { return is_inbound_; }
  // False after close_write(), reset(), or the peer's reset.
  bool can_write() const { return !fin_wanted_ && !ended_; }
  // False after on_read_closed, stop_reading() or reset by either side.
  bool can_read() const { return !read_closed_ && !is_discarding_ && !ended_; }

  void* user = nullptr;  // free for the owner of the session

 private:
  friend class Session;

  uint64_t id_;
  bool is_inbound_;
  bool is_waiting_ = false;     // outbound, may not be announced yet
  bool is_announced_ = false;   // or inbound
  bool fin_wanted_ = false;     // close_write() was called
  bool fin_sent_ = false;       // our side has ended
  bool fin_received_ = false;   // the peer's side has ended, though bytes may be held
  bool read_closed_ = false;    // on_read_closed was called, or never will be
  bool is_discarding_ = false;  // stop_reading() was called: drop what arrives
  bool write_refused_ = false;  // on_writable is owed
  bool resume_wanted_ = false;  // resume() was called
  bool ended_ = false;          // both sides; only on_closed is left
  size_t dropped_ = 0;          // bytes dropped since stop_reading()
  HeldBytes held_;
  SendQueue queue_;
  ListHook<Stream> send_hook_;  // ready_: has something to send; or waiting_
  ListHook<Stream> due_hook_;   // due_: callbacks are due
};
static_assert(sizeof(Stream) <= 176, "an idle stream is small");

// As yamux::SessionHandler. A reset has no code: it is 0.
class SessionHandler {
 public:
  virtual void on_stream(Stream& stream) = 0;
  virtual size_t on_data(Stream& stream, Bytes data) = 0;
  virtual void on_read_closed(Stream& stream) = 0;
  // Also when the reader was too slow: more than limits::kMplexHeldBytes were held.
  virtual void on_reset(Stream& stream, uint64_t code) = 0;
  virtual void on_writable(Stream& stream) = 0;
  virtual void on_closed(Stream& stream) = 0;
  virtual void on_output() = 0;

 protected:
  ~SessionHandler() = default;
};

// The headers of one flush, at fixed addresses.
struct MessageHeaders {
  static constexpr size_t kMaxBytes = limits::kVarintBytes + 3;  // of one: we send less than 2 MiB
  static constexpr size_t kMax = 128;
  size_t size = 0;
  std::array<uint8_t, kMaxBytes * kMax> bytes;
};

// What the sessions of one loop can share.
struct Pools {
  ObjectPool<Stream, 256> streams;
  ObjectPool<MessageHeaders, 4> headers;
  HeldBytes::Pool chunks;
  SendQueue::Pool nodes;
};

struct Config {
  size_t max_inbound_streams = limits::kStreamsPerConnection;
  size_t max_outbound_streams = limits::kMplexOutboundStreams;  // more wait
  size_t send_budget = 256 * 1024;                              // bytes queued in one stream
  Pools* pools = nullptr;  // shared, must outlive the session; nullptr: the session's own
};

// Session multiplexes one connection. Everything is as yamux::Session has it, unless it says otherwise.
class Session {
 public:
  Session(bool is_client, const Config& config, SessionHandler* handler, TimePoint now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // After an error there is no output: mplex has no way to say why.
  Status receive(Bytes plaintext, TimePoint now) { return receive(plaintext, nullptr, now); }
  Status receive(const Buffer& plaintext, TimePoint now) {
    return receive(plaintext.bytes(), &plaintext, now);
  }
  Result<Stream*> open(void* user);
  Status write(Stream& stream, Buffer data);
  void close_write(Stream& stream);
  // The peer does not see `code`.
  void reset(Stream& stream, uint64_t code);
  // The stream is reset when kMuxerDroppedBytes have been dropped. Behind our own end the peer is not told: a reset would
  // take from it what it has not read.
  void stop_reading(Stream& stream, uint64_t code);
  Bytes held(const Stream& stream) const { return stream.held_.front(); }
  void consume(Stream& stream, size_t n);
  void resume(Stream& stream);

  // At least 13 bytes of room are needed to get on.
  size_t fill(std::vector<Bytes>& out, size_t max_bytes);
  void sent();
  bool has_output() const;

  // Mplex has no pings: there is no timeout, and no round trip is measured.
  TimePoint next_timeout() const { return kNever; }
  Status on_timeout(TimePoint) { return {}; }
  Duration rtt() const { return 0; }

  // Nothing is sent or received any more.
  void go_away(uint32_t code);
  bool going_away() const { return is_ending_; }
  size_t num_streams() const { return inbound_.size() + outbound_.size(); }
  size_t held_bytes() const { return held_total_; }

 private:
  struct Entry {
    uint64_t id;
    Stream* stream;
  };
  using Table = std::vector<Entry>;
  struct OwedReset {
    uint64_t id;
    Tag tag;
  };

  // session.cc
  Table& table_of(bool is_inbound) { return is_inbound ? inbound_ : outbound_; }
  Stream* find(uint64_t id, bool is_inbound);
  Stream& add(uint64_t id, bool is_inbound);
  void end(Stream& stream);
  void end_with_reset(Stream& stream);
  void end_if_done(Stream& stream);
  void owe_reset(uint64_t id, Tag tag);
  void start_waiting();
  void drop_held(Stream& stream);
  void redeliver(Stream& stream);
  void close_read_if_done(Stream& stream);
  void run_due(Stream& stream);
  void ask_flush();
  void ask_callback(Stream& stream);
  bool may_send(const Stream& stream) const;
  void update_ready(Stream& stream);

  // receive.cc
  Status receive(Bytes plaintext, const Buffer* backing, TimePoint now);
  Status take_header(Bytes& plaintext);
  Status on_message(uint64_t header, uint64_t length);
  Status on_new_stream(uint64_t id);
  Status on_peer_reset(uint64_t id, bool is_inbound);
  Status on_close(uint64_t id, bool is_inbound);
  void deliver(Stream& stream, Bytes piece, const Buffer* backing);
  void on_answered();
  Status charge();
  Error fail(kith_status status, const char* detail);

  // fill.cc
  class Filler;

  const Config config_;
  std::unique_ptr<Pools> own_pools_;
  Pools& pools_;
  SessionHandler* const handler_;

  bool is_ending_ = false;
  bool peer_answered_ = false;    // it is up and running
  bool flush_asked_ = false;      // on_output was called since sent()
  bool is_filling_ = false;       // in fill(): no callbacks
  bool resets_overflow_ = false;  // more resets are owed than we keep
  TimePoint now_;

  // Receiving. A body is passed on as it arrives.
  bool has_header_ = false;  // in message_header_
  uint8_t varint_size_ = 0;  // bytes of varint_
  std::array<uint8_t, limits::kVarintBytes> varint_;
  uint64_t message_header_ = 0;
  size_t body_left_ = 0;
  Stream* body_stream_ = nullptr;  // nullptr: the body is dropped
  ChurnBudget churn_;
  size_t held_total_ = 0;

  // Streams. Sorted by id: in the order of their opening, or almost.
  Table inbound_;
  Table outbound_;
  size_t num_waiting_ = 0;  // of outbound_
  size_t num_early_ = 0;    // announced before peer_answered_
  uint64_t next_id_ = 0;
  IntrusiveList<Stream, &Stream::send_hook_> waiting_;  // outbound, may not be announced yet
  IntrusiveList<Stream, &Stream::send_hook_> ready_;
  IntrusiveList<Stream, &Stream::due_hook_> due_;

  // Sending.
  std::vector<OwedReset> owed_resets_;
  MessageHeaders* headers_ = nullptr;  // between fill() and sent()
  SendQueue in_flight_;                // the same; and what ended streams left
};

}  // namespace kith::mplex
