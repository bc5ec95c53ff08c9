#include "swarm/dial_rank.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace kith::swarm {

namespace proto = wire::proto;

namespace {

constexpr Duration kLocalHeadStart = milliseconds(30);
constexpr Duration kHeadStart = milliseconds(250);
constexpr Duration kLaterHeadStart = milliseconds(10);

// Loopback, link-local, private (RFC 1918, RFC 4193) and shared (RFC 6598) addresses.
bool is_local(const wire::Component& host) {
  const Bytes ip = host.value;
  if (host.protocol->code == proto::kIp4) {
    return ip[0] == 10 || ip[0] == 127 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
           (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254) ||
           (ip[0] == 100 && (ip[1] & 0xc0) == 64);
  }
  if (host.protocol->code != proto::kIp6) return false;
  const bool is_loopback =
      ip[15] == 1 && std::all_of(ip.begin(), ip.end() - 1, [](uint8_t b) { return b == 0; });
  return is_loopback || (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
}

bool is_local(const wire::Multiaddr& address) {
  for (const wire::Component c : address) {
    if (c.protocol->code != proto::kIp6Zone) return is_local(c);
  }
  return false;
}

// Smaller is dialed sooner.
int kind_of(const wire::Multiaddr& a) {
  if (a.has(proto::kQuicV1)) return 0;
  if (!a.has(proto::kTcp)) return 3;
  return a.has(proto::kWs) || a.has(proto::kWss) ? 2 : 1;
}

// 0 if there is none.
int port_of(const wire::Multiaddr& address) {
  for (const wire::Component c : address) {
    if (c.protocol->code == proto::kUdp || c.protocol->code == proto::kTcp) {
      return c.value[0] << 8 | c.value[1];
    }
  }
  return 0;
}

// Turns between IPv6 and what is not, beginning with IPv6.
using Iterator = std::span<wire::Multiaddr>::iterator;
void take_turns(Iterator begin, Iterator end) {
  const auto middle = std::stable_partition(
      begin, end, [](const wire::Multiaddr& a) { return a.has(proto::kIp6); });
  std::vector<wire::Multiaddr> six(std::make_move_iterator(begin), std::make_move_iterator(middle));
  std::vector<wire::Multiaddr> four(std::make_move_iterator(middle), std::make_move_iterator(end));
  for (size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
    if (i < six.size()) *begin++ = std::move(six[i]);
    if (i < four.size()) *begin++ = std::move(four[i]);
  }
}

}  // namespace

AddressGroup group_of(const wire::Multiaddr& address) {
  if (address.has(proto::kP2pCircuit)) return AddressGroup::kRelayed;
  return is_local(address) ? AddressGroup::kLocal : AddressGroup::kPublic;
}

void rank_addresses(std::span<wire::Multiaddr> addresses) {
  std::stable_sort(addresses.begin(), addresses.end(),
                   [](const wire::Multiaddr& a, const wire::Multiaddr& b) {
                     return std::pair(kind_of(a), port_of(a)) < std::pair(kind_of(b), port_of(b));
                   });
  for (auto begin = addresses.begin(); begin != addresses.end();) {
    const int kind = kind_of(*begin);
    const auto end = std::find_if(begin, addresses.end(),
                                  [&](const wire::Multiaddr& a) { return kind_of(a) != kind; });
    take_turns(begin, end);
    begin = end;
  }
}

Duration head_start(std::span<const wire::Multiaddr> ranked, size_t position) {
  const wire::Multiaddr& address = ranked[position];
  if (position >= 2 && kind_of(ranked[position - 1]) == kind_of(address) &&
      kind_of(ranked[position - 2]) == kind_of(address)) {
    return kLaterHeadStart;
  }
  return group_of(address) == AddressGroup::kLocal ? kLocalHeadStart : kHeadStart;
}

}  // namespace kith::swarm
