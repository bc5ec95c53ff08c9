// A transport of /memory/N addresses over SimPipes: the upgrade, secure channels and muxers of TCP, and WebSocket, in virtual
// time, on lines with faults.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/tls/certificate.h"
#include "runtime/sim_loop.h"
#include "tests/support/sim_pipe.h"
#include "tests/support/web_certificate.h"
#include "transport/upgrade/upgrader.h"
#if KITH_WEBSOCKET
#include "transport/websocket/pipe.h"
#include "transport/websocket/tls_pipe.h"
#endif

namespace kith::test {

class SimListener;

// What lies between a line and the upgrade.
enum class SimLayers : uint8_t { kNone, kWebsocket, kWebsocketInTls };

// What the transports of one simulated network share. Outlives them.
struct SimNetwork {
  Duration latency = milliseconds(2);
  uint64_t seed = 1;
  SimLayers layers = SimLayers::kNone;
  Faults there, back;  // of what a dialer sends, and of what it gets
  std::map<uint64_t, SimListener*> listeners;
  uint64_t next_port = 1;
  // The ends of the line that was made last; dangling after its end.
  SimPipe* near_pipe = nullptr;
  SimPipe* far_pipe = nullptr;
};

class SimTransport final : public transport::Transport {
 public:
  static Result<std::unique_ptr<transport::Transport>> create(
      runtime::SimLoop& loop, SimNetwork& network, const crypto::PrivateKey& key,
      const transport::upgrade::UpgradeConfig& config) {
    KITH_ASSIGN(const tls::Credentials credentials,
                tls::make_credentials(key, loop.unix_seconds()));
    KITH_ASSIGN(auto upgrader,
                transport::upgrade::Upgrader::create(loop, key, credentials, config));
    return std::unique_ptr<transport::Transport>(
        new SimTransport(loop, network, std::move(upgrader)));
  }

  bool can_dial(const wire::Multiaddr& address) const override { return port_of(address) != 0; }
  bool can_listen(const wire::Multiaddr& address) const override {
    return address.find(wire::proto::kMemory).has_value();
  }
  Result<std::unique_ptr<transport::Dial>> dial(const wire::Multiaddr& address,
                                                const transport::DialOptions& options,
                                                transport::DialHandler* handler) override;
  Result<std::unique_ptr<transport::Listener>> listen(const wire::Multiaddr& address,
                                                      transport::ListenerHandler* handler) override;
  void shutdown(void (*done)(void* ctx), void* ctx) override { upgrader_->shutdown(done, ctx); }

  SimNetwork& network() { return network_; }
  std::unique_ptr<transport::upgrade::Pipe> wrap(std::unique_ptr<SimPipe> line, bool is_dialer);
  transport::upgrade::Upgrader& upgrader() { return *upgrader_; }
  static wire::Multiaddr address_of(uint64_t port) {
    return wire::Multiaddr::parse("/memory/" + std::to_string(port)).value();
  }

 private:
  SimTransport(runtime::SimLoop& loop, SimNetwork& network,
               std::unique_ptr<transport::upgrade::Upgrader> upgrader)
      : loop_(loop), network_(network), upgrader_(std::move(upgrader)) {}
  static uint64_t port_of(const wire::Multiaddr& address) {
    const auto port = address.find(wire::proto::kMemory);
    return port ? std::stoull(port->value_text()) : 0;
  }

  runtime::SimLoop& loop_;
  SimNetwork& network_;
  std::optional<crypto::TlsContext> web_server_, web_client_;
  OutputBytes records_, frames_;
  std::unique_ptr<transport::upgrade::Upgrader> upgrader_;
};

#if KITH_WEBSOCKET
inline std::unique_ptr<transport::upgrade::Pipe> SimTransport::wrap(std::unique_ptr<SimPipe> line,
                                                                    bool is_dialer) {
  if (network_.layers == SimLayers::kNone) return line;
  std::unique_ptr<transport::upgrade::Pipe> below = std::move(line);
  if (network_.layers == SimLayers::kWebsocketInTls) {
    if (!web_server_) {
      const WebCertificate web = make_web_certificate(loop_.unix_seconds());
      web_server_ =
          crypto::TlsContext::make_web_server(web.certificate_pem, as_text(web.private_key_pem))
              .value();
      web_client_ = crypto::TlsContext::make_web_client_of_any().value();
    }
    auto tls = std::make_unique<transport::websocket::TlsPipe>(std::move(below), loop_, records_);
    const Status s = tls->start(is_dialer ? *web_client_ : *web_server_,
                                is_dialer ? "localhost" : "", loop_.unix_seconds());
    KITH_CHECK(s.ok());
    below = std::move(tls);
  }
  const auto mask = [](MutableBytes out) { std::fill(out.begin(), out.end(), uint8_t{0x5a}); };
  return std::make_unique<transport::websocket::WebsocketPipe>(
      std::move(below), is_dialer ? "localhost" : "", mask, wire::Multiaddr(), frames_);
}
#else
inline std::unique_ptr<transport::upgrade::Pipe> SimTransport::wrap(std::unique_ptr<SimPipe> line,
                                                                    bool) {
  return line;
}
#endif

class SimListener final : public transport::Listener {
 public:
  SimListener(SimTransport& transport, uint64_t port, transport::ListenerHandler* handler)
      : transport_(transport), port_(port), handler_(handler) {
    transport_.network().listeners[port_] = this;
  }
  ~SimListener() override {
    transport_.network().listeners.erase(port_);
    transport_.upgrader().forget(this);
  }
  wire::Multiaddr address() const override { return SimTransport::address_of(port_); }
  void accept(std::unique_ptr<SimPipe> pipe) {
    Status refusal;
    transport::Admission::Ticket ticket = transport_.upgrader().admit({}, &refusal);
    if (!ticket) return;
    transport_.upgrader().accept(transport_.wrap(std::move(pipe), /*is_dialer=*/false),
                                 std::move(ticket), this, handler_);
  }

 private:
  SimTransport& transport_;
  const uint64_t port_;
  transport::ListenerHandler* const handler_;
};

inline Result<std::unique_ptr<transport::Dial>> SimTransport::dial(
    const wire::Multiaddr& address, const transport::DialOptions& options,
    transport::DialHandler* handler) {
  const auto listener = network_.listeners.find(port_of(address));
  const wire::Multiaddr own = address_of(network_.next_port++);
  auto near = std::make_unique<SimPipe>(loop_, network_.latency, network_.seed, network_.there, own,
                                        address);
  auto far = std::make_unique<SimPipe>(loop_, network_.latency, network_.seed + 1, network_.back,
                                       address, own);
  SimPipe::join(*near, *far);
  network_.near_pipe = near.get();
  network_.far_pipe = far.get();
  network_.seed += 2;
  // Without a listener the line is cut as soon as it is made.
  if (listener != network_.listeners.end()) listener->second->accept(std::move(far));
  return upgrader_->dial(wrap(std::move(near), /*is_dialer=*/true), options, handler);
}

inline Result<std::unique_ptr<transport::Listener>> SimTransport::listen(
    const wire::Multiaddr& address, transport::ListenerHandler* handler) {
  const uint64_t port = port_of(address);
  return std::unique_ptr<transport::Listener>(
      std::make_unique<SimListener>(*this, port != 0 ? port : network_.next_port++, handler));
}

}  // namespace kith::test
