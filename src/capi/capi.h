// What the C thunks share: the objects behind the opaque handles, and conversions.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/pool.h"
#include "host/sharded_host.h"
#include "kith/kith.h"

namespace kith::capi {

struct Shard;

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

// `defaults` for a caller whose struct has `size` bytes: no more are written.
template <typename T>
void init_struct(T* out, size_t size, T defaults) {
  if (!out || size < sizeof(size_t)) return;
  defaults.struct_size = size;
  std::memcpy(out, &defaults, std::min(size, sizeof(T)));
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
  ServedProtocol(Shard& s, const kith_protocol_handler& c) : shard(s), handler(c) {}
  void on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                 std::string_view protocol) override;
  Shard& shard;
  const kith_protocol_handler handler;
};

struct ConnectRequest final : swarm::ConnectHandler {
  ConnectRequest(Shard& s, const kith_connect_handler& c, const identity::PeerId& p)
      : shard(s), handler(c), peer(p) {}
  void on_connect(swarm::PeerConnection& connection) override;
  void on_connect_failed(const Error& error) override;
  void end();
  Shard& shard;
  kith_connect_handler handler;
  const identity::PeerId peer;  // as Placement knows the dial
  std::unique_ptr<swarm::Connect> connect;
};

struct PingRequest final : service::PingHandler {
  PingRequest(Shard& s, const kith_ping_handler& c) : shard(s), handler(c) {}
  void on_round_trip(Duration rtt) override;
  void on_ping_end(const Error& error) override;
  Shard& shard;
  kith_ping_handler handler;
  std::unique_ptr<service::PingSession> session;
};

struct PerfRequest final : service::PerfHandler {
  PerfRequest(Shard& s, const kith_connection& p, const kith_perf_handler& c)
      : shard(s), connection(p), handler(c) {}
  void on_perf_progress(const service::PerfResult& so_far) override;
  void on_perf_end(const service::PerfResult& result, const Error& error) override;
  Shard& shard;
  const kith_connection& connection;  // which a measurement does not outlive
  kith_perf_handler handler;
  std::unique_ptr<service::PerfSession> session;
};

// Takes `request` out of its shard's list; the caller keeps it until the last callback has returned.
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

// What of a node lives on one loop, and is used on that only.
struct Shard final : swarm::Observer, LogSink {
  Shard(kith_host& n, runtime::EpollLoop& l) : node(n), loop(l) {}
  ~Shard() override { store->unref(); }
  // The handle of a connection, made when first asked for.
  kith_connection* handle_of(swarm::PeerConnection& connection);

  void on_connected(swarm::PeerConnection& c) override;
  void on_disconnected(swarm::PeerConnection& c, const Error& error) override;
  void on_inbound_failed(const wire::Multiaddr& from, const Error& error) override;
  void on_stream_failed(swarm::PeerConnection& c, const Error& error) override;
  void on_identified(swarm::PeerConnection& c) override;
  void on_identify_failed(swarm::PeerConnection& c, const Error& error) override;
  bool enabled(LogLevel level) const override;
  void write(LogLevel level, std::string_view area, std::string_view line) override;

  kith_host& node;
  runtime::EpollLoop& loop;
  host::Host* host = nullptr;  // null before its start and after its end
  StreamStore* store = new StreamStore;
  std::map<std::string, ServedProtocol, std::less<>> served;
  std::list<std::unique_ptr<ConnectRequest>> connects;
  std::list<std::unique_ptr<PingRequest>> pings;
  std::list<std::unique_ptr<PerfRequest>> perfs;
};

}  // namespace kith::capi

struct kith_key {
  kith::crypto::PrivateKey key;
};

// One loop or several: the first is the main loop, the others are the workers.
struct kith_runtime {
  std::vector<std::unique_ptr<kith::host::Runtime>> loops;
  std::list<kith_host*> hosts;
  kith::host::Runtime& main() const { return *loops[0]; }
  bool on_loop() const { return main().loop().on_loop(); }
  // On this thread, inside one of the main loop's callbacks.
  bool in_callback() const { return on_loop() && main().loop().in_turn(); }
  bool has_workers() const { return loops.size() > 1; }
  // On the thread of a worker.
  bool on_worker() const;
  // Gives each worker its thread. On failure none has one.
  kith::Status start_workers();
  void stop_workers();
};

struct kith_connection {
  kith_connection(kith::capi::Shard& s, kith::swarm::PeerConnection& c)
      : shard(&s), loop(&s.loop), connection(&c) {}
  size_t refs = 1;           // the live connection's
  kith::capi::Shard* shard;  // gone when `connection` is null
  kith::runtime::EpollLoop* const loop;
  kith::swarm::PeerConnection* connection;  // null after its end
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

struct kith_host final : kith::host::ShardOwner {
  explicit kith_host(kith_runtime& r);
  void mute() {
    muted = true;
    handler = {};
  }
  // The shard whose loop this is; null on no loop of the runtime's.
  kith::capi::Shard* here();
  // The index of the shard to dial `peer` on, where the dial counts until forget_dial().
  size_t place_dial(const kith::identity::PeerId& peer);
  void forget_dial(const kith::capi::ConnectRequest& request);
  kith::LogSink* log_of(size_t shard) override;
  void on_shard(size_t shard, kith::host::Host& host) override;
  void on_shard_end(size_t shard) override;

  kith_runtime& runtime;
  std::vector<std::unique_ptr<kith::capi::Shard>> shards;
  std::unique_ptr<kith::host::ShardedHost> host;
  // Read on every loop, written while no other runs.
  kith_host_handler handler{};
  kith_log_level log_level = 0;
  bool muted = false;  // kith_runtime_free: nothing is told any more but user_destroy
  std::atomic<bool> closing{false};
  // The main loop's.
  std::string peer_id;
  std::vector<std::string> addresses;
  std::map<std::string, kith_protocol_handler, std::less<>> served;
  void (*on_close_done)(void* user) = nullptr;
  void* close_user = nullptr;
};
