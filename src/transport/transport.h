// The interfaces between transports and everything above: Transport, Listener, Connection, Stream.
//
// A connection is secured, multiplexed and identified: nobody sees one before the peer id is known. All calls and
// callbacks are on the loop. Objects are the transport's; a handler's last callback is on_closed, after which the
// pointer it knew the object by is dead. Handlers are the caller's and must outlive that callback.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "identity/peer_id.h"
#include "wire/multiaddr.h"

namespace kith::transport {

class Stream;
class Connection;

enum class Direction : uint8_t { kInbound, kOutbound };

// Role: which part an end plays in the handshakes of a connection (proposes protocols, initiates Noise or is TLS's client,
// opens odd streams). The two ends must differ. It follows the direction, except when both ends dial each other at once to
// get through their NATs (TCP's simultaneous open): then they have agreed beforehand who plays which.
enum class Role : uint8_t { kDialer, kListener };

// Codes of resets and stops are QUIC's 62-bit integers; larger ones are sent as this.
inline constexpr uint64_t kMaxErrorCode = (uint64_t{1} << 62) - 1;

// StreamHandler receives what happens on one stream. No callback comes after on_closed.
class StreamHandler {
 public:
  // Bytes arrived. Returns how many of them were consumed. Consuming less pauses the stream: flow control holds the
  // peer back, the rest of `data` stays valid and is taken with Stream::consume(), or delivered again after
  // Stream::resume().
  virtual size_t on_data(Stream& stream, Bytes data) = 0;
  // The peer finished its side: every byte before it has been delivered.
  virtual void on_read_closed(Stream& stream) = 0;
  // The peer abandoned its side with `code`: nothing more will arrive, and what was held is gone.
  virtual void on_reset(Stream& stream, uint64_t code) = 0;
  // The peer no longer reads (it stopped us with `code`): writing has ended.
  virtual void on_stop(Stream& stream, uint64_t code) = 0;
  // There is room to write again after KITH_ERR_WOULD_BLOCK.
  virtual void on_writable(Stream& stream) = 0;
  // Both sides have ended, or the connection has (`error`). The stream is gone after this.
  virtual void on_closed(Stream& stream, const Error& error) = 0;
  // Stream::detach() was called: the handler is forgotten.
  virtual void on_detached(Stream&) {}

 protected:
  ~StreamHandler() = default;
};

// Stream: one ordered, flow-controlled byte pipe in each direction.
class Stream {
 public:
  void set_handler(StreamHandler* handler) { handler_ = handler; }
  StreamHandler* handler() const { return handler_; }
  // Makes the stream forget its handler: no further call, not even on_closed. What arrives is dropped, so end the
  // stream too.
  void detach() {
    if (handler_) std::exchange(handler_, nullptr)->on_detached(*this);
  }

  // Queues `data` (a reference is kept until the peer has it), all or nothing. KITH_ERR_WOULD_BLOCK when the send
  // budget is used up (on_writable follows), KITH_ERR_CLOSED after the write side has ended. `more`: it may
  // wait until the end of this turn for a write or an end that travels with it.
  Status write(Buffer data, bool more = false) {
    if (fin_waiting_) return Error(KITH_ERR_CLOSED, "stream");
    return do_write(std::move(data), more);
  }
  // As write, also after a close_write() that is held back: for the negotiation itself.
  Status write_before_end(Buffer data) { return do_write(std::move(data), /*more=*/true); }
  // Ends our side after what was written (half-close).
  void close_write() {
    if (fin_held_) {
      fin_waiting_ = true;
    } else {
      do_close_write();
    }
  }
  // While held, close_write() waits: a protocol negotiation in flight must not be overtaken by the end of the stream
  // (js-libp2p loses a request that ends before the negotiation has).
  void hold_fin(bool held) {
    fin_held_ = held;
    if (!held && std::exchange(fin_waiting_, false)) do_close_write();
  }
  // Abandons our side: the peer sees a reset with `code`. Unsent data, and an end that waits, are dropped. Harmless after
  // the write side has ended. Over yamux and mplex, which have one reset for both directions, reading ends too.
  void reset(uint64_t code) {
    fin_waiting_ = fin_held_ = false;
    do_reset(std::min(code, kMaxErrorCode));
  }
  // Tells the peer to stop sending, with `code`; what arrives and what is held is dropped. Harmless after the peer's side
  // has ended. yamux and mplex cannot say so: there the stream is reset when our side has ended or too much has arrived.
  void stop_reading(uint64_t code) { do_stop_reading(std::min(code, kMaxErrorCode)); }
  // Marks `n` held bytes as consumed; when none are left delivery goes on. Not from inside on_data. `n` must not exceed
  // what is held; after the end of the read side nothing is, and this does nothing.
  virtual void consume(size_t n) = 0;
  // Delivers held bytes again, in a later turn. Harmless when nothing is held.
  virtual void resume() = 0;

  virtual Connection& connection() = 0;
  virtual uint64_t id() const = 0;
  virtual Direction direction() const = 0;

  // reset and stop_reading in one: the stream is of no more use.
  void abort(uint64_t code) {
    reset(code);
    stop_reading(code);
  }

 protected:
  ~Stream() = default;
  virtual Status do_write(Buffer data, bool more) = 0;
  virtual void do_close_write() = 0;
  virtual void do_reset(uint64_t code) = 0;
  virtual void do_stop_reading(uint64_t code) = 0;
  StreamHandler* handler_ = nullptr;
  bool fin_held_ = false;
  bool fin_waiting_ = false;
};

class ConnectionHandler {
 public:
  // The peer opened a stream; the handler must set the stream's handler now or abort it.
  virtual void on_stream(Connection& connection, Stream& stream) = 0;
  // The connection has ended and every stream's on_closed has run. It is gone after this.
  virtual void on_closed(Connection& connection, const Error& error) = 0;

 protected:
  ~ConnectionHandler() = default;
};

class Connection {
 public:
  void set_handler(ConnectionHandler* handler) { handler_ = handler; }

  virtual const identity::PeerId& remote_peer() const = 0;
  virtual wire::Multiaddr local_address() const = 0;
  // Without /p2p.
  virtual wire::Multiaddr remote_address() const = 0;
  virtual Direction direction() const = 0;
  // False as soon as the connection is known to end, whoever ends it: no stream can be opened then.
  virtual bool is_open() const = 0;
  // Opens a stream; the peer hears of it with the first bytes. A stream beyond the number that the peer allows waits until
  // others have ended. KITH_ERR_CLOSED when the connection is ending.
  virtual Result<Stream*> open_stream(StreamHandler* handler) = 0;
  // Ends the connection; the peer sees `code`. on_closed follows in a later turn. Harmless when it is ending already.
  virtual void close(uint64_t code) = 0;

 protected:
  ~Connection() = default;
  ConnectionHandler* handler_ = nullptr;
};

// DialHandler: exactly one of on_connected and on_failed is called, unless the dial was canceled.
class DialHandler {
 public:
  // Somebody answers, and the handshake that follows takes some round trips more. At most once, and only from transports
  // with such a handshake. The dial must not be destroyed in this call.
  virtual void on_handshake() {}
  // The handler must set the connection's handler now.
  virtual void on_connected(Connection& connection) = 0;
  virtual void on_failed(const Error& error) = 0;

 protected:
  ~DialHandler() = default;
};

struct DialOptions {
  identity::PeerId expected =
      {};  // any other peer is KITH_ERR_PEER_ID_MISMATCH; empty: whoever answers
  Role role = Role::
      kDialer;  // KITH_ERR_NOT_SUPPORTED for kListener where the protocol below has its own client
};

// For transports that dial as kDialer only.
inline Status check_dialer_role(const DialOptions& options, const wire::Multiaddr& address) {
  if (options.role == Role::kDialer) return {};
  return Error(KITH_ERR_NOT_SUPPORTED, "dial",
               "'" + address.to_string() + "' cannot be dialed in the listener's role");
}

// A Dial under way. Destroying it before its outcome cancels it; after, it does nothing.
class Dial {
 public:
  virtual ~Dial() = default;
};

class ListenerHandler {
 public:
  // The handler must set the connection's handler now.
  virtual void on_connection(Connection& connection) = 0;
  // An inbound connection failed before its peer was known, or was refused; `from` is its address.
  virtual void on_inbound_failed(const wire::Multiaddr& from, const Error& error) = 0;

 protected:
  ~ListenerHandler() = default;
};

// A Listener accepts until it is destroyed; connections it accepted live on.
class Listener {
 public:
  virtual ~Listener() = default;
  // The bound address, with the real port, possibly with a wildcard host.
  virtual wire::Multiaddr address() const = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual bool can_dial(const wire::Multiaddr& address) const = 0;
  virtual bool can_listen(const wire::Multiaddr& address) const = 0;
  // Dials `address` (without /p2p).
  virtual Result<std::unique_ptr<Dial>> dial(const wire::Multiaddr& address,
                                             const DialOptions& options, DialHandler* handler) = 0;
  virtual Result<std::unique_ptr<Listener>> listen(const wire::Multiaddr& address,
                                                   ListenerHandler* handler) = 0;
  // Closes every connection and dial. `done(ctx)` runs, in a later turn, when all of them are gone; after that the
  // transport may be destroyed and nothing is delivered any more.
  virtual void shutdown(void (*done)(void* ctx), void* ctx) = 0;
};

}  // namespace kith::transport
