// Placement: on which of a node's loops a connection is, or is to be. The one thing that the loops of a node share.
//
// A peer that is connected, or being dialed, is dialed again on the same loop, so that its connection is found there; any
// other on the loop that has the fewest. Safe from any thread: one short lock for each connection and each dial.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "identity/peer_id.h"

namespace kith::host {

class Placement {
 public:
  explicit Placement(size_t num_loops) : load_(num_loops) {}

  // The loop to dial `peer` on (empty: whoever answers). Counts there until remove().
  size_t choose(const identity::PeerId& peer);
  // Counts a connection to `peer` on `loop` until remove().
  void add(const identity::PeerId& peer, size_t loop);
  // Takes back one choose() or add() that gave or named `loop`.
  void remove(const identity::PeerId& peer, size_t loop);

 private:
  struct Place {
    size_t loop;
    size_t count;
  };
  size_t least_loaded() const;
  void add_locked(const identity::PeerId& peer, size_t loop);

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<size_t> load_;
  std::unordered_map<identity::PeerId, std::vector<Place>> places_;
};

}  // namespace kith::host
