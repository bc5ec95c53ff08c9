// Floods of plain UDP datagrams, and what the node answers to them.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "tests/attacker/initial.h"
#include "tests/attacker/peer.h"
#include "tests/attacker/run.h"
#include "tests/attacker/udp.h"

namespace kith::attacker {

struct Replies {
  uint64_t datagrams = 0;
  uint64_t bytes = 0;
  uint64_t retries = 0;
  uint64_t version_negotiations = 0;
  uint64_t initials = 0;
  uint64_t short_headers = 0;  // stateless resets, as nobody here has a connection
  Clock::time_point last{};

  void count(View datagram);
};

// drain reads everything that waits on `socket`. Returns false when the kernel says that nobody
// listens.
bool drain(const Socket& socket, Replies& replies);

struct FloodResult {
  uint64_t sent = 0;
  uint64_t sent_bytes = 0;
  double seconds = 0;
  bool is_refused = false;  // nobody listens on the port
  Replies replies;

  // The node must not send more than three bytes for one (RFC 9000 section 8.1).
  bool is_amplified() const { return replies.bytes > 3 * sent_bytes; }
  void report() const;
};

// flood sends `count` datagrams made by `make` over `sockets`, `rate` a second (0: as fast as it
// goes), until done or `deadline`. Blocks; touches no endpoint.
FloodResult flood(const std::vector<Socket>& sockets, uint64_t count, uint64_t rate,
                  const std::function<void(Bytes&)>& make, Clock::time_point deadline);

// capture_client_hello returns the Initials of one ClientHello of MsQuic, caught on a socket of our
// own; none on failure.
std::vector<ClientInitial> capture_client_hello(Run& run);

// besieged runs `attack` on a thread of its own, with honest dials before, during and after.
// Reports all of them. True when every honest dial after it succeeded.
bool besieged(Run& run, const std::function<void()>& attack);

}  // namespace kith::attacker
