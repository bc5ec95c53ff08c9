// Swarm: who we are connected to. Listeners, dials, the table of connections by peer, the table of protocols.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/pool.h"
#include "identity/peer_id.h"
#include "runtime/loop.h"
#include "swarm/negotiation.h"
#include "swarm/peer_connection.h"
#include "swarm/protocols.h"
#include "transport/transport.h"

namespace kith::swarm {

class DialJob;

// An Observer hears of connections. Calls are on the loop; an observer may close connections but not destroy the swarm.
class Observer {
 public:
  virtual void on_connected(PeerConnection&) {}
  // The connection is gone after this.
  virtual void on_disconnected(PeerConnection&, const Error&) {}
  // An inbound connection failed before its peer was known, or was refused because a limit was reached
  // (KITH_ERR_LIMIT; transport/admission.h says how often this is told).
  virtual void on_inbound_failed(const wire::Multiaddr& /*from*/, const Error&) {}
  // A stream of the peer's ended before it had a protocol, or a service refused what it carried.
  virtual void on_stream_failed(PeerConnection&, const Error&) {}
  // The peer has said what it is: connection.identified().
  virtual void on_identified(PeerConnection&) {}
  // Identify failed on this connection, which goes on without.
  virtual void on_identify_failed(PeerConnection&, const Error&) {}

 protected:
  ~Observer() = default;
};

// ConnectHandler: exactly one of the two is called, unless the Connect was destroyed before.
class ConnectHandler {
 public:
  virtual void on_connect(PeerConnection& connection) = 0;
  virtual void on_connect_failed(const Error& error) = 0;

 protected:
  ~ConnectHandler() = default;
};

// A Connect under way: a claim on the outcome of a dial. Destroying it gives up the claim, and cancels the dial if
// nobody else waits for it.
class Connect {
 public:
  explicit Connect(ConnectHandler* h) : handler(h) {}
  ~Connect();
  Connect(const Connect&) = delete;
  Connect& operator=(const Connect&) = delete;
  ConnectHandler* handler;
  DialJob* job = nullptr;
};

class Swarm final : public transport::ListenerHandler {
 public:
  // `loop` outlives the swarm.
  Swarm(runtime::Loop& loop, const identity::PeerId& self, LogSink* log = nullptr);
  ~Swarm();

  void add_transport(std::unique_ptr<transport::Transport> transport);
  ProtocolRegistry& protocols() { return protocols_; }
  void add_observer(Observer* observer) { observers_.push_back(observer); }
  void remove_observer(Observer* observer) { std::erase(observers_, observer); }

  // Listens on `address` and returns it with the real port. KITH_ERR_NOT_SUPPORTED when no transport knows it.
  Result<wire::Multiaddr> listen(const wire::Multiaddr& address);
  // Undoes a listen() that returned `bound`; the connections accepted live on.
  void stop_listening(const wire::Multiaddr& bound);
  // Addresses to tell others: bound ports, and a wildcard host replaced by the machine's addresses. Without /p2p.
  std::vector<wire::Multiaddr> listen_addresses() const;

  // Whom a connect() with these arguments would dial, and where (without /p2p); or why it would be refused. Any thread.
  struct Target {
    identity::PeerId peer;  // empty: whoever answers
    std::vector<wire::Multiaddr> addresses;
  };
  Result<Target> target_of(const identity::PeerId& peer,
                           std::span<const wire::Multiaddr> addresses) const;
  // Connects to a peer at one of `addresses` (1..limits::kDialAddresses, each may end in /p2p/ID, all of one peer).
  // `peer` may be empty: then whoever answers. An existing connection to the peer is reused. The outcome comes in a
  // later turn, or as an error here; all addresses' errors are reported together. `role` is the listener's only where the
  // peer dials us at the same time, in the dialer's role.
  Result<std::unique_ptr<Connect>> connect(const identity::PeerId& peer,
                                           std::span<const wire::Multiaddr> addresses,
                                           ConnectHandler* handler,
                                           transport::Role role = transport::Role::kDialer);
  // A connection to `peer` that is not known to be ending, or nullptr.
  PeerConnection* find(const identity::PeerId& peer);
  const std::list<std::unique_ptr<PeerConnection>>& connections() const { return connections_; }

  // Stops listening, closes every connection and cancels every dial. `done(ctx)` runs in a later turn; nothing is
  // delivered after it.
  void shutdown(void (*done)(void* ctx), void* ctx);

  runtime::Loop& loop() { return loop_; }
  const identity::PeerId& self() const { return self_; }
  LogSink* log() const { return log_; }
  // Nothing is logged any more.
  void stop_logging() { log_ = nullptr; }

  // For the parts of the swarm and for services.
  struct Pools {
    ObjectPool<InboundNegotiation> inbound;
    ObjectPool<OutboundNegotiation> outbound;
  };
  Pools& pools() { return pools_; }
  transport::Transport* transport_for_dial(const wire::Multiaddr& address);
  // Takes a connection over and tells the observers. nullptr, and the connection ends, if its peer is this node itself.
  PeerConnection* add_connection(transport::Connection& connection);
  void connection_closed(PeerConnection* connection, const Error& error);
  void stream_failed(PeerConnection& connection, const Error& error);
  void identified(PeerConnection& connection);
  void identify_failed(PeerConnection& connection, const Error& error);
  // Takes `job` out of those under way; nullptr if it is not one of them.
  std::unique_ptr<DialJob> take_job(DialJob* job);

 private:
  void on_connection(transport::Connection& connection) override;
  void on_inbound_failed(const wire::Multiaddr& from, const Error& error) override;
  static void on_transport_shutdown(void* ctx);

  runtime::Loop& loop_;
  const identity::PeerId self_;
  LogSink* log_;
  ProtocolRegistry protocols_;
  Pools pools_;
  std::vector<Observer*> observers_;
  std::vector<std::unique_ptr<transport::Transport>> transports_;
  std::vector<std::unique_ptr<transport::Listener>> listeners_;
  std::list<std::unique_ptr<PeerConnection>> connections_;
  std::unordered_multimap<identity::PeerId, PeerConnection*> by_peer_;
  std::list<std::unique_ptr<DialJob>> jobs_;
  bool shutting_down_ = false;
  size_t transports_running_ = 0;
  void (*shutdown_done_)(void* ctx) = nullptr;
  void* shutdown_ctx_ = nullptr;
};

}  // namespace kith::swarm
