// Session: one end of a WebSocket, from its handshake to its close frame, as a stream of bytes.
// Sans-IO. Spec: RFC 6455; libp2p/specs websockets/README.md.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "protocol/websocket/frames.h"
#include "protocol/websocket/handshake.h"

namespace kith::websocket {

class Session {
 public:
  //   kHandshaking --> kOpen --a close frame, either way--> kClosed
  //        |             |
  //        +-> kFailed <-+
  enum class State : uint8_t { kHandshaking, kOpen, kClosed, kFailed };

  // dial asks for the WebSocket of `host`, as Handshake::dial says; the request goes to `out`.
  // `random` gives the nonce and the masking keys.
  static Session dial(std::string_view host, Random random, OutputBytes& out);
  static Session listen(Random random);

  // receive takes all of `chunk`, and writes the data that is in it over its front: that is what it
  // returns. What is to be sent, also when it fails, goes to `out`. An error is final. In kClosed
  // everything is ignored. Errors as Handshake and Frames say.
  Result<MutableBytes> receive(MutableBytes chunk, OutputBytes& out);

  // The next three do nothing unless kOpen; see Frames.
  void send(Bytes data, OutputBytes& out);
  void answer_ping(OutputBytes& out);
  void close(OutputBytes& out);

  State state() const { return state_; }
  // end says why the state is kClosed: KITH_OK for an end in good order, KITH_ERR_CONNECTION_LOST
  // for one that the peer gave another code for.
  Error end() const;

 private:
  Session(bool is_dialer, Random random, Handshake handshake)
      : is_dialer_(is_dialer), random_(random), handshake_(std::move(handshake)) {}

  bool is_dialer_;
  Random random_;
  State state_ = State::kHandshaking;
  std::optional<Handshake> handshake_;  // until it is complete
  std::unique_ptr<Frames> frames_;      // from then on
};

}  // namespace kith::websocket
