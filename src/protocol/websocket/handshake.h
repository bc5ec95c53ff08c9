// The opening handshake of a WebSocket: an HTTP/1.1 request to upgrade, and its answer. Sans-IO.
// Spec: RFC 6455 sections 1.3, 4; libp2p/specs websockets/README.md.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "protocol/websocket/http.h"

namespace kith::websocket {

inline constexpr size_t kNonceBytes = 16;

// accept_of returns the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
std::string accept_of(std::string_view key);

// Handshake is one side of it. No subprotocol and no extension is offered or taken.
//
// The listener does as little as proxies and browsers allow: any path, any Host and any Origin, for who
// the peer is comes out above. What is not an upgrade gets a clear answer: 400, 426 or 431.
class Handshake {
 public:
  // dial asks `host` ("example.com", "192.0.2.1:4001", "[2001:db8::1]:4001"); the request goes to
  // `out`. `nonce` is fresh randomness of kNonceBytes.
  static Handshake dial(std::string_view host, Bytes nonce, OutputBytes& out);
  static Handshake listen() { return Handshake(); }

  // receive takes bytes up to the end of the peer's head, and returns how many that were. The
  // listener's answer goes to `out`, also when it fails. After an error nothing is to be received.
  // KITH_ERR_HANDSHAKE for HTTP that does not upgrade, KITH_ERR_MALFORMED for what is not HTTP,
  // KITH_ERR_LIMIT as http.h says.
  Result<size_t> receive(Bytes in, OutputBytes& out);
  bool is_complete() const { return reader_.is_complete(); }

 private:
  Handshake() = default;
  Status check_answer(const Head& head) const;

  HeadReader reader_;
  std::string expected_accept_;  // of a dialer
};

}  // namespace kith::websocket
