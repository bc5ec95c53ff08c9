// What the tests of the C API share: a loop in either mode, hosts and streams that record what they hear, and the
// checks that hold for every test: user_destroy exactly once, nothing after on_closed.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <deque>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kith/kith.h"

namespace kith_test {

inline constexpr const char* kEcho = "/kith-test/echo/1.0.0";
inline constexpr const char* kManual = "/kith-test/manual/1.0.0";
inline constexpr const char* kAnyPort = "/ip4/127.0.0.1/udp/0/quic-v1";

inline std::vector<uint8_t> random_bytes(size_t size, uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<uint8_t> out(size);
  for (uint8_t& b : out) b = static_cast<uint8_t>(random() >> 8);
  return out;
}

// A runtime, on a thread of its own or driven with poll(2).
class Loop {
 public:
  Loop() {
    kith_error error{};
    EXPECT_EQ(KITH_OK, kith_runtime_new(&runtime, &error)) << error.message;
  }
  ~Loop() { free(); }
  void free() { kith_runtime_free(std::exchange(runtime, nullptr)); }
  void start() {
    EXPECT_EQ(KITH_OK, kith_runtime_start(runtime));
    has_thread_ = true;
  }
  // Runs `body` on the loop.
  template <typename F>
  void run(F body) {
    if (!has_thread_) return body();
    EXPECT_EQ(KITH_OK, kith_runtime_call(
                           runtime, [](void* user) { (*static_cast<F*>(user))(); }, &body));
  }
  void step(int max_ms = 50) {
    pollfd p = {kith_runtime_fd(runtime), POLLIN, 0};
    const int64_t timeout = kith_runtime_timeout_ms(runtime);
    poll(&p, 1, timeout < 0 || timeout > max_ms ? max_ms : static_cast<int>(timeout));
    EXPECT_EQ(KITH_OK, kith_runtime_drive(runtime));
  }
  // False if `condition` does not come true in a time that only a hang needs.
  template <typename F>
  bool until(F condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      bool is_true = false;
      run([&] { is_true = condition(); });
      if (is_true) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (has_thread_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      } else {
        step();
      }
    }
  }
  kith_runtime* runtime = nullptr;

 private:
  bool has_thread_ = false;
};

// One stream's life, as its handler hears it.
struct StreamLog {
  kith_stream* stream = nullptr;  // a reference
  bool attached = false;
  size_t take = SIZE_MAX;  // what on_data consumes of each delivery
  bool echo = false;
  std::vector<uint8_t> to_send;
  size_t sent = 0;
  bool close_after = false;
  std::string protocol;
  std::vector<uint8_t> received;
  size_t delivered_last = 0;
  int opened = 0, read_closed = 0, resets = 0, stops = 0, closed = 0, destroyed = 0;
  uint64_t reset_code = 0, stop_code = 0;
  kith_error end{};

  static StreamLog& of(void* user) {
    auto& log = *static_cast<StreamLog*>(user);
    EXPECT_EQ(0, log.closed) << "a callback after on_closed";
    EXPECT_EQ(0, log.destroyed) << "a callback after user_destroy";
    return log;
  }
  void pump() {
    while (sent < to_send.size()) {
      const size_t n = std::min<size_t>(to_send.size() - sent, 50'000);
      const kith_status status = kith_stream_write(stream, to_send.data() + sent, n);
      if (status == KITH_ERR_WOULD_BLOCK) return;
      if (status != KITH_OK) return;
      sent += n;
    }
    if (std::exchange(close_after, false)) {
      EXPECT_EQ(KITH_OK, kith_stream_close_write(stream));
    }
  }
  size_t on_data(kith_stream* s, const uint8_t* data, size_t len) {
    delivered_last = len;
    const size_t n = std::min(len, take);
    if (echo) {
      const kith_status status = kith_stream_write(s, data, n);
      if (status == KITH_ERR_WOULD_BLOCK) return 0;
    }
    received.insert(received.end(), data, data + n);
    return n;
  }
  // The handler; after a successful call with it the log is `attached`.
  kith_stream_handler handler() {
    kith_stream_handler h{};
    h.struct_size = sizeof h;
    h.user = this;
    h.user_destroy = [](void* user) { ++static_cast<StreamLog*>(user)->destroyed; };
    h.on_open = [](void* user, kith_stream*, const char* id) {
      ++of(user).opened;
      of(user).protocol = id;
    };
    h.on_data = [](void* user, kith_stream* s, const uint8_t* data, size_t len) {
      return of(user).on_data(s, data, len);
    };
    h.on_read_closed = [](void* user, kith_stream* s) {
      ++of(user).read_closed;
      if (of(user).echo) {
        EXPECT_EQ(KITH_OK, kith_stream_close_write(s));
      }
    };
    h.on_reset = [](void* user, kith_stream* s, uint64_t code) {
      ++of(user).resets;
      of(user).reset_code = code;
      if (of(user).echo) {
        EXPECT_EQ(KITH_OK, kith_stream_reset(s, 0));
      }
    };
    h.on_stop = [](void* user, kith_stream* s, uint64_t code) {
      ++of(user).stops;
      of(user).stop_code = code;
      if (of(user).echo) {
        EXPECT_EQ(KITH_OK, kith_stream_stop_reading(s, 0));
      }
    };
    h.on_writable = [](void* user, kith_stream* s) {
      of(user).pump();
      if (of(user).echo) {
        EXPECT_EQ(KITH_OK, kith_stream_resume(s));
      }
    };
    h.on_closed = [](void* user, kith_stream*, const kith_error* error) {
      of(user).end = *error;
      ++of(user).closed;
    };
    return h;
  }
};

// A host and what its handler hears.
struct Node {
  kith_host* host = nullptr;
  kith_connection* connection = nullptr;  // the last one; a reference
  kith_host_handler handler{};
  int connected = 0, identified = 0, disconnected = 0, inbound_failed = 0, stream_failed = 0;
  int logged = 0, closed = 0;
  kith_status identify_when_connected = KITH_OK;
  kith_error last_error{};

  static Node& of(void* user) {
    EXPECT_EQ(0, static_cast<Node*>(user)->closed) << "a callback after the host's on_closed";
    return *static_cast<Node*>(user);
  }
  kith_host_config config() {
    kith_host_config c;
    kith_host_config_init(&c, sizeof c);
    c.log_level = KITH_LOG_DEBUG;
    handler.struct_size = sizeof handler;
    c.handler = &handler;
    handler.user = this;
    handler.on_connected = [](void* user, kith_connection* conn) {
      Node& n = of(user);
      ++n.connected;
      kith_identify id{};
      id.struct_size = sizeof id;
      n.identify_when_connected = kith_connection_identify(conn, &id);
      kith_connection_unref(std::exchange(n.connection, kith_connection_ref(conn)));
    };
    handler.on_identified = [](void* user, kith_connection*) { ++of(user).identified; };
    handler.on_identify_failed = [](void* user, kith_connection*, const kith_error* error) {
      of(user).last_error = *error;
    };
    handler.on_disconnected = [](void* user, kith_connection*, const kith_error* error) {
      of(user).last_error = *error;
      ++of(user).disconnected;
    };
    handler.on_inbound_failed = [](void* user, const char*, const kith_error*) {
      ++of(user).inbound_failed;
    };
    handler.on_stream_failed = [](void* user, kith_connection*, const kith_error* error) {
      of(user).last_error = *error;
      ++of(user).stream_failed;
    };
    handler.on_log = [](void* user, kith_log_level, const char*, const char*) {
      ++of(user).logged;
    };
    return c;
  }
  void open(kith_runtime* runtime, kith_host_config c) {
    kith_error error{};
    ASSERT_EQ(KITH_OK, kith_host_new(runtime, &host, &c, &error)) << error.message;
  }
  void open(kith_runtime* runtime, bool listens) {
    kith_host_config c = config();
    c.listen_addrs = &kAnyPort;
    c.num_listen_addrs = listens ? 1 : 0;
    c.serve_perf = 1;
    open(runtime, c);
  }
  void close() {
    const auto done = [](void* user) { ++static_cast<Node*>(user)->closed; };
    ASSERT_EQ(KITH_OK, kith_host_close(std::exchange(host, nullptr), done, this));
  }
  std::string address() const {
    EXPECT_LT(0u, kith_host_num_addresses(host));
    return kith_host_address(host, 0);
  }
};

// What a connect, ping or perf request hears.
struct Outcome {
  int ok = 0, failed = 0, destroyed = 0, round_trips = 0, progress = 0;
  kith_error error{};
  kith_perf_result result{};
  bool attached = false;

  static Outcome& of(void* user) {
    auto& o = *static_cast<Outcome*>(user);
    EXPECT_EQ(0, o.ok + o.failed + o.destroyed) << "a callback after the outcome";
    return o;
  }
  static void destroy(void* user) { ++static_cast<Outcome*>(user)->destroyed; }
  void end_with(const kith_error* e) {
    error = *e;
    ++(e->status == KITH_OK ? ok : failed);
  }
  bool is_over() const { return destroyed != 0; }
  kith_connect_handler connect_handler() {
    kith_connect_handler h{sizeof h, this, destroy, nullptr, nullptr};
    h.on_connected = [](void* user, kith_connection*) { ++of(user).ok; };
    h.on_failed = [](void* user, const kith_error* e) { of(user).end_with(e); };
    return h;
  }
  kith_ping_handler ping_handler() {
    kith_ping_handler h{sizeof h, this, destroy, nullptr, nullptr};
    h.on_round_trip = [](void* user, int64_t rtt) {
      EXPECT_LT(0, rtt);
      ++of(user).round_trips;
    };
    h.on_end = [](void* user, const kith_error* e) { of(user).end_with(e); };
    return h;
  }
  kith_perf_handler perf_handler() {
    kith_perf_handler h{sizeof h, this, destroy, nullptr, nullptr};
    h.on_progress = [](void* user, const kith_perf_result*) { ++of(user).progress; };
    h.on_end = [](void* user, const kith_perf_result* r, const kith_error* e) {
      of(user).result = *r;
      of(user).end_with(e);
    };
    return h;
  }
};

// A server with kEcho and kManual (its streams wait in `inbound`), and a client, on one loop. Objects that callbacks
// write to outlive the runtime, which TearDown frees; then it checks that each was let go exactly once.
class Pair : public testing::Test {
 public:
  void SetUp() override {
    server.open(loop.runtime, /*listens=*/true);
    client.open(loop.runtime, /*listens=*/false);
    serve(kEcho, [](void* user, kith_stream* s, const char*) {
      static_cast<Pair*>(user)->accept(s).echo = true;
    });
    serve(kManual,
          [](void* user, kith_stream* s, const char*) { static_cast<Pair*>(user)->accept(s); });
  }
  void TearDown() override {
    loop.free();
    for (StreamLog& log : logs) {
      EXPECT_EQ(log.attached ? 1 : 0, log.destroyed);
      kith_stream_unref(std::exchange(log.stream, nullptr));
    }
    for (const Outcome& o : outcomes) EXPECT_EQ(o.attached ? 1 : 0, o.destroyed);
    EXPECT_EQ(protocols_served, protocols_destroyed);
    // Also when the runtime is gone.
    for (Node* n : {&server, &client}) kith_connection_unref(std::exchange(n->connection, nullptr));
  }
  void serve(const char* id, void (*on_stream)(void*, kith_stream*, const char*)) {
    kith_protocol_handler h = {sizeof h, this, nullptr, on_stream};
    h.user_destroy = [](void* user) { ++static_cast<Pair*>(user)->protocols_destroyed; };
    ASSERT_EQ(KITH_OK, kith_host_handle(server.host, id, &h));
    ++protocols_served;
  }
  StreamLog& accept(kith_stream* s) {
    StreamLog& log = logs.emplace_back();
    const kith_stream_handler h = log.handler();
    EXPECT_EQ(KITH_OK, kith_stream_set_handler(s, &h));
    log.attached = true;
    log.stream = kith_stream_ref(s);
    inbound.push_back(&log);
    return log;
  }
  Outcome& outcome() { return outcomes.emplace_back(); }
  void connect() {
    Outcome& o = outcome();
    loop.run([&] {
      const std::string address = server.address();
      const char* addresses[] = {address.c_str()};
      const kith_connect_handler h = o.connect_handler();
      kith_error error{};
      ASSERT_EQ(KITH_OK, kith_host_connect(client.host, addresses, 1, &h, &error)) << error.message;
      o.attached = true;
    });
    ASSERT_TRUE(loop.until([&] { return o.is_over() && server.connection && client.connection; }));
    ASSERT_EQ(1, o.ok) << o.error.message;
  }
  // A stream of the client's. On the loop.
  StreamLog& open(std::vector<const char*> ids) {
    StreamLog& log = logs.emplace_back();
    const kith_stream_handler h = log.handler();
    EXPECT_EQ(KITH_OK, kith_connection_open_stream(client.connection, &log.stream, ids.data(),
                                                   ids.size(), &h));
    log.attached = true;
    return log;
  }
  // Makes a kManual stream of `ours` and the server's end of it, `theirs`.
  void open_manual() {
    const size_t before = inbound.size();
    ours = &open({kManual});
    ASSERT_TRUE(loop.until([&] { return ours->opened == 1 && inbound.size() > before; }));
    theirs = inbound.back();
  }

  std::deque<StreamLog> logs;
  std::deque<Outcome> outcomes;
  std::vector<StreamLog*> inbound;
  StreamLog* ours = nullptr;
  StreamLog* theirs = nullptr;
  int protocols_served = 0, protocols_destroyed = 0;
  Node server, client;
  Loop loop;
};

}  // namespace kith_test
