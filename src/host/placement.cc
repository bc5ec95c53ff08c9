#include "host/placement.h"

#include <algorithm>

#include "base/result.h"

namespace kith::host {

size_t Placement::least_loaded() const {
  return static_cast<size_t>(std::min_element(load_.begin(), load_.end()) - load_.begin());
}

void Placement::add_locked(const identity::PeerId& peer, size_t loop) {
  ++load_[loop];
  if (peer.empty()) return;
  std::vector<Place>& places = places_[peer];
  const auto it =
      std::find_if(places.begin(), places.end(), [&](const Place& p) { return p.loop == loop; });
  if (it != places.end()) {
    ++it->count;
  } else {
    places.push_back({loop, 1});
  }
}

size_t Placement::choose(const identity::PeerId& peer) {
  std::lock_guard lock(mutex_);
  const auto it = peer.empty() ? places_.end() : places_.find(peer);
  const size_t loop = it == places_.end() ? least_loaded() : it->second.front().loop;
  add_locked(peer, loop);
  return loop;
}

void Placement::add(const identity::PeerId& peer, size_t loop) {
  std::lock_guard lock(mutex_);
  add_locked(peer, loop);
}

void Placement::remove(const identity::PeerId& peer, size_t loop) {
  std::lock_guard lock(mutex_);
  KITH_CHECK(load_[loop] != 0);
  --load_[loop];
  if (peer.empty()) return;
  const auto places = places_.find(peer);
  KITH_CHECK(places != places_.end());
  const auto it = std::find_if(places->second.begin(), places->second.end(),
                               [&](const Place& p) { return p.loop == loop; });
  KITH_CHECK(it != places->second.end());
  if (--it->count != 0) return;
  places->second.erase(it);
  if (places->second.empty()) places_.erase(places);
}

}  // namespace kith::host
