// What the C thunks share: the objects behind the opaque handles, and conversions.
#pragma once

#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/pool.h"
#include "host/host.h"
#include "kith/kith.h"

namespace kith::capi {

// Fills `out` (may be null) and returns the status.
kith_status fill(kith_error* out, const Error& error);
kith_error to_c(const Error& error);
// Copies `bytes` to `out` by the rule for sized outputs: `*inout_len` becomes the size.
kith_status copy_out(Bytes bytes, uint8_t* out, size_t* inout_len);
// The caller's struct, whose struct_size may be that of an older version, over the defaults of ours.
template <typename T>
bool copy_struct(const T* in, T* out) {
  if (!in || in->struct_size < sizeof(size_t) || in->struct_size > sizeof(T)) return false;
  std::memcpy(out, in, in->struct_size);
  out->struct_size = sizeof(T);
  return true;
}

// The longest delay or interval that a caller may ask for: 34 years, far from overflow in nanoseconds.
inline constexpr int64_t kMaxDelayMs = int64_t{1} << 40;

// Streams and protocol names outlive the host while somebody holds a reference.
struct StreamStore {
  ObjectPool<kith_stream> streams;
  std::set<std::string, std::less<>> names;
  size_t refs = 1;  // the host, and every stream
  const char* intern(std::string_view name);
  void unref() {
    if (--refs == 0) delete this;
  }
};

struct ServedProtocol final : swarm::ProtocolHandler {
  ServedProtocol(kith_host& h, std::string_view name, const kith_protocol_handler& c)
      : host(h), id(name), handler(c) {}
  ~ServedProtocol() {
    if (handler.user_destroy) handler.user_destroy(handler.user);
  }
  void on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                 std::string_view protocol) override;
  kith_host& host;
  const std::string id;
  kith_protocol_handler handler;
};

struct ConnectRequest final : swarm::ConnectHandler {
  ConnectRequest(kith_host& h, const kith_connect_handler& c) : host(h), handler(c) {}
  void on_connect(swarm::PeerConnection& connection) override;
  void on_connect_failed(const Error& error) override;
  kith_host& host;
  kith_connect_handler handler;
  std::unique_ptr<swarm::Connect> connect;
};

struct PingRequest final : service::PingHandler {
  PingRequest(kith_host& h, const kith_ping_handler& c) : host(h), handler(c) {}
  void on_round_trip(Duration rtt) override;
  void on_ping_end(const Error& error) override;
  kith_host& host;
  kith_ping_handler handler;
  std::unique_ptr<service::PingSession> session;
};

struct PerfRequest final : service::PerfHandler {
  PerfRequest(kith_host& h, const kith_connection& p, const kith_perf_handler& c)
      : host(h), connection(p), handler(c) {}
  void on_perf_progress(const service::PerfResult& so_far) override;
  void on_perf_end(const service::PerfResult& result, const Error& error) override;
  kith_host& host;
  const kith_connection& connection;  // which a measurement does not outlive
  kith_perf_handler handler;
  std::unique_ptr<service::PerfSession> session;
};

// Takes `request` out of its host's list; the caller keeps it until the last callback has returned.
template <typename T>
std::unique_ptr<T> take(std::list<std::unique_ptr<T>>& list, const T* request) {
  for (auto it = list.begin(); it != list.end(); ++it) {
    if (it->get() != request) continue;
    std::unique_ptr<T> self = std::move(*it);
    list.erase(it);
    return self;
  }
  return nullptr;
}

}  // namespace kith::capi

struct kith_key {
  kith::crypto::PrivateKey key;
};

struct kith_runtime {
  std::unique_ptr<kith::host::Runtime> runtime;
  std::list<kith_host*> hosts;
  bool on_loop() const { return runtime->loop().on_loop(); }
  // On this thread, inside one of the loop's callbacks.
  bool in_callback() const { return on_loop() && runtime->loop().in_turn(); }
};

struct kith_connection {
  size_t refs = 1;  // the live connection's
  kith_host* host = nullptr;
  kith::swarm::PeerConnection* connection = nullptr;  // null after its end
  std::string peer_id;
  mutable std::string remote_address;  // as last asked for
  std::string local_address;
  bool inbound = false;
  // Texts behind kith_identify.
  std::vector<std::string> texts;
  std::vector<const char*> listen_addrs;
  std::vector<const char*> protocols;
};

struct kith_stream final : kith::swarm::ProtocolStream {
  kith_stream(kith_connection* c, kith::capi::StreamStore* s);
  ~kith_stream();
  void on_open(kith::transport::Stream& stream, std::string_view protocol) override;
  size_t on_data(kith::transport::Stream& stream, kith::Bytes data) override;
  void on_read_closed(kith::transport::Stream& stream) override;
  void on_reset(kith::transport::Stream& stream, uint64_t code) override;
  void on_stop(kith::transport::Stream& stream, uint64_t code) override;
  void on_writable(kith::transport::Stream& stream) override;
  void on_closed(kith::transport::Stream& stream, const kith::Error& error) override;
  void unref();
  void drop_handler();
  // The handler's `callback`, if it is set and the host is not being destroyed from outside.
  template <typename T>
  T callback(T kith_stream_handler::*member) const;

  size_t refs = 1;
  kith::transport::Stream* stream = nullptr;  // null after the end
  kith_connection* connection;
  kith::capi::StreamStore* store;
  kith_stream_handler handler{};
  const char* protocol = "";
  size_t held = 0;            // bytes that on_data left
  uint32_t num_handlers = 0;  // so far: tells on_data that it was handed over
  bool in_data = false;
  bool read_ended = false;  // nothing more can be held
  bool may_write = true;    // false before on_open of a stream with several proposals
};

struct kith_host final : kith::swarm::Observer, kith::LogSink {
  kith_runtime* runtime = nullptr;
  std::unique_ptr<kith::host::Host> host;
  kith_host_handler handler{};
  kith_log_level log_level = 0;
  std::string peer_id;
  std::vector<std::string> addresses;
  kith::capi::StreamStore* store = new kith::capi::StreamStore;
  std::list<std::unique_ptr<kith::capi::ServedProtocol>> served;
  std::list<std::unique_ptr<kith::capi::ConnectRequest>> connects;
  std::list<std::unique_ptr<kith::capi::PingRequest>> pings;
  std::list<std::unique_ptr<kith::capi::PerfRequest>> perfs;
  bool closing = false;
  bool muted = false;  // kith_runtime_free: nothing is told any more but user_destroy
  void (*on_close_done)(void* user) = nullptr;
  void* close_user = nullptr;

  ~kith_host() override;
  void mute() {
    muted = true;
    handler = {};
  }
  // The handle of a connection, made when first asked for.
  kith_connection* handle_of(kith::swarm::PeerConnection& connection);

  void on_connected(kith::swarm::PeerConnection& c) override;
  void on_disconnected(kith::swarm::PeerConnection& c, const kith::Error& error) override;
  void on_inbound_failed(const kith::wire::Multiaddr& from, const kith::Error& error) override;
  void on_stream_failed(kith::swarm::PeerConnection& c, const kith::Error& error) override;
  void on_identified(kith::swarm::PeerConnection& c) override;
  void on_identify_failed(kith::swarm::PeerConnection& c, const kith::Error& error) override;
  bool enabled(kith::LogLevel level) const override {
    return handler.on_log && static_cast<int>(level) <= log_level;
  }
  void write(kith::LogLevel level, std::string_view area, std::string_view line) override;
};
