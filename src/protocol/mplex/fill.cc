// Sending: which messages go out, in which order. Spec: libp2p/specs mplex/README.md.
#include "protocol/mplex/session.h"
#include "wire/varint.h"

namespace kith::mplex {

namespace {

// Of one turn of a stream, for the same reasons as in yamux.
constexpr size_t kMaxData = 16 * 1024;
// The end of the room is left unused rather than filled with less than this of a longer message.
constexpr size_t kMinCut = 512;

}  // namespace

// Filler makes the messages of one fill().
class Session::Filler {
 public:
  Filler(Session& session, std::vector<Bytes>& out, size_t room)
      : session_(session), out_(out), room_(room), left_(room) {}

  size_t written() const { return room_ - left_; }

  // Each returns false when the room is used up.
  bool resets();
  bool streams();

 private:
  bool header(uint64_t id, Tag tag, size_t length);
  bool turn(Stream& stream);
  bool data(Stream& stream);

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
  static_cast<void>(filler.resets() && filler.streams());
  is_filling_ = false;
  return filler.written();
}

bool Session::has_output() const {
  return !is_ending_ && (!owed_resets_.empty() || !ready_.empty());
}

// header appends the two varints of a message, and returns false if there is no room for any.
bool Session::Filler::header(uint64_t id, Tag tag, size_t length) {
  MessageHeaders& headers = *session_.headers_;
  if (left_ < MessageHeaders::kMaxBytes ||
      headers.bytes.size() - headers.size < MessageHeaders::kMaxBytes) {
    return false;
  }
  const MutableBytes room = MutableBytes(headers.bytes).subspan(headers.size);
  size_t size = wire::write_varint(room, id << 3 | tag);
  size += wire::write_varint(room.subspan(size), length);
  headers.size += size;
  left_ -= size;
  if (end_ == room.data()) {
    out_.back() = Bytes(out_.back().data(), out_.back().size() + size);
  } else {
    out_.emplace_back(room.data(), size);
  }
  end_ = room.data() + size;
  return true;
}

bool Session::Filler::resets() {
  std::vector<OwedReset>& owed = session_.owed_resets_;
  size_t num_sent = 0;
  while (num_sent < owed.size() && header(owed[num_sent].id, owed[num_sent].tag, 0)) ++num_sent;
  owed.erase(owed.begin(), owed.begin() + static_cast<ptrdiff_t>(num_sent));
  return owed.empty();
}

bool Session::Filler::streams() {
  while (Stream* stream = session_.ready_.front()) {
    if (!turn(*stream)) return false;
    // To the end of the line.
    session_.ready_.remove(*stream);
    session_.update_ready(*stream);
  }
  return true;
}

bool Session::Filler::turn(Stream& stream) {
  if (!stream.is_announced_) {
    // Names mean nothing; the shortest is none.
    if (!header(stream.id_, kNewStream, 0)) return false;
    stream.is_announced_ = true;
  }
  if (!stream.queue_.empty()) return data(stream);
  if (stream.fin_wanted_ && !stream.fin_sent_) {
    if (!header(stream.id_, stream.is_inbound_ ? kCloseReceiver : kCloseInitiator, 0)) return false;
    stream.fin_sent_ = true;
    session_.end_if_done(stream);
  }
  return true;
}

bool Session::Filler::data(Stream& stream) {
  const size_t size = std::min(kMaxData, stream.queue_.size());
  if (left_ <= MessageHeaders::kMaxBytes) return false;
  const size_t n = std::min(size, left_ - MessageHeaders::kMaxBytes);
  if (n < size && n < kMinCut && written() != 0) return false;
  if (!header(stream.id_, stream.is_inbound_ ? kMessageReceiver : kMessageInitiator, n))
    return false;
  stream.queue_.take(n, out_, session_.in_flight_);
  left_ -= n;
  end_ = nullptr;
  if (stream.write_refused_ && stream.queue_.size() <= session_.config_.send_budget / 2) {
    session_.ask_callback(stream);
  }
  return true;
}

}  // namespace kith::mplex
