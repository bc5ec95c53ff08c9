#include "transport/admission.h"

#include <algorithm>
#include <optional>

namespace kith::transport {

namespace {

constexpr uint8_t kHost4 = 32;
constexpr uint8_t kLink6 = 64;
constexpr uint8_t kSite6 = 48;
constexpr size_t kLinksOfSite = 8;  // so many times the allowance of one link

int64_t share_of(uint8_t prefix) { return prefix == kSite6 ? kLinksOfSite : 1; }

uint64_t big_endian(const uint8_t* bytes, size_t n) {
  uint64_t out = 0;
  for (size_t i = 0; i < n; ++i) out = out << 8 | bytes[i];
  return out;
}

// IPv4 as it is, and as a socket for both families shows it.
std::optional<uint64_t> ipv4_of(const Endpoint& e) {
  if (e.is_v4()) return ntohl(e.v4.sin_addr.s_addr);
  if (!IN6_IS_ADDR_V4MAPPED(&e.v6.sin6_addr)) return std::nullopt;
  return big_endian(e.v6.sin6_addr.s6_addr + 12, 4);
}

// What `n` intervals take, at most kLongest.
Duration duration_of(size_t n, Duration interval) {
  constexpr Duration kLongest = kNever / 4;
  if (interval == 0) return 0;
  return n > static_cast<size_t>(kLongest / interval) ? kLongest
                                                      : interval * static_cast<Duration>(n);
}

std::string too_many(const std::string& what, size_t limit) {
  return what + " (" + std::to_string(limit) + ")";
}

}  // namespace

Admission::~Admission() { KITH_CHECK(num_connections_ == 0); }

std::array<Admission::Network, 2> Admission::networks_of(const Endpoint& remote) const {
  const std::optional<uint64_t> v4 = ipv4_of(remote);
  const bool is_loopback = v4 ? *v4 >> 24 == 127 : remote.is_loopback();
  if (is_loopback && !config_.limit_loopback) return {};
  if (v4) return {{{*v4, kHost4}, {}}};
  const uint8_t* ip = remote.v6.sin6_addr.s6_addr;
  return {{{big_endian(ip, kLink6 / 8), kLink6}, {big_endian(ip, kSite6 / 8), kSite6}}};
}

std::string Admission::reached_in_all() const {
  if (num_connections_ >= config_.max_connections) {
    return too_many("too many connections", config_.max_connections);
  }
  if (num_handshakes_ >= config_.max_handshakes) {
    return too_many("too many connections in their handshake", config_.max_handshakes);
  }
  return {};
}

std::string Admission::reached_by(const Networks::value_type& known, const Endpoint& remote,
                                  TimePoint now) const {
  const auto& [network, state] = known;
  const int64_t share = share_of(network.prefix);
  const std::string whose = remote.host() + "/" + std::to_string(network.prefix);
  const size_t limit = config_.max_per_address * static_cast<size_t>(share);
  if (limit != 0 && state.num_connections >= limit) {
    return too_many("too many connections from " + whose, limit);
  }
  const Duration wait = std::max<Duration>(state.full_at - now, 0) + config_.interval / share;
  const Duration burst = duration_of(config_.burst, config_.interval);
  if (burst != 0 && wait > burst) return "connections from " + whose + " come too fast";
  return {};
}

Admission::Ticket Admission::admit(const Endpoint& remote, TimePoint now, Status* refusal) {
  *refusal = {};
  std::lock_guard lock(mutex_);
  const auto refuse = [&](bool& is_told, std::string why) {
    if (!std::exchange(is_told, true)) *refusal = Error(KITH_ERR_LIMIT, "accept", std::move(why));
    return Ticket();
  };
  if (std::string why = reached_in_all(); !why.empty()) return refuse(is_told_, std::move(why));
  const std::array<Network, 2> networks = networks_of(remote);
  for (const Network& n : networks) {
    const auto known = known_.find(n);
    if (n.prefix == 0 || known == known_.end()) continue;
    if (std::string why = reached_by(*known, remote, now); !why.empty()) {
      return refuse(known->second.is_told, std::move(why));
    }
  }
  Ticket ticket;
  ticket.admission_ = this;
  for (size_t i = 0; i < networks.size(); ++i) ticket.networks_[i] = count(networks[i], now);
  ++num_connections_;
  ++num_handshakes_;
  is_told_ = false;
  forget_idle(now);
  return ticket;
}

Admission::State* Admission::count(const Network& network, TimePoint now) {
  if (network.prefix == 0) return nullptr;
  const auto known = known_.try_emplace(network).first;
  State& state = known->second;
  if (idle_.has(state)) --num_idle_;
  idle_.remove(state);
  state.network = &known->first;
  ++state.num_connections;
  state.is_told = false;
  state.full_at = std::max(state.full_at, now) + config_.interval / share_of(network.prefix);
  return &state;
}

void Admission::forget_idle(TimePoint now) {
  for (State* s = idle_.front(); s; s = idle_.front()) {
    if (s->full_at > now && num_idle_ <= limits::kInboundIdleAddresses) return;
    idle_.remove(*s);
    --num_idle_;
    known_.erase(Network(*s->network));
  }
}

Status Admission::identify(Ticket& ticket, const identity::PeerId& peer) {
  KITH_CHECK(!ticket.peer_);
  std::lock_guard lock(mutex_);
  const auto known = peers_.try_emplace(peer).first;
  if (config_.max_per_peer != 0 && known->second >= config_.max_per_peer) {
    return Error(KITH_ERR_LIMIT, "accept",
                 too_many("too many connections of " + peer.to_string(), config_.max_per_peer));
  }
  ++known->second;
  ticket.peer_ = &*known;
  --num_handshakes_;
  return {};
}

void Admission::release(Ticket& ticket) {
  std::lock_guard lock(mutex_);
  --num_connections_;
  if (!ticket.peer_) {
    --num_handshakes_;
  } else if (--ticket.peer_->second == 0) {
    peers_.erase(identity::PeerId(ticket.peer_->first));
  }
  for (State* state : ticket.networks_) {
    if (!state || --state->num_connections != 0) continue;
    idle_.push_back(*state);
    ++num_idle_;
  }
}

}  // namespace kith::transport
