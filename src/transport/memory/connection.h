// MemoryConnection and MemoryStream: the two ends of a connection in one process, each owned by its transport.
#pragma once

#include <deque>
#include <list>

#include "runtime/loop.h"
#include "transport/memory/memory.h"
#include "transport/transport.h"

namespace kith::transport::memory {

class MemoryStream final : public Stream {
 public:
  MemoryStream(MemoryConnection& connection, Direction direction, uint64_t id);
  ~MemoryStream();

  void reset(uint64_t code) override;
  void stop_reading(uint64_t code) override;
  void consume(size_t n) override;
  void resume() override;
  Connection& connection() override;
  uint64_t id() const override { return id_; }
  Direction direction() const override { return direction_; }

 protected:
  Status do_write(Buffer data, bool more) override;
  void do_close_write() override;

 private:
  friend class MemoryConnection;
  enum class Kind : uint8_t { kData, kFin, kReset, kStop, kCredit };
  struct Event {
    TimePoint due;
    Kind kind;
    Buffer data;
    uint64_t code;
  };
  void send(Kind kind, Buffer data, uint64_t code);
  // Delivers what has arrived.
  void deliver();
  bool deliver_data(Event& event);
  void schedule();
  // Lets the peer send `n` more bytes.
  void credit(size_t n);
  void finish_write();
  // Ends the stream when both sides have ended.
  void check_closed();

  MemoryConnection& connection_;
  MemoryStream* peer_ = nullptr;  // null once the other end is gone
  const uint64_t id_;
  const Direction direction_;
  std::deque<Event> inbox_;
  runtime::Timer arrival_;
  size_t in_flight_ = 0;      // bytes written that the peer's handler has not consumed
  size_t held_consumed_ = 0;  // of the first inbox event
  bool holding_ = false;
  bool announced_;  // the handler of the connection knows the stream
  bool write_ended_ = false;
  bool read_ended_ = false;
  bool blocked_ = false;
};

class MemoryConnection final : public Connection {
 public:
  MemoryConnection(MemoryTransport& transport, Direction direction, wire::Multiaddr local,
                   wire::Multiaddr remote);
  ~MemoryConnection();
  static void join(MemoryConnection* a, MemoryConnection* b);

  const identity::PeerId& remote_peer() const override { return remote_peer_; }
  wire::Multiaddr local_address() const override { return local_; }
  wire::Multiaddr remote_address() const override { return remote_; }
  Direction direction() const override { return direction_; }
  Result<Stream*> open_stream(StreamHandler* handler) override;
  void close(uint64_t code) override;

  MemoryTransport& transport() { return transport_; }
  bool has_handler() const { return handler_ != nullptr; }
  // Ends this side, after the network's latency if the peer closed.
  void end(Error reason, Duration delay);

 private:
  friend class MemoryStream;
  void on_end();
  void destroy(MemoryStream* stream);

  MemoryTransport& transport_;
  MemoryConnection* peer_ = nullptr;
  const Direction direction_;
  const wire::Multiaddr local_;
  const wire::Multiaddr remote_;
  identity::PeerId remote_peer_;
  std::list<MemoryStream*> streams_;
  uint64_t next_stream_id_ = 0;
  size_t inbound_streams_ = 0;
  Error end_{KITH_OK, "connection"};
  bool ending_ = false;
  runtime::Timer end_timer_;
};

}  // namespace kith::transport::memory
