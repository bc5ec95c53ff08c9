// Test applications on a host: the protocols of interop/README.md, served and dialed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "host/host.h"

namespace kith::test {

inline constexpr std::string_view kEchoId = "/kith/echo/1.0.0";
inline constexpr std::string_view kResetId = "/kith/reset/1.0.0";
inline constexpr std::string_view kUnknownId = "/kith/no-such-protocol/1.0.0";
inline constexpr uint64_t kResetCode = 7;

// Echoes what it reads, with no more memory than the stream's own budget.
class EchoServer final : public swarm::ProtocolHandler, transport::StreamHandler {
 public:
  size_t num_streams = 0;

 private:
  void on_stream(swarm::PeerConnection&, transport::Stream& stream, std::string_view) override {
    ++num_streams;
    stream.set_handler(this);
  }
  size_t on_data(transport::Stream& stream, Bytes data) override {
    Buffer copy = Buffer::take(to_vector(data));
    return stream.write(std::move(copy)).status() == KITH_ERR_WOULD_BLOCK ? 0 : data.size();
  }
  void on_read_closed(transport::Stream& stream) override { stream.close_write(); }
  void on_reset(transport::Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(transport::Stream& stream, uint64_t) override { stream.stop_reading(0); }
  void on_writable(transport::Stream& stream) override { stream.resume(); }
  void on_closed(transport::Stream&, const Error&) override {}
};

// Resets the stream at its first byte.
class ResetServer final : public swarm::ProtocolHandler, transport::StreamHandler {
  void on_stream(swarm::PeerConnection&, transport::Stream& stream, std::string_view) override {
    stream.set_handler(this);
  }
  size_t on_data(transport::Stream& stream, Bytes data) override {
    stream.abort(kResetCode);
    return data.size();
  }
  void on_read_closed(transport::Stream& stream) override { stream.close_write(); }
  void on_reset(transport::Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(transport::Stream& stream, uint64_t) override { stream.stop_reading(0); }
  void on_writable(transport::Stream&) override {}
  void on_closed(transport::Stream&, const Error&) override {}
};

// One stream that sends `size` seeded bytes, closes its side, and compares what comes back.
class EchoClient final : public swarm::ProtocolStream {
 public:
  EchoClient(uint64_t size, uint32_t seed) : size_(size), send_(seed), expect_(seed) {}

  Status open(swarm::PeerConnection& connection, std::string_view protocol = kEchoId) {
    KITH_ASSIGN(transport::Stream * stream, connection.open_stream(std::span(&protocol, 1), this));
    pump(*stream);
    return {};
  }
  bool done() const { return done_; }
  // "" if all came back, else what went wrong.
  const std::string& failure() const { return failure_; }
  const Error& end() const { return end_; }
  bool was_reset() const { return was_reset_; }

 private:
  static constexpr size_t kChunk = 64 * 1024;
  void pump(transport::Stream& stream) {
    while (sent_ < size_) {
      if (chunk_.empty()) {
        ByteVector bytes(std::min<uint64_t>(kChunk, size_ - sent_));
        for (uint8_t& b : bytes) b = static_cast<uint8_t>(send_());
        chunk_ = Buffer::take(std::move(bytes));
      }
      const Status s = stream.write(chunk_);
      if (s.status() == KITH_ERR_WOULD_BLOCK) return;
      if (!s.ok()) return fail("write: " + s.error().to_string());
      sent_ += chunk_.size();
      chunk_ = {};
    }
    stream.close_write();
  }
  void fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
  }
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream&, Bytes data) override {
    for (const uint8_t b : data) {
      if (b != static_cast<uint8_t>(expect_())) {
        fail("a byte differs near offset " + std::to_string(received_));
        break;
      }
    }
    received_ += data.size();
    return data.size();
  }
  void on_read_closed(transport::Stream&) override {
    if (received_ != size_)
      fail("got " + std::to_string(received_) + " of " + std::to_string(size_) + " bytes");
    read_closed_ = true;
  }
  void on_reset(transport::Stream& stream, uint64_t) override {
    was_reset_ = true;
    fail("reset by the peer");
    stream.reset(0);
  }
  void on_stop(transport::Stream&, uint64_t) override { fail("stopped by the peer"); }
  void on_writable(transport::Stream& stream) override { pump(stream); }
  void on_closed(transport::Stream&, const Error& error) override {
    end_ = error;
    if (!read_closed_) fail("closed: " + error.to_string());
    done_ = true;
  }

  const uint64_t size_;
  std::minstd_rand send_;
  std::minstd_rand expect_;
  Buffer chunk_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  bool read_closed_ = false;
  bool was_reset_ = false;
  bool done_ = false;
  std::string failure_;
  Error end_{KITH_OK, "echo"};
};

// A node with the test protocols on a runtime of its own, driven by the test.
class TestNode final : public swarm::ConnectHandler, public swarm::Observer {
 public:
  // On a runtime of its own, or on `runtime`, which another node owns and drives too.
  static std::unique_ptr<TestNode> create(
      host::HostConfig config = {},
      std::vector<std::string> listen = {"/ip4/127.0.0.1/udp/0/quic-v1"},
      host::Runtime* runtime = nullptr);
  ~TestNode();

  // Runs the loop until `done()` or `limit`; false at the limit.
  bool run_until(const std::function<bool()>& done, Duration limit = seconds(30));
  // Connects; nullptr and `failure` on error.
  swarm::PeerConnection* connect(const std::string& address,
                                 transport::Role role = transport::Role::kDialer);
  // A whole echo; "" or what went wrong.
  std::string echo(swarm::PeerConnection& connection, uint64_t size, uint32_t seed = 1);
  // Round trips of `count` pings in ns; fewer on failure.
  std::vector<Duration> ping(swarm::PeerConnection& connection, uint32_t count,
                             bool new_stream = false);

  host::Host& host() { return *host_; }
  host::Runtime& runtime() { return *runtime_; }
  std::string address() { return host_->addresses().at(0).to_string(); }
  std::string failure;
  // The first thousand of each.
  std::vector<std::string> inbound_failures;
  std::vector<std::string> stream_failures;
  std::vector<std::string> identify_failures;
  size_t num_connected = 0;
  size_t num_disconnected = 0;
  size_t num_identified = 0;
  std::string last_disconnect;

 private:
  void on_connect(swarm::PeerConnection& c) override { connected_ = &c; }
  void on_connect_failed(const Error& error) override { failure = error.to_string(); }
  void on_connected(swarm::PeerConnection&) override { ++num_connected; }
  void on_disconnected(swarm::PeerConnection& c, const Error& e) override {
    if (connected_ == &c) connected_ = nullptr;
    last_disconnect = e.to_string();
    ++num_disconnected;
  }
  void on_inbound_failed(const wire::Multiaddr&, const Error& e) override {
    note(inbound_failures, e);
  }
  void on_stream_failed(swarm::PeerConnection&, const Error& e) override {
    note(stream_failures, e);
  }
  void on_identified(swarm::PeerConnection&) override { ++num_identified; }
  void on_identify_failed(swarm::PeerConnection&, const Error& e) override {
    note(identify_failures, e);
  }
  static void note(std::vector<std::string>& failures, const Error& e) {
    if (failures.size() < 1000) failures.push_back(e.to_string());
  }
  TestNode() = default;
  std::unique_ptr<host::Runtime> own_runtime_;
  host::Runtime* runtime_ = nullptr;
  std::unique_ptr<host::Host> host_;
  EchoServer echo_;
  ResetServer reset_;
  swarm::PeerConnection* connected_ = nullptr;
};

}  // namespace kith::test
