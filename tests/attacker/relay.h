// A UDP relay between the attacker's own dialer and the node, that delays, damages or copies what
// the dialer sends. Everything from the node passes at once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "tests/attacker/wire.h"

namespace kith::attacker {

enum class RelayKind {
  kDribble,      // one datagram per `pause`, in order
  kHoldFinish,   // the last datagram of the dialer's certificate flight, and all after it, come
                 // `pause` late
  kCorrupt,      // `percent` of the datagrams are damaged
  kExtraCopies,  // a damaged copy goes before each datagram
};

struct RelayPlan {
  RelayKind kind = RelayKind::kDribble;
  std::chrono::milliseconds pause{0};
  uint64_t percent = 0;
  uint64_t seed = 1;
};

struct RelayCounts {
  std::atomic<uint64_t> passed{0};  // datagrams of the dialer that went on unchanged
  std::atomic<uint64_t> delayed{0};
  std::atomic<uint64_t> damaged{0};
};

class Relay {
 public:
  // Relays to `host`:`port` on a thread of its own, until destroyed.
  Relay(const std::string& host, uint16_t port, const RelayPlan& plan);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // The loopback port, of the node's address family, to dial instead of the node; 0 if the relay
  // could not start.
  uint16_t port() const;
  const RelayCounts& counts() const;

 private:
  struct Worker;
  std::unique_ptr<Worker> worker_;
};

// handshake_bytes returns how many bytes of QUIC version 1 Handshake packets are in `datagram`.
size_t handshake_bytes(View datagram);

}  // namespace kith::attacker
