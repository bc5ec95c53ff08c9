#include "tools/link_emulator/packet.h"

#include <cstddef>

namespace kith::link_emulator {
namespace {

constexpr uint8_t kUdp = 17;
constexpr size_t kUdpHeader = 8;
constexpr size_t kIpv4MinHeader = 20;
constexpr size_t kIpv6Header = 40;

struct Payload {
  size_t offset = 0;  // 0: none
  bool is_udp = false;
};

Payload find_payload(std::span<const uint8_t> packet) {
  if (packet.empty()) return {};
  const int version = packet[0] >> 4;
  if (version == 4 && packet.size() > kIpv4MinHeader) {
    const size_t header = static_cast<size_t>(packet[0] & 15) * 4;
    // A fragment other than the first has no UDP header; we leave the checksum of any fragment alone.
    const bool is_fragment = (packet[6] & 0x3F) != 0 || packet[7] != 0;
    if (header < kIpv4MinHeader || header >= packet.size()) return {};
    return {header, packet[9] == kUdp && !is_fragment};
  }
  if (version == 6 && packet.size() > kIpv6Header) return {kIpv6Header, packet[6] == kUdp};
  return {};
}

uint16_t get_u16(std::span<const uint8_t> packet, size_t at) {
  return static_cast<uint16_t>(packet[at] << 8 | packet[at + 1]);
}

// RFC 1624: the checksum after a word of the data went from `before` to `after`.
uint16_t adjusted(uint16_t checksum, uint16_t before, uint16_t after) {
  uint32_t sum =
      static_cast<uint16_t>(~checksum) + uint32_t{static_cast<uint16_t>(~before)} + after;
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  const auto out = static_cast<uint16_t>(~sum);
  return out == 0 ? 0xFFFF : out;  // 0 means "none" in UDP
}

}  // namespace

bool flip_payload_bit(std::span<uint8_t> packet, uint64_t random) {
  const Payload payload = find_payload(packet);
  const size_t begin = payload.offset + (payload.is_udp ? kUdpHeader : 0);
  if (payload.offset == 0 || begin >= packet.size()) return false;
  const size_t at = begin + (random >> 3) % (packet.size() - begin);
  const auto bit = static_cast<uint8_t>(1 << (random & 7));
  if (!payload.is_udp) {
    packet[at] = static_cast<uint8_t>(packet[at] ^ bit);
    return true;
  }
  // Words of the checksum are counted from the UDP header, which is at an even place; an odd last byte is the high half
  // of its word.
  const bool is_high = (at - payload.offset) % 2 == 0;
  const auto before = static_cast<uint16_t>(is_high ? packet[at] << 8 : packet[at]);
  packet[at] = static_cast<uint8_t>(packet[at] ^ bit);
  const auto after = static_cast<uint16_t>(is_high ? packet[at] << 8 : packet[at]);
  const size_t checksum_at = payload.offset + 6;
  const uint16_t checksum = get_u16(packet, checksum_at);
  if (checksum == 0) return true;
  const uint16_t fixed = adjusted(checksum, before, after);
  packet[checksum_at] = static_cast<uint8_t>(fixed >> 8);
  packet[checksum_at + 1] = static_cast<uint8_t>(fixed);
  return true;
}

bool is_multicast(std::span<const uint8_t> packet) {
  if (packet.empty()) return false;
  if (packet[0] >> 4 == 4) return packet.size() >= kIpv4MinHeader && packet[16] >> 4 == 14;
  return packet.size() >= kIpv6Header && packet[24] == 0xFF;
}

}  // namespace kith::link_emulator
