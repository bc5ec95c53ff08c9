// What WebSocket has to configure beyond TCP.
#pragma once

#include <string>

#include "crypto/secret.h"

namespace kith::transport::websocket {

struct WebsocketConfig {
  // Of /tls/ws, as PEM: our certificate with its chain, and its key. Empty: /tls/ws cannot be listened on.
  std::string certificate_chain_pem;
  crypto::SecretBytes private_key_pem;
  // Whom a server's certificate must come from, as PEM. Empty: whom the system trusts.
  std::string roots_pem;
  // Dials /tls/ws whatever the certificate, such as a self-signed one. Who the peer is, is proven inside all the same.
  bool accept_any_certificate = false;
};

}  // namespace kith::transport::websocket
