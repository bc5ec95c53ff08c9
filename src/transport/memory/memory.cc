#include "transport/memory/memory.h"

#include "transport/memory/connection.h"

namespace kith::transport::memory {

namespace {
// The N of /memory/N and nothing else.
std::optional<uint64_t> port_of(const wire::Multiaddr& address) {
  const std::optional<wire::Component> c = address.last();
  if (!c || c->protocol->code != wire::proto::kMemory || !address.without_last().empty())
    return std::nullopt;
  uint64_t port = 0;
  for (const uint8_t b : c->value) port = port << 8 | b;
  return port;
}

wire::Multiaddr address_of(uint64_t port) {
  return wire::Multiaddr::parse("/memory/" + std::to_string(port)).value();
}
}  // namespace

class MemoryListener final : public Listener {
 public:
  MemoryListener(MemoryTransport& transport, uint64_t port, ListenerHandler* handler)
      : transport_(transport), port_(port), handler_(handler) {
    transport.network().listeners[port] = this;
  }
  ~MemoryListener() override { transport_.network().listeners.erase(port_); }
  wire::Multiaddr address() const override { return address_of(port_); }
  MemoryTransport& transport() { return transport_; }
  ListenerHandler* handler() { return handler_; }

 private:
  MemoryTransport& transport_;
  const uint64_t port_;
  ListenerHandler* handler_;
};

// A dial takes one round trip of the network.
class MemoryDial final : public Dial {
 public:
  MemoryDial(MemoryTransport& transport, uint64_t port, const identity::PeerId& expected,
             DialHandler* handler)
      : transport_(transport),
        port_(port),
        expected_(expected),
        handler_(handler),
        timer_(runtime::Timer::of<&MemoryDial::finish>(transport.loop().timers(), this)) {
    transport_.add(this);
    timer_.set(transport.loop().now() + 2 * transport.network().latency);
  }
  ~MemoryDial() override {
    if (destroyed_) *destroyed_ = true;
    if (handler_) transport_.remove(this);
  }
  // The transport is shutting down.
  void cancel() {
    canceled_ = true;
    timer_.set(transport_.loop().now());
  }

 private:
  void finish() {
    if (canceled_) return fail(Error(KITH_ERR_CANCELED, "dial", "the transport is shutting down"));
    auto& listeners = transport_.network().listeners;
    const auto it = listeners.find(port_);
    if (it == listeners.end()) {
      return fail(Error(KITH_ERR_CONNECTION_REFUSED, "dial",
                        "nobody listens on " + address_of(port_).to_string()));
    }
    MemoryListener* listener = it->second;
    if (!expected_.empty() && !(listener->transport().self() == expected_)) {
      return fail(Error(KITH_ERR_PEER_ID_MISMATCH, "dial",
                        "dialed " + expected_.to_string() + " but the peer is " +
                            listener->transport().self().to_string()));
    }
    auto* near = new MemoryConnection(transport_, Direction::kOutbound, {}, address_of(port_));
    auto* far =
        new MemoryConnection(listener->transport(), Direction::kInbound, address_of(port_), {});
    MemoryConnection::join(near, far);
    bool destroyed = false;
    destroyed_ = &destroyed;
    listener->handler()->on_connection(*far);
    if (destroyed) return near->close(0);  // canceled by what the other end did
    destroyed_ = nullptr;
    KITH_CHECK(far->has_handler());
    outcome()->on_connected(*near);
    KITH_CHECK(near->has_handler());
  }
  void fail(const Error& error) { outcome()->on_failed(error); }
  // The handler, whose callback may destroy this.
  DialHandler* outcome() {
    transport_.remove(this);
    return std::exchange(handler_, nullptr);
  }

  MemoryTransport& transport_;
  const uint64_t port_;
  const identity::PeerId expected_;
  DialHandler* handler_;  // until the outcome
  bool canceled_ = false;
  bool* destroyed_ = nullptr;  // tells finish() that a callback destroyed this
  runtime::Timer timer_;
};

MemoryTransport::MemoryTransport(runtime::Loop& loop, MemoryNetwork& network,
                                 const identity::PeerId& self, const MemoryConfig& config)
    : loop_(loop),
      network_(network),
      self_(self),
      config_(config),
      shutdown_finish_(runtime::Deferred::of<&MemoryTransport::check_shutdown>(loop, this)) {}

MemoryTransport::~MemoryTransport() { KITH_CHECK(connections_.empty() && dials_.empty()); }

bool MemoryTransport::can_dial(const wire::Multiaddr& address) const {
  return port_of(address).has_value() && port_of(address).value() != 0;
}
bool MemoryTransport::can_listen(const wire::Multiaddr& address) const {
  return port_of(address).has_value();
}

Result<std::unique_ptr<Dial>> MemoryTransport::dial(const wire::Multiaddr& address,
                                                    const DialOptions& options,
                                                    DialHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "memory");
  KITH_TRY(check_dialer_role(options, address));
  return std::unique_ptr<Dial>(
      std::make_unique<MemoryDial>(*this, port_of(address).value(), options.expected, handler));
}

Result<std::unique_ptr<Listener>> MemoryTransport::listen(const wire::Multiaddr& address,
                                                          ListenerHandler* handler) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "memory");
  uint64_t port = port_of(address).value();
  if (port == 0) {
    do {
      port = network_.next_port++;
    } while (network_.listeners.contains(port));
  }
  if (network_.listeners.contains(port)) {
    return Error(KITH_ERR_ADDRESS_IN_USE, "listen", address.to_string() + " is in use");
  }
  return std::unique_ptr<Listener>(std::make_unique<MemoryListener>(*this, port, handler));
}

void MemoryTransport::remove(MemoryConnection* c) {
  connections_.remove(c);
  delete c;
  if (shutting_down_) shutdown_finish_.schedule();
}

void MemoryTransport::remove(MemoryDial* d) {
  dials_.remove(d);
  if (shutting_down_) shutdown_finish_.schedule();
}

void MemoryTransport::shutdown(void (*done)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_ctx_ = ctx;
  for (MemoryDial* d : dials_) d->cancel();
  for (MemoryConnection* c : connections_) c->close(0);
  shutdown_finish_.schedule();
}

void MemoryTransport::check_shutdown() {
  if (!connections_.empty() || !dials_.empty()) return;
  if (auto done = std::exchange(shutdown_done_, nullptr)) done(shutdown_ctx_);
}

}  // namespace kith::transport::memory
