// The transports that the conformance suite runs on. A new transport is one class here and one line in kTransports.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/host.h"
#include "protocol/yamux/frame.h"
#include "runtime/sim_loop.h"
#include "tests/support/sim_transport.h"
#include "tests/support/web_certificate.h"

namespace kith::test {

// A place for nodes: a loop, and how to make a node on it that listens at `address()`.
class Place {
 public:
  virtual ~Place() = default;
  virtual Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) = 0;
  // Runs the loop until `done()`; false if it never was.
  virtual bool run_until(const std::function<bool()>& done) = 0;
  // Lets everything that is on its way arrive.
  virtual void settle() = 0;
  virtual runtime::Loop& loop() = 0;
};

class MemoryPlace final : public Place {
 public:
  Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) override {
    network_.latency = milliseconds(2);
    if (listens) config.listen = {wire::Multiaddr::parse("/memory/0").value()};
    return host::Host::create_in_memory(loop_, network_, std::move(config));
  }
  bool run_until(const std::function<bool()>& done) override {
    return loop_.run_until(done, seconds(600));
  }
  void settle() override { loop_.run_for(seconds(1)); }
  runtime::Loop& loop() override { return loop_; }

 private:
  runtime::SimLoop loop_;
  transport::memory::MemoryNetwork network_;
};

// The stack of TCP in virtual time, on lines that cut, delay and hold back what is sent as the seed says.
class SimPlace : public Place {
 public:
  SimPlace(transport::upgrade::Security security, transport::upgrade::Muxer muxer, uint64_t seed,
           SimLayers layers = SimLayers::kNone)
      : security_(security), muxer_(muxer) {
    network.seed = seed;
    network.layers = layers;
    network.there =
        network.back = {.max_read = 20'000, .max_write = 40'000, .max_delay = microseconds(200)};
  }
  ~SimPlace() override { loop_.run_until_idle(); }
  Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) override {
    if (listens) config.listen = {wire::Multiaddr::parse("/memory/0").value()};
    config.tcp.upgrade.security = {security_};
    config.tcp.upgrade.muxers = {muxer_};
    return host::Host::create_on(loop_, config, [&](const crypto::PrivateKey& key) {
      return SimTransport::create(loop_, network, key, config.tcp.upgrade);
    });
  }
  bool run_until(const std::function<bool()>& done) override {
    return loop_.run_until(done, seconds(600));
  }
  void settle() override { loop_.run_for(seconds(1)); }
  runtime::SimLoop& loop() override { return loop_; }

  SimNetwork network;

 private:
  const transport::upgrade::Security security_;
  const transport::upgrade::Muxer muxer_;
  runtime::SimLoop loop_;
};

// The machine's own network.
class IpPlace : public Place {
 public:
  Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) override {
    if (!runtime_) {
      KITH_ASSIGN(runtime_, host::Runtime::create());
    }
    configure(config);
    if (listens) config.listen = {wire::Multiaddr::parse(address()).value()};
    return host::Host::create(*runtime_, std::move(config));
  }
  bool run_until(const std::function<bool()>& done) override {
    const TimePoint end = runtime::EpollLoop::clock() + seconds(60);
    while (!done()) {
      const TimePoint now = runtime::EpollLoop::clock();
      if (now >= end) return false;
      runtime_->loop().turn(now + milliseconds(20));
    }
    return true;
  }
  void settle() override {
    const TimePoint end = runtime::EpollLoop::clock() + milliseconds(100);
    run_until([&] { return runtime::EpollLoop::clock() >= end; });
  }
  runtime::Loop& loop() override { return runtime_->loop(); }

 private:
  virtual const char* address() const = 0;
  virtual void configure(host::HostConfig&) const {}
  std::unique_ptr<host::Runtime> runtime_;
};

class QuicPlace final : public IpPlace {
  const char* address() const override { return "/ip4/127.0.0.1/udp/0/quic-v1"; }
};

template <transport::upgrade::Security kSecurity, transport::upgrade::Muxer kMuxer>
class TcpPlace : public IpPlace {
  const char* address() const override { return "/ip4/127.0.0.1/tcp/0"; }

 protected:
  void configure(host::HostConfig& config) const override {
    config.tcp.upgrade.security = {kSecurity};
    config.tcp.upgrade.muxers = {kMuxer};
  }
};

class WsPlace final
    : public TcpPlace<transport::upgrade::Security::kNoise, transport::upgrade::Muxer::kYamux> {
  const char* address() const override { return "/ip4/127.0.0.1/tcp/0/ws"; }
};

class WssPlace final
    : public TcpPlace<transport::upgrade::Security::kNoise, transport::upgrade::Muxer::kYamux> {
  const char* address() const override { return "/ip4/127.0.0.1/tcp/0/tls/ws"; }
  void configure(host::HostConfig& config) const override {
    TcpPlace::configure(config);
    config.websocket.certificate_chain_pem = certificate_.certificate_pem;
    config.websocket.private_key_pem = certificate_.private_key_pem;
    config.websocket.roots_pem = certificate_.certificate_pem;
  }
  const WebCertificate certificate_ =
      make_web_certificate(runtime::EpollLoop::create().value()->unix_seconds());
};

struct TransportKind {
  const char* name;
  std::unique_ptr<Place> (*make)();
  // Whether a reset leaves the peer's direction alone, and a stop is told to the peer at once. The muxers over TCP have one
  // reset for both.
  bool has_halves = true;
  // The largest code of a reset that arrives as it is, and what larger ones become.
  uint64_t max_code = transport::kMaxErrorCode;
  uint64_t larger_code = transport::kMaxErrorCode;
  // Whether a slow reader makes the writer wait. Mplex resets its stream instead.
  bool has_flow_control = true;
  bool tells_stop = true;  // at all
  size_t max_streams =
      limits::kStreamsPerConnection;  // that one side opens and the other sees at once
  // What becomes of a code on its way.
  uint64_t on_the_wire(uint64_t code) const { return code <= max_code ? code : larger_code; }
  friend void PrintTo(const TransportKind& t, std::ostream* out) { *out << t.name; }
};

template <typename P>
std::unique_ptr<Place> make_place() {
  return std::make_unique<P>();
}

using transport::upgrade::Muxer;
using transport::upgrade::Security;
template <Security kSecurity, Muxer kMuxer, SimLayers kLayers = SimLayers::kNone>
std::unique_ptr<Place> make_sim_place() {
  return std::make_unique<SimPlace>(kSecurity, kMuxer, /*seed=*/1, kLayers);
}

inline const TransportKind kTransports[] = {
    {"memory", make_place<MemoryPlace>},
    {"quic", make_place<QuicPlace>},
    {"tcp_noise_yamux", make_place<TcpPlace<Security::kNoise, Muxer::kYamux>>, false, UINT32_MAX,
     yamux::kCodeOutOfRange},
    {"tcp_tls_yamux", make_place<TcpPlace<Security::kTls, Muxer::kYamux>>, false, UINT32_MAX,
     yamux::kCodeOutOfRange},
#if KITH_WEBSOCKET
    {"ws", make_place<WsPlace>, false, UINT32_MAX, yamux::kCodeOutOfRange},
    {"wss", make_place<WssPlace>, false, UINT32_MAX, yamux::kCodeOutOfRange},
#endif
    {"tcp_noise_mplex", make_place<TcpPlace<Security::kNoise, Muxer::kMplex>>, false, 0, 0, false,
     false, limits::kMplexOutboundStreams},
    {"tcp_tls_mplex", make_place<TcpPlace<Security::kTls, Muxer::kMplex>>, false, 0, 0, false,
     false, limits::kMplexOutboundStreams},
    {"sim_noise_yamux", make_sim_place<Security::kNoise, Muxer::kYamux>, false, UINT32_MAX,
     yamux::kCodeOutOfRange},
    {"sim_tls_yamux", make_sim_place<Security::kTls, Muxer::kYamux>, false, UINT32_MAX,
     yamux::kCodeOutOfRange},
#if KITH_WEBSOCKET
    {"sim_ws", make_sim_place<Security::kNoise, Muxer::kYamux, SimLayers::kWebsocket>, false,
     UINT32_MAX, yamux::kCodeOutOfRange},
    {"sim_wss", make_sim_place<Security::kNoise, Muxer::kYamux, SimLayers::kWebsocketInTls>, false,
     UINT32_MAX, yamux::kCodeOutOfRange},
#endif
    {"sim_noise_mplex", make_sim_place<Security::kNoise, Muxer::kMplex>, false, 0, 0, false, false,
     limits::kMplexOutboundStreams},
    {"sim_tls_mplex", make_sim_place<Security::kTls, Muxer::kMplex>, false, 0, 0, false, false,
     limits::kMplexOutboundStreams},
};

}  // namespace kith::test
