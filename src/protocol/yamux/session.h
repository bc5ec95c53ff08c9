// Yamux: many streams over one ordered byte pipe, each with a window of its own. The half that it shares with mplex is in
// protocol/muxer. Spec: libp2p/specs yamux/README.md (hashicorp/yamux spec.md), with the error code of a reset in the length
// of its window update, as go-yamux 5 sends it and libp2p/specs pull request 622 defines it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/muxer/session.h"
#include "protocol/yamux/frame.h"
#include "protocol/yamux/seen_ids.h"

namespace kith::yamux {

inline constexpr std::string_view kProtocolId = "/yamux/1.0.0";

class Stream final : public muxer::Stream {
 public:
  using muxer::Stream::Stream;

 private:
  friend class Session;
  uint32_t wire_id() const { return static_cast<uint32_t>(id_); }

  bool ack_owed_ = false;                     // inbound, not acknowledged
  bool is_acked_ = false;                     // outbound, the peer has acknowledged it
  bool credit_owed_ = false;                  // a window update is due
  uint32_t send_window_ = kInitialWindow;     // bytes the peer lets us send
  uint32_t receive_window_ = kInitialWindow;  // bytes we let the peer send
  uint32_t window_ = kInitialWindow;          // what receive_window_ returns to; grows
  uint32_t credit_ = 0;                       // consumed, and not returned to receive_window_
  // When credit was returned last; behind the peer's end, when it last had reason to give us some.
  TimePoint epoch_ = 0;
  ListHook<Stream> control_hook_;  // control_: frames other than data are due
};
static_assert(sizeof(Stream) <= 208, "an idle stream is small");

struct Pools final : muxer::Pools {
  ObjectPool<Stream, 256> streams;
};

struct Config : muxer::Config {
  uint32_t max_window = limits::kYamuxWindow;             // of one stream; at least 256 KiB
  size_t max_window_growth = limits::kYamuxWindowGrowth;  // of all, above 256 KiB each
  Duration keep_alive = limits::kYamuxKeepAlive;          // between pings; kNever: only the first
  Duration ping_timeout = limits::kYamuxPingTimeout;      // silence after a ping: the peer is gone
  Pools* pools = nullptr;  // shared, must outlive the session; nullptr: the session's own
};

class Session final : public muxer::Session {
 public:
  using Config = yamux::Config;
  using Pools = yamux::Pools;

  // `is_client`: we play the dialer (the spec's client: odd stream ids). `handler` is borrowed.
  Session(bool is_client, const Config& config, muxer::SessionHandler* handler, TimePoint now);
  ~Session();

  // The peer sees `code`, of 32 bits; larger ones as 0x1008, CODE_OUT_OF_RANGE.
  void reset(muxer::Stream& stream, uint64_t code) override;
  // Behind our own end a reset with `code` tells the peer at once.
  void stop_reading(muxer::Stream& stream, uint64_t code) override;

  // So it has in a new session, without on_output: a ping.
  bool has_output() const override;

  // When to call on_timeout() next, or kNever. Ask again after receive(), sent() and on_timeout(); calling too early does nothing.
  TimePoint next_timeout() const;
  // on_timeout sends a ping when one is due, which keeps the connection alive and measures rtt(). KITH_ERR_TIMEOUT, fatal,
  // if the peer does not answer and nothing else is heard from it.
  Status on_timeout(TimePoint now);

  // go_away tells the peer, with the next fill(), that the connection ends, and why. Nothing is sent after it, and nothing
  // received any more. Harmless the second time.
  void go_away(uint32_t code);
  // Whether the peer's end is a good one without a go-away. go-libp2p closes like that; but with streams open somebody was cut
  // off, by the kernel for a dead process or by one on the path.
  bool may_end_here() const { return num_streams() == 0; }
  // The shortest round trip seen lately; 0 before the first.
  Duration rtt() const { return rtt_; }

 private:
  static Stream& of(muxer::Stream& stream) { return static_cast<Stream&>(stream); }
  // Whether the peer opens the streams with this id.
  bool is_peers(uint32_t id) const { return ((id & 1) != 0) != is_client_; }

  // session.cc
  Stream* find(uint32_t id) { return static_cast<Stream*>(muxer::Session::find(id, is_peers(id))); }
  muxer::Stream* create_outbound() override;
  Stream& create(uint32_t id);
  void destroy(muxer::Stream& stream) override { pools_.streams.destroy(&of(stream)); }
  void announce(muxer::Stream& stream) override { ask_control(of(stream)); }
  void on_end(muxer::Stream& stream) override;
  void on_taken(muxer::Stream& stream, size_t n) override;
  void ask_control(Stream& stream);
  void grow_window(Stream& stream);
  Error fail(kith_status status, const char* detail) override;
  void start_ping();
  TimePoint silence_ends() const;

  // receive.cc
  void on_heard() override { last_heard_ = now_; }
  Status take_header(Bytes& plaintext) override;
  void end_body() override;
  Status on_frame(const FrameHeader& header);
  Status on_stream_frame(const FrameHeader& header);
  Status on_syn(const FrameHeader& header);
  void end_peers_side(Stream& stream);
  // For one more inbound stream.
  bool make_place();
  Status on_known(Stream& stream, const FrameHeader& header);
  Status on_peer_reset(const FrameHeader& header);
  Status on_ping(const FrameHeader& header);
  Status on_go_away(const FrameHeader& header);
  Status begin_body(Stream* stream, const FrameHeader& header);
  Error violation(const char* detail);

  // fill.cc
  bool may_send(const muxer::Stream& stream) const override;
  void fill_frames(muxer::Filler& filler) override;
  bool fill_session(muxer::Filler& filler);
  bool fill_control(muxer::Filler& filler);
  bool fill_turn(muxer::Filler& filler, Stream& stream);
  bool fill_fin(muxer::Filler& filler, Stream& stream);

  const Config config_;
  Pools& pools_;
  const bool is_client_;

  // Receiving.
  uint8_t header_size_ = 0;  // bytes of header_
  bool body_fin_ = false;    // the stream ends with this body
  std::array<uint8_t, kHeaderBytes> header_;
  SeenIds seen_ids_;  // of streams that the peer opened

  size_t window_growth_ = 0;
  uint64_t next_id_;
  IntrusiveList<Stream, &Stream::control_hook_> control_;

  // Frames that are due, of no stream.
  bool go_away_owed_ = false;
  bool ping_owed_ = false;
  std::optional<uint32_t> owed_pong_;
  uint32_t go_away_code_ = 0;

  // Pings.
  bool is_pinging_ = false;  // not answered yet
  uint32_t ping_id_ = 0;
  TimePoint ping_started_ = 0;
  TimePoint next_ping_ = 0;
  TimePoint last_heard_ = 0;
  Duration rtt_ = 0;
};

}  // namespace kith::yamux
