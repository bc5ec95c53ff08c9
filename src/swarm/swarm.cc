#include "swarm/swarm.h"

#include <algorithm>

#include "base/limits.h"
#include "swarm/dial_job.h"
#include "transport/ip.h"

namespace kith::swarm {

namespace {

// Splits a trailing /p2p/ID off; `*peer` must stay one and the same.
Result<wire::Multiaddr> without_peer(const wire::Multiaddr& address, identity::PeerId* peer) {
  const std::optional<wire::Component> last = address.last();
  if (!last || last->protocol->code != wire::proto::kP2p) return address;
  KITH_ASSIGN(const identity::PeerId id, identity::PeerId::decode(last->value));
  if (!peer->empty() && !(*peer == id)) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "connect",
                 "addresses of two peers: " + peer->to_string() + " and " + id.to_string());
  }
  *peer = id;
  return address.without_last();
}

// A wildcard host becomes every address of this machine.
std::vector<wire::Multiaddr> expand(const wire::Multiaddr& address) {
  const wire::Component first = *address.begin();
  const uint32_t code = first.protocol->code;
  const bool is_ip = code == wire::proto::kIp4 || code == wire::proto::kIp6;
  const bool is_wildcard = is_ip && std::all_of(first.value.begin(), first.value.end(),
                                                [](uint8_t b) { return b == 0; });
  if (!is_wildcard) return {address};
  transport::Endpoint like;
  like.sa.sa_family = code == wire::proto::kIp4 ? AF_INET : AF_INET6;
  std::vector<wire::Multiaddr> out;
  for (const transport::Endpoint& e : transport::interface_addresses(like)) {
    const Bytes ip = e.is_v4() ? Bytes(reinterpret_cast<const uint8_t*>(&e.v4.sin_addr), 4)
                               : Bytes(reinterpret_cast<const uint8_t*>(&e.v6.sin6_addr), 16);
    wire::Multiaddr one = wire::Multiaddr().with(code, ip).value();
    bool is_first = true;
    for (const wire::Component c : address) {
      if (!std::exchange(is_first, false)) one = one.with(c.protocol->code, c.value).value();
    }
    out.push_back(std::move(one));
  }
  return out;
}

// A connection to ourselves, which ends at once: we dialed an address of our own without knowing whose it is.
class SelfConnection final : public transport::ConnectionHandler {
  void on_stream(transport::Connection&, transport::Stream& stream) override { stream.abort(0); }
  void on_closed(transport::Connection&, const Error&) override {}
};

}  // namespace

Connect::~Connect() {
  if (job) job->remove(this);
}

Swarm::Swarm(runtime::Loop& loop, const identity::PeerId& self, LogSink* log)
    : loop_(loop), self_(self), log_(log) {}

Swarm::~Swarm() { KITH_CHECK(connections_.empty()); }

void Swarm::add_transport(std::unique_ptr<transport::Transport> transport) {
  transports_.push_back(std::move(transport));
}

Result<wire::Multiaddr> Swarm::listen(const wire::Multiaddr& address) {
  for (auto& t : transports_) {
    if (!t->can_listen(address)) continue;
    KITH_ASSIGN(std::unique_ptr<transport::Listener> listener, t->listen(address, this));
    wire::Multiaddr bound = listener->address();
    KITH_LOG(log_, kInfo, "swarm", "listening on " + bound.to_string());
    listeners_.push_back(std::move(listener));
    return bound;
  }
  return Error(KITH_ERR_NOT_SUPPORTED, "listen",
               "no transport here can listen on '" + address.to_string() + "'");
}

void Swarm::stop_listening(const wire::Multiaddr& bound) {
  const auto it = std::find_if(listeners_.begin(), listeners_.end(),
                               [&](const auto& l) { return l->address() == bound; });
  if (it != listeners_.end()) listeners_.erase(it);
}

std::vector<wire::Multiaddr> Swarm::listen_addresses() const {
  std::vector<wire::Multiaddr> out;
  for (const auto& l : listeners_) {
    for (wire::Multiaddr& a : expand(l->address())) {
      if (std::find(out.begin(), out.end(), a) == out.end()) out.push_back(std::move(a));
    }
  }
  return out;
}

transport::Transport* Swarm::transport_for_dial(const wire::Multiaddr& address) {
  for (auto& t : transports_) {
    if (t->can_dial(address)) return t.get();
  }
  return nullptr;
}

Result<Swarm::Target> Swarm::target_of(const identity::PeerId& peer,
                                       std::span<const wire::Multiaddr> addresses) const {
  if (addresses.size() > limits::kDialAddresses) {
    return Error(KITH_ERR_LIMIT, "connect",
                 "more than " + std::to_string(limits::kDialAddresses) + " addresses");
  }
  Target target{peer, {}};
  for (const wire::Multiaddr& a : addresses) {
    KITH_ASSIGN(wire::Multiaddr address, without_peer(a, &target.peer));
    target.addresses.push_back(std::move(address));
  }
  if (target.peer == self_)
    return Error(KITH_ERR_INVALID_ARGUMENT, "connect", "that is this node itself");
  return target;
}

Result<std::unique_ptr<Connect>> Swarm::connect(const identity::PeerId& peer,
                                                std::span<const wire::Multiaddr> addresses,
                                                ConnectHandler* handler, transport::Role role) {
  if (shutting_down_) return Error(KITH_ERR_CLOSED, "connect");
  KITH_ASSIGN(Target target, target_of(peer, addresses));
  auto connect = std::make_unique<Connect>(handler);
  if (!target.peer.empty()) {
    for (auto& job : jobs_) {
      if (job->peer() == target.peer && job->role() == role) {
        job->add(connect.get());
        job->add_addresses(std::move(target.addresses));
        return connect;
      }
    }
  }
  if (target.addresses.empty() && !find(target.peer))
    return Error(KITH_ERR_NO_ADDRESS, "connect", "no address to dial");
  jobs_.push_back(std::make_unique<DialJob>(*this, transport::DialOptions{target.peer, role},
                                            std::move(target.addresses)));
  jobs_.back()->add(connect.get());
  jobs_.back()->start();
  return connect;
}

PeerConnection* Swarm::find(const identity::PeerId& peer) {
  const auto [first, last] = by_peer_.equal_range(peer);
  const auto it = std::find_if(first, last, [](const auto& e) { return e.second->is_open(); });
  return it == last ? nullptr : it->second;
}

PeerConnection* Swarm::add_connection(transport::Connection& connection) {
  if (connection.remote_peer() == self_) {
    static SelfConnection handler;
    connection.set_handler(&handler);
    connection.close(0);
    return nullptr;
  }
  connections_.push_back(std::make_unique<PeerConnection>(*this, connection));
  PeerConnection& c = *connections_.back();
  c.position = std::prev(connections_.end());
  by_peer_.emplace(c.peer(), &c);
  KITH_LOG(log_, kInfo, "swarm",
           "connected to " + c.peer().to_string() + " at " + c.remote_address().to_string() +
               (c.direction() == transport::Direction::kInbound ? " (inbound)" : " (outbound)"));
  for (size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_connected(c);
  return &c;
}

void Swarm::on_connection(transport::Connection& connection) { add_connection(connection); }

void Swarm::on_inbound_failed(const wire::Multiaddr& from, const Error& error) {
  KITH_LOG(log_, kWarn, "swarm",
           "inbound connection from " + from.to_string() + " failed: " + error.to_string());
  for (size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_inbound_failed(from, error);
}

void Swarm::connection_closed(PeerConnection* connection, const Error& error) {
  KITH_LOG(log_, kInfo, "swarm",
           "connection to " + connection->peer().to_string() + " ended: " + error.to_string());
  for (size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_disconnected(*connection, error);
  const auto [first, last] = by_peer_.equal_range(connection->peer());
  by_peer_.erase(std::find_if(first, last, [&](const auto& e) { return e.second == connection; }));
  connections_.erase(connection->position);
}

void Swarm::stream_failed(PeerConnection& connection, const Error& error) {
  KITH_LOG(log_, kWarn, "swarm",
           "stream of " + connection.peer().to_string() + " refused: " + error.to_string());
  for (size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_stream_failed(connection, error);
}

void Swarm::identified(PeerConnection& connection) {
  for (size_t i = 0; i < observers_.size(); ++i) observers_[i]->on_identified(connection);
}

void Swarm::identify_failed(PeerConnection& connection, const Error& error) {
  KITH_LOG(log_, kWarn, "identify",
           "identify of " + connection.peer().to_string() + " failed: " + error.to_string());
  for (size_t i = 0; i < observers_.size(); ++i)
    observers_[i]->on_identify_failed(connection, error);
}

std::unique_ptr<DialJob> Swarm::take_job(DialJob* job) {
  for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
    if (it->get() != job) continue;
    std::unique_ptr<DialJob> taken = std::move(*it);
    jobs_.erase(it);
    return taken;
  }
  return nullptr;
}

void Swarm::shutdown(void (*done)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  shutdown_done_ = done;
  shutdown_ctx_ = ctx;
  listeners_.clear();
  while (!jobs_.empty())
    jobs_.front()->fail(Error(KITH_ERR_CANCELED, "dial", "the node is stopping"));
  KITH_CHECK(!transports_.empty());
  transports_running_ = transports_.size();
  for (auto& t : transports_) t->shutdown(on_transport_shutdown, this);
}

void Swarm::on_transport_shutdown(void* ctx) {
  auto* self = static_cast<Swarm*>(ctx);
  if (--self->transports_running_ == 0) self->shutdown_done_(self->shutdown_ctx_);
}

}  // namespace kith::swarm
