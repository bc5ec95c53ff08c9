// In which order the addresses of a peer are dialed, and how long each may keep the next one waiting: the rules of
// go-libp2p's dial ranker and of RFC 8305 ("Happy Eyeballs"). What is likely to be best goes first, and the others get
// their turn before anybody notices that it is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/time.h"
#include "wire/multiaddr.h"

namespace kith::swarm {

// AddressGroup: addresses that wait for each other. Those of this machine and of local networks say nothing about the
// public ones, so both groups are dialed at the same time; those through a relay wait for the direct ones. What
// is no IP address counts as public.
enum class AddressGroup : uint8_t { kLocal, kPublic, kRelayed };
inline constexpr size_t kNumAddressGroups = 3;
AddressGroup group_of(const wire::Multiaddr& address);

// How long the direct addresses are tried before those through a relay are tried as well.
inline constexpr Duration kRelayDelay = milliseconds(500);

// rank_addresses sorts the addresses of one group: QUIC, then TCP, then WebSocket, then anything else; of these IPv6 and
// IPv4 in turns, each with the lowest port first, as that is most likely the one that the peer listens on. What is alike
// stays in the order given.
void rank_addresses(std::span<wire::Multiaddr> addresses);

// head_start is how long the address at `position` of a group, ranked, is tried before the next one is tried as well:
// 30 ms for a local address, whose answer comes at once or not at all, 250 ms for others; and 10 ms if the two before it
// are of the same transport, so that a long list of stale addresses does not keep other transports waiting.
Duration head_start(std::span<const wire::Multiaddr> ranked, size_t position);

}  // namespace kith::swarm
