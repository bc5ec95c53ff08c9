// For tests of the swarm and of services: swarms on virtual time over the memory transport, and peers that speak the bare
// transport, so that they can say anything.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_loop.h"
#include "swarm/swarm.h"
#include "transport/memory/memory.h"

namespace kith::swarm::test {

inline identity::PeerId peer_id(uint8_t n) {
  ByteVector multihash = {0x12, 32};  // sha2-256
  multihash.resize(34, n);
  return identity::PeerId::decode(multihash).value();
}

inline wire::Multiaddr address(std::string_view text) {
  return wire::Multiaddr::parse(text).value();
}
inline wire::Multiaddr with_peer(const wire::Multiaddr& a, const identity::PeerId& id) {
  return a.with(wire::proto::kP2p, id.bytes()).value();
}

// One line of multistream-select.
inline std::string line(std::string_view text) {
  std::string out(1, static_cast<char>(text.size() + 1));  // below 127 in these tests
  return out + std::string(text) + "\n";
}
inline const std::string kHeader = line("/multistream/1.0.0");

// The handler of a stream: writes down all that happens, and can be told how to answer.
class TestStream final : public ProtocolStream {
 public:
  void on_open(transport::Stream& s, std::string_view protocol) override {
    log += "open(" + std::string(protocol) + ") ";
    if (open) open(s);
  }
  size_t on_data(transport::Stream& s, Bytes data) override {
    const size_t n = take ? take(s, data) : data.size();
    received += as_text(data.first(n));
    return n;
  }
  void on_read_closed(transport::Stream& s) override {
    log += "fin ";
    if (read_closed) read_closed(s);
  }
  void on_reset(transport::Stream&, uint64_t code) override {
    log += "reset" + std::to_string(code) + " ";
  }
  void on_stop(transport::Stream&, uint64_t code) override {
    log += "stop" + std::to_string(code) + " ";
  }
  void on_writable(transport::Stream&) override { log += "writable "; }
  void on_closed(transport::Stream&, const Error& error) override {
    EXPECT_FALSE(closed);
    closed = true;
    end = error;
    log += "closed ";
  }
  std::function<void(transport::Stream&)> open;
  std::function<size_t(transport::Stream&, Bytes)> take;
  std::function<void(transport::Stream&)> read_closed;
  std::string log;
  std::string received;
  bool closed = false;
  Error end{KITH_OK, ""};
};

// Serves a protocol: every stream gets a TestStream.
class TestProtocol final : public ProtocolHandler {
 public:
  void on_stream(PeerConnection&, transport::Stream& s, std::string_view protocol) override {
    last_protocol = protocol;
    if (refuse) return;
    streams.push_back(std::make_unique<TestStream>());
    raw.push_back(&s);
    s.set_handler(streams.back().get());
    if (accept) accept(s, *streams.back());
  }
  TestStream& last() { return *streams.at(streams.size() - 1); }
  std::function<void(transport::Stream&, TestStream&)> accept;
  bool refuse = false;
  std::string last_protocol;
  std::vector<std::unique_ptr<TestStream>> streams;
  std::vector<transport::Stream*> raw;
};

// The outcome of one connect.
class TestConnect final : public ConnectHandler {
 public:
  void on_connect(PeerConnection& c) override {
    ++num_outcomes;
    connection = &c;
    if (connected) connected(c);
  }
  void on_connect_failed(const Error& error) override {
    ++num_outcomes;
    failure = error;
    if (failed) failed();
  }
  std::function<void(PeerConnection&)> connected;
  std::function<void()> failed;
  int num_outcomes = 0;
  PeerConnection* connection = nullptr;
  Error failure{KITH_OK, ""};
  std::unique_ptr<Connect> claim;
};

// A swarm that listens, with an observer that remembers.
class TestSwarm final : public Observer {
 public:
  TestSwarm(runtime::SimLoop& l, transport::memory::MemoryNetwork& network, uint8_t n,
            transport::memory::MemoryConfig config = {})
      : TestSwarm(l, network, peer_id(n), config) {}
  TestSwarm(runtime::SimLoop& l, transport::memory::MemoryNetwork& network,
            const identity::PeerId& i, transport::memory::MemoryConfig config = {})
      : loop(l), id(i), swarm(l, i) {
    swarm.add_transport(
        std::make_unique<transport::memory::MemoryTransport>(l, network, id, config));
    EXPECT_TRUE(swarm.listen(test::address("/memory/0")).ok());
    swarm.add_observer(this);
  }
  ~TestSwarm() { stop(); }
  void stop() {
    if (std::exchange(stopped, true)) return;
    bool done = false;
    swarm.shutdown([](void* d) { *static_cast<bool*>(d) = true; }, &done);
    EXPECT_FALSE(done);
    EXPECT_TRUE(loop.run_until([&] { return done; }));
    EXPECT_TRUE(swarm.connections().empty());
  }
  wire::Multiaddr address() const { return swarm.listen_addresses().at(0); }
  // Starts to connect; the claim is in the result.
  Status connect(TestConnect& out, const identity::PeerId& peer,
                 std::vector<wire::Multiaddr> addresses,
                 transport::Role role = transport::Role::kDialer) {
    KITH_ASSIGN(out.claim, swarm.connect(peer, addresses, &out, role));
    return {};
  }
  // A connection to `other`.
  PeerConnection& connected_to(TestSwarm& other) {
    TestConnect c;
    EXPECT_TRUE(connect(c, other.id, {other.address()}).ok());
    EXPECT_TRUE(loop.run_until([&] { return c.num_outcomes == 1; }));
    EXPECT_TRUE(loop.run_until([&] { return other.swarm.find(id) != nullptr; }));
    return *c.connection;
  }
  transport::Stream* open(PeerConnection& c, TestStream& handler,
                          std::vector<std::string_view> protocols) {
    Result<transport::Stream*> s = c.open_stream(protocols, &handler);
    EXPECT_TRUE(s.ok());
    return *s;
  }
  Status write(transport::Stream* s, std::string_view text) {
    return s->write(loop.buffers().copy(as_bytes(text)));
  }

  void on_connected(PeerConnection& c) override {
    ++num_connected;
    if (observe_connected) observe_connected(c);
  }
  void on_disconnected(PeerConnection&, const Error& error) override {
    ++num_disconnected;
    disconnect_error = error;
  }
  void on_stream_failed(PeerConnection&, const Error& error) override {
    stream_failures.push_back(error);
  }
  void on_identified(PeerConnection&) override { ++num_identified; }
  void on_identify_failed(PeerConnection&, const Error& error) override {
    identify_failures.push_back(error);
  }

  runtime::SimLoop& loop;
  const identity::PeerId id;
  Swarm swarm;
  std::function<void(PeerConnection&)> observe_connected;
  int num_connected = 0;
  int num_disconnected = 0;
  int num_identified = 0;
  Error disconnect_error{KITH_OK, ""};
  std::vector<Error> stream_failures;
  std::vector<Error> identify_failures;
  bool stopped = false;
};

// A peer without a swarm: connections and streams as the transport gives them.
class RawPeer final : public transport::ListenerHandler,
                      transport::DialHandler,
                      transport::ConnectionHandler {
 public:
  RawPeer(runtime::SimLoop& l, transport::memory::MemoryNetwork& network, uint8_t n)
      : RawPeer(l, network, peer_id(n)) {}
  RawPeer(runtime::SimLoop& l, transport::memory::MemoryNetwork& network, const identity::PeerId& i)
      : loop(l), id(i), transport(l, network, id) {
    listener = transport.listen(test::address("/memory/0"), this).value();
  }
  ~RawPeer() {
    listener.reset();
    bool done = false;
    transport.shutdown([](void* d) { *static_cast<bool*>(d) = true; }, &done);
    EXPECT_TRUE(loop.run_until([&] { return done; }));
  }
  void dial(const wire::Multiaddr& a) {
    dialing = transport.dial(a, {}, this).value();
    EXPECT_TRUE(loop.run_until([&] { return connection != nullptr; }));
  }
  transport::Stream* open(TestStream& handler) { return connection->open_stream(&handler).value(); }
  Status write(transport::Stream* s, std::string_view text) {
    return s->write(loop.buffers().copy(as_bytes(text)));
  }

  runtime::SimLoop& loop;
  const identity::PeerId id;
  transport::memory::MemoryTransport transport;
  std::unique_ptr<transport::Listener> listener;
  std::unique_ptr<transport::Dial> dialing;
  transport::Connection* connection = nullptr;  // the latest
  // Streams that the other side opened, with their handlers.
  std::vector<transport::Stream*> raw;
  std::vector<std::unique_ptr<TestStream>> streams;
  std::function<void(transport::Stream&, TestStream&)> accept;
  Error end{KITH_OK, ""};

 private:
  void on_connection(transport::Connection& c) override {
    connection = &c;
    c.set_handler(this);
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error&) override {}
  void on_connected(transport::Connection& c) override { on_connection(c); }
  void on_failed(const Error&) override {}
  void on_stream(transport::Connection&, transport::Stream& s) override {
    streams.push_back(std::make_unique<TestStream>());
    raw.push_back(&s);
    s.set_handler(streams.back().get());
    if (accept) accept(s, *streams.back());
  }
  void on_closed(transport::Connection& c, const Error& error) override {
    end = error;
    if (connection == &c) connection = nullptr;
  }
};

}  // namespace kith::swarm::test
