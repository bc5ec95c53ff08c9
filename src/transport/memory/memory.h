// The memory transport: the transport interfaces within one process, for tests and simulations. /memory/N.
//
// Nothing is encrypted: each transport states its peer id. Every event takes the network's latency, and arrives in
// order, through the loop's timers: on a SimLoop a whole network is deterministic.
#pragma once

#include <list>
#include <map>
#include <memory>

#include "base/limits.h"
#include "runtime/loop.h"
#include "transport/transport.h"

namespace kith::transport::memory {

class MemoryDial;
class MemoryListener;
class MemoryTransport;

// What the transports of one simulated network share: who listens where, and how long bytes travel.
struct MemoryNetwork {
  Duration latency = 0;
  std::map<uint64_t, MemoryListener*> listeners;
  uint64_t next_port = 1;  // for /memory/0
};

struct MemoryConfig {
  size_t stream_window_bytes = 256 * 1024;
  uint16_t max_inbound_streams = limits::kStreamsPerConnection;
};

class MemoryConnection;

class MemoryTransport final : public Transport {
 public:
  // All transports of a network live on one loop, and the network outlives them.
  MemoryTransport(runtime::Loop& loop, MemoryNetwork& network, const identity::PeerId& self,
                  const MemoryConfig& config = {});
  ~MemoryTransport() override;
  bool can_dial(const wire::Multiaddr& address) const override;
  bool can_listen(const wire::Multiaddr& address) const override;
  Result<std::unique_ptr<Dial>> dial(const wire::Multiaddr& address, const DialOptions& options,
                                     DialHandler* handler) override;
  Result<std::unique_ptr<Listener>> listen(const wire::Multiaddr& address,
                                           ListenerHandler* handler) override;
  void shutdown(void (*done)(void* ctx), void* ctx) override;

  runtime::Loop& loop() { return loop_; }
  MemoryNetwork& network() { return network_; }
  const identity::PeerId& self() const { return self_; }
  const MemoryConfig& config() const { return config_; }
  void add(MemoryConnection* c) { connections_.push_back(c); }
  void remove(MemoryConnection* c);
  void add(MemoryDial* d) { dials_.push_back(d); }
  void remove(MemoryDial* d);

 private:
  void check_shutdown();
  runtime::Loop& loop_;
  MemoryNetwork& network_;
  const identity::PeerId self_;
  const MemoryConfig config_;
  std::list<MemoryConnection*> connections_;
  std::list<MemoryDial*> dials_;  // under way
  bool shutting_down_ = false;
  void (*shutdown_done_)(void* ctx) = nullptr;
  void* shutdown_ctx_ = nullptr;
  runtime::Deferred shutdown_finish_;
};

}  // namespace kith::transport::memory
