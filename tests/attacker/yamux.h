// The dialer's side of yamux over Noise over TCP, frame by frame. Spec: libp2p/specs yamux/README.md.
#pragma once

#include "tests/attacker/noise.h"
#include "tests/attacker/run.h"

namespace kith::attacker {

enum : uint8_t { kYamuxData = 0, kYamuxWindowUpdate = 1, kYamuxPing = 2, kYamuxGoAway = 3 };
enum : uint8_t { kYamuxSyn = 1, kYamuxAck = 2, kYamuxFin = 4, kYamuxRst = 8 };

// append_frame appends a frame of `data`, or a header with any `length`.
void append_frame(Bytes& out, uint8_t type, uint8_t flags, uint32_t id, uint32_t length);
void append_data(Bytes& out, uint8_t flags, uint32_t id, View data);

class YamuxPeer {
 public:
  // Connects to the node and upgrades; see is_open().
  YamuxPeer(Run& run, const HostKey& host);

  bool is_open() const { return is_open_; }
  bool is_ended() const { return socket_.has_hung_up(); }
  bool send(View frames, Clock::time_point deadline) { return channel_.send(frames, deadline); }
  // wait_hang_up reads nothing.
  bool wait_hang_up(Clock::time_point deadline) const { return socket_.has_hung_up(deadline); }
  // wait_end takes in what the node sends until it hangs up; false if it does not by `deadline`.
  bool wait_end(Clock::time_point deadline);
  // has_pong opens stream `id` with the ping protocol, announced with data or not, and waits for the echo.
  bool has_pong(uint32_t id, Clock::time_point deadline, bool syn_as_data = false);

  // What the node has sent.
  uint64_t go_away_code() const { return go_away_code_; }  // kNoCode: none
  static constexpr uint64_t kNoCode = UINT64_MAX;
  NoiseChannel& channel() { return channel_; }

 private:
  bool receive(Clock::time_point deadline);

  TcpSocket socket_;
  NoiseChannel channel_;
  bool is_open_ = false;
  Bytes input_;              // frames that are not whole yet
  uint32_t watched_id_ = 0;  // the stream whose data goes to watched_
  Bytes watched_;
  uint64_t go_away_code_ = kNoCode;
};

}  // namespace kith::attacker
