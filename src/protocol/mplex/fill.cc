// Sending: which messages go out, in which order. Spec: libp2p/specs mplex/README.md.
#include "protocol/mplex/session.h"
#include "wire/varint.h"

namespace kith::mplex {

namespace {

static_assert(limits::kVarintBytes + 3 <= muxer::Headers::kMaxBytes, "we send less than 2 MiB");

// Appends the two varints of a message, and returns false if there is no room for any.
bool header(muxer::Filler& filler, uint64_t id, Tag tag, size_t length) {
  const MutableBytes room = filler.header_room();
  if (room.empty()) return false;
  const size_t size = wire::write_varint(room, id << 3 | tag);
  filler.header(size + wire::write_varint(room.subspan(size), length));
  return true;
}

}  // namespace

void Session::fill_frames(muxer::Filler& filler) {
  const auto reset = [](muxer::Filler& f, const OwedReset& owed) {
    return header(f, owed.id, static_cast<Tag>(owed.code), 0);
  };
  if (!fill_resets(filler, reset)) return;
  fill_turns([&](muxer::Stream& stream) { return fill_turn(filler, of(stream)); });
}

bool Session::has_output() const {
  return state_ != State::kEnding && (has_resets() || has_ready());
}

bool Session::may_send(const muxer::Stream& raw) const {
  const Stream& stream = static_cast<const Stream&>(raw);
  if (stream.ended_) return false;
  return !stream.is_announced_ || !stream.queue_.empty() ||
         (stream.fin_wanted_ && !stream.fin_sent_);
}

bool Session::fill_turn(muxer::Filler& filler, Stream& stream) {
  if (!stream.is_announced_) {
    // Names mean nothing; the shortest is none.
    if (!header(filler, stream.id_, kNewStream, 0)) return false;
    stream.is_announced_ = true;
  }
  if (!stream.queue_.empty()) return fill_message(filler, stream);
  if (stream.fin_wanted_ && !stream.fin_sent_) {
    if (!header(filler, stream.id_, stream.is_inbound_ ? kCloseReceiver : kCloseInitiator, 0)) {
      return false;
    }
    stream.fin_sent_ = true;
    end_if_done(stream);
  }
  return true;
}

bool Session::fill_message(muxer::Filler& filler, Stream& stream) {
  const size_t n = filler.cut(stream.queue_.size());
  const Tag tag = stream.is_inbound_ ? kMessageReceiver : kMessageInitiator;
  if (n == 0 || !header(filler, stream.id_, tag, n)) return false;
  fill_data(filler, stream, n);
  return true;
}

}  // namespace kith::mplex
