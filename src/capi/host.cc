// The host part of kith/host.h.
#include <algorithm>

#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

namespace kith::capi {

void ServedProtocol::on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                               std::string_view protocol) {
  if (host.muted) return;
  kith_stream* s = host.store->streams.create(host.handle_of(connection), host.store);
  s->stream = &stream;
  s->protocol = host.store->intern(protocol);
  handler.on_stream(handler.user, s, s->protocol);
  if (stream.handler()) return;  // the stream holds the first reference now
  s->stream = nullptr;
  s->unref();
}

void ConnectRequest::on_connect(swarm::PeerConnection& connection) {
  const std::unique_ptr<ConnectRequest> self = take(host.connects, this);
  if (handler.on_connected && !host.muted) {
    handler.on_connected(handler.user, host.handle_of(connection));
  }
  if (handler.user_destroy) handler.user_destroy(handler.user);
}

void ConnectRequest::on_connect_failed(const Error& error) {
  const std::unique_ptr<ConnectRequest> self = take(host.connects, this);
  const kith_error e = to_c(error);
  if (handler.on_failed && !host.muted) handler.on_failed(handler.user, &e);
  if (handler.user_destroy) handler.user_destroy(handler.user);
}

}  // namespace kith::capi

kith_host::~kith_host() { store->unref(); }

kith_connection* kith_host::handle_of(swarm::PeerConnection& c) {
  if (!c.user) {
    auto* handle = new kith_connection;
    handle->host = this;
    handle->connection = &c;
    handle->peer_id = c.peer().to_string();
    handle->local_address = c.local_address().to_string();
    handle->inbound = c.direction() == transport::Direction::kInbound;
    c.user = handle;
  }
  return static_cast<kith_connection*>(c.user);
}

void kith_host::on_connected(swarm::PeerConnection& c) {
  kith_connection* handle = handle_of(c);
  if (handler.on_connected) handler.on_connected(handler.user, handle);
}

void kith_host::on_disconnected(swarm::PeerConnection& c, const Error& error) {
  kith_connection* handle = handle_of(c);
  handle->remote_address = c.remote_address().to_string();
  handle->connection = nullptr;
  if (handler.on_disconnected) {
    const kith_error e = to_c(error);
    handler.on_disconnected(handler.user, handle, &e);
  }
  kith_connection_unref(handle);
}

void kith_host::on_inbound_failed(const wire::Multiaddr& from, const Error& error) {
  if (!handler.on_inbound_failed) return;
  const kith_error e = to_c(error);
  handler.on_inbound_failed(handler.user, from.to_string().c_str(), &e);
}

void kith_host::on_stream_failed(swarm::PeerConnection& c, const Error& error) {
  if (!handler.on_stream_failed) return;
  const kith_error e = to_c(error);
  handler.on_stream_failed(handler.user, handle_of(c), &e);
}

void kith_host::on_identified(swarm::PeerConnection& c) {
  kith_connection* handle = handle_of(c);
  handle->texts.clear();
  handle->listen_addrs.clear();
  handle->protocols.clear();
  if (handler.on_identified) handler.on_identified(handler.user, handle);
}

void kith_host::on_identify_failed(swarm::PeerConnection& c, const Error& error) {
  if (!handler.on_identify_failed) return;
  const kith_error e = to_c(error);
  handler.on_identify_failed(handler.user, handle_of(c), &e);
}

void kith_host::write(LogLevel level, std::string_view area, std::string_view line) {
  handler.on_log(handler.user, static_cast<int>(level), std::string(area).c_str(),
                 std::string(line).c_str());
}

namespace {

kith_status check(const kith_host* h) {
  if (!h) return KITH_ERR_INVALID_ARGUMENT;
  if (!h->runtime->on_loop()) return KITH_ERR_WRONG_THREAD;
  return h->closing ? KITH_ERR_CLOSED : KITH_OK;
}

Result<host::HostConfig> convert(const kith_host_config& c, kith_host* h) {
  host::HostConfig out;
  if (c.key) out.key = c.key->key;
  if (!c.listen_addrs && c.num_listen_addrs != 0) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "host", "listen_addrs is NULL");
  }
  for (size_t i = 0; i < c.num_listen_addrs; ++i) {
    if (!c.listen_addrs[i])
      return Error(KITH_ERR_INVALID_ARGUMENT, "host", "a listen address is NULL");
    KITH_ASSIGN(wire::Multiaddr address, wire::Multiaddr::parse(c.listen_addrs[i]));
    out.listen.push_back(std::move(address));
  }
  if (c.agent) out.identify.agent = c.agent;
  if (c.protocol_version) out.identify.protocol_version = c.protocol_version;
  if (std::max(out.identify.agent.size(), out.identify.protocol_version.size()) >
      limits::kIdentifyStringBytes) {
    return Error(
        KITH_ERR_INVALID_ARGUMENT, "host",
        "agent or protocol_version is longer than " + std::to_string(limits::kIdentifyStringBytes));
  }
  if (c.idle_timeout_ms <= 0 || c.keep_alive_ms < 0 || c.idle_timeout_ms > 86'400'000 ||
      c.keep_alive_ms > 86'400'000) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "host", "a timeout is out of range");
  }
  out.quic.idle_timeout = milliseconds(c.idle_timeout_ms);
  out.quic.keep_alive = milliseconds(c.keep_alive_ms);
  out.quic.max_inbound_streams = c.max_inbound_streams;
  out.quic.max_inbound_connections = c.max_inbound_connections;
  out.quic.share_port = c.dial_from_listen_port != 0;
  out.serve_ping = c.serve_ping != 0;
  out.serve_perf = c.serve_perf != 0;
  if (c.log_level > 0) out.log = h;
  return out;
}

}  // namespace

extern "C" {

void kith_host_handler_init(kith_host_handler* handler) {
  if (!handler) return;
  *handler = {};
  handler->struct_size = sizeof *handler;
}

void kith_host_config_init(kith_host_config* config) {
  if (!config) return;
  *config = {};
  config->struct_size = sizeof *config;
  kith_host_handler_init(&config->handler);
  config->serve_ping = 1;
  config->dial_from_listen_port = 1;
  config->idle_timeout_ms = 30'000;
  config->keep_alive_ms = 15'000;
  config->max_inbound_streams = limits::kStreamsPerConnection;
  config->max_inbound_connections = limits::kInboundConnections;
}

kith_status kith_host_new(kith_runtime* runtime, kith_host** out, const kith_host_config* config,
                          kith_error* out_error) {
  kith_host_config c;
  kith_host_config_init(&c);
  if (!runtime || !out || !copy_struct(config, &c)) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "host"));
  }
  if (!runtime->on_loop()) return fill(out_error, Error(KITH_ERR_WRONG_THREAD, "host"));
  auto h = std::make_unique<kith_host>();
  h->runtime = runtime;
  h->handler = c.handler;
  h->log_level = c.log_level;
  Result<host::HostConfig> host_config = convert(c, h.get());
  if (!host_config.ok()) return fill(out_error, host_config.error());
  Result<std::unique_ptr<host::Host>> made =
      host::Host::create(*runtime->runtime, std::move(host_config).value());
  if (!made.ok()) return fill(out_error, made.error());
  h->host = std::move(made).value();
  h->host->swarm().add_observer(h.get());
  h->peer_id = h->host->id().to_string();
  runtime->hosts.push_back(h.get());
  *out = h.release();
  return KITH_OK;
}

kith_status kith_host_close(kith_host* h, void (*on_closed)(void* user), void* user) {
  if (const kith_status status = check(h); status != KITH_OK) return status;
  h->closing = true;
  h->on_close_done = on_closed;
  h->close_user = user;
  return h->host
      ->stop(
          [](void* ctx) {
            std::unique_ptr<kith_host> self(static_cast<kith_host*>(ctx));
            self->runtime->hosts.remove(self.get());
            self->host->swarm().remove_observer(self.get());
            self->host.reset();
            self->served.clear();
            if (self->on_close_done) self->on_close_done(self->close_user);
          },
          h)
      .status();
}

const char* kith_host_peer_id(const kith_host* h) { return h ? h->peer_id.c_str() : ""; }

size_t kith_host_num_addresses(kith_host* h) {
  if (check(h) != KITH_OK) return 0;
  h->addresses.clear();
  for (const wire::Multiaddr& a : h->host->addresses()) h->addresses.push_back(a.to_string());
  return h->addresses.size();
}

const char* kith_host_address(kith_host* h, size_t index) {
  return h && index < h->addresses.size() ? h->addresses[index].c_str() : nullptr;
}

kith_status kith_host_listen(kith_host* h, const char* address, kith_error* out_error) {
  if (const kith_status s = check(h); s != KITH_OK) return fill(out_error, Error(s, "listen"));
  if (!address) return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "listen"));
  const Result<wire::Multiaddr> parsed = wire::Multiaddr::parse(address);
  if (!parsed.ok()) return fill(out_error, parsed.error());
  const Status status = h->host->swarm().listen(*parsed);
  return status.ok() ? KITH_OK : fill(out_error, status.error());
}

kith_status kith_host_handle(kith_host* h, const char* protocol,
                             const kith_protocol_handler* handler) {
  if (const kith_status status = check(h); status != KITH_OK) return status;
  kith_protocol_handler copy{};
  if (!protocol || !copy_struct(handler, &copy) || !copy.on_stream)
    return KITH_ERR_INVALID_ARGUMENT;
  kith_protocol_handler quiet = copy;
  quiet.user_destroy = nullptr;  // not ours before success
  auto served = std::make_unique<ServedProtocol>(*h, protocol, quiet);
  const Status status = h->host->swarm().protocols().add(protocol, served.get());
  if (!status.ok()) return status.status();
  served->handler = copy;
  h->served.push_back(std::move(served));
  return KITH_OK;
}

kith_status kith_host_unhandle(kith_host* h, const char* protocol) {
  if (const kith_status status = check(h); status != KITH_OK) return status;
  if (!protocol) return KITH_ERR_INVALID_ARGUMENT;
  for (auto it = h->served.begin(); it != h->served.end(); ++it) {
    if ((*it)->id != protocol) continue;
    h->host->swarm().protocols().remove(protocol);
    h->served.erase(it);
    return KITH_OK;
  }
  return KITH_ERR_INVALID_STATE;
}

kith_status kith_host_connect(kith_host* h, const char* const* addrs, size_t num_addrs,
                              const kith_connect_handler* handler, kith_error* out_error) {
  const auto refuse = [&](kith_status s) { return fill(out_error, Error(s, "connect")); };
  if (const kith_status s = check(h); s != KITH_OK) return refuse(s);
  kith_connect_handler copy{};
  if (!addrs || num_addrs == 0 || !copy_struct(handler, &copy)) {
    return refuse(KITH_ERR_INVALID_ARGUMENT);
  }
  if (num_addrs > limits::kDialAddresses) return refuse(KITH_ERR_LIMIT);
  std::vector<wire::Multiaddr> list;
  for (size_t i = 0; i < num_addrs; ++i) {
    if (!addrs[i]) return refuse(KITH_ERR_INVALID_ARGUMENT);
    Result<wire::Multiaddr> address = wire::Multiaddr::parse(addrs[i]);
    if (!address.ok()) return fill(out_error, address.error());
    list.push_back(std::move(address).value());
  }
  auto request = std::make_unique<ConnectRequest>(*h, copy);
  Result<std::unique_ptr<swarm::Connect>> connect =
      h->host->swarm().connect({}, list, request.get());
  if (!connect.ok()) return fill(out_error, connect.error());
  request->connect = std::move(connect).value();
  h->connects.push_back(std::move(request));
  return KITH_OK;
}

}  // extern "C"
