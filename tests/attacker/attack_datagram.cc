// Scenarios of datagrams that are no QUIC connection: empty, garbage Initials, garbage short
// headers, random. Format: RFC 9000 section 17.
#include <algorithm>
#include <random>

#include "tests/attacker/flood.h"

namespace kith::attacker {
namespace {

constexpr size_t kInitialBytes = 1200;
constexpr size_t kCidBytes = 8;

using Random = std::mt19937_64;
using Maker = std::function<void(Random&, Bytes&)>;

void append_random(Random& random, Bytes& out, size_t count) {
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<uint8_t>(random()));
}

void make_empty(Random&, Bytes& out) { out.clear(); }

// A version 1 Initial in every visible field; its payload does not decrypt.
void make_initial(Random& random, Bytes& out) {
  out = {static_cast<uint8_t>(0xc0 | (random() & 0x0f)), 0, 0, 0, 1, kCidBytes};
  append_random(random, out, kCidBytes);
  out.push_back(kCidBytes);
  append_random(random, out, kCidBytes);
  out.push_back(0);  // no token
  size_t rest = kInitialBytes - out.size() - 2;
  out.push_back(static_cast<uint8_t>(0x40 | rest >> 8));
  out.push_back(static_cast<uint8_t>(rest));
  append_random(random, out, rest);
}

void make_short(Random& random, Bytes& out) {
  out.clear();
  out.push_back(static_cast<uint8_t>(0x40 | (random() & 0x3f)));
  append_random(random, out, 21 + random() % kInitialBytes);
}

void make_random(Random& random, Bytes& out) {
  out.clear();
  append_random(random, out, 1 + random() % 1400);
}

// Initials that decrypt: half are a ClientHello with a few damaged bytes, half are random frames.
Maker malformed_initials(std::vector<ClientInitial> hello) {
  return [hello = std::move(hello)](Random& random, Bytes& out) {
    ClientInitial packet = hello[random() % hello.size()];
    if (random() % 2 == 0) {
      for (uint64_t i = 1 + random() % 8; i > 0; --i) {
        packet.payload[random() % std::min<size_t>(packet.payload.size(), 600)] =
            static_cast<uint8_t>(random());
      }
    } else {
      for (uint8_t& byte : packet.payload) byte = static_cast<uint8_t>(random());
      packet.payload[0] = static_cast<uint8_t>(random() % 0x20);
    }
    Bytes destination;
    append_random(random, destination, kCidBytes);
    out = seal_client_initial(packet, destination);
  };
}

Verdict attack(Run& run, const Maker& make, uint64_t default_count, uint64_t default_rate) {
  if (run.options.is_server) return trouble("datagram floods are for client mode");
  const Options& options = run.options;
  std::vector<Socket> sockets = connected_sockets(
      make_address(options.host, options.port),
      std::max<uint64_t>(1, options.number("sockets", 32)), options.number("sources", 1));
  if (sockets.empty()) return trouble("no UDP socket could be opened");
  Random random(options.number("random-seed", 1));
  FloodResult result;
  // What remains after the flood is for the honest dials.
  Clock::time_point deadline = run.limit() - std::chrono::seconds(10);
  bool is_served = besieged(run, [&] {
    result = flood(
        sockets, options.number("count", default_count), options.number("rate", default_rate),
        [&](Bytes& out) { make(random, out); }, deadline);
  });
  result.report();
  if (result.is_refused) return trouble("nobody listens on this port");
  if (result.is_amplified()) return wrong("the node sent more than three times what it got");
  return is_served ? right("the node still serves")
                   : wrong("an honest dial failed after the flood");
}

}  // namespace

void add_datagram_scenarios(std::vector<Scenario>& out) {
  out.push_back({"empty-datagrams",
                 "COUNT (1000000) empty UDP datagrams, 50,000 a second (see --rate, --sockets)",
                 [](Run& run) { return attack(run, make_empty, 1'000'000, 50'000); }});
  out.push_back({"garbage-initials",
                 "COUNT (90000) Initials of 1,200 bytes that do not decrypt, 10,000 a second",
                 [](Run& run) { return attack(run, make_initial, 90'000, 10'000); }});
  out.push_back({"malformed-initials",
                 "COUNT (20000) Initials that decrypt to broken ClientHellos or random frames, "
                 "2,000 a second",
                 [](Run& run) {
                   if (run.options.is_server)
                     return trouble("malformed-initials is for client mode");
                   std::vector<ClientInitial> hello = capture_client_hello(run);
                   if (hello.empty()) return trouble("no ClientHello was caught");
                   return attack(run, malformed_initials(std::move(hello)), 20'000, 2'000);
                 }});
  out.push_back({"garbage-short",
                 "COUNT (90000) short-header packets of no connection, 10,000 a second",
                 [](Run& run) { return attack(run, make_short, 90'000, 10'000); }});
  out.push_back({"random-bytes",
                 "COUNT (90000) random datagrams of 1 to 1,400 bytes, 10,000 a second",
                 [](Run& run) { return attack(run, make_random, 90'000, 10'000); }});
}

}  // namespace kith::attacker
