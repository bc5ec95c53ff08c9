// Host: a libp2p node: listens, connects, serves protocols with coroutines. See kith/host.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "kith/cpp/connection.hpp"
#include "kith/cpp/identity.hpp"
#include "kith/cpp/runtime.hpp"

namespace kith {
inline namespace api {

// What a Host is made from. What is left alone has the defaults of kith_host_config.
struct HostConfig {
  const Key* key = nullptr;         // none: a fresh Ed25519 key; borrowed for Host::create
  std::vector<std::string> listen;  // multiaddrs; none: dial only
  std::optional<std::string> agent;
  std::optional<std::string> protocol_version;
  kith_log_level log_level = 0;  // 0: no on_log
  bool serve_ping = true;
  bool serve_perf = false;  // lets anybody make us send as much as they like
  bool dial_from_listen_port = true;
  // WebSocket in TLS (/tls/ws, /wss), in PEM.
  std::optional<std::string> wss_certificate_chain;  // none: no listening
  std::optional<std::string> wss_private_key;
  std::optional<std::string> wss_roots;  // none: whom the system trusts
  bool wss_accept_any_certificate = false;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> keep_alive;
  std::optional<uint16_t> max_inbound_streams;  // per connection
  std::optional<uint32_t> max_inbound_connections;
  std::optional<uint32_t> max_inbound_handshakes;
  std::optional<uint32_t> max_inbound_per_address;
  std::optional<uint32_t> max_inbound_per_peer;
  std::optional<uint32_t> inbound_burst_per_address;
  std::optional<std::chrono::milliseconds> inbound_interval_per_address;
  bool limit_loopback = false;
  std::optional<std::string> network_key;  // of a private network: the content of a swarm.key file
  std::vector<std::string> security;       // of TCP, best first; none: "/tls/1.0.0", "/noise"
  std::vector<std::string> muxers;         // of TCP, best first; none: "/yamux/1.0.0"

  // What happens to the host's connections; see kith_host_handler. None is called once the Host is destroyed.
  std::function<void(Connection)> on_connected;
  std::function<void(Connection)> on_identified;
  std::function<void(Connection, const Error&)> on_identify_failed;
  std::function<void(Connection, const Error&)> on_disconnected;
  std::function<void(std::string_view address, const Error&)> on_inbound_failed;
  std::function<void(Connection, const Error&)> on_stream_failed;
  std::function<void(kith_log_level, std::string_view area, std::string_view line)> on_log;
};

namespace detail {

inline std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<const char*> out;
  for (const std::string& t : texts) out.push_back(t.c_str());
  return out;
}

// A protocol that is served, with the coroutines that serve it. Counted: the host, and the C handler.
struct Service {
  size_t refs = 1;
  bool is_registered = false;
  bool stopped = false;
  TaskGroup tasks;
  virtual ~Service() = default;
  virtual Task<void> serve(Stream stream) = 0;
  void unref() {
    if (--refs == 0) delete this;
  }

  kith_protocol_handler handler() {
    kith_protocol_handler h{};
    h.struct_size = sizeof h;
    h.user = this;
    h.user_destroy = [](void* user) {
      auto* self = static_cast<Service*>(user);
      self->is_registered = false;
      self->unref();
    };
    h.on_stream = [](void* user, kith_stream* c, const char*) {
      auto* self = static_cast<Service*>(user);
      if (self->stopped) return;  // the stream is aborted
      if (Result<Stream> stream = Stream::adopt(c); stream.ok()) {
        self->tasks.start(self->serve(std::move(*stream)));
      }
    };
    return h;
  }
};

template <typename F>
struct ServiceOf final : Service {
  explicit ServiceOf(F f) : function(std::move(f)) {}
  Task<void> serve(Stream stream) override { return function(std::move(stream)); }
  F function;
};

// Counted: the Host, and the C host until it is gone.
struct HostState final : RuntimeUser {
  size_t refs = 1;
  kith_host* host = nullptr;  // null once it is closed
  HostConfig events;          // only its functions count
  bool detached = false;      // the Host is gone
  std::string peer_id;
  std::vector<Service*> services;

  void unref() {
    if (--refs == 0) delete this;
  }
  void close() override {
    if (!host) return;
    ++refs;
    kith_host_close(std::exchange(host, nullptr), &HostState::on_closed, this);
  }
  static void on_closed(void* user) {
    auto* self = static_cast<HostState*>(user);
    RuntimeState* state = self->runtime;
    if (--state->num_open == 0 && state->ending) kith_runtime_quit(state->runtime);
    self->unref();
  }
  // The Host's destructor, on the loop.
  void detach() {
    detached = true;
    for (Service* s : services) {
      s->stopped = true;
      s->tasks.cancel();
      s->unref();
    }
    services.clear();
    close();
    if (runtime) std::erase(runtime->users, this);
    unref();
  }
  // Forgets protocols that are no longer served, once the last of their tasks has ended.
  void prune() {
    std::erase_if(services, [](Service* s) {
      if (s->is_registered || s->tasks.size() != 0) return false;
      s->unref();
      return true;
    });
  }

  // Calls one of the functions of `events` unless it is empty or the Host is gone.
  template <auto Event, typename... Args>
  static void call(void* user, Args&&... args) {
    auto* self = static_cast<HostState*>(user);
    const auto& function = self->events.*Event;
    if (!self->detached && function) function(std::forward<Args>(args)...);
  }
  kith_host_handler handler() {
    kith_host_handler h{};
    h.struct_size = sizeof h;
    h.user = this;
    h.on_connected = [](void* user, kith_connection* c) {
      call<&HostConfig::on_connected>(user, Connection(c));
    };
    h.on_identified = [](void* user, kith_connection* c) {
      call<&HostConfig::on_identified>(user, Connection(c));
    };
    h.on_identify_failed = [](void* user, kith_connection* c, const kith_error* e) {
      call<&HostConfig::on_identify_failed>(user, Connection(c), Error(*e));
    };
    h.on_disconnected = [](void* user, kith_connection* c, const kith_error* e) {
      call<&HostConfig::on_disconnected>(user, Connection(c), Error(*e));
    };
    h.on_inbound_failed = [](void* user, const char* address, const kith_error* e) {
      call<&HostConfig::on_inbound_failed>(user, address, Error(*e));
    };
    h.on_stream_failed = [](void* user, kith_connection* c, const kith_error* e) {
      call<&HostConfig::on_stream_failed>(user, Connection(c), Error(*e));
    };
    if (events.on_log) {
      h.on_log = [](void* user, kith_log_level level, const char* area, const char* line) {
        call<&HostConfig::on_log>(user, level, area, line);
      };
    }
    return h;
  }
};

class Connect final : public OutcomeOperation<Result<Connection>> {
 public:
  Connect(HostState& host, std::vector<std::string> addrs)
      : OutcomeOperation(new Outcome<Result<Connection>>), host_(host), addrs_(std::move(addrs)) {}
  bool await_ready() {
    using Self = Outcome<Result<Connection>>;
    if (!host_.host) {
      outcome_->value.emplace(Error(KITH_ERR_CLOSED));
      return true;
    }
    kith_connect_handler h{};
    h.struct_size = sizeof h;
    h.user = lend();
    h.user_destroy = &Self::unref_user;
    h.on_connected = [](void* user, kith_connection* c) {
      static_cast<Self*>(user)->set(Connection(c));
    };
    h.on_failed = [](void* user, const kith_error* e) { static_cast<Self*>(user)->set(Error(*e)); };
    const std::vector<const char*> pointers = pointers_to(addrs_);
    kith_error error{};
    const kith_status status =
        kith_host_connect(host_.host, pointers.data(), pointers.size(), &h, &error);
    return begun(status, error);
  }

 private:
  HostState& host_;
  const std::vector<std::string> addrs_;
};

}  // namespace detail

// A Host owns a node. Destroying it cancels the tasks that serve its protocols and closes it: not from inside such a
// task. All calls on the loop; the destructor also from any other thread while Runtime::start()'s thread runs.
class Host {
 public:
  // Starts a node on `runtime` and listens. Errors name the address that failed.
  static Result<Host> create(Runtime& runtime, HostConfig config = {}) {
    kith_host_config c;
    kith_host_config_init(&c, sizeof c);
    const std::vector<const char*> listen = detail::pointers_to(config.listen);
    const std::vector<const char*> security = detail::pointers_to(config.security);
    const std::vector<const char*> muxers = detail::pointers_to(config.muxers);
    if (config.key) c.key = config.key->get();
    c.listen_addrs = listen.data();
    c.num_listen_addrs = listen.size();
    if (config.agent) c.agent = config.agent->c_str();
    if (config.protocol_version) c.protocol_version = config.protocol_version->c_str();
    c.log_level = config.log_level;
    c.serve_ping = config.serve_ping ? 1 : 0;
    c.serve_perf = config.serve_perf ? 1 : 0;
    c.dial_from_listen_port = config.dial_from_listen_port ? 1 : 0;
    if (config.wss_certificate_chain)
      c.wss_certificate_chain = config.wss_certificate_chain->c_str();
    if (config.wss_private_key) c.wss_private_key = config.wss_private_key->c_str();
    if (config.wss_roots) c.wss_roots = config.wss_roots->c_str();
    c.wss_accept_any_certificate = config.wss_accept_any_certificate ? 1 : 0;
    if (config.idle_timeout) c.idle_timeout_ms = config.idle_timeout->count();
    if (config.keep_alive) c.keep_alive_ms = config.keep_alive->count();
    if (config.max_inbound_streams) c.max_inbound_streams = *config.max_inbound_streams;
    if (config.max_inbound_connections) c.max_inbound_connections = *config.max_inbound_connections;
    if (config.max_inbound_handshakes) c.max_inbound_handshakes = *config.max_inbound_handshakes;
    if (config.max_inbound_per_address) c.max_inbound_per_address = *config.max_inbound_per_address;
    if (config.max_inbound_per_peer) c.max_inbound_per_peer = *config.max_inbound_per_peer;
    if (config.inbound_burst_per_address)
      c.inbound_burst_per_address = *config.inbound_burst_per_address;
    if (config.inbound_interval_per_address)
      c.inbound_interval_per_address_ms = config.inbound_interval_per_address->count();
    c.limit_loopback = config.limit_loopback ? 1 : 0;
    if (config.network_key) {
      c.network_key = reinterpret_cast<const uint8_t*>(config.network_key->data());
      c.network_key_len = config.network_key->size();
    }
    c.security = security.data();
    c.num_security = security.size();
    c.muxers = muxers.data();
    c.num_muxers = muxers.size();
    auto* state = new detail::HostState;
    state->events = config;  // a copy: `c` points into `config`
    state->events.network_key.reset();
    const kith_host_handler handler = state->handler();
    c.handler = &handler;
    kith_error error{};
    const kith_status status = kith_host_new(runtime.get(), &state->host, &c, &error);
    if (status != KITH_OK) {
      delete state;
      return detail::to_error(status, error);
    }
    state->runtime = runtime.state_.get();
    state->runtime->users.push_back(state);
    ++state->runtime->num_open;
    state->peer_id = kith_host_peer_id(state->host);
    return Host(state);
  }
  Host(Host&& o) noexcept : state_(std::exchange(o.state_, nullptr)) {}
  Host& operator=(Host&& o) noexcept {
    std::swap(state_, o.state_);
    return *this;
  }
  ~Host() {
    if (!state_) return;
    if (!state_->runtime) {
      state_->detach();
      return;
    }
    const auto detach = [](void* user) { static_cast<detail::HostState*>(user)->detach(); };
    kith_runtime_call(state_->runtime->runtime, detach, state_);
  }

  // The host's peer id, borrowed for its life.
  std::string_view peer_id() const { return state_->peer_id; }
  // The addresses to tell others, with the real ports and /p2p/ID.
  std::vector<std::string> addresses() const {
    std::vector<std::string> out(kith_host_num_addresses(state_->host));
    for (size_t i = 0; i < out.size(); ++i) out[i] = kith_host_address(state_->host, i);
    return out;
  }
  Status listen(const std::string& address) {
    kith_error error{};
    if (!state_->host) return Error(KITH_ERR_CLOSED);
    const kith_status status = kith_host_listen(state_->host, address.c_str(), &error);
    if (status != KITH_OK) return detail::to_error(status, error);
    return {};
  }

  // Serves `protocol`: `serve(stream)` returns the Task<> that serves one stream of a peer's. The host owns the task
  // until it has finished, and `serve` (with what it captured) until its last task has. KITH_ERR_INVALID_STATE if the
  // protocol has a handler, KITH_ERR_INVALID_ARGUMENT for a bad id.
  template <typename F>
  Status handle(const std::string& protocol, F serve) {
    static_assert(std::is_invocable_r_v<Task<void>, F&, Stream>, "serve: Task<>(Stream)");
    if (!state_->host) return Error(KITH_ERR_CLOSED);
    state_->prune();
    auto* service = new detail::ServiceOf<F>(std::move(serve));
    const kith_protocol_handler handler = service->handler();
    const kith_status status = kith_host_handle(state_->host, protocol.c_str(), &handler);
    if (status != KITH_OK) {
      delete service;
      return Error(status);
    }
    service->is_registered = true;
    ++service->refs;
    state_->services.push_back(service);
    return {};
  }
  // Serves `protocol` no longer; tasks under way go on.
  Status unhandle(const std::string& protocol) {
    if (!state_->host) return Error(KITH_ERR_CLOSED);
    return detail::to_status(kith_host_unhandle(state_->host, protocol.c_str()));
  }

  // co_await connect(address) connects to a peer at a multiaddr, which may end in /p2p/ID, and yields a Result of the
  // Connection. A connection that exists is used again. If the ID is given, any other peer is
  // KITH_ERR_PEER_ID_MISMATCH.
  detail::Connect connect(std::string address) {
    std::vector<std::string> addresses;
    addresses.push_back(std::move(address));
    return connect_any(std::move(addresses));
  }
  // co_await connect_any(addresses) connects at one of several (1..64) addresses of one peer.
  detail::Connect connect_any(std::vector<std::string> addresses) {
    return detail::Connect(*state_, std::move(addresses));
  }

  // Ends all connections, listeners and dials; tasks that wait for them fail. Everything answers KITH_ERR_CLOSED then.
  void close() { state_->close(); }

  // The C handle, borrowed; null once closed.
  kith_host* get() const { return state_->host; }

 private:
  explicit Host(detail::HostState* state) : state_(state) {}
  detail::HostState* state_;
};

}  // namespace api
}  // namespace kith
