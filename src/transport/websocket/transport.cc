#include "transport/websocket/transport.h"

#include <algorithm>
#include <string>
#include <utility>

#include "crypto/random.h"
#include "transport/websocket/pipe.h"
#include "transport/websocket/tls_pipe.h"

namespace kith::transport::websocket {

namespace proto = wire::proto;

namespace {

void fill_random(MutableBytes out) {
  const Status s = crypto::random_bytes(out);
  KITH_CHECK(s.ok());  // the system's generator was seeded when the first key was made
}

// What lies above TCP: /ws, /tls/ws, /tls/sni/NAME/ws or /wss.
struct Layers {
  bool is_secure = false;
  std::string name;  // of the server, if given
};

// Addresses come from strangers, and the name goes into a line of HTTP.
bool is_host_name(std::string_view name) {
  const auto may_be_in_one = [](char c) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return is_letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  };
  return !name.empty() && name.size() <= 253 &&
         std::all_of(name.begin(), name.end(), may_be_in_one);
}

std::optional<Layers> layers_of(const wire::Multiaddr& above) {
  Layers out;
  auto it = above.begin();
  const auto take = [&](uint32_t code) {
    if (it == above.end() || it->protocol->code != code) return false;
    ++it;
    return true;
  };
  if (take(proto::kWss)) {
    out.is_secure = true;
  } else {
    out.is_secure = take(proto::kTls);
    if (out.is_secure && it != above.end() && it->protocol->code == proto::kSni) {
      out.name = it->value_text();
      if (!is_host_name(out.name)) return std::nullopt;
      ++it;
    }
    if (!take(proto::kWs)) return std::nullopt;
  }
  if (it != above.end()) return std::nullopt;
  return out;
}

// /wss as /tls/ws.
Result<wire::Multiaddr> without_alias(const wire::Multiaddr& address) {
  if (!address.has(proto::kWss)) return address;
  KITH_ASSIGN(const wire::Multiaddr secure, address.up_to(proto::kWss).with(proto::kTls));
  return secure.with(proto::kWs);
}

// For the request's Host: "192.0.2.1:4001", "[2001:db8::1]:4001", "example.com".
std::string host_of(const Layers& layers, const Endpoint& remote) {
  const std::string ip = remote.is_v4() ? remote.host() : "[" + remote.host() + "]";
  const std::string& name = layers.name.empty() ? ip : layers.name;
  if (remote.port() == (layers.is_secure ? 443 : 80)) return name;
  return name + ":" + std::to_string(remote.port());
}

}  // namespace

Result<std::unique_ptr<WebsocketTransport>> WebsocketTransport::create(
    runtime::EpollLoop& loop, const crypto::PrivateKey& key, const tls::Credentials& credentials,
    const tcp::TcpConfig& tcp, WebsocketConfig config) {
  KITH_ASSIGN(auto upgrader, upgrade::Upgrader::create(loop, key, credentials, tcp.upgrade));
  std::optional<crypto::TlsContext> tls_server;
  if (!config.certificate_chain_pem.empty()) {
    KITH_ASSIGN(tls_server, crypto::TlsContext::make_web_server(config.certificate_chain_pem,
                                                                as_text(config.private_key_pem)));
    config.private_key_pem = {};
  }
  std::unique_ptr<WebsocketTransport> out(
      new WebsocketTransport(loop, std::move(upgrader), tcp, std::move(config)));
  out->tls_server_ = std::move(tls_server);
  return out;
}

bool WebsocketTransport::can_dial(const wire::Multiaddr& address) const {
  const std::optional<wire::Multiaddr> above = above_tcp(address);
  return above && layers_of(*above);
}

Result<std::unique_ptr<Dial>> WebsocketTransport::dial(const wire::Multiaddr& address,
                                                       const DialOptions& options,
                                                       DialHandler* handler) {
  KITH_TRY(check_dialer_role(options, address));  // HTTP has its own client
  return SocketTransport::dial(address, options, handler);
}

Result<std::unique_ptr<Listener>> WebsocketTransport::listen(const wire::Multiaddr& address,
                                                             ListenerHandler* handler) {
  const std::optional<Layers> layers = layers_of(above_tcp(address).value_or(wire::Multiaddr()));
  if (layers && layers->is_secure && !tls_server_) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "listen",
                 "'" + address.to_string() + "' needs a TLS certificate, and none is configured");
  }
  KITH_ASSIGN(const wire::Multiaddr canonical, without_alias(address));
  return SocketTransport::listen(canonical, handler);
}

Result<std::unique_ptr<upgrade::Pipe>> WebsocketTransport::wrap(
    std::unique_ptr<upgrade::Pipe> socket, const wire::Multiaddr& above, const Endpoint& remote,
    Direction direction) {
  const std::optional<Layers> layers = layers_of(above);
  if (!layers) return Error(KITH_ERR_INVALID_ARGUMENT, "websocket", "not an address of WebSocket");
  const bool is_dialer = direction == Direction::kOutbound;
  if (layers->is_secure) {
    const std::string& name = layers->name.empty() ? remote.host() : layers->name;
    KITH_ASSIGN(socket, wrap_in_tls(std::move(socket), is_dialer ? name : ""));
  }
  KITH_ASSIGN(wire::Multiaddr canonical, without_alias(above));
  return std::unique_ptr<upgrade::Pipe>(
      std::make_unique<WebsocketPipe>(std::move(socket), is_dialer ? host_of(*layers, remote) : "",
                                      fill_random, std::move(canonical), frames_));
}

Result<std::unique_ptr<upgrade::Pipe>> WebsocketTransport::wrap_in_tls(
    std::unique_ptr<upgrade::Pipe> socket, const std::string& server_name) {
  if (!server_name.empty() && !tls_client_) {
    KITH_ASSIGN(tls_client_, config_.accept_any_certificate
                                 ? crypto::TlsContext::make_web_client_of_any()
                                 : crypto::TlsContext::make_web_client(config_.roots_pem));
  }
  auto pipe = std::make_unique<TlsPipe>(std::move(socket), loop().buffers(), records_);
  KITH_TRY(pipe->start(server_name.empty() ? *tls_server_ : *tls_client_, server_name,
                       loop().unix_seconds()));
  return std::unique_ptr<upgrade::Pipe>(std::move(pipe));
}

}  // namespace kith::transport::websocket
