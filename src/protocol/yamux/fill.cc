// Sending: which frames go out, in which order. Spec: libp2p/specs yamux/README.md.
#include "protocol/yamux/session.h"

namespace kith::yamux {

namespace {

// Of one turn of a stream. Small enough that a turn takes 1.3 ms at 100 Mbit/s, so that others are not kept waiting; large
// enough that the header is nothing; and four of them just fill a noise message.
constexpr size_t kMaxData = 16 * 1024;
// The end of the room is left unused rather than filled with less than this of a longer frame.
constexpr size_t kMinCut = 512;

}  // namespace

// Filler makes the frames of one fill().
class Session::Filler {
 public:
  Filler(Session& session, std::vector<Bytes>& out, size_t room)
      : session_(session), out_(out), room_(room), left_(room) {}

  size_t written() const { return room_ - left_; }
  // Room for the data of a frame, behind its header.
  size_t data_room() const { return left_ > kHeaderBytes ? left_ - kHeaderBytes : 0; }

  // header appends a frame's header, and returns false if there is no room for it.
  bool header(FrameType type, uint16_t flags, uint32_t id, uint32_t length) {
    FrameHeaders& headers = *session_.headers_;
    if (left_ < kHeaderBytes || headers.size == FrameHeaders::kMax) return false;
    uint8_t* bytes = headers.headers[headers.size++].data();
    encode_header({kVersion, type, flags, id, length}, bytes);
    if (end_ == bytes) {
      out_.back() = Bytes(out_.back().data(), out_.back().size() + kHeaderBytes);
    } else {
      out_.emplace_back(bytes, kHeaderBytes);
    }
    end_ = bytes + kHeaderBytes;
    left_ -= kHeaderBytes;
    return true;
  }
  // data appends the first `n` bytes of the stream's queue.
  void data(Stream& stream, size_t n) {
    stream.queue_.take(n, out_, session_.in_flight_);
    left_ -= n;
    end_ = nullptr;
  }

  // Each returns false when the room is used up.
  bool session_frames();
  bool control_frames();
  bool data_frames();

 private:
  bool data_frame(Stream& stream);
  bool fin_frame(Stream& stream);

  Session& session_;
  std::vector<Bytes>& out_;
  const size_t room_;
  size_t left_;
  const uint8_t* end_ = nullptr;  // of the last header, if nothing came after it
};

size_t Session::fill(std::vector<Bytes>& out, size_t max_bytes) {
  if (!has_output()) return 0;
  if (!headers_) headers_ = pools_.headers.create();
  is_filling_ = true;
  Filler filler(*this, out, max_bytes);
  if (state_ == State::kEnding) {
    if (filler.header(kGoAway, 0, 0, go_away_code_)) go_away_owed_ = false;
  } else {
    // In this order, and none while an earlier kind waits: data of a stream must not overtake its announcement.
    static_cast<void>(filler.session_frames() && filler.control_frames() && filler.data_frames());
  }
  is_filling_ = false;
  return filler.written();
}

bool Session::has_output() const {
  if (state_ == State::kEnding) return go_away_owed_;
  return owed_pong_ || ping_owed_ || !owed_resets_.empty() || !control_.empty() || !ready_.empty();
}

bool Session::may_send(const Stream& stream) const {
  if (stream.ended_ || stream.syn_owed_) return false;
  return stream.queue_.empty() ? stream.fin_wanted_ && !stream.fin_sent_ : stream.send_window_ > 0;
}

void Session::update_ready(Stream& stream) {
  if (!may_send(stream)) return ready_.remove(stream);
  ready_.push_back(stream);
  ask_flush();
}

bool Session::Filler::session_frames() {
  if (session_.owed_pong_) {
    if (!header(kPing, kAck, 0, *session_.owed_pong_)) return false;
    session_.owed_pong_.reset();
  }
  if (session_.ping_owed_) {
    if (!header(kPing, kSyn, 0, session_.ping_id_)) return false;
    session_.ping_owed_ = false;
  }
  std::vector<OwedReset>& resets = session_.owed_resets_;
  size_t num_sent = 0;
  while (num_sent < resets.size() &&
         header(kWindowUpdate, kRst, resets[num_sent].id, resets[num_sent].code)) {
    ++num_sent;
  }
  resets.erase(resets.begin(), resets.begin() + static_cast<ptrdiff_t>(num_sent));
  return resets.empty();
}

bool Session::Filler::control_frames() {
  while (Stream* stream = session_.control_.front()) {
    // An acknowledgement travels with data or the end, if there is some to send.
    const bool can_wait = !stream->syn_owed_ && !stream->credit_owed_ && session_.may_send(*stream);
    if (!can_wait) {
      // A stream is announced by a window update: not every peer takes data in its first frame.
      const int flags = (stream->syn_owed_ ? kSyn : 0) | (stream->ack_owed_ ? kAck : 0);
      const uint32_t credit = stream->credit_owed_ ? stream->credit_ : 0;
      if (!header(kWindowUpdate, static_cast<uint16_t>(flags), stream->id_, credit)) return false;
      stream->credit_ -= credit;
      stream->receive_window_ += credit;
      stream->syn_owed_ = stream->ack_owed_ = stream->credit_owed_ = false;
    }
    session_.control_.remove(*stream);
    session_.update_ready(*stream);
  }
  return true;
}

bool Session::Filler::data_frames() {
  while (Stream* stream = session_.ready_.front()) {
    if (!(stream->queue_.empty() ? fin_frame(*stream) : data_frame(*stream))) return false;
    // To the end of the line.
    session_.ready_.remove(*stream);
    session_.update_ready(*stream);
  }
  return true;
}

bool Session::Filler::data_frame(Stream& stream) {
  const size_t size = std::min<size_t>({kMaxData, stream.send_window_, stream.queue_.size()});
  const size_t n = std::min(size, data_room());
  if (n == 0 || (n < size && n < kMinCut && written() != 0)) return false;
  if (!header(kData, stream.ack_owed_ ? kAck : 0, stream.id_, static_cast<uint32_t>(n))) {
    return false;
  }
  data(stream, n);
  stream.ack_owed_ = false;
  stream.send_window_ -= static_cast<uint32_t>(n);
  if (stream.write_refused_ && stream.queue_.size() <= session_.config_.send_budget / 2) {
    session_.ask_callback(stream);
  }
  return true;
}

// The end has a frame of its own: js and go handle the flags of a frame before its data.
bool Session::Filler::fin_frame(Stream& stream) {
  const int flags = kFin | (stream.ack_owed_ ? kAck : 0);
  if (!header(kWindowUpdate, static_cast<uint16_t>(flags), stream.id_, 0)) return false;
  stream.ack_owed_ = false;
  stream.fin_sent_ = true;
  if (stream.is_discarding_ && !stream.fin_received_) {
    // Behind our end a reset takes nothing from what the peer reads, and ends what it writes.
    session_.end_with_reset(stream, stream.stop_code_);
  } else {
    session_.end_if_done(stream);
  }
  return true;
}

}  // namespace kith::yamux
