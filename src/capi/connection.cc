// The connection part of kith/host.h.
#include "capi/capi.h"

using namespace kith;        // NOLINT: thunks
using namespace kith::capi;  // NOLINT

namespace kith::capi {

void PingRequest::on_round_trip(Duration rtt) {
  if (handler.on_round_trip && !shard.node.muted) handler.on_round_trip(handler.user, rtt);
}

void PingRequest::on_ping_end(const Error& error) {
  const std::unique_ptr<PingRequest> self = take(shard.pings, this);
  const kith_error e = to_c(error);
  if (handler.on_end && !shard.node.muted) handler.on_end(handler.user, &e);
  if (handler.user_destroy) handler.user_destroy(handler.user);
}

namespace {
kith_perf_result to_c(const service::PerfResult& r) {
  return {r.uploaded, r.downloaded, r.upload_time, r.download_time};
}
}  // namespace

void PerfRequest::on_perf_progress(const service::PerfResult& so_far) {
  const kith_perf_result r = to_c(so_far);
  if (handler.on_progress && !shard.node.muted) handler.on_progress(handler.user, &r);
}

void PerfRequest::on_perf_end(const service::PerfResult& result, const Error& error) {
  const std::unique_ptr<PerfRequest> self = take(shard.perfs, this);
  const kith_perf_result r = to_c(result);
  const kith_error e = capi::to_c(error);
  if (handler.on_end && !shard.node.muted) handler.on_end(handler.user, &r, &e);
  if (handler.user_destroy) handler.user_destroy(handler.user);
}

}  // namespace kith::capi

namespace {
kith_status check(const kith_connection* c) {
  if (!c) return KITH_ERR_INVALID_ARGUMENT;
  if (!c->connection) return KITH_ERR_CLOSED;
  return c->loop->on_loop() ? KITH_OK : KITH_ERR_WRONG_THREAD;
}
}  // namespace

extern "C" {

kith_connection* kith_connection_ref(kith_connection* c) {
  if (c) ++c->refs;
  return c;
}

void kith_connection_unref(kith_connection* c) {
  if (c && --c->refs == 0) delete c;
}

const char* kith_connection_peer_id(const kith_connection* c) {
  return c ? c->peer_id.c_str() : "";
}
const char* kith_connection_remote_address(const kith_connection* c) {
  if (!c) return "";
  if (c->connection) c->remote_address = c->connection->remote_address().to_string();
  return c->remote_address.c_str();
}
const char* kith_connection_local_address(const kith_connection* c) {
  return c ? c->local_address.c_str() : "";
}
int32_t kith_connection_is_inbound(const kith_connection* c) { return c && c->inbound ? 1 : 0; }

kith_status kith_connection_post(kith_connection* c, void (*fn)(void* user), void* user) {
  if (!c || !fn) return KITH_ERR_INVALID_ARGUMENT;
  c->loop->post([fn, user] { fn(user); });
  return KITH_OK;
}

kith_status kith_connection_close(kith_connection* c) {
  const kith_status status = check(c);
  if (status == KITH_OK) c->connection->close();
  return status;
}

kith_status kith_connection_open_stream(kith_connection* c, kith_stream** out_stream,
                                        const char* const* protocols, size_t num_protocols,
                                        const kith_stream_handler* handler) {
  if (const kith_status status = check(c); status != KITH_OK) return status;
  kith_stream_handler copy{};
  if (!out_stream || !protocols || num_protocols == 0 ||
      num_protocols > multistream::Dialer::kMaxProtocols || !copy_struct(handler, &copy)) {
    return KITH_ERR_INVALID_ARGUMENT;
  }
  std::string_view ids[multistream::Dialer::kMaxProtocols];
  for (size_t i = 0; i < num_protocols; ++i) {
    if (!protocols[i]) return KITH_ERR_INVALID_ARGUMENT;
    ids[i] = protocols[i];
  }
  StreamStore* store = c->shard->store;
  kith_stream* s = store->streams.create(c, store);
  Result<transport::Stream*> stream = c->connection->open_stream(std::span(ids, num_protocols), s);
  if (!stream.ok()) {
    s->unref();
    return stream.status();
  }
  s->stream = *stream;
  s->handler = copy;
  s->may_write = num_protocols == 1;
  *out_stream = kith_stream_ref(s);
  return KITH_OK;
}

kith_status kith_connection_identify(kith_connection* c, kith_identify* out) {
  if (const kith_status status = check(c); status != KITH_OK) return status;
  if (!out || out->struct_size < sizeof(size_t) || out->struct_size > sizeof *out) {
    return KITH_ERR_INVALID_ARGUMENT;
  }
  if (!c->connection->identified()) return KITH_ERR_WOULD_BLOCK;
  const identify::IdentifyMessage& m = *c->connection->identified();
  if (c->texts.empty()) {
    c->texts.reserve(3 + m.listen_addrs.size() +
                     m.protocols.size());  // c_str() must stay where it is
    c->texts.push_back(m.agent_version);
    c->texts.push_back(m.protocol_version);
    c->texts.push_back(m.observed_addr ? identify::trim_observed_addr(*m.observed_addr).to_string()
                                       : "");
    for (const wire::Multiaddr& a : m.listen_addrs) {
      c->texts.push_back(a.to_string());
      c->listen_addrs.push_back(c->texts.back().c_str());
    }
    for (const std::string& p : m.protocols) {
      c->texts.push_back(p);
      c->protocols.push_back(c->texts.back().c_str());
    }
  }
  // An older program's struct is shorter.
  const kith_identify all = {out->struct_size,    c->texts[0].c_str(),    c->texts[1].c_str(),
                             c->texts[2].c_str(), c->listen_addrs.data(), c->listen_addrs.size(),
                             c->protocols.data(), c->protocols.size()};
  std::memcpy(out, &all, out->struct_size);
  return KITH_OK;
}

kith_status kith_connection_ping(kith_connection* c, uint32_t count, int64_t interval_ms,
                                 int32_t new_stream, const kith_ping_handler* handler) {
  if (const kith_status status = check(c); status != KITH_OK) return status;
  kith_ping_handler copy{};
  if (!copy_struct(handler, &copy) || interval_ms < 0 || interval_ms > kMaxDelayMs) {
    return KITH_ERR_INVALID_ARGUMENT;
  }
  auto request = std::make_unique<PingRequest>(*c->shard, copy);
  const service::PingOptions options = {count, milliseconds(interval_ms), new_stream != 0};
  Result<std::unique_ptr<service::PingSession>> session =
      c->shard->host->ping().start(*c->connection, options, request.get());
  if (!session.ok()) return session.status();
  request->session = std::move(session).value();
  c->shard->pings.push_back(std::move(request));
  return KITH_OK;
}

kith_status kith_connection_perf(kith_connection* c, uint64_t upload, uint64_t download,
                                 const kith_perf_handler* handler) {
  if (const kith_status status = check(c); status != KITH_OK) return status;
  kith_perf_handler copy{};
  if (!copy_struct(handler, &copy)) return KITH_ERR_INVALID_ARGUMENT;
  auto request = std::make_unique<PerfRequest>(*c->shard, *c, copy);
  Result<std::unique_ptr<service::PerfSession>> session =
      c->shard->host->perf().start(*c->connection, upload, download, request.get());
  if (!session.ok()) return session.status();
  request->session = std::move(session).value();
  c->shard->perfs.push_back(std::move(request));
  return KITH_OK;
}

kith_status kith_connection_stop_perf(kith_connection* c) {
  if (const kith_status status = check(c); status != KITH_OK) return status;
  for (const std::unique_ptr<PerfRequest>& perf : c->shard->perfs) {
    if (&perf->connection == c) perf->session->stop();
  }
  return KITH_OK;
}

}  // extern "C"
