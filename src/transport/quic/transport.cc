#include "transport/quic/transport.h"

#include <algorithm>

#include "transport/quic/connection.h"
#include "transport/quic/listener.h"
#include "transport/quic/msquic_api.h"
#include "transport/quic/status.h"
#include "transport/quic/stream.h"

namespace kith::transport::quic {

namespace proto = wire::proto;

struct QuicTransport::Pools {
  ObjectPool<QuicStream> streams;
  ObjectPool<SendOp> send_ops;
};

namespace {

// [ip6zone] ip4|ip6, udp, quic-v1, and nothing else.
bool is_quic_address(const wire::Multiaddr& address) {
  int position = 0;
  for (const wire::Component c : address) {
    switch (c.protocol->code) {
      case proto::kIp6Zone:
        if (position != 0) return false;
        break;
      case proto::kIp4:
      case proto::kIp6:
        if (position++ != 0) return false;
        break;
      case proto::kUdp:
        if (position++ != 1) return false;
        break;
      case proto::kQuicV1:
        if (position++ != 2) return false;
        break;
      default:
        return false;
    }
  }
  return position == 3;
}

uint32_t ms(Duration d) { return static_cast<uint32_t>(d / milliseconds(1)); }

QUIC_SETTINGS settings_of(const QuicConfig& config) {
  QUIC_SETTINGS s{};
  s.IdleTimeoutMs = ms(config.idle_timeout);
  s.IsSet.IdleTimeoutMs = TRUE;
  s.HandshakeIdleTimeoutMs = ms(config.handshake_timeout);
  s.IsSet.HandshakeIdleTimeoutMs = TRUE;
  s.KeepAliveIntervalMs = ms(config.keep_alive);
  s.IsSet.KeepAliveIntervalMs = TRUE;
  s.PeerBidiStreamCount = config.max_inbound_streams;
  s.IsSet.PeerBidiStreamCount = TRUE;
  s.PeerUnidiStreamCount = 0;
  s.IsSet.PeerUnidiStreamCount = TRUE;
  s.SendBufferingEnabled = FALSE;  // our buffers stay until acknowledged: no copy
  s.IsSet.SendBufferingEnabled = TRUE;
  s.StreamRecvWindowDefault = config.stream_window_bytes;
  s.IsSet.StreamRecvWindowDefault = TRUE;
  s.ConnFlowControlWindow = config.connection_window_bytes;
  s.IsSet.ConnFlowControlWindow = TRUE;
  s.ServerResumptionLevel = QUIC_SERVER_NO_RESUME;  // a resumed session carries no certificate
  s.IsSet.ServerResumptionLevel = TRUE;
  s.DatagramReceiveEnabled = FALSE;
  s.IsSet.DatagramReceiveEnabled = TRUE;
  return s;
}

}  // namespace

wire::Multiaddr quic_address(const Endpoint& e) {
  static const wire::Multiaddr quic_v1 = wire::Multiaddr::parse("/quic-v1").value();
  return multiaddr_of(e, proto::kUdp).with(quic_v1);
}

QuicTransport::QuicTransport(runtime::EpollLoop& loop, Slot& slot, const QuicConfig& config)
    : loop_(loop),
      slot_(slot),
      config_(config),
      shutdown_finish_(runtime::Deferred::of<&QuicTransport::check_shutdown>(loop, this)),
      shutdown_deadline_(
          runtime::Timer::of<&QuicTransport::on_shutdown_deadline>(loop.timers(), this)),
      certificates_(config.max_verified_certificates),
      pools_(std::make_unique<Pools>()) {}

Result<std::unique_ptr<QuicTransport>> QuicTransport::create(runtime::EpollLoop& loop, Slot& slot,
                                                             const tls::Credentials& credentials,
                                                             const QuicConfig& config) {
  std::unique_ptr<QuicTransport> t(new QuicTransport(loop, slot, config));
  KITH_TRY(t->open_configuration(credentials, /*is_server=*/true, &t->server_));
  KITH_TRY(t->open_configuration(credentials, /*is_server=*/false, &t->client_));
  return t;
}

QuicTransport::~QuicTransport() {
  KITH_CHECK(connections_ == nullptr && listener_handles_ == 0);
  if (server_) api().ConfigurationClose(server_);
  if (client_) api().ConfigurationClose(client_);
}

Status QuicTransport::open_configuration(const tls::Credentials& credentials, bool is_server,
                                         QUIC_HANDLE** out) {
  const QUIC_SETTINGS settings = settings_of(config_);
  const QUIC_BUFFER alpn = {sizeof tls::kAlpn - 1,
                            reinterpret_cast<uint8_t*>(const_cast<char*>(tls::kAlpn))};
  QUIC_STATUS status = api().ConfigurationOpen(slot_.registration(), &alpn, 1, &settings,
                                               sizeof settings, nullptr, out);
  if (QUIC_FAILED(status)) return error_of(status, "quic", "open the configuration");
  QUIC_CERTIFICATE_PKCS12 pkcs12 = {credentials.pkcs12.data(),
                                    static_cast<uint32_t>(credentials.pkcs12.size()), nullptr};
  QUIC_CREDENTIAL_CONFIG config{};
  config.Type = QUIC_CREDENTIAL_TYPE_CERTIFICATE_PKCS12;
  config.CertificatePkcs12 = &pkcs12;
  // We verify: MsQuic only hands the certificate over, and a client must send one.
  config.Flags = QUIC_CREDENTIAL_FLAG_NO_CERTIFICATE_VALIDATION |
                 QUIC_CREDENTIAL_FLAG_INDICATE_CERTIFICATE_RECEIVED |
                 (is_server ? QUIC_CREDENTIAL_FLAG_REQUIRE_CLIENT_AUTHENTICATION
                            : QUIC_CREDENTIAL_FLAG_CLIENT);
  status = api().ConfigurationLoadCredential(*out, &config);
  if (QUIC_FAILED(status)) return error_of(status, "quic", "load the certificate");
  return {};
}

ObjectPool<QuicStream>& QuicTransport::streams() { return pools_->streams; }
ObjectPool<SendOp>& QuicTransport::send_ops() { return pools_->send_ops; }

bool QuicTransport::can_dial(const wire::Multiaddr& address) const {
  return is_quic_address(address);
}
bool QuicTransport::can_listen(const wire::Multiaddr& address) const {
  return is_quic_address(address);
}

namespace {
std::optional<Endpoint> source_at(const Endpoint& remote, uint16_t port) {
  std::optional<Endpoint> source = source_address_for(remote);
  if (source) source->set_port(port);
  return source;
}
}  // namespace

void QuicTransport::open_dial_port() {
  if (dial_port_ || dial_port_failed_) return;
  bool is_final = true;
  for (const int family : {AF_INET6, AF_INET}) {  // IPv6's wildcard takes both
    Endpoint any;
    any.sa.sa_family = static_cast<sa_family_t>(family);
    auto port = std::make_unique<QuicListener>(*this, nullptr);
    const Status started = port->start(any);
    if (started.ok()) {
      dial_port_ = std::move(port);
      return;
    }
    if (started.status() == KITH_ERR_LIMIT) is_final = false;  // there may be descriptors later
  }
  dial_port_failed_ = is_final;
}

std::optional<Endpoint> QuicTransport::dial_source(const Endpoint& remote) {
  if (!KITH_MSQUIC_PATCHED || !config_.share_port) return std::nullopt;
  for (const QuicListener* listener : listeners_) {
    const Endpoint& at = listener->endpoint();
    if (listener == dial_port_.get() || at.is_v4() != remote.is_v4()) continue;
    if (at.is_wildcard()) {
      if (std::optional<Endpoint> source = source_at(remote, at.port())) return source;
    } else if (at.is_loopback() == remote.is_loopback()) {
      return at;
    }
  }
  open_dial_port();
  return dial_port_ ? source_at(remote, dial_port_->endpoint().port()) : std::nullopt;
}

Result<std::unique_ptr<Dial>> QuicTransport::dial(const wire::Multiaddr& address,
                                                  const DialOptions& options,
                                                  DialHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "quic");
  KITH_TRY(check_dialer_role(options, address));
  KITH_ASSIGN(const Endpoint remote, endpoint_of(address, proto::kUdp));
  if (remote.port() == 0 || remote.is_wildcard()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "dial",
                 "'" + address.to_string() + "' names no host and port to dial");
  }
  auto dial = std::make_unique<QuicDial>(handler);
  auto connection = std::make_unique<QuicConnection>(*this, options.expected, dial.get());
  KITH_TRY(connection->start_dial(remote, dial_source(remote)));
  dial->connection = connection.get();
  add(connection.release());
  return std::unique_ptr<Dial>(std::move(dial));
}

Result<std::unique_ptr<Listener>> QuicTransport::listen(const wire::Multiaddr& address,
                                                        ListenerHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "quic");
  KITH_ASSIGN(const Endpoint at, endpoint_of(address, proto::kUdp));
  auto listener = std::make_unique<QuicListener>(*this, handler);
  KITH_TRY(listener->start(at));
  return std::unique_ptr<Listener>(std::move(listener));
}

void QuicTransport::add(QuicConnection* connection) {
  connection->next = connections_;
  if (connections_) connections_->prev = connection;
  connections_ = connection;
}

void QuicTransport::remove(QuicConnection* connection) {
  (connection->prev ? connection->prev->next : connections_) = connection->next;
  if (connection->next) connection->next->prev = connection->prev;
  delete connection;
  if (shutting_down_) shutdown_finish_.schedule();
}

void QuicTransport::remove(QuicListener* listener) {
  std::erase(listeners_, listener);
  for (QuicConnection* c = connections_; c; c = c->next) {
    if (c->listener() == listener) c->forget_listener();
  }
}

void QuicTransport::listener_handles(int change) {
  listener_handles_ += change;
  if (shutting_down_) shutdown_finish_.schedule();
}

void QuicTransport::shutdown(void (*done)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_ctx_ = ctx;
  dial_port_.reset();
  for (QuicConnection* c = connections_; c; c = c->next) c->close(0);
  shutdown_deadline_.set(loop_.now() + config_.shutdown_timeout);
  shutdown_finish_.schedule();
}

void QuicTransport::on_shutdown_deadline() {
  for (QuicConnection* c = connections_; c; c = c->next) c->abandon();
}

void QuicTransport::check_shutdown() {
  if (connections_ || listener_handles_ != 0 || !listeners_.empty()) return;
  if (auto done = std::exchange(shutdown_done_, nullptr)) done(shutdown_ctx_);
}

}  // namespace kith::transport::quic
