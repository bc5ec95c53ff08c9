// The pipes of WebSocket over ones in memory, and peers that do not read, do not end what they begin, or close.
#include "transport/websocket/pipe.h"

#include <gtest/gtest.h>

#include "protocol/tls/certificate.h"
#include "runtime/sim_loop.h"
#include "tests/support/sim_pipe.h"
#include "tests/support/tls_peer.h"
#include "tests/support/web_certificate.h"
#include "transport/upgrade/upgrader.h"
#include "transport/websocket/tls_pipe.h"

namespace kith::transport::websocket {
namespace {

using upgrade::Pipe;

void fill_zeros(MutableBytes out) { std::fill(out.begin(), out.end(), uint8_t{0}); }

// A pipe in memory that shows what is sent and takes only as much as it is told to.
class FakePipe final : public Pipe {
 public:
  bool is_open() const override { return true; }
  void send(OutputBytes& bytes) override {
    append(sent, bytes.bytes());
    if (is_unread) num_waiting += bytes.size();
    bytes.clear();
  }
  size_t waiting() const override { return num_waiting; }
  void finish() override { delete this; }
  wire::Multiaddr local_address() const override { return {}; }
  wire::Multiaddr remote_address() const override { return {}; }

  void receive(Bytes bytes) {
    uint8_t* to = nullptr;
    const Buffer b = pool.allocate(bytes.size(), &to);
    std::copy(bytes.begin(), bytes.end(), to);
    handler_->on_pipe_data({to, bytes.size()}, b);
  }
  void become_writable() {
    num_waiting = 0;
    handler_->on_pipe_writable();
  }

  BufferPool pool;
  ByteVector sent;
  size_t num_waiting = 0;
  bool is_unread = false;  // all that is sent waits
};

TEST(WebsocketPipe, AnswersOnePingWhenThePeerReadsAgain) {
  OutputBytes output;
  auto fake = std::make_unique<FakePipe>();
  FakePipe& below = *fake;
  WebsocketPipe pipe(std::move(fake), "", fill_zeros, {}, output);
  below.receive(
      as_bytes("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
  EXPECT_TRUE(pipe.is_open());
  below.sent.clear();
  below.receive(*from_hex("89810000000031"));
  EXPECT_EQ(to_hex(below.sent), "8a0131");
  below.num_waiting = 1;
  below.sent.clear();
  for (int i = 0; i < 1000; ++i) below.receive(*from_hex("89810000000032"));
  EXPECT_TRUE(below.sent.empty());
  below.become_writable();
  EXPECT_EQ(to_hex(below.sent), "8a0132");
}

// The server's end, with a client that is plain OpenSSL.
class WebTlsPipe : public testing::Test, protected upgrade::PipeHandler {
 protected:
  WebTlsPipe() {
    const test::WebCertificate c = test::make_web_certificate(loop_.unix_seconds());
    context_ =
        crypto::TlsContext::make_web_server(c.certificate_pem, as_text(c.private_key_pem)).value();
    auto fake = std::make_unique<FakePipe>();
    below_ = fake.get();
    pipe_ = std::make_unique<TlsPipe>(std::move(fake), loop_, output_);
    pipe_->set_handler(this);
    client_.prepare_to_seal();
    KITH_CHECK(pipe_->start(*context_, "", 0).ok());
    for (int i = 0; i < 3; ++i) {
      const ByteVector to_client = std::exchange(below_->sent, {});
      below_->receive(client_.step(to_client));
    }
    EXPECT_TRUE(pipe_->is_open() && SSL_is_init_finished(client_.ssl()));
  }
  void on_pipe_open() override {}
  void on_pipe_data(MutableBytes bytes, const Buffer&) override { append(received_, bytes); }
  void on_pipe_writable() override {}
  void on_pipe_end(const Error& error) override { ends_.push_back(error); }

  runtime::SimLoop loop_;
  OutputBytes output_;
  std::optional<crypto::TlsContext> context_;
  FakePipe* below_;
  std::unique_ptr<TlsPipe> pipe_;
  test::TlsPeer client_{/*is_client=*/true};
  ByteVector received_;
  std::vector<Error> ends_;
};

TEST_F(WebTlsPipe, KeyUpdatesWithoutDataEndIt) {
  for (size_t i = 0; i <= limits::kTlsMessagesWithoutData; ++i) {
    EXPECT_TRUE(ends_.empty());
    client_.update_keys();
    below_->receive(client_.step({}));
  }
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_EQ(ends_[0].status(), KITH_ERR_LIMIT) << ends_[0].to_string();
}

TEST_F(WebTlsPipe, AnswersThatAreNotReadEndItAtTheLimit) {
  below_->is_unread = true;
  below_->num_waiting = limits::kWaitingBytes - 1000;
  size_t i = 0;
  for (; ends_.empty() && i < 1000; ++i) {
    client_.update_keys();
    client_.write("x");
    below_->receive(client_.step({}));
  }
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_EQ(ends_[0].status(), KITH_ERR_LIMIT) << ends_[0].to_string();
  EXPECT_EQ(received_.size(), i);
  EXPECT_GT(below_->num_waiting, limits::kWaitingBytes);
  EXPECT_LT(below_->num_waiting, limits::kWaitingBytes + 100);
  EXPECT_FALSE(pipe_->is_open());
}

TEST_F(WebTlsPipe, ThatItCannotEncryptIsToldInALaterTurn) {
  const ByteVector begun_key_update = {24, 0, 0,
                                       1};  // OpenSSL writes nothing before the rest comes
  below_->receive(client_.seal(SSL3_RT_HANDSHAKE, begun_key_update));
  OutputBytes bytes;
  bytes.append(as_bytes("x"));
  pipe_->send(bytes);
  EXPECT_TRUE(bytes.empty() && ends_.empty());
  EXPECT_FALSE(pipe_->is_open());
  loop_.run_until_idle();
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_EQ(ends_[0].status(), KITH_ERR_CRYPTO) << ends_[0].to_string();
  below_->receive(client_.seal(SSL3_RT_HANDSHAKE, ByteVector{0}));
  loop_.run_until_idle();
  EXPECT_EQ(ends_.size(), 1U);
}

// Through which the test adds bytes to what goes down.
class Tap final : public upgrade::PipeLayer {
 public:
  using PipeLayer::PipeLayer;
  bool is_open() const override { return below_->is_open(); }
  void send(OutputBytes& bytes) override { below_->send(bytes); }

 private:
  void on_pipe_open() override { handler_->on_pipe_open(); }
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override {
    if (handler_) handler_->on_pipe_data(bytes, backing);
  }
};

struct Node final : DialHandler, ListenerHandler, ConnectionHandler {
  explicit Node(runtime::Loop& loop)
      : key(crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value()),
        upgrader(upgrade::Upgrader::create(
                     loop, key, tls::make_credentials(key, loop.unix_seconds()).value(), config())
                     .value()) {}
  // Noise, which has no goodbye of its own.
  static upgrade::UpgradeConfig config() {
    upgrade::UpgradeConfig out;
    out.security = {upgrade::Security::kNoise};
    return out;
  }
  void on_connected(Connection& c) override { on_connection(c); }
  void on_failed(const Error& e) override { end = e; }
  void on_connection(Connection& c) override {
    connection = &c;
    c.set_handler(this);
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override { end = e; }
  void on_stream(Connection&, Stream& stream) override { stream.abort(0); }
  void on_closed(Connection&, const Error& e) override {
    connection = nullptr;
    end = e;
  }
  const crypto::PrivateKey key;
  std::unique_ptr<upgrade::Upgrader> upgrader;
  Connection* connection = nullptr;
  Error end{KITH_OK, ""};
};

TEST(WebsocketClose, TheAnswerToACloseFrameIsSentThoughItHasToWait) {
  runtime::SimLoop loop;
  OutputBytes output;
  Node near(loop), far(loop);
  auto near_end = std::make_unique<test::SimPipe>(loop, milliseconds(10), 1);
  auto far_end = std::make_unique<test::SimPipe>(loop, milliseconds(10), 2);
  test::SimPipe::join(*near_end, *far_end);
  test::Faults& faults = far_end->faults;
  auto tap = std::make_unique<Tap>(std::move(near_end));
  Tap& near_tap = *tap;
  Status admitted;
  Endpoint from;
  from.v4.sin_family = AF_INET;
  const auto dial = near.upgrader->dial(
      std::make_unique<WebsocketPipe>(std::move(tap), "h", fill_zeros, wire::Multiaddr(), output),
      {}, &near);
  far.upgrader->accept(std::make_unique<WebsocketPipe>(std::move(far_end), "", fill_zeros,
                                                       wire::Multiaddr(), output),
                       far.upgrader->admit(from, &admitted), nullptr, &far);
  ASSERT_TRUE(loop.run_until([&] { return near.connection && far.connection; }))
      << near.end.to_string() << far.end.to_string();
  loop.run_for(seconds(1));
  faults.max_write = 1;
  faults.max_delay = seconds(1);
  OutputBytes close_frame;
  close_frame.append(*from_hex("888000000000"));
  near_tap.send(close_frame);
  ASSERT_TRUE(loop.run_until([&] { return !near.connection && !far.connection; }));
  // Not "lost": each heard of the end.
  EXPECT_EQ(near.end.status(), KITH_ERR_CLOSED) << near.end.to_string();
  EXPECT_EQ(far.end.status(), KITH_ERR_CLOSED) << far.end.to_string();
  for (Node* n : {&near, &far}) {
    n->upgrader->shutdown([](void*) {}, nullptr);
    EXPECT_TRUE(loop.run_until([&] { return n->upgrader->is_empty(); }));
  }
  loop.run_until_idle();
}

}  // namespace
}  // namespace kith::transport::websocket
