// Raw QUIC connections over MsQuic and its worker threads, without any libp2p check. Callbacks
// write what happened into the public `state` of streams and connections; the scenario, on the main
// thread, waits for conditions over them. One mutex (the Endpoint's) guards every `state` and every
// list here, and is held in callbacks.
#pragma once

#ifndef QUIC_API_ENABLE_PREVIEW_FEATURES
#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#endif
#include <msquic.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/attacker/wire.h"

namespace kith::attacker {

using Clock = std::chrono::steady_clock;

class Connection;
class Endpoint;
class Responder;

// A Generator fills `block` with the next bytes to send, and returns false when there are no more.
using Generator = std::function<bool(Bytes& block)>;

class Stream {
 public:
  struct State {
    bool is_started = false;
    bool is_accepted = false;  // within the node's stream limit
    bool fin = false;          // the node finished its side
    bool reset = false;        // the node reset its side, with code
    bool stopped = false;      // the node asked us to stop sending, with code
    bool is_closed = false;
    uint64_t code = 0;
    uint64_t received_bytes = 0;
    uint64_t acked_bytes = 0;
    size_t sends_in_flight = 0;
    Bytes received;  // the first 64 KiB

    bool is_ended() const { return fin || reset || stopped || is_closed; }
  };

  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Sends `bytes`; false if the stream is over.
  bool send(Bytes bytes, bool fin = false);
  // Sends what `next` gives, with at most four blocks in flight, then FIN if `fin`.
  void pump(Generator next, bool fin = false);
  void reset(uint64_t code);
  // From now on the node's bytes stay unread in MsQuic, and its window closes.
  void hold_reads() { holds_reads_ = true; }
  bool is_quiet() const;
  // Null for our own streams.
  const Responder* responder() const { return responder_.get(); }

  State state;

 private:
  friend class Connection;
  Stream(Connection& connection, int label);
  static QUIC_STATUS QUIC_API callback(HQUIC, void* self, QUIC_STREAM_EVENT* event);
  void handle(QUIC_STREAM_EVENT& event);
  void receive(QUIC_STREAM_EVENT& event);
  void send_completed(const QUIC_STREAM_EVENT& event);
  void end(const char* event, uint64_t code);
  void fill();

  Connection& connection_;
  const int label_;
  HQUIC handle_ = nullptr;
  Generator next_;
  bool fin_after_next_ = false;
  std::unique_ptr<Responder> responder_;  // of streams that the node opened
  bool holds_reads_ = false;
};

class Connection {
 public:
  struct State {
    bool is_connected = false;
    bool is_resumed = false;
    bool is_ended = false;       // by the node, by either side's transport, or complete
    bool ended_by_peer = false;  // an application close of the node
    bool is_complete = false;
    QUIC_STATUS status = 0;
    uint64_t error_code = 0;
    uint64_t node_streams = 0;  // streams that the node opened
    uint64_t node_bytes = 0;    // stream bytes that the node sent
    uint16_t streams_available = 0;
    Bytes ticket;
    Clock::time_point started, connected, ended;
  };

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Opens a bidirectional stream; the node learns of it at once. Null if the connection is over.
  Stream* open_stream();
  void close(uint64_t code);
  // Frees our streams that are closed. Pointers to those are dead afterwards.
  void reap();
  // The streams that the node opened. With the lock held.
  std::vector<Stream*> node_streams();

  State state;

 private:
  friend class Endpoint;
  friend class Stream;
  Connection(Endpoint& endpoint, const Bytes& public_key, bool is_quiet)
      : endpoint_(endpoint), public_key_(public_key), is_quiet_(is_quiet) {}
  static QUIC_STATUS QUIC_API callback(HQUIC, void* self, QUIC_CONNECTION_EVENT* event);
  void handle(QUIC_CONNECTION_EVENT& event);
  void end(bool by_peer, QUIC_STATUS status, uint64_t error_code);

  Endpoint& endpoint_;
  const Bytes public_key_;
  const bool is_quiet_;
  HQUIC handle_ = nullptr;
  std::list<std::unique_ptr<Stream>> streams_;
  int next_label_ = 1;
};

// What a side presents to the node.
struct Credential {
  Bytes public_key;  // of the host key, as identify tells it
  Bytes pkcs12;      // empty: no certificate at all
  std::string alpn = "libp2p";
};

struct DialOptions {
  std::string server_name{};  // SNI, if not empty
  Bytes ticket{};             // resume with this ticket, if not empty
  bool is_quiet = false;      // no lines for this connection
};

// A ResponderFactory makes what answers a stream of the node, for a side with `public_key`.
using ResponderFactory =
    std::function<std::unique_ptr<Responder>(Stream&, const Bytes& public_key)>;

// The MsQuic library, one registration and everything opened in it.
class Endpoint {
 public:
  // With `is_quiet` no connection writes lines, whatever its DialOptions say.
  Endpoint(ResponderFactory responders, bool is_quiet);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  bool is_open() const { return registration_ != nullptr; }

  // Starts a connection to `host`:`port`. Null when MsQuic refuses, with a line saying so.
  std::unique_ptr<Connection> dial(const std::string& host, uint16_t port,
                                   const Credential& credential, const DialOptions& options = {});
  // Starts a listener; returns its port, 0 on failure.
  uint16_t listen(const std::string& host, uint16_t port, const Credential& credential);
  // The connections that the listener accepted. With the lock held.
  const std::vector<std::unique_ptr<Connection>>& accepted() const { return accepted_; }

  // Waits until `condition`, evaluated with the lock held, is true. Returns false at the deadline.
  bool wait_until(Clock::time_point deadline, const std::function<bool()>& condition);
  std::unique_lock<std::recursive_mutex> lock() { return std::unique_lock(mutex_); }

 private:
  friend class Connection;
  friend class Stream;
  static QUIC_STATUS QUIC_API listener_callback(HQUIC, void* self, QUIC_LISTENER_EVENT* event);
  HQUIC configure(const Credential& credential, bool is_client);

  const ResponderFactory responders_;
  const bool is_quiet_;
  std::recursive_mutex mutex_;  // MsQuic may call back from inside a call
  std::condition_variable_any changed_;
  HQUIC registration_ = nullptr;
  HQUIC listener_ = nullptr;
  HQUIC listener_configuration_ = nullptr;
  Bytes listener_public_key_;
  std::vector<HQUIC> configurations_;
  std::vector<std::unique_ptr<Connection>> accepted_;
};

}  // namespace kith::attacker
