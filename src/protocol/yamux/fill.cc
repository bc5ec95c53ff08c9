// Sending: which frames go out, in which order. Spec: libp2p/specs yamux/README.md.
#include "protocol/yamux/session.h"

namespace kith::yamux {

namespace {

// Appends a frame's header, and returns false if there is no room for it.
bool header(muxer::Filler& filler, FrameType type, int flags, uint32_t id, uint32_t length) {
  const MutableBytes room = filler.header_room();
  if (room.empty()) return false;
  encode_header({kVersion, type, static_cast<uint16_t>(flags), id, length}, room.data());
  filler.header(kHeaderBytes);
  return true;
}

}  // namespace

void Session::fill_frames(muxer::Filler& filler) {
  if (state_ == State::kEnding) {
    if (header(filler, kGoAway, 0, 0, go_away_code_)) go_away_owed_ = false;
    return;
  }
  // In this order, and none while an earlier kind waits: data of a stream must not overtake its announcement.
  if (!fill_session(filler) || !fill_control(filler)) return;
  fill_turns([&](muxer::Stream& stream) { return fill_turn(filler, of(stream)); });
}

bool Session::has_output() const {
  if (state_ == State::kEnding) return go_away_owed_;
  return owed_pong_ || ping_owed_ || has_resets() || !control_.empty() || has_ready();
}

bool Session::may_send(const muxer::Stream& raw) const {
  const Stream& stream = static_cast<const Stream&>(raw);
  if (stream.ended_ || !stream.is_announced_) return false;
  return stream.queue_.empty() ? stream.fin_wanted_ && !stream.fin_sent_ : stream.send_window_ > 0;
}

bool Session::fill_session(muxer::Filler& filler) {
  if (owed_pong_) {
    if (!header(filler, kPing, kAck, 0, *owed_pong_)) return false;
    owed_pong_.reset();
  }
  if (ping_owed_) {
    if (!header(filler, kPing, kSyn, 0, ping_id_)) return false;
    ping_owed_ = false;
  }
  return fill_resets(filler, [](muxer::Filler& f, const OwedReset& reset) {
    return header(f, kWindowUpdate, kRst, static_cast<uint32_t>(reset.id), reset.code);
  });
}

bool Session::fill_control(muxer::Filler& filler) {
  while (Stream* stream = control_.front()) {
    // An acknowledgement travels with data or the end, if there is some to send.
    const bool can_wait = stream->is_announced_ && !stream->credit_owed_ && may_send(*stream);
    if (!can_wait) {
      // A stream is announced by a window update: not every peer takes data in its first frame.
      const int flags = (stream->is_announced_ ? 0 : kSyn) | (stream->ack_owed_ ? kAck : 0);
      const uint32_t credit = stream->credit_owed_ ? stream->credit_ : 0;
      if (!header(filler, kWindowUpdate, flags, stream->wire_id(), credit)) return false;
      stream->credit_ -= credit;
      stream->receive_window_ += credit;
      stream->is_announced_ = true;
      stream->ack_owed_ = stream->credit_owed_ = false;
    }
    control_.remove(*stream);
    update_ready(*stream);
  }
  return true;
}

bool Session::fill_turn(muxer::Filler& filler, Stream& stream) {
  if (stream.queue_.empty()) return fill_fin(filler, stream);
  const size_t n = filler.cut(std::min<size_t>(stream.send_window_, stream.queue_.size()));
  const int flags = stream.ack_owed_ ? kAck : 0;
  if (n == 0 || !header(filler, kData, flags, stream.wire_id(), static_cast<uint32_t>(n))) {
    return false;
  }
  stream.ack_owed_ = false;
  stream.send_window_ -= static_cast<uint32_t>(n);
  if (stream.send_window_ == 0 && stream.fin_received_) stream.epoch_ = now_;
  fill_data(filler, stream, n);
  return true;
}

// The end has a frame of its own: js and go handle the flags of a frame before its data.
bool Session::fill_fin(muxer::Filler& filler, Stream& stream) {
  const int flags = kFin | (stream.ack_owed_ ? kAck : 0);
  if (!header(filler, kWindowUpdate, flags, stream.wire_id(), 0)) return false;
  stream.ack_owed_ = false;
  stream.fin_sent_ = true;
  if (stream.is_discarding_ && !stream.fin_received_) {
    // Behind our end a reset takes nothing from what the peer reads, and ends what it writes.
    end_with_reset(stream, stream.stop_code_);
  } else {
    end_if_done(stream);
  }
  return true;
}

}  // namespace kith::yamux
