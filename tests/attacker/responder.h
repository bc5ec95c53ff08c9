// Answers the streams that the node opens on us: multistream, ping, and identify in good and
// hostile ways. Specs: libp2p/specs connections/README.md, identify/README.md, ping/ping.md.
#pragma once

#include <string>

#include "tests/attacker/peer.h"
#include "tests/attacker/wire.h"

namespace kith::attacker {

enum class IdentifyAnswer {
  kGood,      // one right message, then FIN
  kMebibyte,  // a message of 1 MiB
  kEndless,   // right messages, without end
  kMany,      // many messages with very many protocols and addresses, then FIN
  kSilent,    // nothing after the negotiation
};

struct IdentifyPlan {
  IdentifyAnswer answer = IdentifyAnswer::kGood;
  Bytes public_key;
  size_t messages = 10;
  size_t protocols = 2000;
  size_t addresses = 10000;
  size_t agent_bytes = 16;
};

// identify_generator gives the bytes of `plan`'s answer block by block; null for kSilent.
Generator identify_generator(const IdentifyPlan& plan);

// True for the answers that end with FIN.
bool identify_ends(IdentifyAnswer answer);

class Responder {
 public:
  Responder(Stream& stream, const IdentifyPlan& plan) : stream_(stream), plan_(plan) {}

  // Called on a worker thread with the endpoint's lock held.
  void receive(View bytes);
  // The node finished its side; the same.
  void finish();
  // The protocol that was agreed, or "".
  const std::string& protocol() const { return protocol_; }
  Clock::time_point agreed_at() const { return agreed_at_; }

 private:
  void answer(const std::string& line);

  Stream& stream_;
  IdentifyPlan plan_;
  Bytes pending_;
  bool said_hello_ = false;
  std::string protocol_;
  Clock::time_point agreed_at_;
};

}  // namespace kith::attacker
