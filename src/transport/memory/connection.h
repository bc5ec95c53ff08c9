// MemoryConnection and MemoryStream: the two ends of a connection in one process, each owned by its transport.
#pragma once

#include <deque>
#include <list>
#include <vector>

#include "runtime/loop.h"
#include "transport/memory/memory.h"
#include "transport/transport.h"

namespace kith::transport::memory {

class MemoryStream final : public Stream {
 public:
  MemoryStream(MemoryConnection& connection, Direction direction, uint64_t id);
  ~MemoryStream();

  void consume(size_t n) override;
  void resume() override;
  Connection& connection() override;
  uint64_t id() const override { return id_; }
  Direction direction() const override { return direction_; }

 protected:
  Status do_write(Buffer data, bool more) override;
  void do_close_write() override;
  void do_reset(uint64_t code) override;
  void do_stop_reading(uint64_t code) override;

 private:
  friend class MemoryConnection;
  enum class Kind : uint8_t { kData, kFin, kReset, kStop, kCredit };
  struct Event {
    Kind kind;
    Buffer data;
    uint64_t code;
    TimePoint due = 0;
    uint64_t sequence = 0;
  };
  void send(Kind kind, Buffer data, uint64_t code);
  // An event of the peer's arrives after the network's latency, and after those before it.
  void receive(Event event);
  // The queue whose first event comes next, or nullptr. Data and its end wait behind held data, the rest does not.
  std::deque<Event>* next_queue();
  // Delivers what has arrived.
  void deliver();
  void deliver_data(Buffer data);
  void deliver_control(const Event& event);
  void announce();
  void schedule();
  // Something ended here: looks in a later turn whether all has.
  void schedule_now();
  void end_read();

  MemoryConnection& connection_;
  MemoryStream* peer_ = nullptr;  // null while waiting, and once the other end is gone
  const uint64_t id_;
  const Direction direction_;
  std::deque<Event> data_;     // kData, kFin
  std::deque<Event> control_;  // the rest
  std::vector<Event> unsent_;  // while waiting
  TimePoint last_due_ = 0;
  uint64_t num_received_ = 0;
  runtime::Timer arrival_;
  size_t in_flight_ = 0;  // bytes written that the peer's handler has not consumed
  Buffer held_;
  size_t held_consumed_ = 0;
  bool waiting_ = false;  // for the peer to allow one more stream
  bool announced_;        // the handler of the connection knows the stream
  bool write_ended_ = false;
  bool was_reset_ = false;
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
  bool is_open() const override { return !ending_; }
  Result<Stream*> open_stream(StreamHandler* handler) override;
  void close(uint64_t code) override;

  MemoryTransport& transport() { return transport_; }
  bool has_handler() const { return handler_ != nullptr; }

 private:
  friend class MemoryStream;
  // The peer closed: the news takes the network's latency.
  void on_peer_closed(uint64_t code);
  void on_end();
  // Makes the peer's end of `near`, if the peer allows one more.
  bool connect_stream(MemoryStream* near);
  // The peer allows one more stream.
  void admit_waiting();
  void destroy(MemoryStream* stream);

  MemoryTransport& transport_;
  MemoryConnection* peer_ = nullptr;
  const Direction direction_;
  const wire::Multiaddr local_;
  const wire::Multiaddr remote_;
  identity::PeerId remote_peer_;
  std::list<MemoryStream*> streams_;
  std::deque<MemoryStream*> waiting_;  // of streams_
  uint64_t next_stream_id_ = 0;
  size_t inbound_streams_ = 0;
  Error end_{KITH_OK, "connection"};
  bool ending_ = false;
  runtime::Timer end_timer_;
};

}  // namespace kith::transport::memory
