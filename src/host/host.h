// Host: a libp2p node. The only place that names concrete transports and services.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "crypto/keys.h"
#include "host/runtime.h"
#include "identity/peer_id.h"
#include "service/identify.h"
#include "service/perf.h"
#include "service/ping.h"
#include "swarm/swarm.h"
#include "transport/memory/memory.h"
#include "transport/quic/transport.h"
#include "transport/tcp/transport.h"
#include "transport/websocket/config.h"

namespace kith::host {

struct HostConfig {
  std::optional<crypto::PrivateKey> key;  // a fresh Ed25519 key if not set
  const tls::Credentials* credentials =
      nullptr;                          // made of `key`, borrowed for create(); made if null
  std::vector<wire::Multiaddr> listen;  // none: dial only
  service::IdentifyConfig identify;
  transport::quic::QuicConfig quic;
  transport::tcp::TcpConfig tcp;  // also of what WebSocket has in common with it
  transport::websocket::WebsocketConfig websocket;
  transport::AdmissionConfig inbound;  // for all transports together
  bool serve_ping = true;
  bool serve_perf = false;   // lets anybody make us send as much as they like
  bool joins_ports = false;  // other hosts of this node, on other loops, listen there already
  // Shared with the hosts of this node on other loops; made of `inbound` if null.
  std::shared_ptr<transport::Admission> admission;
  LogSink* log = nullptr;  // borrowed for the life of the host
};

class Host {
 public:
  // Starts a node on `runtime`: keys, certificate, listeners. On the loop. Errors name the address that failed.
  static Result<std::unique_ptr<Host>> create(Runtime& runtime, HostConfig config);
  // The same on any loop with the one transport that `make` gives for the node's key: for tests and simulations.
  using MakeTransport =
      std::function<Result<std::unique_ptr<transport::Transport>>(const crypto::PrivateKey& key)>;
  static Result<std::unique_ptr<Host>> create_on(runtime::Loop& loop, const HostConfig& config,
                                                 const MakeTransport& make);
  // That, with the memory transport.
  static Result<std::unique_ptr<Host>> create_in_memory(runtime::Loop& loop,
                                                        transport::memory::MemoryNetwork& network,
                                                        const HostConfig& config);
  // Only after stop() is done.
  ~Host();

  // Closes everything. `done(ctx)` runs once, in a later turn; nothing is delivered after it, and the host may be
  // destroyed from it. A second call is KITH_ERR_INVALID_STATE.
  Status stop(void (*done)(void* ctx), void* ctx);

  const identity::PeerId& id() const { return id_; }
  const crypto::PrivateKey& key() const { return key_; }
  swarm::Swarm& swarm() { return *swarm_; }
  service::PingService& ping() { return *ping_; }
  service::PerfService& perf() { return *perf_; }
  // listen_addresses() of the swarm, each with /p2p/<our id>.
  std::vector<wire::Multiaddr> addresses() const;

 private:
  Host(runtime::Loop& loop, crypto::PrivateKey key, const identity::PeerId& id);
  static Result<std::unique_ptr<Host>> make(runtime::Loop& loop, const HostConfig& config);
  void start_services(const HostConfig& config);
  Status listen(const std::vector<wire::Multiaddr>& addresses);
  void begin_stop();
  // Undoes a half-made host without a callback.
  static void discard(std::unique_ptr<Host> host);

  Runtime* runtime_ = nullptr;  // none in memory
  const crypto::PrivateKey key_;
  const identity::PeerId id_;
  std::unique_ptr<swarm::Swarm> swarm_;
  std::unique_ptr<service::IdentifyService> identify_;
  std::unique_ptr<service::PingService> ping_;
  std::unique_ptr<service::PerfService> perf_;
  bool stopping_ = false;
  bool stopped_ = false;
  void (*stop_done_)(void* ctx) = nullptr;
  void* stop_ctx_ = nullptr;
  runtime::Deferred begin_stop_;
};

}  // namespace kith::host
