// What the link emulator knows of IP packets: enough to damage one so that the damage arrives.
#pragma once

#include <cstdint>
#include <span>

namespace kith::link_emulator {

// flip_payload_bit flips one bit, chosen by `random`, of an IP packet's payload. Of UDP it flips one after the header
// and corrects the checksum: otherwise the receiver's kernel would drop the packet, and the damage would be a loss. TCP
// and others are damaged as on a wire. False if there is no payload to damage, or this is no IP packet.
bool flip_payload_bit(std::span<uint8_t> packet, uint64_t random);

// is_multicast tells whether an IP packet goes to a multicast address, as a kernel's own announcements on a new device.
bool is_multicast(std::span<const uint8_t> packet);

}  // namespace kith::link_emulator
