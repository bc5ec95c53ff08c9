// DialJob: one attempt to reach one peer at a list of addresses. The addresses of each group of dial_rank.h are tried in
// its order, the next one when the head starts of all that are under way are over; a failure ends a head start, and who
// answers on a transport that then has a handshake to do gets another one, before all groups. In a simultaneous open there
// are no head starts. The first to connect wins and the others are dropped.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "runtime/loop.h"
#include "swarm/dial_rank.h"
#include "swarm/swarm.h"

namespace kith::swarm {

class DialJob {
 public:
  DialJob(Swarm& swarm, const identity::PeerId& peer, const ConnectOptions& options)
      : swarm_(swarm),
        peer_(peer),
        options_(options),
        started_(swarm.loop().now()),
        timer_(runtime::Timer::of<&DialJob::next>(swarm.loop().timers(), this)) {}
  ~DialJob();

  const identity::PeerId& peer() const { return peer_; }
  const ConnectOptions& options() const { return options_; }
  void add(Connect* connect);
  void remove(Connect* connect);
  // Adds those of `addresses` that are new, up to limits::kDialAddresses in all. Goes on in the next turn.
  void add_addresses(std::vector<wire::Multiaddr> addresses);
  void fail(const Error& error);

 private:
  // The addresses of one group.
  struct Lane {
    std::vector<wire::Multiaddr> addresses;  // ranked
    size_t next = 0;                         // of these, the first that has not had its turn
    bool is_done() const { return next == addresses.size(); }
  };
  struct Attempt final : transport::DialHandler {
    DialJob* job = nullptr;
    const Lane* lane = nullptr;
    wire::Multiaddr address;
    std::unique_ptr<transport::Dial> dial;
    Duration head_start = 0;
    TimePoint alone_until = 0;
    bool has_answered = false;
    bool has_failed = false;
    void on_handshake() override;
    void on_connected(transport::Connection& connection) override;
    void on_failed(const Error& error) override;
  };
  bool has_address(const wire::Multiaddr& address) const;
  // Dials what is due, and sees whether it is all over.
  void next();
  // Makes next() run when the next address is due.
  void schedule();
  // Makes next() run in the next turn.
  void wake() { timer_.set(swarm_.loop().now()); }
  // When the next address of `lane` has its turn.
  TimePoint due(const Lane& lane) const;
  void dial_next(Lane& lane);
  void attempt_failed(Attempt* attempt, const Error& error);
  // Both tell those who wait, and destroy this with the dials that are still under way.
  void succeed(PeerConnection& connection);
  // The next one who waits, or nullptr; it is no longer part of this.
  Connect* next_waiter();

  Swarm& swarm_;
  const identity::PeerId peer_;
  const ConnectOptions options_;
  const TimePoint started_;
  std::array<Lane, kNumAddressGroups> lanes_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  size_t num_running_ = 0;
  std::vector<Connect*> waiters_;
  std::string errors_;
  bool* destroyed_ = nullptr;  // tells an attempt that a callback destroyed this
  kith_status last_status_ = KITH_ERR_NO_ADDRESS;
  runtime::Timer timer_;
};

}  // namespace kith::swarm
