// What a node offers when a pipe is upgraded to a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/time.h"
#include "crypto/secret.h"
#include "transport/admission.h"

namespace kith::transport::upgrade {

enum class Security : uint8_t { kTls, kNoise };
enum class Muxer : uint8_t { kYamux, kMplex };

// The protocol id of each, and back.
std::string_view id_of(Security security);
std::string_view id_of(Muxer muxer);
std::optional<Security> security_of(std::string_view id);
std::optional<Muxer> muxer_of(std::string_view id);

struct UpgradeConfig {
  // Best first; listeners take what the dialer likes best of these. TLS first, as go-libp2p has it: AES in hardware is
  // the faster cipher.
  std::vector<Security> security = {Security::kTls, Security::kNoise};
  std::vector<Muxer> muxers = {Muxer::kYamux};
  // Agree on the muxer within the security handshake, if the peer can: saves a round trip.
  bool early_muxer = true;
  // Of a private network (pnet::kKeyBytes): only peers that have it too can talk to us. Empty: a public node.
  crypto::SecretBytes network_key;
  // For all of it, from the first packet to a known peer.
  Duration timeout = limits::kHandshakeTimeout;
  uint16_t max_inbound_streams = limits::kStreamsPerConnection;
  // The node's, for all its transports.
  std::shared_ptr<Admission> admission = std::make_shared<Admission>(AdmissionConfig());
};

}  // namespace kith::transport::upgrade
