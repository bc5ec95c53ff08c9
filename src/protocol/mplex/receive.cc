// Receiving: messages as they arrive, in any pieces. Spec: libp2p/specs mplex/README.md.
#include <utility>

#include "protocol/mplex/session.h"
#include "wire/varint.h"

namespace kith::mplex {

Status Session::receive(Bytes plaintext, const Buffer* backing, TimePoint now) {
  now_ = std::max(now_, now);
  if (!plaintext.empty()) on_answered();
  while (!plaintext.empty() && !is_ending_) {
    if (body_left_ != 0) {
      const Bytes piece = plaintext.first(std::min(plaintext.size(), body_left_));
      plaintext = plaintext.subspan(piece.size());
      body_left_ -= piece.size();
      if (body_stream_) deliver(*body_stream_, piece, backing);
      if (body_left_ == 0) body_stream_ = nullptr;
    } else {
      KITH_TRY(take_header(plaintext));
    }
    if (resets_overflow_) {
      return fail(KITH_ERR_LIMIT, "the peer does not read the resets it causes");
    }
  }
  return {};
}

// take_header takes one byte of the two varints that a message begins with.
Status Session::take_header(Bytes& plaintext) {
  varint_[varint_size_++] = plaintext.front();
  plaintext = plaintext.subspan(1);
  const wire::VarintDecode varint = wire::decode_varint(Bytes(varint_).first(varint_size_));
  if (varint.state == wire::DecodeState::kNeedMore) return {};
  if (varint.state == wire::DecodeState::kMalformed) {
    return fail(KITH_ERR_PROTOCOL_VIOLATION, "a malformed varint");
  }
  varint_size_ = 0;
  if (!std::exchange(has_header_, true)) {
    message_header_ = varint.value;
    return {};
  }
  has_header_ = false;
  return on_message(message_header_, varint.value);
}

Error Session::fail(kith_status status, const char* detail) {
  is_ending_ = true;
  return Error(status, "mplex", detail);
}

// For a message or a stream that changed nothing, which costs the peer less than us.
Status Session::charge() {
  churn_.spend(now_);
  if (!churn_.is_overspent(now_)) return {};
  return fail(KITH_ERR_LIMIT, "the peer sends too many messages of no use");
}

Status Session::on_message(uint64_t header, uint64_t length) {
  if (length > limits::kMplexMessageBytes) {
    return fail(KITH_ERR_PROTOCOL_VIOLATION, "a message of more than 1 MiB");
  }
  // A name, or a body that a close or reset should not have, is dropped.
  body_left_ = static_cast<size_t>(length);
  body_stream_ = nullptr;
  const uint64_t id = header >> 3;
  const bool is_inbound = (header & 1) == 0;  // the peer is the initiator
  switch (header & 7) {
    case kNewStream:
      return on_new_stream(id);
    case kMessageReceiver:
    case kMessageInitiator:
      if (Stream* stream = find(id, is_inbound); stream && !stream->fin_received_) {
        body_stream_ = stream;
      }
      // Data for a stream that has ended is normal: nobody told the peer to stop.
      return length == 0 ? charge() : Status();
    case kCloseReceiver:
    case kCloseInitiator:
      return on_close(id, is_inbound);
    case kResetReceiver:
    case kResetInitiator:
      return on_peer_reset(id, is_inbound);
    default:
      return fail(KITH_ERR_PROTOCOL_VIOLATION, "an unknown message tag");
  }
}

Status Session::on_new_stream(uint64_t id) {
  if (find(id, /*is_inbound=*/true)) {
    return fail(KITH_ERR_PROTOCOL_VIOLATION, "a stream id used twice");
  }
  if (inbound_.size() >= config_.max_inbound_streams) {
    owe_reset(id, kResetReceiver);
    return charge();
  }
  Stream& stream = add(id, /*is_inbound=*/true);
  stream.is_announced_ = true;
  handler_->on_stream(stream);
  return {};
}

Status Session::on_close(uint64_t id, bool is_inbound) {
  Stream* stream = find(id, is_inbound);
  if (!stream || std::exchange(stream->fin_received_, true)) return charge();
  if (stream->is_discarding_) {
    stream->read_closed_ = true;
    end_if_done(*stream);
  } else {
    close_read_if_done(*stream);
  }
  return {};
}

Status Session::on_peer_reset(uint64_t id, bool is_inbound) {
  Stream* stream = find(id, is_inbound);
  if (!stream || is_inbound) KITH_TRY(charge());
  if (!stream) return {};
  if (!stream->is_announced_) {
    return fail(KITH_ERR_PROTOCOL_VIOLATION, "a reset of a stream that we have not opened");
  }
  end(*stream);
  handler_->on_reset(*stream, 0);
  return {};
}

void Session::deliver(Stream& stream, Bytes piece, const Buffer* backing) {
  size_t n = 0;
  const bool is_paused = !stream.held_.empty();
  if (!is_paused && !stream.is_discarding_) {
    n = handler_->on_data(stream, piece);
    KITH_CHECK(n <= piece.size());
    if (stream.ended_) return;
  }
  if (stream.is_discarding_) {
    stream.dropped_ += piece.size();
    if (stream.dropped_ > limits::kMuxerDroppedBytes) end_with_reset(stream);
    return;
  }
  const Bytes rest = piece.subspan(n);
  if (stream.held_.size() + rest.size() > limits::kMplexHeldBytes ||
      held_total_ + rest.size() > limits::kMplexHeldTotal) {
    end_with_reset(stream);
    handler_->on_reset(stream, 0);
    return;
  }
  held_total_ += rest.size();
  if (!rest.empty() && backing && !is_paused) {
    const auto offset = static_cast<size_t>(rest.data() - backing->data());
    stream.held_.pin(backing->slice(offset, rest.size()));
  } else {
    stream.held_.append(rest, pools_.chunks);
  }
}

// js counts the streams that come before it is ready for them.
void Session::on_answered() {
  if (std::exchange(peer_answered_, true)) return;
  start_waiting();
}

}  // namespace kith::mplex
