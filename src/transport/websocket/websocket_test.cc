// WebSocket as it is on a machine: addresses, certificates, and HTTP clients that are no nodes. What all transports have in
// common is in tests/conformance, the machines are in protocol/websocket.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "protocol/tls/certificate.h"
#include "tests/support/web_certificate.h"
#include "transport/websocket/pipe.h"
#include "transport/websocket/transport.h"

namespace kith::transport::websocket {
namespace {

struct Node final : DialHandler, ListenerHandler, ConnectionHandler {
  Node(runtime::EpollLoop& loop, const tcp::TcpConfig& tcp, const WebsocketConfig& config)
      : key(crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value()),
        transport(
            WebsocketTransport::create(
                loop, key, tls::make_credentials(key, loop.unix_seconds()).value(), tcp, config)
                .value()) {}
  void on_connected(Connection& c) override { add(c); }
  void on_failed(const Error& e) override { failures.push_back(e); }
  void on_connection(Connection& c) override { add(c); }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override { failures.push_back(e); }
  void add(Connection& c) {
    c.set_handler(this);
    connections.push_back(&c);
  }
  void on_stream(Connection&, Stream& stream) override { stream.abort(0); }
  void on_closed(Connection& c, const Error& e) override {
    std::erase(connections, &c);
    ends.push_back(e);
  }

  const crypto::PrivateKey key;
  std::unique_ptr<WebsocketTransport> transport;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::unique_ptr<Dial>> dials;
  std::vector<Connection*> connections;
  std::vector<Error> failures;
  std::vector<Error> ends;
};

wire::Multiaddr at(const std::string& text) { return wire::Multiaddr::parse(text).value(); }

class Websocket : public testing::Test {
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
    n.transport->shutdown([](void* flag) { *static_cast<bool*>(flag) = true; }, &done);
    EXPECT_TRUE(run_until([&] { return done; }));
    EXPECT_TRUE(n.connections.empty());
  }
  Node& make_node(const WebsocketConfig& config = {}, const tcp::TcpConfig& tcp = {}) {
    return *nodes_.emplace_back(std::make_unique<Node>(*loop_, tcp, config));
  }
  // What a server has, and a client that trusts it.
  WebsocketConfig with_certificate() const {
    const test::WebCertificate c = test::make_web_certificate(loop_->unix_seconds());
    return {c.certificate_pem, c.private_key_pem, c.certificate_pem, false};
  }
  wire::Multiaddr listen(Node& n, const std::string& text = "/ip4/127.0.0.1/tcp/0/ws") {
    Result<std::unique_ptr<Listener>> listener = n.transport->listen(at(text), &n);
    EXPECT_TRUE(listener.ok()) << listener.error().to_string();
    n.listeners.push_back(std::move(listener).value());
    return n.listeners.back()->address();
  }
  void dial(Node& from, const wire::Multiaddr& to) {
    Result<std::unique_ptr<Dial>> dial = from.transport->dial(to, {}, &from);
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
  // Whether `to` is reached; else why not, in `from.failures`.
  bool reaches(Node& from, const wire::Multiaddr& to) {
    const size_t connected = from.connections.size(), failed = from.failures.size();
    dial(from, to);
    run_until([&] { return from.connections.size() + from.failures.size() > connected + failed; });
    return from.connections.size() > connected;
  }
  // What a plain socket that says `text` hears until the other end hangs up.
  std::string talk(const wire::Multiaddr& to, std::string_view text) {
    const Endpoint e = endpoint_of(to, wire::proto::kTcp).value();
    const int fd = ::socket(e.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, &e.sa, e.size()), 0);
    EXPECT_EQ(::send(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::string out;
    char buf[4096];
    EXPECT_TRUE(run_until([&] {
      const ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
      if (n > 0) out.append(buf, static_cast<size_t>(n));
      return n == 0 || (n < 0 && errno != EAGAIN);
    }));
    ::close(fd);
    return out;
  }

  std::unique_ptr<runtime::EpollLoop> loop_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

TEST_F(Websocket, DialsAndListensOnWebSocketAlone) {
  Node& n = make_node();
  for (const char* yes :
       {"/ip4/1.2.3.4/tcp/1/ws", "/ip6/::1/tcp/1/tls/ws", "/ip4/1.2.3.4/tcp/1/tls/sni/a.example/ws",
        "/ip4/1.2.3.4/tcp/1/wss", "/ip6zone/lo/ip6/fe80::1/tcp/1/ws"}) {
    EXPECT_TRUE(n.transport->can_dial(at(yes))) << yes;
    EXPECT_TRUE(n.transport->can_listen(at(yes))) << yes;
  }
  for (const char* no :
       {"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/udp/1/ws", "/ip4/1.2.3.4/tcp/1/tls", "/ws", "/tcp/1/ws",
        "/ip4/1.2.3.4/tcp/1/ws/ws", "/ip4/1.2.3.4/tcp/1/tls/wss", "/ip4/1.2.3.4/tcp/1/sni/a/ws",
        "/ip4/1.2.3.4/tcp/1/tls/sni/a", "/ip4/1.2.3.4/tcp/1/wss/ws", "/dns4/localhost/tcp/1/ws"}) {
    EXPECT_FALSE(n.transport->can_dial(at(no))) << no;
    EXPECT_FALSE(n.transport->can_listen(at(no))) << no;
  }
}

TEST_F(Websocket, HttpHasNoListenerThatDials) {
  Node& n = make_node();
  const DialOptions options = {.role = Role::kListener};
  EXPECT_EQ(n.transport->dial(at("/ip4/127.0.0.1/tcp/1/ws"), options, &n).status(),
            KITH_ERR_NOT_SUPPORTED);
}

TEST_F(Websocket, ANameThatIsNoHostNameIsNotDialed) {
  Node& n = make_node();
  const Result<wire::Multiaddr> hostile =
      at("/ip4/1.2.3.4/tcp/1/tls").with(wire::proto::kSni, as_bytes("a\r\nX: y"));
  EXPECT_FALSE(hostile.ok() && n.transport->can_dial(hostile->with(at("/ws"))));
  const std::string in_tls = "/ip4/1.2.3.4/tcp/1/tls/sni/";
  EXPECT_FALSE(n.transport->can_dial(at(in_tls + "a b/ws")));
  EXPECT_FALSE(n.transport->can_dial(at(in_tls + std::string(254, 'a') + "/ws")));
  EXPECT_TRUE(n.transport->can_dial(at(in_tls + std::string(253, 'a') + "/ws")));
}

TEST_F(Websocket, AddressesOfConnectionsSayWhatTheyAreMadeOf) {
  Node& a = make_node(with_certificate());
  WebsocketConfig trusting;
  trusting.accept_any_certificate = true;
  for (const auto& [asked, said] : {std::pair{"/ws", "/ws"},
                                    {"/tls/ws", "/tls/ws"},
                                    {"/wss", "/tls/ws"},
                                    {"/tls/sni/localhost/ws", "/tls/sni/localhost/ws"}}) {
    const wire::Multiaddr to = listen(a, std::string("/ip4/127.0.0.1/tcp/0") + asked);
    EXPECT_EQ(to.to_string().substr(to.to_string().find('/', sizeof "/ip4/127.0.0.1/tcp/")), said);
    Node& b = make_node(trusting);
    ASSERT_TRUE(reaches(b, to)) << b.failures[0].to_string();
    EXPECT_EQ(b.connections[0]->remote_address(), to);
    ASSERT_TRUE(run_until([&] { return !a.connections.empty(); }));
    EXPECT_EQ(a.connections[0]->local_address(), to);
    EXPECT_TRUE(a.connections[0]->remote_address().to_string().ends_with(said));
    stop(b);
    nodes_.pop_back();
    ASSERT_TRUE(run_until([&] { return a.connections.empty(); }));
  }
  // An orderly end, told inside the secure channel, around that or both.
  for (const Error& e : a.ends) EXPECT_EQ(e.status(), KITH_ERR_CLOSED) << e.to_string();
}

TEST_F(Websocket, DialsLeaveFromTheListeningPort) {
  Node& a = make_node();
  Node& b = make_node();
  const wire::Multiaddr from = listen(a);
  ASSERT_TRUE(reaches(a, listen(b)));
  ASSERT_TRUE(run_until([&] { return b.connections.size() == 1; }));
  EXPECT_EQ(b.connections[0]->remote_address(), from);
}

TEST_F(Websocket, APrivateNetworkLiesInside) {
  tcp::TcpConfig tcp;
  tcp.upgrade.network_key = crypto::SecretBytes(32, 7);
  Node& a = make_node({}, tcp);
  Node& b = make_node({}, tcp);
  const wire::Multiaddr to = listen(a);
  EXPECT_TRUE(reaches(b, to));
  tcp.upgrade.network_key = {};
  tcp.upgrade.timeout = milliseconds(200);
  EXPECT_FALSE(reaches(make_node({}, tcp), to));
}

TEST_F(Websocket, ACertificateIsVerifiedUnlessToldOtherwise) {
  const WebsocketConfig ours = with_certificate();
  Node& server = make_node(ours);
  const wire::Multiaddr to = listen(server, "/ip4/127.0.0.1/tcp/0/tls/ws");
  const std::string port = to.find(wire::proto::kTcp)->value_text();
  WebsocketConfig config;
  config.roots_pem = with_certificate().roots_pem;  // of another
  Node& wrong_root = make_node(config);
  EXPECT_FALSE(reaches(wrong_root, to));
  EXPECT_EQ(wrong_root.failures[0].status(), KITH_ERR_BAD_CERTIFICATE)
      << wrong_root.failures[0].to_string();
  config.accept_any_certificate = true;
  EXPECT_TRUE(reaches(make_node(config), to));
  // The name is that of /sni, or the IP address.
  Node& right_root = make_node(ours);
  const std::string ip = "/ip4/127.0.0.1/tcp/" + port;
  EXPECT_TRUE(reaches(right_root, at(ip + "/tls/sni/localhost/ws")));
  EXPECT_TRUE(reaches(right_root, at(ip + "/wss")));
  EXPECT_FALSE(reaches(right_root, at(ip + "/tls/sni/example.com/ws")));
  EXPECT_EQ(right_root.failures[0].status(), KITH_ERR_BAD_CERTIFICATE);
}

TEST_F(Websocket, ListeningWithTlsNeedsACertificateThatFits) {
  Node& n = make_node();
  const auto listener = n.transport->listen(at("/ip4/127.0.0.1/tcp/0/tls/ws"), &n);
  EXPECT_EQ(listener.status(), KITH_ERR_INVALID_ARGUMENT);
  EXPECT_NE(listener.error().detail().find("certificate"), std::string::npos);
  WebsocketConfig config = with_certificate();
  config.private_key_pem = with_certificate().private_key_pem;
  EXPECT_EQ(
      WebsocketTransport::create(
          *loop_, n.key, tls::make_credentials(n.key, loop_->unix_seconds()).value(), {}, config)
          .status(),
      KITH_ERR_INVALID_ARGUMENT);
}

TEST_F(Websocket, HttpThatDoesNotUpgradeHearsWhyAndIsHungUpOn) {
  Node& n = make_node();
  const wire::Multiaddr to = listen(n);
  const std::string answer = talk(to, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n")) << answer;
  EXPECT_TRUE(talk(to, "\x13/multistream/1.0.0\n").starts_with("HTTP/1.1 400 "));
  ASSERT_TRUE(run_until([&] { return n.failures.size() == 2; }));
  EXPECT_EQ(n.failures[0].status(), KITH_ERR_HANDSHAKE) << n.failures[0].to_string();
  EXPECT_EQ(n.failures[1].status(), KITH_ERR_MALFORMED) << n.failures[1].to_string();
}

TEST_F(Websocket, WhoSaysNothingIsGivenUpAtTheDeadline) {
  tcp::TcpConfig tcp;
  tcp.upgrade.timeout = milliseconds(100);
  Node& n = make_node(with_certificate(), tcp);
  EXPECT_EQ(talk(listen(n), "GET / HTTP/1.1\r\n"), "");
  EXPECT_EQ(talk(listen(n, "/ip4/127.0.0.1/tcp/0/wss"), "\x16"), "");
  ASSERT_TRUE(run_until([&] { return n.failures.size() == 2; }));
  for (const Error& e : n.failures) EXPECT_EQ(e.status(), KITH_ERR_TIMEOUT);
}

TEST_F(Websocket, TcpWithoutWebSocketIsNoServer) {
  Node& n = make_node(with_certificate());
  const wire::Multiaddr plain = listen(n);
  Node& secure_dialer = make_node(with_certificate());
  const std::string port = plain.find(wire::proto::kTcp)->value_text();
  EXPECT_FALSE(reaches(secure_dialer, at("/ip4/127.0.0.1/tcp/" + port + "/wss")));
  EXPECT_EQ(secure_dialer.failures[0].status(), KITH_ERR_HANDSHAKE)
      << secure_dialer.failures[0].to_string();
}

// A pipe in memory that shows what is sent and takes only as much as it is told to.
class FakePipe final : public upgrade::Pipe {
 public:
  bool is_open() const override { return true; }
  void send(OutputBytes& bytes) override {
    append(sent, bytes.bytes());
    bytes.clear();
  }
  size_t waiting() const override { return num_waiting; }
  void finish() override { delete this; }
  wire::Multiaddr local_address() const override { return {}; }
  wire::Multiaddr remote_address() const override { return {}; }
  upgrade::PipeHandler& handler() { return *handler_; }

  ByteVector sent;
  size_t num_waiting = 0;
};

TEST(WebsocketPipe, AnswersOnePingWhenThePeerReadsAgain) {
  BufferPool pool;
  OutputBytes output;
  auto fake = std::make_unique<FakePipe>();
  FakePipe& below = *fake;
  const auto zeros = [](MutableBytes out) { std::fill(out.begin(), out.end(), uint8_t{0}); };
  WebsocketPipe pipe(std::move(fake), "", zeros, {}, output);
  const auto receive = [&](Bytes bytes) {
    uint8_t* to = nullptr;
    const Buffer b = pool.allocate(bytes.size(), &to);
    std::copy(bytes.begin(), bytes.end(), to);
    below.handler().on_pipe_data({to, bytes.size()}, b);
  };
  receive(
      as_bytes("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
  EXPECT_TRUE(pipe.is_open());
  below.sent.clear();
  receive(*from_hex("89810000000031"));
  EXPECT_EQ(to_hex(below.sent), "8a0131");
  below.num_waiting = 1;
  below.sent.clear();
  for (int i = 0; i < 1000; ++i) receive(*from_hex("89810000000032"));
  EXPECT_TRUE(below.sent.empty());
  below.num_waiting = 0;
  below.handler().on_pipe_writable();
  EXPECT_EQ(to_hex(below.sent), "8a0132");
}

}  // namespace
}  // namespace kith::transport::websocket
