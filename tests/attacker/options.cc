// Parsing of the attacker's command line. Unknown keys are refused, so that a misspelled test
// fails.
#include "tests/attacker/options.h"

#include <arpa/inet.h>

#include <cstdlib>

namespace kith::attacker {
namespace {

struct Key {
  const char* name;
  const char* help;
};

constexpr Key kKeys[] = {
    {"limit", "seconds the whole run may take (60, at most 600)"},
    {"wait", "seconds the node has to react (15)"},
    {"quiet", "1 leaves out the lines of single connections and streams"},
    {"expect", "accepted or refused, where the scenario's own expectation does not fit"},
    {"seed", "number that the Ed25519 host key is derived from (1)"},
    {"host-key", "ed25519, ecdsa or rsaBITS, for good (ed25519)"},
    {"critical", "1 marks the libp2p extension critical"},
    {"sni", "server name to send, for good"},
    {"host", "the loopback address a server listens on (127.0.0.1)"},
    {"certificates", "certificates in the chain, for two-certificates (2)"},
    {"padding", "bytes of filler extension in the certificate"},
    {"count", "the same as COUNT"},
    {"when", "start, acked or mix: when reset-churn resets a stream (mix)"},
    {"max", "the most that the node may allow: see the scenarios"},
    {"web", "1 attacks TLS of the web, which /wss is in"},
    {"length", "announced line length, for multistream-endless-line (1024)"},
    {"interval-ms", "time between two pieces, for the trickling scenarios"},
    {"messages", "messages of identify-many (10)"},
    {"protocols", "protocols of identify-many over all messages (2000)"},
    {"addresses", "addresses of identify-many over all messages (10000)"},
    {"agent-bytes", "length of the agent version of identify-many (16)"},
    {"push", "1 sends the identify messages as a push on a stream of ours"},
    {"limit-bytes", "bytes that must not all be taken, for floods on a stream (67108864)"},
    {"rate", "datagrams a second, 0 for no pacing"},
    {"sockets", "sockets of a datagram flood (32)"},
    {"sources", "source addresses, 127.0.1.1 and up; 1 keeps 127.0.0.1 (1)"},
    {"honest", "honest dials before, during and after a flood (5)"},
    {"datagrams", "datagrams of a ClientHello that half-handshakes sends (all)"},
    {"hold", "seconds that something is held back or kept open"},
    {"percent", "share of datagrams that corrupted-handshake damages (30)"},
    {"random-seed", "seed of random datagrams and of damage (1)"},
};

bool is_known(const std::string& name) {
  for (const Key& key : kKeys) {
    if (name == key.name) return true;
  }
  return false;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_number(const std::string& text) {
  if (text.empty() || text.size() > 15) return false;
  return text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::string Options::parse(const std::vector<std::string>& words) {
  size_t at = 0;
  auto next = [&](std::string& out) {
    if (at >= words.size()) return false;
    out = words[at++];
    return true;
  };
  std::string mode, port_text;
  if (!next(mode) || (mode != "client" && mode != "server")) return "the mode is client or server";
  is_server = mode == "server";
  if (!is_server && !next(host)) return "client needs HOST PORT SCENARIO";
  if (!next(port_text) || !is_number(port_text) || std::stoul(port_text) > 65535) {
    return "PORT is a number up to 65535";
  }
  port = static_cast<uint16_t>(std::stoul(port_text));
  if (!next(scenario)) return "the scenario is missing";
  if (at < words.size() && is_number(words[at])) values["count"] = words[at++];
  while (at < words.size()) {
    const std::string& word = words[at++];
    if (!word.starts_with("--") || !is_known(word.substr(2))) return "unknown option " + word;
    if (at >= words.size()) return word + " needs a value";
    values[word.substr(2)] = words[at++];
  }
  if (is_server) host = text("host", host);
  if (!is_loopback(host)) return "only loopback addresses are attacked, not " + host;
  if (!is_server && port == 0) return "PORT 0 is for servers";
  return "";
}

uint64_t Options::number(const std::string& key, uint64_t fallback) const {
  auto found = values.find(key);
  return found == values.end() ? fallback : std::strtoull(found->second.c_str(), nullptr, 10);
}

double Options::seconds(const std::string& key, double fallback) const {
  auto found = values.find(key);
  return found == values.end() ? fallback : std::strtod(found->second.c_str(), nullptr);
}

std::string Options::text(const std::string& key, const std::string& fallback) const {
  auto found = values.find(key);
  return found == values.end() ? fallback : found->second;
}

std::string options_help() {
  std::string out;
  for (const Key& key : kKeys) {
    std::string name = std::string("  --") + key.name;
    name.resize(20, ' ');
    out += name + key.help + "\n";
  }
  return out;
}

}  // namespace kith::attacker
