// The multiaddr protocol table. Spec: multiformats/multiaddr protocols.csv, go-multiaddr
// protocols.go.
#include "wire/multiaddr_protocols.h"

#include <algorithm>
#include <iterator>

namespace kith::wire {
namespace {

constexpr int32_t kPrefixed = -1;

constexpr Protocol kProtocols[] = {
    {proto::kIp4, 32, "ip4", false},
    {proto::kTcp, 16, "tcp", false},
    {proto::kDccp, 16, "dccp", false},
    {proto::kIp6, 128, "ip6", false},
    {proto::kIp6Zone, kPrefixed, "ip6zone", false},
    {proto::kIpCidr, 8, "ipcidr", false},
    {proto::kDns, kPrefixed, "dns", false},
    {proto::kDns4, kPrefixed, "dns4", false},
    {proto::kDns6, kPrefixed, "dns6", false},
    {proto::kDnsaddr, kPrefixed, "dnsaddr", false},
    {proto::kSctp, 16, "sctp", false},
    {proto::kUdp, 16, "udp", false},
    {proto::kP2pWebrtcStar, 0, "p2p-webrtc-star", false},
    {proto::kP2pWebrtcDirect, 0, "p2p-webrtc-direct", false},
    {proto::kP2pStardust, 0, "p2p-stardust", false},
    {proto::kWebrtcDirect, 0, "webrtc-direct", false},
    {proto::kWebrtc, 0, "webrtc", false},
    {proto::kP2pCircuit, 0, "p2p-circuit", false},
    {proto::kUdt, 0, "udt", false},
    {proto::kUtp, 0, "utp", false},
    {proto::kUnix, kPrefixed, "unix", true},
    {proto::kP2p, kPrefixed, "p2p", false},
    {proto::kHttps, 0, "https", false},
    {proto::kOnion, 96, "onion", false},
    {proto::kOnion3, 296, "onion3", false},
    {proto::kGarlic64, kPrefixed, "garlic64", false},
    {proto::kGarlic32, kPrefixed, "garlic32", false},
    {proto::kTls, 0, "tls", false},
    {proto::kSni, kPrefixed, "sni", false},
    {proto::kNoise, 0, "noise", false},
    {proto::kQuic, 0, "quic", false},
    {proto::kQuicV1, 0, "quic-v1", false},
    {proto::kWebtransport, 0, "webtransport", false},
    {proto::kCerthash, kPrefixed, "certhash", false},
    {proto::kWs, 0, "ws", false},
    {proto::kWss, 0, "wss", false},
    {proto::kP2pWebsocketStar, 0, "p2p-websocket-star", false},
    {proto::kHttp, 0, "http", false},
    {proto::kHttpPath, kPrefixed, "http-path", false},
    {proto::kMemory, 64, "memory", false},
    {proto::kPlaintextV2, 0, "plaintextv2", false},
};

constexpr bool less_code(const Protocol& a, const Protocol& b) { return a.code < b.code; }
static_assert(std::is_sorted(std::begin(kProtocols), std::end(kProtocols), less_code));

}  // namespace

const Protocol* protocol_by_code(uint32_t code) {
  const Protocol* p = std::lower_bound(std::begin(kProtocols), std::end(kProtocols),
                                       Protocol{code, 0, {}, false}, less_code);
  return p != std::end(kProtocols) && p->code == code ? p : nullptr;
}

const Protocol* protocol_by_name(std::string_view name) {
  if (name == "ipfs") name = "p2p";
  for (const Protocol& p : kProtocols) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

}  // namespace kith::wire
