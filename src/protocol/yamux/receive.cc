// Receiving: frames as they arrive, in any pieces. Spec: libp2p/specs yamux/README.md.
#include <limits>
#include <string>
#include <utility>

#include "protocol/yamux/session.h"

namespace kith::yamux {

Status Session::take_header(Bytes& plaintext) {
  const size_t n = std::min(plaintext.size(), kHeaderBytes - header_size_);
  std::copy_n(plaintext.begin(), n, header_.begin() + header_size_);
  plaintext = plaintext.subspan(n);
  header_size_ = static_cast<uint8_t>(header_size_ + n);
  if (header_size_ < kHeaderBytes) return {};
  header_size_ = 0;
  return on_frame(decode_header(header_.data()));
}

Error Session::violation(const char* detail) { return fail(KITH_ERR_PROTOCOL_VIOLATION, detail); }

Status Session::on_frame(const FrameHeader& header) {
  if (header.version != kVersion) return violation("unknown version");
  switch (header.type) {
    case kData:
    case kWindowUpdate:
      if (header.id == 0) return violation("a frame of a stream without its id");
      return on_stream_frame(header);
    case kPing:
      if (header.id != 0) return violation("a ping on a stream");
      return on_ping(header);
    case kGoAway:
      if (header.id != 0) return violation("a go-away on a stream");
      return on_go_away(header);
    default:
      return violation("unknown frame type");
  }
}

Status Session::on_stream_frame(const FrameHeader& header) {
  if ((header.flags & kRst) != 0) return on_peer_reset(header);
  if ((header.flags & kSyn) != 0) return on_syn(header);
  if (Stream* stream = find(header.id)) return on_known(*stream, header);
  // What crosses the end of a stream is normal, so is rust's FIN or RST of a stream that it never announced. Only frames
  // that cost the peer next to nothing are counted.
  if (header.type == kData && header.length != 0) return begin_body(nullptr, header);
  return charge();
}

Status Session::on_syn(const FrameHeader& header) {
  if (!is_peers(header.id)) return violation("a new stream with an id of ours");
  if (!seen_ids_.insert(header.id) || find(header.id)) return violation("a stream id used twice");
  if (header.type == kData && header.length > kInitialWindow) {
    return violation("a new stream with more data than its window");
  }
  if (is_full() && !make_place()) {
    owe_reset(header.id, kResourceLimitExceeded);
    KITH_TRY(charge());
    return header.type == kData ? begin_body(nullptr, header) : Status();
  }
  Stream& stream = create(header.id);
  add(stream);
  stream.ack_owed_ = true;
  ask_control(stream);
  handler_->on_stream(stream);
  if (state_ == State::kEnding) return {};
  if (!stream.ended_) return on_known(stream, header);
  return header.type == kData ? begin_body(nullptr, header) : Status();
}

// Go and rust drop a stream that they have ended and do not read to the end, and say nothing. When there are too many streams
// the oldest such one goes.
bool Session::make_place() {
  muxer::Stream* stuck = find_inbound([&](const muxer::Stream& raw) {
    const Stream& s = static_cast<const Stream&>(raw);
    return s.fin_received_ && !s.queue_.empty() && s.send_window_ == 0 &&
           now_ - s.epoch_ >= limits::kYamuxStuckStream;
  });
  if (!stuck) return false;
  end_with_reset(*stuck, kResourceLimitExceeded);
  handler_->on_reset(*stuck, 0);
  return state_ != State::kEnding;
}

// on_known handles data, a window update, or both's flags, of a stream that has not ended.
Status Session::on_known(Stream& stream, const FrameHeader& header) {
  bool has_effect = header.length != 0 || (header.flags & kSyn) != 0;
  if (!stream.is_inbound_) {
    if (!stream.is_announced_) return violation("a frame of a stream that we have not opened");
    if ((header.flags & kAck) != 0 && !stream.is_acked_) has_effect = stream.is_acked_ = true;
    on_answered();
  }
  if ((header.flags & kFin) != 0 && !stream.fin_received_) has_effect = true;
  if (!has_effect) KITH_TRY(charge());
  if (header.type == kData) return begin_body(&stream, header);

  const uint32_t room = std::numeric_limits<uint32_t>::max() - stream.send_window_;
  stream.send_window_ += std::min(room, header.length);
  update_ready(stream);
  if (header.length != 0 && stream.fin_received_) stream.epoch_ = now_;
  if ((header.flags & kFin) != 0) end_peers_side(stream);
  return {};
}

Status Session::on_peer_reset(const FrameHeader& header) {
  Stream* stream = find(header.id);
  if (!stream || stream->is_inbound_) KITH_TRY(charge());
  if (stream) {
    if (!stream->is_announced_) return violation("a reset of a stream that we have not opened");
    if (!stream->is_inbound_) on_answered();
    const uint64_t code = header.type == kWindowUpdate ? header.length : 0;
    end(*stream);
    handler_->on_reset(*stream, code);
  }
  return header.type == kData ? begin_body(nullptr, header) : Status();
}

Status Session::begin_body(Stream* stream, const FrameHeader& header) {
  if (header.length != 0) {
    if (stream && stream->fin_received_) return violation("data behind the end of a stream");
    const uint32_t window = stream ? stream->receive_window_ : config_.max_window;
    if (header.length > window) return violation("more data than the window of its stream");
    if (stream) stream->receive_window_ -= header.length;
  }
  body_stream_ = stream;
  body_left_ = header.length;
  body_fin_ = (header.flags & kFin) != 0;
  if (body_left_ == 0) end_body();
  return {};
}

void Session::end_body() {
  muxer::Stream* stream = std::exchange(body_stream_, nullptr);
  if (stream && body_fin_) end_peers_side(of(*stream));
}

void Session::end_peers_side(Stream& stream) {
  if (!stream.fin_received_) stream.epoch_ = now_;
  on_fin(stream);
}

Status Session::on_ping(const FrameHeader& header) {
  if ((header.flags & kSyn) != 0) {
    owed_pong_ = header.length;  // one is kept, the latest: nobody has two pings under way
    ask_flush();
    return charge();
  }
  if (!is_pinging_ || ping_owed_ || header.length != ping_id_) return charge();
  is_pinging_ = false;
  next_ping_ = config_.keep_alive == kNever ? kNever : now_ + config_.keep_alive;
  // Queues make an answer late, never early: follow downwards at once, upwards slowly.
  const Duration sample = now_ - ping_started_;
  rtt_ = rtt_ == 0 ? sample : std::min(sample, rtt_ + rtt_ / 4);
  on_answered();
  return {};
}

Status Session::on_go_away(const FrameHeader& header) {
  if (header.length != kNormal) {
    go_away(kNormal);
    return Error(KITH_ERR_CONNECTION_LOST, "yamux",
                 "the peer went away with code " + std::to_string(header.length));
  }
  on_peer_away();
  return {};
}

}  // namespace kith::yamux
