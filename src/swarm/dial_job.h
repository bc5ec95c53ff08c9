// DialJob: one attempt to reach one peer at a list of addresses. Addresses are tried in the order of dial_rank.h, the next
// one when the head starts of all that are under way are over; a failure ends a head start, and who answers on a transport
// that then has a handshake to do gets another one. The first to connect wins and the others are dropped.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/loop.h"
#include "swarm/swarm.h"

namespace kith::swarm {

class DialJob {
 public:
  DialJob(Swarm& swarm, const transport::DialOptions& options,
          std::vector<wire::Multiaddr> addresses);
  ~DialJob();

  const identity::PeerId& peer() const { return options_.expected; }
  transport::Role role() const { return options_.role; }
  void add(Connect* connect);
  void remove(Connect* connect);
  // Adds those of `addresses` that are new, up to limits::kDialAddresses in all.
  void add_addresses(std::vector<wire::Multiaddr> addresses);
  // Starts the first dial in the next turn.
  void start();
  void fail(const Error& error);

 private:
  struct Attempt final : transport::DialHandler {
    DialJob* job = nullptr;
    wire::Multiaddr address;
    std::unique_ptr<transport::Dial> dial;
    Duration head_start = 0;
    TimePoint alone_until = 0;  // 0: it has failed
    void on_handshake() override;
    void on_connected(transport::Connection& connection) override;
    void on_failed(const Error& error) override;
  };
  void next();
  // Sets when next() runs.
  void schedule();
  void attempt_failed(Attempt* attempt, const Error& error);
  // Both tell those who wait, and destroy this with the dials that are still under way.
  void succeed(PeerConnection& connection);
  // The next one who waits, or nullptr; it is no longer part of this.
  Connect* next_waiter();

  Swarm& swarm_;
  const transport::DialOptions options_;
  std::vector<wire::Multiaddr> addresses_;
  size_t next_address_ = 0;
  size_t num_running_ = 0;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::vector<Connect*> waiters_;
  std::string errors_;
  bool* destroyed_ = nullptr;  // tells an attempt that a callback destroyed this
  kith_status last_status_ = KITH_ERR_NO_ADDRESS;
  runtime::Timer stagger_;
};

}  // namespace kith::swarm
