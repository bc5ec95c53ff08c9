// TCP as it is on a machine: ports, addresses, limits, and descriptors that run out. What all transports have in common is
// in tests/conformance, what is above the sockets in transport/upgrade.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "protocol/tls/certificate.h"
#include "tests/support/deaf_port.h"
#include "transport/tcp/transport.h"

namespace {
int num_sends_without_buffers = 0;  // that fail from now on
}

// In place of the C library's: what a kernel without memory answers.
extern "C" ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  if (num_sends_without_buffers > 0) {
    --num_sends_without_buffers;
    errno = ENOBUFS;
    return -1;
  }
  return sendto(fd, bytes, size, flags, nullptr, 0);
}

namespace kith::transport::tcp {
namespace {

struct Node final : DialHandler, ListenerHandler, ConnectionHandler {
  Node(runtime::EpollLoop& loop, const TcpConfig& config)
      : key(crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value()),
        id(identity::PeerId::from_public_key(key.public_key())),
        tcp(TcpTransport::create(loop, key, tls::make_credentials(key, loop.unix_seconds()).value(),
                                 config)
                .value()) {}
  void on_connected(Connection& c) override { add(c); }
  void on_failed(const Error& e) override { failures.push_back(e); }
  void on_connection(Connection& c) override { add(c); }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override {
    failures.push_back(e);
    if (on_refused) on_refused();
  }
  void add(Connection& c) {
    c.set_handler(this);
    connections.push_back(&c);
  }
  void on_stream(Connection&, Stream& stream) override {
    if (!inbound_stream) return stream.abort(0);
    stream.set_handler(inbound_stream);
  }
  void on_closed(Connection& c, const Error&) override { std::erase(connections, &c); }

  const crypto::PrivateKey key;
  const identity::PeerId id;
  std::unique_ptr<TcpTransport> tcp;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Dial>> dials;
  std::vector<Connection*> connections;
  std::vector<Error> failures;
  std::function<void()> on_refused;
  StreamHandler* inbound_stream = nullptr;  // of every stream that a peer opens; none: aborted
};

class Tcp : public testing::Test {
 protected:
  void SetUp() override { loop_ = runtime::EpollLoop::create().value(); }
  void TearDown() override {
    for (auto& n : nodes_) stop(*n);
    nodes_.clear();
    run_for(milliseconds(1));
  }
  void stop(Node& n) {
    n.listeners.clear();
    n.dials.clear();
    bool done = false;
    n.tcp->shutdown([](void* flag) { *static_cast<bool*>(flag) = true; }, &done);
    EXPECT_TRUE(run_until([&] { return done; }));
    EXPECT_TRUE(n.connections.empty());
  }
  Node& make_node(const TcpConfig& config = {}) {
    return *nodes_.emplace_back(std::make_unique<Node>(*loop_, config));
  }
  static wire::Multiaddr at(const std::string& text) {
    return wire::Multiaddr::parse(text).value();
  }
  wire::Multiaddr listen(Node& n, const std::string& text = "/ip4/127.0.0.1/tcp/0") {
    Result<std::unique_ptr<Listener>> listener = n.tcp->listen(at(text), &n);
    EXPECT_TRUE(listener.ok()) << listener.error().to_string();
    n.listeners.push_back(std::move(listener).value());
    return n.listeners.back()->address();
  }
  void dial(Node& from, const wire::Multiaddr& to, const DialOptions& options = {}) {
    Result<std::unique_ptr<Dial>> dial = from.tcp->dial(to, options, &from);
    if (dial.ok()) {
      from.dials.push_back(std::move(dial).value());
    } else {
      from.failures.push_back(dial.error());
    }
  }
  bool run_until(const std::function<bool()>& done) {
    const TimePoint end = runtime::EpollLoop::clock() + seconds(30);
    while (!done()) {
      const TimePoint now = runtime::EpollLoop::clock();
      if (now >= end) return false;
      loop_->turn(now + milliseconds(10));
    }
    return true;
  }
  void run_for(Duration d) {
    const TimePoint end = runtime::EpollLoop::clock() + d;
    run_until([&] { return runtime::EpollLoop::clock() >= end; });
  }
  // A plain socket connected to `to`, from `host` if that is given, which says nothing.
  static int raw_socket(const wire::Multiaddr& to, const char* host = nullptr) {
    const Endpoint e = endpoint_of(to, wire::proto::kTcp).value();
    const int fd = ::socket(e.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (host) {
      Endpoint from;
      from.v4.sin_family = AF_INET;
      from.v4.sin_addr.s_addr = inet_addr(host);
      EXPECT_EQ(::bind(fd, &from.sa, from.size()), 0);
    }
    EXPECT_EQ(::connect(fd, &e.sa, e.size()), 0);
    return fd;
  }

  std::unique_ptr<runtime::EpollLoop> loop_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(Tcp, DialsAndListensOnTcpAndNothingBehindIt) {
  Node& n = make_node();
  for (const char* yes :
       {"/ip4/1.2.3.4/tcp/1", "/ip6/::1/tcp/1", "/ip6zone/lo/ip6/fe80::1/tcp/1"}) {
    EXPECT_TRUE(n.tcp->can_dial(at(yes))) << yes;
    EXPECT_TRUE(n.tcp->can_listen(at(yes))) << yes;
  }
  for (const char* no : {"/ip4/1.2.3.4", "/ip4/1.2.3.4/tcp/1/ws", "/ip4/1.2.3.4/udp/1", "/tcp/1",
                         "/dns4/localhost/tcp/1", "/ip4/1.2.3.4/tcp/1/tcp/2"}) {
    EXPECT_FALSE(n.tcp->can_dial(at(no))) << no;
    EXPECT_FALSE(n.tcp->can_listen(at(no))) << no;
  }
}

TEST_F(Tcp, DialsLeaveFromTheListeningPort) {
  for (const char* host : {"/ip4/127.0.0.1", "/ip4/0.0.0.0"}) {
    Node& a = make_node();
    Node& b = make_node();
    const wire::Multiaddr a_listens = listen(a, std::string(host) + "/tcp/0");
    const wire::Multiaddr b_listens = listen(b);
    dial(a, b_listens);
    ASSERT_TRUE(run_until([&] { return a.connections.size() + b.connections.size() == 2; }));
    EXPECT_EQ(b.connections[0]->remote_address().find(wire::proto::kTcp)->value_text(),
              a_listens.find(wire::proto::kTcp)->value_text());
    EXPECT_EQ(a.connections[0]->remote_address(), b_listens);
    EXPECT_EQ(b.connections[0]->local_address(), b_listens);
  }
}

TEST_F(Tcp, ASecondConnectionToTheSamePlaceLeavesFromAnyPort) {
  Node& a = make_node();
  Node& b = make_node();
  listen(a);
  const wire::Multiaddr to = listen(b);
  for (size_t i = 1; i <= 3; ++i) {
    dial(a, to);
    ASSERT_TRUE(run_until([&] { return a.connections.size() == i && b.connections.size() == i; }))
        << (a.failures.empty() ? "" : a.failures[0].to_string());
  }
}

TEST_F(Tcp, BothMayDialFromTheirListeningPortsAtOnce) {
  for (int round = 0; round < 10; ++round) {
    Node& a = make_node();
    Node& b = make_node();
    const wire::Multiaddr a_listens = listen(a);
    const wire::Multiaddr b_listens = listen(b);
    dial(a, b_listens);
    dial(b, a_listens);
    ASSERT_TRUE(run_until([&] { return a.connections.size() == 2 && b.connections.size() == 2; }));
  }
}

TEST_F(Tcp, ANodeThatDialsItselfReachesItself) {
  for (const char* host : {"/ip4/127.0.0.1", "/ip4/0.0.0.0"}) {
    Node& n = make_node();
    const std::string port =
        listen(n, std::string(host) + "/tcp/0").find(wire::proto::kTcp)->value_text();
    dial(n, at("/ip4/127.0.0.1/tcp/" + port));
    ASSERT_TRUE(run_until([&] { return n.connections.size() == 2; }));
    EXPECT_EQ(n.connections[0]->remote_peer(), n.id);
  }
}

TEST_F(Tcp, APortInUseIsAClearError) {
  Node& a = make_node();
  Node& b = make_node();
  const wire::Multiaddr taken = listen(a);
  for (Node* n : {&a, &b}) {
    const auto again = n->tcp->listen(taken, n);
    EXPECT_EQ(again.status(), KITH_ERR_ADDRESS_IN_USE);
    EXPECT_NE(again.error().detail().find(taken.to_string()), std::string::npos);
  }
  EXPECT_EQ(a.tcp->listen(at("/ip4/192.0.2.77/tcp/0"), &a).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST_F(Tcp, BothFamiliesMayHaveOnePort) {
  const int probe = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_addr = in6addr_loopback;
  const bool has_ipv6 =
      probe >= 0 && ::bind(probe, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
  ::close(probe);
  if (!has_ipv6) GTEST_SKIP() << "no IPv6";
  Node& a = make_node();
  const std::string port = listen(a, "/ip4/0.0.0.0/tcp/0").find(wire::proto::kTcp)->value_text();
  listen(a, "/ip6/::/tcp/" + port);
  Node& b = make_node();
  dial(b, at("/ip4/127.0.0.1/tcp/" + port));
  dial(b, at("/ip6/::1/tcp/" + port));
  EXPECT_TRUE(run_until([&] { return b.connections.size() == 2; }));
}

TEST_F(Tcp, ANodeRestartsOnItsPortWhileOldConnectionsLinger) {
  std::string address = "/ip4/127.0.0.1/tcp/0";
  Node& peer = make_node();
  for (int i = 0; i < 3; ++i) {
    Node& n = make_node();
    address = listen(n, address).to_string();
    dial(peer, at(address));
    ASSERT_TRUE(run_until([&] { return n.connections.size() == 1; }));
    stop(n);
    nodes_.pop_back();
  }
}

TEST_F(Tcp, NobodyThereIsRefused) {
  Node& a = make_node();
  Node& b = make_node();
  const wire::Multiaddr gone = listen(b);
  b.listeners.clear();
  dial(a, gone);
  ASSERT_TRUE(run_until([&] { return a.failures.size() == 1; }));
  EXPECT_EQ(a.failures[0].status(), KITH_ERR_CONNECTION_REFUSED) << a.failures[0].to_string();
  EXPECT_EQ(a.tcp->dial(at("/ip4/127.0.0.1/tcp/0"), {}, &a).status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(a.tcp->dial(at("/ip4/0.0.0.0/tcp/1"), {}, &a).status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST_F(Tcp, MoreHandshakesThanAllowedAreHungUpOn) {
  TcpConfig config;
  config.upgrade.admission = std::make_shared<Admission>(AdmissionConfig{.max_handshakes = 4});
  config.upgrade.timeout = milliseconds(300);
  Node& n = make_node(config);
  const wire::Multiaddr to = listen(n);
  std::vector<int> sockets;
  for (int i = 0; i < 8; ++i) sockets.push_back(raw_socket(to));
  run_for(milliseconds(100));
  int hung_up = 0;
  for (const int fd : sockets) {
    uint8_t byte = 0;
    hung_up += recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
  }
  EXPECT_EQ(hung_up, 4);
  // That is told once. The silent ones are given up at the deadline, and then there is room for somebody who talks.
  ASSERT_TRUE(run_until([&] { return n.failures.size() == 5; }));
  EXPECT_EQ(n.failures[0].status(), KITH_ERR_LIMIT) << n.failures[0].to_string();
  EXPECT_EQ(n.failures[1].status(), KITH_ERR_TIMEOUT) << n.failures[1].to_string();
  Node& peer = make_node();
  dial(peer, to);
  EXPECT_TRUE(run_until([&] { return n.connections.size() == 1; }));
  for (const int fd : sockets) ::close(fd);
}

TEST_F(Tcp, AnAddressThatOpensTooManyIsHungUpOnAndOthersAreServed) {
  TcpConfig config;
  config.upgrade.admission = std::make_shared<Admission>(AdmissionConfig{.limit_loopback = true});
  Node& n = make_node(config);
  const wire::Multiaddr to = listen(n);
  std::vector<int> sockets;
  for (int i = 0; i < 100; ++i) sockets.push_back(raw_socket(to, "127.0.1.1"));
  run_for(milliseconds(100));
  int hung_up = 0;
  for (const int fd : sockets) {
    uint8_t byte = 0;
    hung_up += recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
  }
  EXPECT_EQ(hung_up, 92);
  ASSERT_EQ(n.failures.size(), 1U);
  EXPECT_EQ(n.failures[0].detail(), "too many connections from 127.0.1.1/32 (8)");
  Node& peer = make_node();
  dial(peer, to);  // from 127.0.0.1
  EXPECT_TRUE(run_until([&] { return n.connections.size() == 1; }));
  for (const int fd : sockets) ::close(fd);
}

TEST_F(Tcp, FewSocketsLingerForPeersThatDoNotHangUp) {
  TcpConfig config;
  config.linger = seconds(20);
  config.max_finishing = 2;
  Node& n = make_node(config);
  const wire::Multiaddr to = listen(n);
  std::vector<int> sockets;
  const std::string_view garbage = "\x04oops";
  for (int i = 0; i < 5; ++i) {
    sockets.push_back(raw_socket(to));
    EXPECT_EQ(send(sockets.back(), garbage.data(), garbage.size(), 0), 5);
  }
  ASSERT_TRUE(run_until([&] { return n.failures.size() == 5; }));
  // The answer to more bytes is a reset where nobody lingers.
  for (const int fd : sockets) EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
  run_for(milliseconds(50));
  int num_reset = 0;
  for (const int fd : sockets) num_reset += send(fd, "x", 1, MSG_NOSIGNAL) < 0;
  EXPECT_EQ(num_reset, 3);
  for (const int fd : sockets) ::close(fd);
}

TEST_F(Tcp, RunningOutOfDescriptorsOnlyDelaysConnections) {
  Node& n = make_node();
  Node& peer = make_node();
  const wire::Multiaddr to = listen(n);
  const int first = raw_socket(to);
  const int lowest_free = ::dup(first);
  ::close(lowest_free);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  // None is left.
  const rlimit tight{static_cast<rlim_t>(lowest_free), old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  run_for(milliseconds(250));
  EXPECT_TRUE(n.connections.empty());
  EXPECT_EQ(peer.tcp->dial(to, {}, &peer).status(), KITH_ERR_LIMIT);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  dial(peer, to);
  EXPECT_TRUE(run_until([&] { return n.connections.size() == 1; }));
  ::close(first);
}

TEST_F(Tcp, WhoHearsThatAConnectionWasRefusedMayStopListening) {
  TcpConfig config;
  config.upgrade.admission = std::make_shared<Admission>(AdmissionConfig{.max_handshakes = 1});
  Node& n = make_node(config);
  const wire::Multiaddr to = listen(n);
  n.on_refused = [&n] { n.listeners.clear(); };
  std::vector<int> sockets;
  for (int i = 0; i < 4; ++i) sockets.push_back(raw_socket(to));
  ASSERT_TRUE(run_until([&] { return n.listeners.empty(); }));
  run_for(milliseconds(1));
  for (const int fd : sockets) ::close(fd);
}

TEST_F(Tcp, TheKernelAsksWhetherASilentPeerIsStillThere) {
  Node& a = make_node();
  Node& b = make_node();
  dial(a, listen(b));
  ASSERT_TRUE(run_until([&] { return a.connections.size() == 1 && b.connections.size() == 1; }));
  int num_watched = 0;
  for (int fd = 3; fd < 64; ++fd) {
    int kind = 0, is_on = 0, idle = 0, is_listening = 0;
    socklen_t size = sizeof kind;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_STREAM) continue;
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size);
    if (is_listening) continue;
    getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_on, &size);
    getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size);
    num_watched += is_on != 0 && seconds(idle) == limits::kTcpKeepAlive;
  }
  EXPECT_EQ(num_watched, 2);
}

TEST_F(Tcp, MoreConnectionsAtOnceThanOneTurnTakesAreAllTaken) {
  Node& n = make_node();
  const wire::Multiaddr to = listen(n);
  std::vector<int> sockets;
  for (int i = 0; i < 200; ++i) sockets.push_back(raw_socket(to));
  for (const int fd : sockets) ::close(fd);
  ASSERT_TRUE(run_until([&] { return n.failures.size() == sockets.size(); }));
  EXPECT_EQ(n.failures[0].status(), KITH_ERR_CONNECTION_LOST) << n.failures[0].to_string();
}

TEST_F(Tcp, TwoThatDialEachOtherAtTheSameMomentConnectByTheirRoles) {
  for (const Role role : {Role::kDialer, Role::kListener}) {
    Node& a = make_node();
    Node& b = make_node();
    test::DeafPort deaf;
    ASSERT_TRUE(deaf.is_ready());
    const std::string to_b = "/ip4/127.0.0.1/tcp/" + std::to_string(deaf.port());
    const wire::Multiaddr to_a = listen(a);
    dial(a, at(to_b), {b.id, role});
    ASSERT_TRUE(run_until([&] { return deaf.dialer().has_value(); }));
    deaf.give_up();
    listen(b, to_b);  // dials leave from there
    dial(b, to_a, {a.id, role == Role::kDialer ? Role::kListener : Role::kDialer});
    ASSERT_TRUE(run_until([&] { return a.connections.size() == 1 && b.connections.size() == 1; }));
    for (const Node* n : {&a, &b}) {
      EXPECT_EQ(n->connections[0]->direction(), Direction::kOutbound);
      EXPECT_TRUE(n->failures.empty()) << n->failures[0].to_string();
    }
    EXPECT_EQ(a.connections[0]->remote_address(), at(to_b));
    EXPECT_EQ(b.connections[0]->remote_address(), to_a);
  }
}

// Counts and checks the bytes of one stream, and ends it when its peer does.
struct Sink final : StreamHandler {
  size_t on_data(Stream&, Bytes data) override {
    for (const uint8_t b : data) is_intact &= b == static_cast<uint8_t>(size++ * 7);
    return data.size();
  }
  void on_read_closed(Stream& stream) override { stream.close_write(); }
  void on_reset(Stream&, uint64_t) override {}
  void on_stop(Stream&, uint64_t) override {}
  void on_writable(Stream&) override {}
  void on_closed(Stream&, const Error&) override { is_closed = true; }
  size_t size = 0;
  bool is_intact = true;
  bool is_closed = false;
};

TEST_F(Tcp, AKernelWithoutBuffersOnlyDelaysWhatIsSent) {
  Node& a = make_node();
  Node& b = make_node();
  Sink sink, source;
  b.inbound_stream = &sink;
  dial(a, listen(b));
  ASSERT_TRUE(run_until([&] { return a.connections.size() == 1 && b.connections.size() == 1; }));
  Stream* stream = a.connections[0]->open_stream(&source).value();
  ByteVector bytes(100'000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  num_sends_without_buffers = 50;
  EXPECT_TRUE(stream->write(Buffer::take(std::move(bytes))).ok());
  stream->close_write();
  ASSERT_TRUE(run_until([&] { return sink.is_closed && source.is_closed; }));
  EXPECT_EQ(num_sends_without_buffers, 0);
  EXPECT_EQ(sink.size, 100'000U);
  EXPECT_TRUE(sink.is_intact);
  EXPECT_TRUE(a.failures.empty() && b.failures.empty());
}

TEST_F(Tcp, StoppingWhileDialsAndHandshakesAreUnderWay) {
  Node& a = make_node();
  Node& b = make_node();
  const wire::Multiaddr to = listen(b);
  for (int turns = 0; turns < 12; ++turns) {
    Node& c = make_node();
    dial(c, to);
    for (int i = 0; i < turns; ++i) loop_->turn(runtime::EpollLoop::clock() + milliseconds(1));
    stop(c);
    nodes_.pop_back();
  }
  dial(a, to);
  EXPECT_TRUE(run_until([&] { return a.connections.size() == 1; }));
}

}  // namespace
}  // namespace kith::transport::tcp
