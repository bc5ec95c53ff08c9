// Receiving: frames as they arrive, in any pieces. Spec: libp2p/specs yamux/README.md.
#include <limits>
#include <string>
#include <utility>

#include "protocol/yamux/session.h"

namespace kith::yamux {

Status Session::receive(Bytes plaintext, const Buffer* backing, TimePoint now) {
  advance(now);
  last_heard_ = now_;
  while (!plaintext.empty() && state_ != State::kEnding) {
    if (body_left_ != 0) {
      const size_t n = std::min<size_t>(plaintext.size(), body_left_);
      take_body(plaintext.first(n), backing);
      plaintext = plaintext.subspan(n);
    } else {
      const size_t n = std::min(plaintext.size(), kHeaderBytes - header_size_);
      std::copy_n(plaintext.begin(), n, header_.begin() + header_size_);
      plaintext = plaintext.subspan(n);
      header_size_ = static_cast<uint8_t>(header_size_ + n);
      if (header_size_ < kHeaderBytes) break;
      header_size_ = 0;
      KITH_TRY(on_frame(decode_header(header_.data())));
    }
    if (resets_overflow_) {
      return fail(KITH_ERR_LIMIT, kProtocolError, "the peer does not read the resets it causes");
    }
  }
  return {};
}

Error Session::violation(const char* detail) {
  return fail(KITH_ERR_PROTOCOL_VIOLATION, kProtocolError, detail);
}

// For a frame or a stream that changed nothing, which costs the peer less than us.
Status Session::charge() {
  churn_.spend(now_);
  if (!churn_.is_overspent(now_)) return {};
  return fail(KITH_ERR_LIMIT, kProtocolError, "the peer sends too many frames of no use");
}

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
  if (&table_of(header.id) == &outbound_) return violation("a new stream with an id of ours");
  if (!seen_ids_.insert(header.id) || find(header.id)) return violation("a stream id used twice");
  if (header.type == kData && header.length > kInitialWindow) {
    return violation("a new stream with more data than its window");
  }
  if (inbound_.size() >= config_.max_inbound_streams) {
    owe_reset(header.id, kResourceLimitExceeded);
    KITH_TRY(charge());
    return header.type == kData ? begin_body(nullptr, header) : Status();
  }
  Stream& stream = add(header.id, /*is_inbound=*/true);
  stream.ack_owed_ = true;
  control_.push_back(stream);
  ask_flush();
  handler_->on_stream(stream);
  if (state_ == State::kEnding) return {};
  if (!stream.ended_) return on_known(stream, header);
  return header.type == kData ? begin_body(nullptr, header) : Status();
}

// on_known handles data, a window update, or both's flags, of a stream that has not ended.
Status Session::on_known(Stream& stream, const FrameHeader& header) {
  bool has_effect = header.length != 0 || (header.flags & kSyn) != 0;
  if (!stream.is_inbound_) {
    if (stream.syn_owed_) return violation("a frame of a stream that we have not opened");
    if ((header.flags & kAck) != 0 && !stream.is_acked_) has_effect = stream.is_acked_ = true;
    on_answered();
  }
  if ((header.flags & kFin) != 0 && !stream.fin_received_) has_effect = true;
  if (!has_effect) KITH_TRY(charge());
  if (header.type == kData) return begin_body(&stream, header);

  const uint32_t room = std::numeric_limits<uint32_t>::max() - stream.send_window_;
  stream.send_window_ += std::min(room, header.length);
  update_ready(stream);
  if ((header.flags & kFin) != 0) on_fin(stream);
  return {};
}

Status Session::on_peer_reset(const FrameHeader& header) {
  Stream* stream = find(header.id);
  if (!stream || stream->is_inbound_) KITH_TRY(charge());
  if (stream && stream->syn_owed_) return violation("a reset of a stream that we have not opened");
  if (stream) {
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
  if (body_left_ == 0) take_body({}, nullptr);
  return {};
}

void Session::take_body(Bytes piece, const Buffer* backing) {
  body_left_ -= static_cast<uint32_t>(piece.size());
  if (body_stream_ && !piece.empty()) deliver(*body_stream_, piece, backing);
  if (body_left_ == 0 && body_stream_) {
    Stream& stream = *std::exchange(body_stream_, nullptr);
    if (body_fin_) on_fin(stream);
  }
}

void Session::deliver(Stream& stream, Bytes piece, const Buffer* backing) {
  if (stream.is_discarding_) return discard(stream, piece.size());
  size_t n = 0;
  const bool is_paused = !stream.held_.empty();
  if (!is_paused) {
    n = handler_->on_data(stream, piece);
    KITH_CHECK(n <= piece.size());
    if (stream.ended_) return;
    if (stream.is_discarding_) return discard(stream, piece.size());
  }
  const Bytes rest = piece.subspan(n);
  held_total_ += rest.size();
  if (!rest.empty() && backing && !is_paused) {
    const auto offset = static_cast<size_t>(rest.data() - backing->data());
    stream.held_.pin(backing->slice(offset, rest.size()));
  } else {
    stream.held_.append(rest, pools_.chunks);
  }
  return_credit(stream, n);
}

// The peer goes on sending, and would be stuck without credit while we may still write to it. Only so much of that.
void Session::discard(Stream& stream, size_t n) {
  stream.dropped_ += static_cast<uint32_t>(n);
  if (stream.dropped_ > limits::kMuxerDroppedBytes) {
    end_with_reset(stream, stream.stop_code_);
  } else {
    return_credit(stream, n);
  }
}

void Session::on_fin(Stream& stream) {
  if (std::exchange(stream.fin_received_, true)) return;
  if (stream.is_discarding_) {
    stream.read_closed_ = true;
    end_if_done(stream);
  } else {
    close_read_if_done(stream);
  }
}

// js counts the streams that come before it is ready for them, and any answer shows that it is.
void Session::on_answered() {
  if (std::exchange(peer_answered_, true)) return;
  start_waiting();
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
  state_ = State::kPeerAway;
  return {};
}

}  // namespace kith::yamux
