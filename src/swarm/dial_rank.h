// In which order the addresses of a peer are dialed, and how long each may keep the next one waiting. As go-libp2p's
// dial ranker and RFC 8305 ("Happy Eyeballs") do: what is likely to be best goes first, and the others get their turn
// before anybody notices that it is not.
#pragma once

#include <span>
#include <vector>

#include "base/time.h"
#include "wire/multiaddr.h"

namespace kith::swarm {

// rank_addresses sorts: addresses of this machine and of local networks first, then public ones, then those through a
// relay; in each group QUIC, then TCP, then WebSocket, then anything else; of these IPv6 and IPv4 in turns. What is alike stays in the
// order given.
void rank_addresses(std::vector<wire::Multiaddr>& addresses);

// head_start is how long the address at `position` of those ranked is tried before the next one is tried as well: 30 ms
// for a local address, whose answer comes at once or not at all, 250 ms for others; and 10 ms if the two before it are
// alike (same group, same transport), so that a long list of stale addresses does not keep other transports waiting.
Duration head_start(std::span<const wire::Multiaddr> ranked, size_t position);

}  // namespace kith::swarm
