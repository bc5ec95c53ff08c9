// Mplex: many streams over one ordered byte pipe, without flow control. Deprecated by libp2p: for peers that speak nothing
// else. The half that it shares with yamux is in protocol/muxer. Spec: libp2p/specs mplex/README.md.
//
// The pipe is shared by all streams, and a peer cannot be asked to wait: a stream whose reader is too slow is reset.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "protocol/muxer/session.h"

namespace kith::mplex {

inline constexpr std::string_view kProtocolId = "/mplex/6.7.0";

// Of a message, in the low three bits of its header. Those of the stream's receiver are odd.
enum Tag : uint8_t {
  kNewStream = 0,
  kMessageReceiver = 1,
  kMessageInitiator = 2,
  kCloseReceiver = 3,
  kCloseInitiator = 4,
  kResetReceiver = 5,
  kResetInitiator = 6,
};

class Stream final : public muxer::Stream {
 public:
  using muxer::Stream::Stream;

 private:
  friend class Session;
};
static_assert(sizeof(Stream) <= 176, "an idle stream is small");

struct Pools final : muxer::Pools {
  ObjectPool<Stream, 256> streams;
};

struct Config : muxer::Config {
  Config() { max_outbound_streams = limits::kMplexOutboundStreams; }
  Pools* pools = nullptr;  // shared, must outlive the session; nullptr: the session's own
};

class Session final : public muxer::Session {
 public:
  using Config = mplex::Config;
  using Pools = mplex::Pools;

  Session(bool is_client, const Config& config, muxer::SessionHandler* handler, TimePoint now);
  ~Session();

  // The peer does not see `code`. A peer's reset has the code 0; on_reset also comes when the reader was too slow: more than
  // limits::kMplexHeldBytes were held.
  void reset(muxer::Stream& stream, uint64_t code) override;
  // Behind our own end the peer is not told: a reset would take from it what it has not read.
  void stop_reading(muxer::Stream& stream, uint64_t code) override;

  bool has_output() const override;

  // Mplex has no pings: there is no timeout, and no round trip is measured.
  TimePoint next_timeout() const { return kNever; }
  Status on_timeout(TimePoint) { return {}; }
  Duration rtt() const { return 0; }

  // Nothing is sent or received any more: mplex has no way to say why.
  void go_away(uint32_t code);
  // Whether the peer's end is a good one: there is no other.
  bool may_end_here() const { return true; }

 private:
  static Stream& of(muxer::Stream& stream) { return static_cast<Stream&>(stream); }

  // session.cc
  Stream* find(uint64_t id, bool is_inbound) {
    return static_cast<Stream*>(muxer::Session::find(id, is_inbound));
  }
  muxer::Stream* create_outbound() override;
  void destroy(muxer::Stream& stream) override { pools_.streams.destroy(&of(stream)); }
  void announce(muxer::Stream& stream) override { update_ready(stream); }
  Error fail(kith_status status, const char* detail) override;

  // receive.cc
  void on_heard() override { on_answered(); }
  Status take_header(Bytes& plaintext) override;
  void end_body() override { body_stream_ = nullptr; }
  bool make_room(muxer::Stream& stream, size_t n) override;
  Status on_message(uint64_t header, uint64_t length);
  Status on_new_stream(uint64_t id);
  Status on_peer_reset(uint64_t id, bool is_inbound);
  Status on_close(uint64_t id, bool is_inbound);

  // fill.cc
  bool may_send(const muxer::Stream& stream) const override;
  void fill_frames(muxer::Filler& filler) override;
  bool fill_turn(muxer::Filler& filler, Stream& stream);
  bool fill_message(muxer::Filler& filler, Stream& stream);

  Pools& pools_;

  bool has_header_ = false;  // in message_header_
  uint8_t varint_size_ = 0;  // bytes of varint_
  std::array<uint8_t, limits::kVarintBytes> varint_;
  uint64_t message_header_ = 0;
  uint64_t next_id_;
};

}  // namespace kith::mplex
