// The protocols that a multiaddr can name, every one of the registry and of go-multiaddr.
// Spec: multiformats/multiaddr protocols.csv; where it and go-multiaddr protocols.go differ (memory
// has 64 bits, plaintextv2 exists), the latter, which is what peers send.
#pragma once

#include <cstdint>
#include <string_view>

namespace kith::wire {

// Protocol describes one kind of component. There is one object per protocol, so pointers can be
// compared.
struct Protocol {
  uint32_t code;
  int32_t size_bits;      // of the value; -1: length-prefixed, 0: no value
  std::string_view name;  // as to_string writes it
  bool is_path;  // as text, the value is the rest of the address, and nothing may follow it
};

// Both return null when there is no such protocol. The name "ipfs" is an alias of "p2p".
const Protocol* protocol_by_code(uint32_t code);
const Protocol* protocol_by_name(std::string_view name);

namespace proto {
inline constexpr uint32_t kIp4 = 4;
inline constexpr uint32_t kTcp = 6;
inline constexpr uint32_t kDccp = 33;
inline constexpr uint32_t kIp6 = 41;
inline constexpr uint32_t kIp6Zone = 42;
inline constexpr uint32_t kIpCidr = 43;
inline constexpr uint32_t kDns = 53;
inline constexpr uint32_t kDns4 = 54;
inline constexpr uint32_t kDns6 = 55;
inline constexpr uint32_t kDnsaddr = 56;
inline constexpr uint32_t kSctp = 132;
inline constexpr uint32_t kUdp = 273;
inline constexpr uint32_t kP2pWebrtcStar = 275;
inline constexpr uint32_t kP2pWebrtcDirect = 276;
inline constexpr uint32_t kP2pStardust = 277;
inline constexpr uint32_t kWebrtcDirect = 280;
inline constexpr uint32_t kWebrtc = 281;
inline constexpr uint32_t kP2pCircuit = 290;
inline constexpr uint32_t kUdt = 301;
inline constexpr uint32_t kUtp = 302;
inline constexpr uint32_t kUnix = 400;
inline constexpr uint32_t kP2p = 421;
inline constexpr uint32_t kHttps = 443;
inline constexpr uint32_t kOnion = 444;
inline constexpr uint32_t kOnion3 = 445;
inline constexpr uint32_t kGarlic64 = 446;
inline constexpr uint32_t kGarlic32 = 447;
inline constexpr uint32_t kTls = 448;
inline constexpr uint32_t kSni = 449;
inline constexpr uint32_t kNoise = 454;
inline constexpr uint32_t kQuic = 460;  // draft 29; version 1 is kQuicV1
inline constexpr uint32_t kQuicV1 = 461;
inline constexpr uint32_t kWebtransport = 465;
inline constexpr uint32_t kCerthash = 466;
inline constexpr uint32_t kWs = 477;
inline constexpr uint32_t kWss = 478;
inline constexpr uint32_t kP2pWebsocketStar = 479;
inline constexpr uint32_t kHttp = 480;
inline constexpr uint32_t kHttpPath = 481;
inline constexpr uint32_t kMemory = 777;
inline constexpr uint32_t kPlaintextV2 = 7367777;
}  // namespace proto

}  // namespace kith::wire
