// A runtime of several loops: connections are spread over them, each stays on one, and all else is as with one.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "tests/capi/node.h"

namespace kith_test {
namespace {

using std::this_thread::get_id;

constexpr const char* kAnyTcpPort = "/ip4/127.0.0.1/tcp/0";

// Waits for what other threads do.
template <typename F>
bool eventually(F condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// A node that echoes and notes which thread each connection is on.
class LoopsNode {
 public:
  LoopsNode(uint32_t num_loops, const char* address) {
    kith_runtime_config c;
    kith_runtime_config_init(&c, sizeof c);
    EXPECT_EQ(1u, c.num_loops);
    c.num_loops = num_loops;
    kith_error error{};
    EXPECT_EQ(KITH_OK, kith_runtime_new_with(&runtime, &c, &error)) << error.message;
    kith_host_config config;
    kith_host_config_init(&config, sizeof config);
    config.listen_addrs = &address;
    config.num_listen_addrs = address ? 1 : 0;
    config.max_inbound_per_peer = 0;
    kith_host_handler events{};
    events.struct_size = sizeof events;
    config.handler = &events;
    events.user = this;
    events.on_connected = [](void* user, kith_connection* conn) { of(user).add(conn); };
    events.on_identified = [](void* user, kith_connection* conn) {
      of(user).check_thread(conn);
      ++of(user).num_identified;
    };
    events.on_disconnected = [](void* user, kith_connection* conn, const kith_error*) {
      of(user).check_thread(conn);
      ++of(user).num_disconnected;
    };
    EXPECT_EQ(KITH_OK, kith_host_new(runtime, &host, &config, &error)) << error.message;
    kith_protocol_handler h = {sizeof h, this, nullptr, nullptr};
    h.user_destroy = [](void* user) { ++of(user).num_destroyed; };
    h.on_stream = [](void* user, kith_stream* s, const char*) {
      of(user).check_thread(kith_stream_connection(s));
      const kith_stream_handler echo = echo_handler();
      EXPECT_EQ(KITH_OK, kith_stream_set_handler(s, &echo));
    };
    EXPECT_EQ(KITH_OK, kith_host_handle(host, kEcho, &h));
    EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_host_handle(host, kEcho, &h));
    const size_t n = kith_host_num_addresses(host);
    if (n != 0) address_ = kith_host_address(host, 0);
    EXPECT_EQ(KITH_OK, kith_runtime_start(runtime));
  }
  ~LoopsNode() { free(); }
  void free() {
    for (const auto& [conn, thread] : connections_) release_.push_back(conn);
    connections_.clear();
    kith_runtime_free(std::exchange(runtime, nullptr));
    for (kith_connection* conn : std::exchange(release_, {})) kith_connection_unref(conn);
  }

  const std::string& address() const { return address_; }
  // Without the peer id, so that each dial is a connection of its own.
  std::string anonymous_address() const { return address_.substr(0, address_.find("/p2p/")); }
  size_t num_connections() {
    std::lock_guard lock(mutex_);
    return connections_.size();
  }
  std::map<std::thread::id, size_t> connections_by_thread() {
    std::lock_guard lock(mutex_);
    std::map<std::thread::id, size_t> out;
    for (const auto& [conn, thread] : connections_) ++out[thread];
    return out;
  }
  std::vector<kith_connection*> connections() {
    std::lock_guard lock(mutex_);
    std::vector<kith_connection*> out;
    for (const auto& [conn, thread] : connections_) out.push_back(conn);
    return out;
  }
  // Any of our loops.
  void connect(const std::string& to) {
    kith_connect_handler h{sizeof h, this, nullptr, nullptr, nullptr};
    h.on_connected = [](void* user, kith_connection* conn) {
      of(user).check_thread(conn);
      std::lock_guard lock(of(user).mutex_);
      of(user).connected_to.push_back(conn);
    };
    h.on_failed = [](void* user, const kith_error*) { ++of(user).num_failed; };
    const char* addrs[] = {to.c_str()};
    kith_error error{};
    EXPECT_EQ(KITH_OK, kith_host_connect(host, addrs, 1, &h, &error)) << error.message;
  }
  void connect_from_main(const std::string& to) {
    run([&] { connect(to); });
  }
  template <typename F>
  void run(F body) {
    EXPECT_EQ(KITH_OK, kith_runtime_call(
                           runtime, [](void* user) { (*static_cast<F*>(user))(); }, &body));
  }
  // On the loop of `conn`: sends `size` bytes to its echo, and counts the streams that came back whole.
  void echo(kith_connection* conn, size_t size) {
    struct Request {
      LoopsNode& node;
      kith_connection* connection;
      size_t size;
    };
    auto* request = new Request{*this, conn, size};
    EXPECT_EQ(KITH_OK, kith_connection_post(
                           conn,
                           [](void* user) {
                             std::unique_ptr<Request> r(static_cast<Request*>(user));
                             r->node.open_echo(r->connection, r->size);
                           },
                           request));
  }

  kith_runtime* runtime = nullptr;
  kith_host* host = nullptr;
  std::atomic<int> num_identified{0}, num_disconnected{0}, num_failed{0}, num_destroyed{0};
  std::atomic<int> num_echoed{0}, num_streams_closed{0};
  std::vector<kith_connection*> connected_to;

 private:
  static LoopsNode& of(void* user) { return *static_cast<LoopsNode*>(user); }
  void add(kith_connection* conn) {
    std::lock_guard lock(mutex_);
    connections_[kith_connection_ref(conn)] = get_id();
  }
  void check_thread(kith_connection* conn) {
    std::lock_guard lock(mutex_);
    const auto it = connections_.find(conn);
    if (it != connections_.end()) {
      EXPECT_EQ(it->second, get_id());
    }
  }
  static kith_stream_handler echo_handler() {
    kith_stream_handler h{};
    h.struct_size = sizeof h;
    h.on_data = [](void*, kith_stream* s, const uint8_t* data, size_t len) -> size_t {
      return kith_stream_write(s, data, len) == KITH_ERR_WOULD_BLOCK ? 0 : len;
    };
    h.on_writable = [](void*, kith_stream* s) { kith_stream_resume(s); };
    h.on_read_closed = [](void*, kith_stream* s) { kith_stream_close_write(s); };
    return h;
  }
  struct Echo {
    LoopsNode& node;
    std::thread::id thread;
    std::vector<uint8_t> data;
    size_t num_received = 0;
    bool ended = false;
  };
  void open_echo(kith_connection* conn, size_t size) {
    auto* e = new Echo{*this, get_id(), random_bytes(size, 7)};
    kith_stream_handler h{};
    h.struct_size = sizeof h;
    h.user = e;
    h.user_destroy = [](void* user) { delete static_cast<Echo*>(user); };
    h.on_data = [](void* user, kith_stream*, const uint8_t* data, size_t len) {
      auto& echo = *static_cast<Echo*>(user);
      EXPECT_EQ(echo.thread, get_id());
      const bool fits = len <= echo.data.size() - echo.num_received;
      EXPECT_TRUE(fits && std::equal(data, data + len,
                                     echo.data.begin() + static_cast<long>(echo.num_received)));
      echo.num_received += len;
      return len;
    };
    h.on_read_closed = [](void* user, kith_stream*) { static_cast<Echo*>(user)->ended = true; };
    h.on_closed = [](void* user, kith_stream*, const kith_error*) {
      auto& echo = *static_cast<Echo*>(user);
      if (echo.ended && echo.num_received == echo.data.size()) ++echo.node.num_echoed;
      ++echo.node.num_streams_closed;
    };
    const char* id = kEcho;
    kith_stream* s = nullptr;
    if (kith_connection_open_stream(conn, &s, &id, 1, &h) != KITH_OK) {
      ++num_streams_closed;
      delete e;
      return;
    }
    EXPECT_EQ(KITH_OK, kith_stream_write(s, e->data.data(), e->data.size()));
    EXPECT_EQ(KITH_OK, kith_stream_close_write(s));
    kith_stream_unref(s);
  }

  std::mutex mutex_;  // guards the next two, and connected_to
  std::map<kith_connection*, std::thread::id> connections_;
  std::vector<kith_connection*> release_;
  std::string address_;
};

class LoopsH : public testing::TestWithParam<const char*> {};

TEST_P(LoopsH, InboundConnectionsAreSpreadAndStayOnTheirLoop) {
  LoopsNode server(4, GetParam());
  LoopsNode client(1, nullptr);
  constexpr size_t kConnections = 64;
  for (size_t i = 0; i < kConnections; ++i) client.connect_from_main(server.anonymous_address());
  ASSERT_TRUE(eventually([&] {
    return server.num_connections() == kConnections && client.num_identified == kConnections &&
           server.num_identified == kConnections;
  }));
  // That one of four gets none has a chance of 1 in 25 million.
  EXPECT_EQ(4u, server.connections_by_thread().size());
  for (int round = 0; round < 3; ++round) {
    for (kith_connection* c : client.connections()) client.echo(c, 40'000);
    for (kith_connection* c : server.connections()) {
      EXPECT_EQ(KITH_OK, kith_connection_post(
                             c, [](void*) {}, nullptr));
    }
  }
  EXPECT_TRUE(eventually([&] { return client.num_echoed == 3 * kConnections; }));
  EXPECT_EQ(0, client.num_failed);
  client.free();
  EXPECT_TRUE(eventually([&] { return server.num_disconnected == kConnections; }));
}

TEST_P(LoopsH, DialsAreSpreadAndAPeerIsDialedOnce) {
  LoopsNode client(3, GetParam());
  std::vector<std::unique_ptr<LoopsNode>> servers;
  for (int i = 0; i < 5; ++i) servers.push_back(std::make_unique<LoopsNode>(1, GetParam()));
  for (const auto& s : servers) client.connect_from_main(s->address());
  ASSERT_TRUE(eventually([&] { return client.num_identified == 5; }));
  EXPECT_EQ(3u, client.connections_by_thread().size());
  for (const auto& [thread, n] : client.connections_by_thread()) EXPECT_GE(2u, n);
  for (const auto& s : servers) client.connect_from_main(s->address());
  // From a loop that is none of theirs, too.
  for (kith_connection* c : client.connections()) {
    static LoopsNode* from;
    static std::string to;
    from = &client;
    to = servers[0]->address();
    EXPECT_EQ(KITH_OK, kith_connection_post(
                           c, [](void*) { from->connect(to); }, nullptr));
  }
  ASSERT_TRUE(eventually([&] {
    bool all = false;
    client.run([&] { all = client.connected_to.size() == 15; });
    return all;
  }));
  EXPECT_EQ(5u, client.num_connections());
  EXPECT_EQ(0, client.num_failed);
  for (kith_connection* c : client.connections()) client.echo(c, 100'000);
  EXPECT_TRUE(eventually([&] { return client.num_echoed == 5; }));
  client.free();
}

TEST_P(LoopsH, AForeignLoopIsRefusedAndAPostGetsThere) {
  LoopsNode server(2, GetParam());
  LoopsNode client(1, nullptr);
  for (int i = 0; i < 24; ++i) client.connect_from_main(server.anonymous_address());
  ASSERT_TRUE(eventually([&] { return server.num_identified == 24; }));
  int num_foreign = 0;
  server.run([&] {
    for (kith_connection* c : server.connections()) {
      kith_identify id{};
      id.struct_size = sizeof id;
      const kith_status status = kith_connection_identify(c, &id);
      EXPECT_TRUE(status == KITH_OK || status == KITH_ERR_WRONG_THREAD) << status;
      if (status == KITH_ERR_WRONG_THREAD) ++num_foreign;
    }
  });
  EXPECT_LT(0, num_foreign);
  EXPECT_GT(24, num_foreign);
  static std::atomic<int> num_refused, num_run;
  num_refused = num_run = 0;
  for (kith_connection* c : server.connections()) {
    struct Arg {
      kith_runtime* runtime;
      kith_host* host;
      kith_connection* connection;
    };
    auto* arg = new Arg{server.runtime, server.host, c};
    EXPECT_EQ(KITH_OK, kith_connection_post(
                           c,
                           [](void* user) {
                             std::unique_ptr<Arg> a(static_cast<Arg*>(user));
                             // On a worker the main loop's calls are refused, and nothing waits for it.
                             if (kith_host_num_addresses(a->host) == 0) {
                               EXPECT_EQ(KITH_ERR_WRONG_THREAD,
                                         kith_runtime_call(
                                             a->runtime, [](void*) {}, nullptr));
                               EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_stop(a->runtime));
                               kith_runtime_free(a->runtime);  // harmless
                               ++num_refused;
                             }
                             EXPECT_EQ(KITH_OK, kith_connection_close(a->connection));
                             ++num_run;
                           },
                           arg));
  }
  ASSERT_TRUE(eventually([&] { return num_run == 24; }));
  EXPECT_EQ(num_foreign, num_refused);
  EXPECT_TRUE(eventually([&] { return client.num_disconnected == 24; }));
}

TEST_P(LoopsH, ProtocolsComeAndGoOnAllLoopsUnderTraffic) {
  LoopsNode server(3, GetParam());
  LoopsNode client(2, nullptr);
  for (int i = 0; i < 12; ++i) client.connect_from_main(server.anonymous_address());
  ASSERT_TRUE(eventually([&] { return client.num_identified == 12; }));
  int num_opened = 0;
  for (int round = 0; round < 20; ++round) {
    for (kith_connection* c : client.connections()) client.echo(c, 2000);
    num_opened += 12;
    server.run([&] {
      kith_protocol_handler h = {sizeof h, &server, nullptr, nullptr};
      h.on_stream = [](void*, kith_stream*, const char*) {};  // aborts
      ASSERT_EQ(KITH_OK, kith_host_handle(server.host, "/kith-test/more", &h));
      ASSERT_EQ(KITH_OK, kith_host_unhandle(server.host, "/kith-test/more"));
    });
  }
  EXPECT_TRUE(eventually([&] { return client.num_echoed == num_opened; }));
  server.run([&] { EXPECT_EQ(KITH_OK, kith_host_unhandle(server.host, kEcho)); });
  EXPECT_EQ(1, server.num_destroyed);
  client.echo(client.connections()[0], 10);
  EXPECT_TRUE(eventually([&] { return client.num_streams_closed == num_opened + 1; }));
  EXPECT_EQ(num_opened, client.num_echoed);
}

TEST_P(LoopsH, ClosesInTheMiddleOfEverything) {
  for (int round = 0; round < 5; ++round) {
    LoopsNode server(4, GetParam());
    LoopsNode client(4, nullptr);
    for (int i = 0; i < 16; ++i) client.connect_from_main(server.anonymous_address());
    ASSERT_TRUE(eventually([&] { return client.num_connections() >= 4; }));
    for (kith_connection* c : client.connections()) client.echo(c, 1'000'000);
    static std::atomic<bool> closed;
    closed = false;
    server.run([&] {
      ASSERT_EQ(KITH_OK, kith_host_close(
                             server.host, [](void*) { closed = true; }, nullptr));
      EXPECT_EQ(0u, kith_host_num_addresses(server.host));
    });
    for (int i = 0; round % 2 == 0 && i < 50; ++i) client.connect_from_main(server.address());
    ASSERT_TRUE(eventually([&] { return closed.load(); }));
    EXPECT_EQ(server.num_disconnected, static_cast<int>(server.num_connections()));
    EXPECT_EQ(1, server.num_destroyed);
    client.free();
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, LoopsH, testing::Values(kAnyPort, kAnyTcpPort),
                         [](const auto& p) { return p.param == kAnyPort ? "quic" : "tcp"; });

// Passes datagrams on, to `port` and back, from another port of its own after every rebind().
class Rebinder {
 public:
  explicit Rebinder(uint16_t port) : front_(bound()), back_(bound()) {
    server_ = local(port);
    thread_ = std::thread([this] { run(); });
  }
  ~Rebinder() {
    done_ = true;
    thread_.join();
    ::close(front_);
    ::close(back_);
  }
  uint16_t port() const {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    getsockname(front_, reinterpret_cast<sockaddr*>(&at), &size);
    return ntohs(at.sin_port);
  }
  void rebind() {
    const int before = num_rebound_;
    rebind_ = true;
    EXPECT_TRUE(eventually([&] { return num_rebound_ != before; }));
  }

 private:
  static sockaddr_in local(uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
  }
  static int bound() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const sockaddr_in any = local(0);
    EXPECT_EQ(0, bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any));
    return fd;
  }
  void run() {
    while (!done_) {
      if (rebind_.exchange(false)) {
        ::close(std::exchange(back_, bound()));
        ++num_rebound_;
      }
      pollfd p[] = {{front_, POLLIN, 0}, {back_, POLLIN, 0}};
      poll(p, 2, 5);
      uint8_t buffer[2048];
      socklen_t size = sizeof client_;
      for (ssize_t n; (n = recvfrom(front_, buffer, sizeof buffer, 0,
                                    reinterpret_cast<sockaddr*>(&client_), &size)) > 0;) {
        sendto(back_, buffer, static_cast<size_t>(n), 0,
               reinterpret_cast<const sockaddr*>(&server_), sizeof server_);
      }
      for (ssize_t n; (n = recv(back_, buffer, sizeof buffer, 0)) > 0;) {
        sendto(front_, buffer, static_cast<size_t>(n), 0,
               reinterpret_cast<const sockaddr*>(&client_), sizeof client_);
      }
    }
  }
  const int front_;
  int back_;
  sockaddr_in server_{}, client_{};
  std::atomic<bool> done_{false}, rebind_{false};
  std::atomic<int> num_rebound_{0};
  std::thread thread_;
};

TEST(LoopsRebindH, AConnectionKeepsItsLoopWhenThePeersAddressChanges) {
  LoopsNode server(4, kAnyPort);
  LoopsNode client(1, nullptr);
  const std::string at = server.anonymous_address();
  const auto port = static_cast<uint16_t>(std::stoi(at.substr(at.find("/udp/") + 5)));
  // The kernel's own choice, a hash of addresses and ports, would keep the loop of all in 1 of 65,536 cases.
  constexpr int kConnections = 8;
  std::deque<Rebinder> nats;
  for (int i = 0; i < kConnections; ++i) {
    nats.emplace_back(port);
    client.connect_from_main("/ip4/127.0.0.1/udp/" + std::to_string(nats.back().port()) +
                             "/quic-v1");
  }
  ASSERT_TRUE(eventually([&] { return client.num_identified == kConnections; }));
  for (Rebinder& nat : nats) nat.rebind();
  for (kith_connection* c : client.connections()) client.echo(c, 1000);
  EXPECT_TRUE(eventually([&] { return client.num_echoed == kConnections; }));
  EXPECT_EQ(0, server.num_disconnected);
}

TEST(LoopsRuntimeH, RefusesWhatItCannotDo) {
  kith_runtime_config c;
  kith_runtime_config_init(&c, sizeof c);
  kith_runtime* r = nullptr;
  kith_error error{};
  c.num_loops = 0;
  EXPECT_EQ(KITH_ERR_INVALID_ARGUMENT, kith_runtime_new_with(&r, &c, &error));
  c.num_loops = 9;
  EXPECT_EQ(KITH_ERR_LIMIT, kith_runtime_new_with(&r, &c, &error));
  c.num_loops = 2;
  ASSERT_EQ(KITH_OK, kith_runtime_new_with(&r, &c, &error)) << error.message;
  EXPECT_EQ(-1, kith_runtime_fd(r));
  EXPECT_EQ(-1, kith_runtime_timeout_ms(r));
  EXPECT_EQ(KITH_ERR_INVALID_STATE, kith_runtime_drive(r));
  // Ports that are taken are refused as with one loop, and nothing is left behind.
  kith_host_config config;
  kith_host_config_init(&config, sizeof config);
  const char* addrs[] = {kAnyPort, kAnyTcpPort};
  config.listen_addrs = addrs;
  config.num_listen_addrs = 2;
  kith_host* first = nullptr;
  ASSERT_EQ(KITH_OK, kith_host_new(r, &first, &config, &error)) << error.message;
  ASSERT_EQ(2u, kith_host_num_addresses(first));
  for (size_t i = 0; i < 2; ++i) {
    const std::string taken = kith_host_address(first, i);
    const std::string plain = taken.substr(0, taken.find("/p2p/"));
    const char* again[] = {kAnyPort, plain.c_str()};
    config.listen_addrs = again;
    kith_host* second = nullptr;
    EXPECT_EQ(KITH_ERR_ADDRESS_IN_USE, kith_host_new(r, &second, &config, &error)) << taken;
  }
  // The loops of a runtime also run under kith_runtime_run.
  EXPECT_EQ(KITH_OK,
            kith_runtime_post(
                r, [](void* user) { kith_runtime_quit(static_cast<kith_runtime*>(user)); }, r));
  EXPECT_EQ(KITH_OK, kith_runtime_run(r));
  kith_runtime_free(r);
}

}  // namespace
}  // namespace kith_test
