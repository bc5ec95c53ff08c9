// Admission: which inbound connections are taken, decided by their address before anything is spent on them, and by their
// peer once it is known. One for all transports and loops of a node: any thread, one short lock for each step of a connection.
// Sans-IO: the time is an argument.
//
// What is limited besides the node's totals: an IPv4 address; an IPv6 /64, which is one link and the least that anybody
// gets; and an IPv6 /48, the most that one customer gets for the asking, which has eight times a /64's allowance. (A /56
// would lump together the customers of hosting companies, who get a /64 each.)
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/intrusive_list.h"
#include "base/limits.h"
#include "base/result.h"
#include "identity/peer_id.h"
#include "transport/ip.h"

namespace kith::transport {

// What a peer is told whose connection is closed because it has too many (libp2p/specs error-codes/README.md).
inline constexpr uint64_t kCodeResourceLimit = 0x1001;

struct AdmissionConfig {
  size_t max_connections = limits::kInboundConnections;  // in all, those in their handshake too
  size_t max_handshakes = limits::kInboundHandshakes;    // of these, not yet identified
  size_t max_per_address = limits::kInboundPerAddress;   // at once; 0: no limit
  // New connections of an address: so many at once, and one more each time that the interval has passed. 0: no limit.
  size_t burst = limits::kInboundBurst;
  Duration interval = limits::kInboundInterval;
  size_t max_per_peer = limits::kInboundPerPeer;  // at once; 0: no limit
  bool limit_loopback = false;  // whether 127.0.0.0/8 and ::1 have the limits of an address
};

class Admission {
  struct State;

 public:
  // A Ticket counts one inbound connection for as long as it lives. Empty: none. The Admission must outlive it.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& o) noexcept { swap(o); }
    Ticket& operator=(Ticket&& o) noexcept {
      Ticket(std::move(o)).swap(*this);
      return *this;
    }
    ~Ticket() {
      if (admission_) admission_->release(*this);
    }
    explicit operator bool() const { return admission_ != nullptr; }
    // The handshake is over and it was `peer`. KITH_ERR_LIMIT when that has too many connections: end this one.
    Status identify(const identity::PeerId& peer) { return admission_->identify(*this, peer); }

   private:
    friend class Admission;
    void swap(Ticket& o) noexcept {
      std::swap(admission_, o.admission_);
      std::swap(networks_, o.networks_);
      std::swap(peer_, o.peer_);
    }
    Admission* admission_ = nullptr;
    std::array<State*, 2> networks_{};
    std::pair<const identity::PeerId, size_t>* peer_ = nullptr;  // once identified
  };

  explicit Admission(const AdmissionConfig& config) : config_(config) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission();

  // Takes one connection from `remote`. An empty ticket refuses it, and `*refusal` is KITH_ERR_LIMIT with the limit that is
  // reached, or KITH_OK if that was said before and nothing was taken since, of that address or at all: what is told of
  // refusals is bounded by what is taken.
  Ticket admit(const Endpoint& remote, TimePoint now, Status* refusal);

  // For tests: addresses and networks that are remembered.
  size_t num_known() const {
    std::lock_guard lock(mutex_);
    return known_.size();
  }

 private:
  // The leading bits of the addresses that share an allowance.
  struct Network {
    uint64_t bits = 0;
    uint8_t prefix = 0;  // how many bits; 0: none
    bool operator<(const Network& o) const {
      return prefix != o.prefix ? prefix < o.prefix : bits < o.bits;
    }
  };
  // A network is remembered while it has connections or has not got its full burst again.
  struct State {
    const Network* network = nullptr;
    size_t num_connections = 0;
    TimePoint full_at = 0;  // when a full burst is allowed again
    bool is_told = false;   // that it is refused
    ListHook<State> hook;   // of idle_, while it has no connections
  };
  using Networks = std::map<Network, State>;

  std::array<Network, 2> networks_of(const Endpoint& remote) const;
  // Which limit is reached; empty if none.
  std::string reached_in_all() const;
  std::string reached_by(const Networks::value_type& known, const Endpoint& remote,
                         TimePoint now) const;
  State* count(const Network& network, TimePoint now);
  // Forgets networks that are idle and full again, and others when they are too many.
  void forget_idle(TimePoint now);
  Status identify(Ticket& ticket, const identity::PeerId& peer);
  void release(Ticket& ticket);

  const AdmissionConfig config_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  size_t num_connections_ = 0;
  size_t num_handshakes_ = 0;
  bool is_told_ = false;  // that connections are refused, whoever opens them
  // Ordered: who can choose the keys of a hash table, for nothing, can make it slow.
  Networks known_;
  IntrusiveList<State, &State::hook> idle_;             // longest first
  size_t num_idle_ = 0;                                 // at most limits::kInboundIdleAddresses
  std::unordered_map<identity::PeerId, size_t> peers_;  // connections of each
};

}  // namespace kith::transport
