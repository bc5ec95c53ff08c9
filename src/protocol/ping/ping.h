// The two sides of ping: 32 random bytes one way, the same 32 bytes back. Sans-IO.
// Spec: libp2p/specs ping/ping.md, protocol id /ipfs/ping/1.0.0.
//
// How many ping streams a peer may hold (limits::kPingStreamsPerConnection) and how long an echo
// may take (limits::kPingTimeout) is for the caller to see to.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/time.h"

namespace kith::ping {

inline constexpr std::string_view kProtocolId = "/ipfs/ping/1.0.0";

// Responder echoes block after block for as long as the dialer sends.
//
// It holds one block and no more: while an echo is pending it takes nothing, so that a dialer that
// does not read is paused by flow control.
class Responder {
 public:
  // receive takes bytes in pieces of any size and returns how many it took: at most up to the end
  // of one block, and none while that block's echo is pending. Call again with the rest after
  // sent().
  size_t receive(Bytes in);

  // end_of_input says that the dialer closed its sending side. Returns KITH_ERR_PROTOCOL_VIOLATION
  // in the middle of a block; otherwise the stream ends well, once pending() is sent.
  Status end_of_input() const;

  // pending returns the rest of the echo to send, valid until receive() or sent(). sent says that
  // the first `n` bytes of it are on their way.
  Bytes pending() const;
  void sent(size_t n);

 private:
  std::array<uint8_t, limits::kPingBytes> block_;
  uint8_t num_received_ = 0;  // bytes of block_; all of them: its echo is pending
  uint8_t num_sent_ = 0;
};

// Pinger measures round trips, one at a time, on the stream that it opened.
class Pinger {
 public:
  //            start()
  //   kIdle ------------> kWaiting
  //     ^                  |    |
  //     +---whole echo-----+    +--other bytes--> kFailed
  //     |                                            ^
  //     +-----------------any bytes------------------+
  enum class State : uint8_t {
    kIdle,     // ready for start(); rtt() is the last measurement
    kWaiting,  // a payload is pending or sent, its echo is due
    kFailed,   // the peer did not echo: see error()
  };

  // start makes `payload` pending. `payload` is limits::kPingBytes fresh random bytes, copied;
  // `now` is when it will be written, which is at once. Returns KITH_ERR_INVALID_ARGUMENT for
  // another size and KITH_ERR_INVALID_STATE unless kIdle with nothing pending.
  Status start(Bytes payload, TimePoint now);

  // receive takes the peer's bytes, in pieces of any size, all of them. `now` is when they arrived.
  // Bytes that are not the echo end in kFailed with KITH_ERR_PROTOCOL_VIOLATION.
  size_t receive(Bytes in, TimePoint now);

  // end_of_input says that the peer closed its sending side: kFailed with KITH_ERR_CLOSED if an
  // echo is due.
  void end_of_input();

  // pending returns the bytes to send, valid until start() or sent(). sent says that the first `n`
  // of them are on their way.
  Bytes pending() const;
  void sent(size_t n);

  State state() const { return state_; }
  // rtt returns the round trip of the last complete ping, never negative; kNever before the first.
  Duration rtt() const { return rtt_; }
  // error says why the state is kFailed; KITH_OK otherwise.
  const Error& error() const { return error_; }

 private:
  void fail(kith_status status, const char* detail);

  std::array<uint8_t, limits::kPingBytes> payload_{};
  TimePoint started_ = 0;
  Duration rtt_ = kNever;
  Error error_{KITH_OK, "ping"};
  uint8_t num_sent_ = limits::kPingBytes;  // bytes of payload_
  uint8_t num_echoed_ = 0;                 // bytes of payload_ that came back
  State state_ = State::kIdle;
};

}  // namespace kith::ping
