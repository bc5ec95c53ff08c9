#include "address.h"

#include <algorithm>
#include <string_view>

#include "command.h"
#include "kith/multiaddr.h"

namespace cli {

namespace {

struct Meaning {
  std::string_view name;
  std::string_view text;
};
constexpr Meaning kMeanings[] = {
    {"ip4", "IPv4 address"},
    {"ip6", "IPv6 address"},
    {"ip6zone", "network interface of an IPv6 address"},
    {"ipcidr", "network prefix length"},
    {"dns", "name, IPv4 or IPv6"},
    {"dns4", "name, IPv4"},
    {"dns6", "name, IPv6"},
    {"dnsaddr", "name whose TXT records hold multiaddrs"},
    {"tcp", "TCP port"},
    {"udp", "UDP port"},
    {"quic-v1", "QUIC version 1 (RFC 9000)"},
    {"quic", "QUIC draft 29, obsolete"},
    {"p2p", "peer id, proven in the handshake"},
    {"p2p-circuit", "by way of the relay before it"},
    {"tls", "TLS"},
    {"sni", "server name for TLS"},
    {"noise", "Noise"},
    {"ws", "WebSocket"},
    {"wss", "WebSocket over TLS"},
    {"webtransport", "WebTransport"},
    {"webrtc", "WebRTC between browsers"},
    {"webrtc-direct", "WebRTC to a server"},
    {"certhash", "hash of a certificate to accept"},
    {"http", "HTTP"},
    {"https", "HTTP over TLS"},
    {"http-path", "path of an HTTP request"},
    {"unix", "Unix domain socket"},
    {"memory", "within one process"},
};

std::string format(const uint8_t* data, size_t size) {
  size_t room = 0;
  kith_error error{};
  if (kith_multiaddr_format(nullptr, &room, data, size, &error) != KITH_OK)
    throw Failure(error.message);
  std::string text(room, '\0');
  kith_multiaddr_format(text.data(), &room, data, size, nullptr);
  text.resize(room - 1);
  return text;
}

// "/udp/4001" -> "4001"; "/quic-v1" -> "".
std::string value_in(const std::string& component) {
  const size_t slash = component.find('/', 1);
  return slash == std::string::npos ? "" : component.substr(slash + 1);
}

// The shapes that this build speaks are [ip6zone] ip4|ip6, then udp, quic-v1 or tcp [, websocket] [, p2p]. Returns what is wrong with
// `part`, which stands where `wanted` should, or behind all of it.
std::string wrong_part(const AddressPart& part, std::string_view wanted) {
  const std::string& n = part.name;
  if (n == "dnsaddr") {
    return "this build does not resolve names: look up the TXT records of _dnsaddr." + part.value +
           " and use an address with /udp/PORT/quic-v1 or /tcp/PORT";
  }
  if (n == "dns" || n == "dns4" || n == "dns6") {
    return "this build does not resolve names: look it up ('getent hosts " + part.value +
           "') and use /ip4/ADDRESS or /ip6/ADDRESS";
  }
  if (n == "quic")
    return "/quic is the obsolete draft of QUIC, and this build speaks /quic-v1 only";
  if (wanted.empty()) return "this build has no /" + n + " behind the rest of it";
  return "this build speaks tcp, ws, wss and quic-v1: it needs " + std::string(wanted) +
         " where /" + n + " is";
}

// What may stand behind tcp: ws, tls [sni] ws, or wss.
using PartIterator = std::vector<AddressPart>::const_iterator;
std::optional<std::string> wrong_websocket(PartIterator at, PartIterator end) {
  if (at->name == "tls") {
    if (++at != end && at->name == "sni") ++at;
    if (at == end) return "it ends too early: this build needs /ws behind /tls";
    if (at->name != "ws") return wrong_part(*at, "/ws");
  } else if (at->name != "ws" && at->name != "wss") {
    return wrong_part(*at, "/ws, /wss or nothing");
  }
  if (++at != end) return wrong_part(*at, "");
  return std::nullopt;
}

std::optional<std::string> wrong_shape(const std::vector<AddressPart>& parts) {
  for (const AddressPart& part : parts) {
    if (part.name == "p2p-circuit") return "this build does not connect through relays";
  }
  auto at = parts.begin();
  if (at != parts.end() && at->name == "ip6zone") ++at;
  if (at == parts.end()) {
    return "it has no network address: put /ip4/ADDRESS/udp/PORT/quic-v1 or /ip4/ADDRESS/tcp/PORT "
           "in front";
  }
  if (at->name != "ip4" && at->name != "ip6") return wrong_part(*at, "/ip4 or /ip6");
  if (++at == parts.end()) {
    return "it ends too early: this build needs /udp/PORT/quic-v1 or /tcp/PORT behind the IP "
           "address";
  }
  if (at->name == "udp") {
    if (++at == parts.end()) return "it ends too early: this build needs /quic-v1 behind /udp/PORT";
    if (at->name != "quic-v1") return wrong_part(*at, "/quic-v1");
  } else if (at->name != "tcp") {
    return wrong_part(*at, "/tcp or /udp");
  } else if (at + 1 != parts.end()) {
    return wrong_websocket(++at, parts.end());
  }
  if (++at != parts.end()) return wrong_part(*at, "");
  return std::nullopt;
}

}  // namespace

std::string Address::value_of(std::string_view name) const {
  const auto part =
      std::find_if(parts.begin(), parts.end(), [&](const auto& p) { return p.name == name; });
  return part == parts.end() ? "" : part->value;
}

Address parse_address(const std::string& text) {
  Address out;
  size_t size = 0;
  kith_error error{};
  if (kith_multiaddr_parse(nullptr, &size, text.c_str(), &error) != KITH_OK) {
    throw Failure(
        std::string(error.message) +
        (text.starts_with('/') ? "" : ". A multiaddr looks like /ip4/127.0.0.1/udp/4001/quic-v1"));
  }
  out.bytes.resize(size);
  kith_multiaddr_parse(out.bytes.data(), &size, text.c_str(), nullptr);
  out.text = format(out.bytes.data(), out.bytes.size());
  size_t offset = 0;
  kith_multiaddr_component component{};
  for (;;) {
    const size_t begin = offset;
    if (kith_multiaddr_next(out.bytes.data(), out.bytes.size(), &offset, &component) != KITH_OK)
      break;
    AddressPart part;
    part.code = component.code;
    part.name = component.name;
    part.value = value_in(format(out.bytes.data() + begin, offset - begin));
    part.bytes.assign(out.bytes.begin() + static_cast<ptrdiff_t>(begin),
                      out.bytes.begin() + static_cast<ptrdiff_t>(offset));
    part.value_bytes.assign(component.value, component.value + component.value_len);
    out.parts.push_back(std::move(part));
  }
  return out;
}

Address parse_address_argument(const std::string& text) {
  try {
    return parse_address(text);
  } catch (const Failure& f) {
    throw UsageError(f.what());
  }
}

std::optional<std::string> why_not_dial(const Address& address) {
  std::vector<AddressPart> parts = address.parts;
  if (!parts.empty() && parts.back().name == "p2p") parts.pop_back();
  if (auto why = wrong_shape(parts)) return why;
  if (address.value_of("udp") == "0" || address.value_of("tcp") == "0") {
    return "port 0 means 'any free port' and is for listening: use the port that the node printed";
  }
  const std::string ip = address.value_of("ip4") + address.value_of("ip6");
  if (ip == "0.0.0.0" || ip == "::") {
    return ip +
           " means 'every address of this machine' and is for listening: use one of them, such "
           "as " +
           (ip == "::" ? "/ip6/::1" : "/ip4/127.0.0.1");
  }
  return std::nullopt;
}

std::optional<std::string> why_not_listen(const Address& address) {
  if (!address.value_of("p2p").empty() && address.parts.back().name == "p2p") {
    return "a listening address does not name its peer: leave out /p2p/" +
           address.parts.back().value;
  }
  return wrong_shape(address.parts);
}

std::string meaning_of(const AddressPart& part) {
  for (const Meaning& m : kMeanings) {
    if (m.name == part.name) return std::string(m.text);
  }
  return "";
}

}  // namespace cli
