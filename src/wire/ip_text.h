// IP addresses as text, without the system's resolver library.
// Spec: RFC 4291 section 2.2 (reading), RFC 5952 (writing), as Go's net/netip does both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace kith::wire {

// parse_ip4 reads four decimal numbers without leading zeros; false for anything else.
bool parse_ip4(std::string_view text, std::span<uint8_t, 4> out);

// parse_ip6 reads the RFC 4291 forms, an embedded IPv4 address at the end included; no zone. False
// for anything else.
bool parse_ip6(std::string_view text, std::span<uint8_t, 16> out);

void append_ip4(std::string& out, std::span<const uint8_t, 4> address);

// append_ip6 appends the canonical form of RFC 5952; IPv4-mapped addresses as "::ffff:1.2.3.4".
void append_ip6(std::string& out, std::span<const uint8_t, 16> address);

}  // namespace kith::wire
