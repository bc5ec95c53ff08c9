#include "host/host.h"

#include "crypto/random.h"
#include "protocol/tls/certificate.h"
#if KITH_WEBSOCKET
#include "transport/websocket/transport.h"
#endif

namespace kith::host {

namespace {
void fill_random(MutableBytes out) {
  const Status s = crypto::random_bytes(out);
  KITH_CHECK(s.ok());  // the system's generator was seeded when the first key was made
}

// Stands in for QUIC in a private network, which has no place for it, and says so.
class NoQuic final : public transport::Transport {
 public:
  bool can_dial(const wire::Multiaddr& a) const override { return a.has(wire::proto::kQuicV1); }
  bool can_listen(const wire::Multiaddr& a) const override { return can_dial(a); }
  Result<std::unique_ptr<transport::Dial>> dial(const wire::Multiaddr&,
                                                const transport::DialOptions&,
                                                transport::DialHandler*) override {
    return Error(KITH_ERR_NOT_SUPPORTED, "dial", kWhy);
  }
  Result<std::unique_ptr<transport::Listener>> listen(const wire::Multiaddr& address,
                                                      transport::ListenerHandler*) override {
    return Error(KITH_ERR_NOT_SUPPORTED, "listen", address.to_string() + ": " + kWhy);
  }
  void shutdown(void (*done)(void* ctx), void* ctx) override { done(ctx); }  // TCP is the last

 private:
  static constexpr char kWhy[] = "QUIC is off in a private network";
};
}  // namespace

Host::Host(runtime::Loop& loop, crypto::PrivateKey key, const identity::PeerId& id)
    : key_(std::move(key)),
      id_(id),
      begin_stop_(runtime::Deferred::of<&Host::begin_stop>(loop, this)) {}

Host::~Host() {
  KITH_CHECK(stopped_);
  if (runtime_) --runtime_->num_hosts;
}

Result<std::unique_ptr<Host>> Host::make(runtime::Loop& loop, const HostConfig& config) {
  std::optional<crypto::PrivateKey> key = config.key;
  if (!key) {
    KITH_ASSIGN(key, crypto::PrivateKey::generate(crypto::KeyType::kEd25519));
  }
  const identity::PeerId id = identity::PeerId::from_public_key(key->public_key());
  std::unique_ptr<Host> host(new Host(loop, std::move(*key), id));
  host->swarm_ = std::make_unique<swarm::Swarm>(loop, id, config.log);
  host->stopped_ = true;  // nothing to stop yet
  return host;
}

void Host::start_services(const HostConfig& config) {
  identify_ = std::make_unique<service::IdentifyService>(*swarm_, key_, config.identify);
  ping_ = std::make_unique<service::PingService>(*swarm_, fill_random, config.serve_ping);
  perf_ = std::make_unique<service::PerfService>(*swarm_);
  if (config.serve_perf) perf_->serve();
}

Status Host::listen(const std::vector<wire::Multiaddr>& addresses) {
  for (const wire::Multiaddr& a : addresses) KITH_TRY(swarm_->listen(a));
  return {};
}

Result<std::unique_ptr<Host>> Host::create(Runtime& runtime, HostConfig config) {
  KITH_ASSIGN(std::unique_ptr<Host> host, make(runtime.loop(), config));
  host->runtime_ = &runtime;
  ++runtime.num_hosts;
  tls::Credentials made;
  if (!config.credentials) {
    KITH_ASSIGN(made, tls::make_credentials(host->key_, runtime.loop().unix_seconds()));
  }
  const tls::Credentials& credentials = config.credentials ? *config.credentials : made;
  config.tcp.log = config.log;
  config.tcp.joins_port = config.quic.joins_port = config.joins_ports;
  if (!config.admission) config.admission = std::make_shared<transport::Admission>(config.inbound);
  config.quic.admission = config.tcp.upgrade.admission = config.admission;
  KITH_ASSIGN(auto tcp, transport::tcp::TcpTransport::create(runtime.loop(), host->key_,
                                                             credentials, config.tcp));
#if KITH_WEBSOCKET
  KITH_ASSIGN(auto websocket, transport::websocket::WebsocketTransport::create(
                                  runtime.loop(), host->key_, credentials, config.tcp,
                                  std::move(config.websocket)));
#endif
  if (!config.tcp.upgrade.network_key.empty()) {
    KITH_LOG(config.log, kInfo, "host", "a private network: QUIC is off");
    host->swarm_->add_transport(std::make_unique<NoQuic>());
  } else {
    config.quic.log = config.log;
    KITH_ASSIGN(auto quic, transport::quic::QuicTransport::create(runtime.loop(), runtime.slot(),
                                                                  credentials, config.quic));
    host->swarm_->add_transport(std::move(quic));
  }
  host->swarm_->add_transport(std::move(tcp));
#if KITH_WEBSOCKET
  host->swarm_->add_transport(std::move(websocket));
#endif
  host->start_services(config);
  host->stopped_ = false;
  if (Status s = host->listen(config.listen); !s.ok()) {
    discard(std::move(host));
    return s.error();
  }
  return host;
}

Result<std::unique_ptr<Host>> Host::create_on(runtime::Loop& loop, const HostConfig& config,
                                              const MakeTransport& make_transport) {
  KITH_ASSIGN(std::unique_ptr<Host> host, make(loop, config));
  KITH_ASSIGN(auto transport, make_transport(host->key_));
  host->swarm_->add_transport(std::move(transport));
  host->start_services(config);
  host->stopped_ = false;
  if (Status s = host->listen(config.listen); !s.ok()) {
    discard(std::move(host));
    return s.error();
  }
  return host;
}

Result<std::unique_ptr<Host>> Host::create_in_memory(runtime::Loop& loop,
                                                     transport::memory::MemoryNetwork& network,
                                                     const HostConfig& config) {
  return create_on(loop, config, [&](const crypto::PrivateKey& key) {
    return std::unique_ptr<transport::Transport>(
        std::make_unique<transport::memory::MemoryTransport>(
            loop, network, identity::PeerId::from_public_key(key.public_key())));
  });
}

void Host::discard(std::unique_ptr<Host> host) {
  Host* h = host.release();
  h->swarm_
      ->stop_logging();  // the sink is borrowed for the life of a host that the caller never had
  [[maybe_unused]] const Status s = h->stop([](void* ctx) { delete static_cast<Host*>(ctx); }, h);
}

std::vector<wire::Multiaddr> Host::addresses() const {
  std::vector<wire::Multiaddr> out;
  for (const wire::Multiaddr& a : swarm_->listen_addresses()) {
    if (Result<wire::Multiaddr> full = a.with(wire::proto::kP2p, id_.bytes()); full.ok()) {
      out.push_back(std::move(full).value());
    }
  }
  return out;
}

Status Host::stop(void (*done)(void* ctx), void* ctx) {
  if (stopping_) return Error(KITH_ERR_INVALID_STATE, "host", "it is stopping already");
  stopping_ = true;
  stop_done_ = done;
  stop_ctx_ = ctx;
  // In a later turn: the caller may be inside a callback of a connection that this will end.
  begin_stop_.schedule();
  return {};
}

void Host::begin_stop() {
  swarm_->shutdown(
      [](void* ctx) {
        auto* self = static_cast<Host*>(ctx);
        self->stopped_ = true;
        if (self->stop_done_) self->stop_done_(self->stop_ctx_);
      },
      this);
}

}  // namespace kith::host
