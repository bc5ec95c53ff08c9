// Receiving: messages as they arrive, in any pieces. Spec: libp2p/specs mplex/README.md.
#include <utility>

#include "protocol/mplex/session.h"
#include "wire/varint.h"

namespace kith::mplex {

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
  if (is_full()) {
    owe_reset(id, kResetReceiver);
    return charge();
  }
  Stream& stream = *pools_.streams.create(id, /*is_inbound=*/true);
  add(stream);
  handler_->on_stream(stream);
  return {};
}

Status Session::on_close(uint64_t id, bool is_inbound) {
  Stream* stream = find(id, is_inbound);
  return stream && on_fin(*stream) ? Status() : charge();
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

}  // namespace kith::mplex
