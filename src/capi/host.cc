// The host part of kith/host.h.
#include <algorithm>

#include "capi/capi.h"
#include "protocol/pnet/pnet.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

namespace kith::capi {

void ServedProtocol::on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                               std::string_view protocol) {
  if (shard.node.muted) return;
  kith_stream* s = shard.store->streams.create(shard.handle_of(connection), shard.store);
  s->stream = &stream;
  s->protocol = shard.store->intern(protocol);
  handler.on_stream(handler.user, s, s->protocol);
  if (stream.handler()) return;  // the stream holds the first reference now
  s->stream = nullptr;
  s->unref();
}

void ConnectRequest::end() {
  if (handler.user_destroy) handler.user_destroy(handler.user);
  shard.node.forget_dial(*this);
}

void ConnectRequest::on_connect(swarm::PeerConnection& connection) {
  const std::unique_ptr<ConnectRequest> self = take(shard.connects, this);
  if (handler.on_connected && !shard.node.muted) {
    handler.on_connected(handler.user, shard.handle_of(connection));
  }
  end();
}

void ConnectRequest::on_connect_failed(const Error& error) {
  const std::unique_ptr<ConnectRequest> self = take(shard.connects, this);
  const kith_error e = to_c(error);
  if (handler.on_failed && !shard.node.muted) handler.on_failed(handler.user, &e);
  end();
}

kith_connection* Shard::handle_of(swarm::PeerConnection& c) {
  if (!c.user) {
    auto* handle = new kith_connection(*this, c);
    handle->peer_id = c.peer().to_string();
    handle->local_address = c.local_address().to_string();
    handle->inbound = c.direction() == transport::Direction::kInbound;
    c.user = handle;
  }
  return static_cast<kith_connection*>(c.user);
}

void Shard::on_connected(swarm::PeerConnection& c) {
  kith_connection* handle = handle_of(c);
  const kith_host_handler& h = node.handler;
  if (h.on_connected) h.on_connected(h.user, handle);
}

void Shard::on_disconnected(swarm::PeerConnection& c, const Error& error) {
  kith_connection* handle = handle_of(c);
  handle->remote_address = c.remote_address().to_string();
  handle->connection = nullptr;
  const kith_host_handler& h = node.handler;
  if (h.on_disconnected) {
    const kith_error e = to_c(error);
    h.on_disconnected(h.user, handle, &e);
  }
  kith_connection_unref(handle);
}

void Shard::on_inbound_failed(const wire::Multiaddr& from, const Error& error) {
  const kith_host_handler& h = node.handler;
  if (!h.on_inbound_failed) return;
  const kith_error e = to_c(error);
  h.on_inbound_failed(h.user, from.to_string().c_str(), &e);
}

void Shard::on_stream_failed(swarm::PeerConnection& c, const Error& error) {
  const kith_host_handler& h = node.handler;
  if (!h.on_stream_failed) return;
  const kith_error e = to_c(error);
  h.on_stream_failed(h.user, handle_of(c), &e);
}

void Shard::on_identified(swarm::PeerConnection& c) {
  kith_connection* handle = handle_of(c);
  handle->texts.clear();
  handle->listen_addrs.clear();
  handle->protocols.clear();
  const kith_host_handler& h = node.handler;
  if (h.on_identified) h.on_identified(h.user, handle);
}

void Shard::on_identify_failed(swarm::PeerConnection& c, const Error& error) {
  const kith_host_handler& h = node.handler;
  if (!h.on_identify_failed) return;
  const kith_error e = to_c(error);
  h.on_identify_failed(h.user, handle_of(c), &e);
}

bool Shard::enabled(LogLevel level) const {
  return node.handler.on_log && static_cast<int>(level) <= node.log_level;
}

void Shard::write(LogLevel level, std::string_view area, std::string_view line) {
  node.handler.on_log(node.handler.user, static_cast<int>(level), std::string(area).c_str(),
                      std::string(line).c_str());
}

}  // namespace kith::capi

kith_host::kith_host(kith_runtime& r) : runtime(r) {
  for (const auto& l : r.loops) shards.push_back(std::make_unique<Shard>(*this, l->loop()));
}

Shard* kith_host::here() {
  for (const auto& s : shards) {
    if (s->loop.on_loop()) return s.get();
  }
  return nullptr;
}

LogSink* kith_host::log_of(size_t shard) { return log_level > 0 ? shards[shard].get() : nullptr; }

void kith_host::on_shard(size_t shard, host::Host& made) {
  shards[shard]->host = &made;
  made.swarm().add_observer(shards[shard].get());
}

void kith_host::on_shard_end(size_t shard) {
  host::Host* ending = std::exchange(shards[shard]->host, nullptr);
  ending->swarm().remove_observer(shards[shard].get());
}

size_t kith_host::place_dial(const identity::PeerId& peer) {
  return shards.size() == 1 ? 0 : host->placement().choose(peer);
}

void kith_host::forget_dial(const ConnectRequest& request) {
  for (size_t i = 0; shards.size() > 1 && i < shards.size(); ++i) {
    if (shards[i].get() == &request.shard) host->placement().remove(request.peer, i);
  }
}

namespace {

kith_status check(const kith_host* h) {
  if (!h) return KITH_ERR_INVALID_ARGUMENT;
  if (!h->runtime.on_loop()) return KITH_ERR_WRONG_THREAD;
  return h->closing ? KITH_ERR_CLOSED : KITH_OK;
}

Status convert_limits(const kith_host_config& c, transport::AdmissionConfig* out) {
  if (c.inbound_interval_per_address_ms < 0 || c.inbound_interval_per_address_ms > 86'400'000) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "host",
                 "inbound_interval_per_address_ms is out of range");
  }
  out->max_connections = c.max_inbound_connections;
  out->max_handshakes = c.max_inbound_handshakes;
  out->max_per_address = c.max_inbound_per_address;
  out->burst = c.inbound_burst_per_address;
  out->interval = milliseconds(c.inbound_interval_per_address_ms);
  out->max_per_peer = c.max_inbound_per_peer;
  out->limit_loopback = c.limit_loopback != 0;
  return {};
}

// Replaces `out` by what `num` protocol ids stand for; none leave it.
template <typename T>
Status convert_ids(const char* const* ids, size_t num, std::optional<T> (*parse)(std::string_view),
                   const char* field, std::vector<T>* out) {
  if (num == 0) return {};
  const auto refuse = [&](const std::string& why) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "host", std::string(field) + why);
  };
  if (!ids) return refuse(" is NULL");
  out->clear();
  for (size_t i = 0; i < num; ++i) {
    if (!ids[i]) return refuse(" has a NULL");
    const std::optional<T> value = parse(ids[i]);
    if (!value) return refuse(": '" + std::string(ids[i]) + "' is not one of those known");
    if (std::find(out->begin(), out->end(), *value) != out->end()) {
      return refuse(": '" + std::string(ids[i]) + "' comes twice");
    }
    out->push_back(*value);
  }
  return {};
}

Status convert_upgrade(const kith_host_config& c, transport::upgrade::UpgradeConfig* out) {
  KITH_TRY(convert_ids(c.security, c.num_security, transport::upgrade::security_of, "security",
                       &out->security));
  KITH_TRY(
      convert_ids(c.muxers, c.num_muxers, transport::upgrade::muxer_of, "muxers", &out->muxers));
  if (!c.network_key) {
    if (c.network_key_len == 0) return {};
    return Error(KITH_ERR_INVALID_ARGUMENT, "host", "network_key is NULL");
  }
  KITH_ASSIGN(out->network_key, pnet::parse_key_file({c.network_key, c.network_key_len}));
  return {};
}

Result<host::HostConfig> convert(const kith_host_config& c) {
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
  out.quic.max_inbound_streams = out.tcp.upgrade.max_inbound_streams = c.max_inbound_streams;
  out.quic.share_port = out.tcp.share_port = c.dial_from_listen_port != 0;
  KITH_TRY(convert_limits(c, &out.inbound));
  KITH_TRY(convert_upgrade(c, &out.tcp.upgrade));
  if ((c.wss_certificate_chain != nullptr) != (c.wss_private_key != nullptr)) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "host",
                 "wss_certificate_chain and wss_private_key go together");
  }
  if (c.wss_certificate_chain) {
    out.websocket.certificate_chain_pem = c.wss_certificate_chain;
    const Bytes key = as_bytes(c.wss_private_key);
    out.websocket.private_key_pem.assign(key.begin(), key.end());
  }
  if (c.wss_roots) out.websocket.roots_pem = c.wss_roots;
  out.websocket.accept_any_certificate = c.wss_accept_any_certificate != 0;
  out.serve_ping = c.serve_ping != 0;
  out.serve_perf = c.serve_perf != 0;
  return out;
}

// Dials on the loop of `request`, which is taken on success.
Status start_connect(std::unique_ptr<ConnectRequest>& request,
                     const std::vector<wire::Multiaddr>& addresses) {
  Shard& shard = request->shard;
  if (!shard.host) return Error(KITH_ERR_CLOSED, "connect");
  KITH_ASSIGN(request->connect,
              shard.host->swarm().connect(request->peer, addresses, request.get()));
  shard.connects.push_back(std::move(request));
  return {};
}

// The same on another loop, later; an error is the request's outcome.
void post_connect(std::unique_ptr<ConnectRequest> request, std::vector<wire::Multiaddr> addresses) {
  ConnectRequest* r = request.release();
  r->shard.loop.post([r, list = std::move(addresses)] {
    std::unique_ptr<ConnectRequest> own(r);
    const Status status = start_connect(own, list);
    if (status.ok()) return;
    r->shard.connects.push_back(std::move(own));
    r->on_connect_failed(status.error());
  });
}

}  // namespace

extern "C" {

void kith_host_config_init(kith_host_config* config, size_t size) {
  kith_host_config c = {};
  c.serve_ping = 1;
  c.dial_from_listen_port = 1;
  c.idle_timeout_ms = 30'000;
  c.keep_alive_ms = 15'000;
  c.max_inbound_streams = limits::kStreamsPerConnection;
  const transport::AdmissionConfig inbound;
  c.max_inbound_connections = static_cast<uint32_t>(inbound.max_connections);
  c.max_inbound_handshakes = static_cast<uint32_t>(inbound.max_handshakes);
  c.max_inbound_per_address = static_cast<uint32_t>(inbound.max_per_address);
  c.max_inbound_per_peer = static_cast<uint32_t>(inbound.max_per_peer);
  c.inbound_burst_per_address = static_cast<uint32_t>(inbound.burst);
  c.inbound_interval_per_address_ms = inbound.interval / milliseconds(1);
  init_struct(config, size, c);
}

kith_status kith_host_new(kith_runtime* runtime, kith_host** out, const kith_host_config* config,
                          kith_error* out_error) {
  kith_host_config c;
  kith_host_config_init(&c, sizeof c);
  kith_host_handler handler = {};
  if (!runtime || !out || !copy_struct(config, &c) ||
      (c.handler && !copy_struct(c.handler, &handler))) {
    return fill(out_error, Error(KITH_ERR_INVALID_ARGUMENT, "host"));
  }
  if (!runtime->on_loop()) return fill(out_error, Error(KITH_ERR_WRONG_THREAD, "host"));
  auto h = std::make_unique<kith_host>(*runtime);
  h->handler = handler;
  h->log_level = c.log_level;
  Result<host::HostConfig> host_config = convert(c);
  if (!host_config.ok()) return fill(out_error, host_config.error());
  std::vector<host::Runtime*> loops;
  for (const auto& l : runtime->loops) loops.push_back(l.get());
  Result<std::unique_ptr<host::ShardedHost>> made =
      host::ShardedHost::create(std::move(loops), std::move(host_config).value(), h.get());
  if (!made.ok()) return fill(out_error, made.error());
  h->host = std::move(made).value();
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
            self->runtime.hosts.remove(self.get());
            self->host.reset();
            for (const auto& [id, handler] : self->served) {
              if (handler.user_destroy) handler.user_destroy(handler.user);
            }
            if (self->on_close_done) self->on_close_done(self->close_user);
          },
          h)
      .status();
}

const char* kith_host_peer_id(const kith_host* h) { return h ? h->peer_id.c_str() : ""; }

size_t kith_host_num_addresses(kith_host* h) {
  if (check(h) != KITH_OK) return 0;
  h->addresses.clear();
  for (const wire::Multiaddr& a : h->host->shard(0).addresses())
    h->addresses.push_back(a.to_string());
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
  const Status status = h->host->listen(*parsed);
  return status.ok() ? KITH_OK : fill(out_error, status.error());
}

kith_status kith_host_handle(kith_host* h, const char* protocol,
                             const kith_protocol_handler* handler) {
  if (const kith_status status = check(h); status != KITH_OK) return status;
  kith_protocol_handler copy{};
  if (!protocol || !copy_struct(handler, &copy) || !copy.on_stream)
    return KITH_ERR_INVALID_ARGUMENT;
  if (h->served.find(protocol) != h->served.end()) return KITH_ERR_INVALID_STATE;
  Status status;
  h->host->on_each([&](size_t i, host::Host& shard) {
    if (!status.ok()) return;  // the first is refused, or none is
    Shard& s = *h->shards[i];
    ServedProtocol& served = s.served.try_emplace(protocol, s, copy).first->second;
    status = shard.swarm().protocols().add(protocol, &served);
    if (!status.ok()) s.served.erase(protocol);
  });
  if (status.ok()) h->served.emplace(protocol, copy);
  return status.status();
}

kith_status kith_host_unhandle(kith_host* h, const char* protocol) {
  if (const kith_status status = check(h); status != KITH_OK) return status;
  if (!protocol) return KITH_ERR_INVALID_ARGUMENT;
  const auto it = h->served.find(protocol);
  if (it == h->served.end()) return KITH_ERR_INVALID_STATE;
  h->host->on_each([&](size_t i, host::Host& shard) {
    shard.swarm().protocols().remove(protocol);
    h->shards[i]->served.erase(protocol);
  });
  const kith_protocol_handler handler = it->second;
  h->served.erase(it);
  if (handler.user_destroy) handler.user_destroy(handler.user);
  return KITH_OK;
}

kith_status kith_host_connect(kith_host* h, const char* const* addrs, size_t num_addrs,
                              const kith_connect_handler* handler, kith_error* out_error) {
  const auto refuse = [&](kith_status s) { return fill(out_error, Error(s, "connect")); };
  if (!h) return refuse(KITH_ERR_INVALID_ARGUMENT);
  Shard* here = h->here();
  if (!here) return refuse(KITH_ERR_WRONG_THREAD);
  if (h->closing || !here->host) return refuse(KITH_ERR_CLOSED);
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
  Result<swarm::Swarm::Target> target = here->host->swarm().target_of({}, list);
  if (!target.ok()) return fill(out_error, target.error());
  Shard& shard = *h->shards[h->place_dial(target->peer)];
  auto request = std::make_unique<ConnectRequest>(shard, copy, target->peer);
  if (&shard != here) {
    post_connect(std::move(request), std::move(target->addresses));
    return KITH_OK;
  }
  const Status status = start_connect(request, target->addresses);
  if (status.ok()) return KITH_OK;
  h->forget_dial(*request);
  return fill(out_error, status.error());
}

}  // extern "C"
