#include "protocol/muxer/session.h"

#include <utility>

namespace kith::muxer {

Session::Session(const char* name, const Config& config, std::unique_ptr<Pools> own, Pools* shared,
                 SessionHandler* handler, TimePoint now)
    : name_(name),
      handler_(handler),
      now_(now),
      config_(config),
      own_pools_(std::move(own)),
      pools_(shared ? *shared : *own_pools_) {}

void Session::end_all() {
  state_ = State::kEnding;  // release callbacks find a session that takes nothing
  flush_asked_ = true;
  while (!inbound_.empty()) end(*inbound_.back().stream);
  while (!outbound_.empty()) end(*outbound_.back().stream);
  while (Stream* stream = due_.pop_front()) destroy(*stream);
  in_flight_.clear(pools_.nodes);
  if (headers_) pools_.headers.destroy(headers_);
}

// The calls of the owner.

Result<Stream*> Session::open(void* user) {
  if (going_away()) return Error(KITH_ERR_CLOSED, name_);
  if (num_waiting_ >= limits::kMuxerWaitingStreams) {
    return Error(KITH_ERR_LIMIT, name_, "too many streams wait for the peer to allow them");
  }
  Stream* stream = create_outbound();
  if (!stream) return Error(KITH_ERR_LIMIT, name_, "no stream ids are left");
  add(*stream);
  stream->user = user;
  stream->is_waiting_ = true;
  waiting_.push_back(*stream);
  ++num_waiting_;
  start_waiting();
  return stream;
}

Status Session::write(Stream& stream, Buffer data) {
  if (!stream.can_write() || state_ == State::kEnding) return Error(KITH_ERR_CLOSED, name_);
  if (data.empty()) return {};
  if (stream.queue_.size() >= config_.send_budget) {
    stream.write_refused_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, name_);
  }
  stream.queue_.push(std::move(data), pools_.nodes);
  update_ready(stream);
  return {};
}

void Session::close_write(Stream& stream) {
  if (!stream.can_write()) return;
  stream.fin_wanted_ = true;
  update_ready(stream);
}

void Session::consume(Stream& stream, size_t n) {
  if (!stream.can_read()) return;
  take_held(stream, n);
  if (stream.held_.empty() && stream.fin_received_) ask_callback(stream);
}

void Session::resume(Stream& stream) {
  if (stream.held_.empty()) return;
  stream.resume_wanted_ = true;
  ask_callback(stream);
}

// Receiving.

Status Session::receive(Bytes plaintext, const Buffer* backing, TimePoint now) {
  advance(now);
  if (!plaintext.empty()) on_heard();
  while (!plaintext.empty() && state_ != State::kEnding) {
    if (body_left_ != 0) {
      const Bytes piece = plaintext.first(std::min(plaintext.size(), body_left_));
      plaintext = plaintext.subspan(piece.size());
      body_left_ -= piece.size();
      if (body_stream_) deliver(*body_stream_, piece, backing);
      if (body_left_ == 0) end_body();
    } else {
      KITH_TRY(take_header(plaintext));
    }
    if (resets_overflow_) {
      return fail(KITH_ERR_LIMIT, "the peer does not read the resets it causes");
    }
  }
  return {};
}

void Session::deliver(Stream& stream, Bytes piece, const Buffer* backing) {
  while (backing && num_pinned_ >= limits::kMuxerPinnedBlocks && stream.held_.empty() &&
         !stream.is_discarding_ && !stream.ended_ && !piece.empty()) {
    const size_t n = std::min(piece.size(), limits::kMuxerPieceBytes);
    const Buffer copy = Buffer::take(to_vector(piece.first(n)));
    deliver_from(stream, copy.bytes(), &copy);
    piece = piece.subspan(n);
  }
  if (!piece.empty() && !stream.ended_) deliver_from(stream, piece, backing);
}

void Session::deliver_from(Stream& stream, Bytes piece, const Buffer* backing) {
  size_t n = 0;
  const bool is_paused = !stream.held_.empty();
  if (!is_paused && !stream.is_discarding_) {
    n = handler_->on_data(stream, piece);
    KITH_CHECK(n <= piece.size());
    if (stream.ended_) return;
  }
  if (stream.is_discarding_) return discard(stream, piece.size());
  if (const Bytes rest = piece.subspan(n); !rest.empty()) {
    if (!make_room(stream, rest.size())) return;
    held_total_ += rest.size();
    if (backing && !is_paused) {
      const auto offset = static_cast<size_t>(rest.data() - backing->data());
      stream.held_.pin(backing->slice(offset, rest.size()));
      ++num_pinned_;
    } else {
      stream.held_.append(rest, pools_.chunks);
    }
  }
  on_taken(stream, n);
}

// The peer goes on sending, and would be stuck if it had to wait while we may still write to it. Only so much of that.
void Session::discard(Stream& stream, size_t n) {
  stream.dropped_ += static_cast<uint32_t>(n);
  if (stream.dropped_ > limits::kMuxerDroppedBytes) {
    end_with_reset(stream, stream.stop_code_);
  } else {
    on_taken(stream, n);
  }
}

bool Session::on_fin(Stream& stream) {
  if (std::exchange(stream.fin_received_, true)) return false;
  if (stream.is_discarding_) {
    stream.read_closed_ = true;
    end_if_done(stream);
  } else {
    close_read_if_done(stream);
  }
  return true;
}

void Session::close_read_if_done(Stream& stream) {
  if (!stream.fin_received_ || !stream.can_read() || !stream.held_.empty()) return;
  stream.read_closed_ = true;
  handler_->on_read_closed(stream);
  end_if_done(stream);
}

// js counts the streams that come before it is ready for them.
void Session::on_answered() {
  if (std::exchange(peer_answered_, true)) return;
  start_waiting();
}

Status Session::charge() {
  churn_.spend(now_);
  if (!churn_.is_overspent(now_)) return {};
  return fail(KITH_ERR_LIMIT, "the peer sends too much of no use");
}

void Session::take_held(Stream& stream, size_t n) {
  const bool was_pinned = stream.held_.is_pinned();
  stream.held_.consume(n, pools_.chunks);
  held_total_ -= n;
  if (was_pinned && !stream.held_.is_pinned()) --num_pinned_;
  on_taken(stream, n);
}

void Session::drop_held(Stream& stream) {
  if (stream.held_.is_pinned()) --num_pinned_;
  held_total_ -= stream.held_.size();
  stream.held_.clear(pools_.chunks);
}

// Sending.

size_t Session::fill(std::vector<Bytes>& out, size_t max_bytes) {
  if (!has_output()) return 0;
  if (!headers_) headers_ = pools_.headers.create();
  is_filling_ = true;
  Filler filler(*headers_, out, max_bytes);
  fill_frames(filler);
  is_filling_ = false;
  return filler.written();
}

void Session::sent() {
  flush_asked_ = false;
  if (headers_) pools_.headers.destroy(std::exchange(headers_, nullptr));
  in_flight_.clear(pools_.nodes);
  // What becomes due meanwhile waits for the next flush: a handler cannot keep us here.
  IntrusiveList<Stream, &Stream::due_hook_> due;
  due.take(due_);
  while (Stream* stream = due.pop_front()) run_due(*stream);
}

void Session::run_due(Stream& stream) {
  if (std::exchange(stream.resume_wanted_, false)) redeliver(stream);
  close_read_if_done(stream);
  if (stream.write_refused_ && stream.queue_.size() <= config_.send_budget / 2) {
    stream.write_refused_ = false;
    if (stream.can_write()) handler_->on_writable(stream);
  }
  if (!stream.ended_) return;
  handler_->on_closed(stream);
  due_.remove(stream);
  destroy(stream);
}

void Session::redeliver(Stream& stream) {
  while (!stream.held_.empty()) {
    const Bytes view = stream.held_.front();
    const size_t n = handler_->on_data(stream, view);
    KITH_CHECK(n <= view.size());
    if (!stream.can_read()) return;
    take_held(stream, n);
    if (n < view.size()) return;
  }
}

void Session::update_ready(Stream& stream) {
  if (stream.is_waiting_) return;
  if (!may_send(stream)) return ready_.remove(stream);
  ready_.push_back(stream);
  ask_flush();
}

bool Session::fill_resets(Filler& filler, bool (*frame)(Filler&, const OwedReset&)) {
  size_t num_sent = 0;
  while (num_sent < owed_resets_.size() && frame(filler, owed_resets_[num_sent])) ++num_sent;
  owed_resets_.erase(owed_resets_.begin(), owed_resets_.begin() + static_cast<ptrdiff_t>(num_sent));
  return owed_resets_.empty();
}

void Session::fill_data(Filler& filler, Stream& stream, size_t n) {
  filler.data(stream.queue_, n, in_flight_);
  if (stream.write_refused_ && stream.queue_.size() <= config_.send_budget / 2) {
    ask_callback(stream);
  }
}

void Session::ask_flush() {
  if (flush_asked_ || is_filling_) return;
  flush_asked_ = true;
  handler_->on_output();
}

void Session::ask_callback(Stream& stream) {
  due_.push_back(stream);
  ask_flush();
}

// Streams and their ends.

Stream* Session::find(uint64_t id, bool is_inbound) {
  Table& table = table_of(is_inbound);
  const auto it = std::ranges::lower_bound(table, id, {}, &Entry::id);
  return it != table.end() && it->id == id ? it->stream : nullptr;
}

void Session::add(Stream& stream) {
  Table& table = table_of(stream.is_inbound_);
  table.insert(std::ranges::lower_bound(table, stream.id_, {}, &Entry::id), {stream.id_, &stream});
}

// A stream that we stopped reading ends with our side of it, unless the muxer has a better way.
void Session::end_if_done(Stream& stream) {
  if (stream.ended_ || !stream.fin_sent_) return;
  if (!stream.read_closed_ && !stream.is_discarding_) return;
  churn_.earn();
  end(stream);
}

void Session::end_with_reset(Stream& stream, uint32_t code) {
  if (stream.ended_) return;
  // At the peer's expense, who opened it, whoever gives it up; unless it was answered in full.
  if (stream.is_inbound_) stream.fin_sent_ ? churn_.earn() : churn_.spend_softly(now_);
  const bool peer_knows_all = stream.fin_sent_ && stream.fin_received_;
  if (stream.is_announced_ && !peer_knows_all) owe_reset(stream.id_, code);
  end(stream);
}

void Session::end(Stream& stream) {
  stream.ended_ = true;
  Table& table = table_of(stream.is_inbound_);
  table.erase(std::ranges::lower_bound(table, stream.id_, {}, &Entry::id));
  if (body_stream_ == &stream) body_stream_ = nullptr;
  if (stream.is_waiting_) {
    waiting_.remove(stream);
    --num_waiting_;
  } else {
    ready_.remove(stream);
  }
  on_end(stream);
  drop_held(stream);
  // References are dropped in sent(): a release callback must not find us half way.
  stream.queue_.move_to(in_flight_);
  ask_callback(stream);
  if (!stream.is_inbound_) start_waiting();
}

void Session::on_peer_away() {
  state_ = State::kPeerAway;
  while (Stream* stream = waiting_.front()) {
    end(*stream);
    handler_->on_reset(*stream, 0);
  }
}

void Session::owe_reset(uint64_t id, uint32_t code) {
  if (owed_resets_.size() >= limits::kMuxerOwedResets) {
    resets_overflow_ = true;
    return;
  }
  owed_resets_.push_back({id, code});
  ask_flush();
}

void Session::start_waiting() {
  while (state_ == State::kOpen && !waiting_.empty() &&
         outbound_.size() - num_waiting_ < config_.max_outbound_streams &&
         (peer_answered_ || num_early_ < limits::kMuxerEarlyStreams)) {
    Stream& stream = *waiting_.pop_front();
    --num_waiting_;
    stream.is_waiting_ = false;
    if (!peer_answered_) ++num_early_;
    announce(stream);
  }
}

}  // namespace kith::muxer
