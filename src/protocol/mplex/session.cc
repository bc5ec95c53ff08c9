// Mplex sessions: the streams, their ends, and the calls of the session's owner. Receiving is in receive.cc, sending in
// fill.cc. Spec: libp2p/specs mplex/README.md.
#include "protocol/mplex/session.h"

#include <utility>

namespace kith::mplex {

namespace {
// "the maximum stream ID is 60 bits"
constexpr uint64_t kMaxId = (uint64_t{1} << 60) - 1;
}  // namespace

Session::Session(bool, const Config& config, SessionHandler* handler, TimePoint now)
    : config_(config),
      own_pools_(config.pools ? nullptr : std::make_unique<Pools>()),
      pools_(config.pools ? *config.pools : *own_pools_),
      handler_(handler),
      flush_asked_(true),  // the owner flushes a new session without being asked
      now_(now) {}

Session::~Session() {
  is_ending_ = flush_asked_ = true;  // release callbacks find a session that takes nothing
  while (!inbound_.empty()) end(*inbound_.back().stream);
  while (!outbound_.empty()) end(*outbound_.back().stream);
  while (Stream* stream = due_.pop_front()) pools_.streams.destroy(stream);
  in_flight_.clear(pools_.nodes);
  if (headers_) pools_.headers.destroy(headers_);
}

Result<Stream*> Session::open(void* user) {
  if (is_ending_) return Error(KITH_ERR_CLOSED, "mplex");
  if (num_waiting_ >= limits::kMuxerWaitingStreams) {
    return Error(KITH_ERR_LIMIT, "mplex", "too many streams wait for the peer to allow them");
  }
  if (next_id_ > kMaxId) return Error(KITH_ERR_LIMIT, "mplex", "no stream ids are left");
  Stream& stream = add(next_id_++, /*is_inbound=*/false);
  stream.user = user;
  stream.is_waiting_ = true;
  waiting_.push_back(stream);
  ++num_waiting_;
  start_waiting();
  return &stream;
}

Status Session::write(Stream& stream, Buffer data) {
  if (!stream.can_write() || is_ending_) return Error(KITH_ERR_CLOSED, "mplex");
  if (data.empty()) return {};
  if (stream.queue_.size() >= config_.send_budget) {
    stream.write_refused_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "mplex");
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

void Session::reset(Stream& stream, uint64_t) { end_with_reset(stream); }

void Session::stop_reading(Stream& stream, uint64_t) {
  if (!stream.can_read()) return;
  stream.is_discarding_ = true;
  drop_held(stream);
  stream.read_closed_ = stream.fin_received_;
  end_if_done(stream);
}

void Session::consume(Stream& stream, size_t n) {
  if (!stream.can_read()) return;
  stream.held_.consume(n, pools_.chunks);
  held_total_ -= n;
  if (stream.held_.empty() && stream.fin_received_) ask_callback(stream);
}

void Session::resume(Stream& stream) {
  if (stream.held_.empty()) return;
  stream.resume_wanted_ = true;
  ask_callback(stream);
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
  pools_.streams.destroy(&stream);
}

void Session::redeliver(Stream& stream) {
  while (!stream.held_.empty()) {
    const Bytes view = stream.held_.front();
    const size_t n = handler_->on_data(stream, view);
    KITH_CHECK(n <= view.size());
    if (!stream.can_read()) return;
    stream.held_.consume(n, pools_.chunks);
    held_total_ -= n;
    if (n < view.size()) return;
  }
}

void Session::close_read_if_done(Stream& stream) {
  if (!stream.fin_received_ || !stream.can_read() || !stream.held_.empty()) return;
  stream.read_closed_ = true;
  handler_->on_read_closed(stream);
  end_if_done(stream);
}

void Session::go_away(uint32_t) { is_ending_ = true; }

void Session::ask_flush() {
  if (flush_asked_ || is_filling_) return;
  flush_asked_ = true;
  handler_->on_output();
}

void Session::ask_callback(Stream& stream) {
  due_.push_back(stream);
  ask_flush();
}

Stream* Session::find(uint64_t id, bool is_inbound) {
  Table& table = table_of(is_inbound);
  const auto it = std::ranges::lower_bound(table, id, {}, &Entry::id);
  return it != table.end() && it->id == id ? it->stream : nullptr;
}

Stream& Session::add(uint64_t id, bool is_inbound) {
  Stream* stream = pools_.streams.create(id, is_inbound);
  Table& table = table_of(is_inbound);
  table.insert(std::ranges::lower_bound(table, id, {}, &Entry::id), {id, stream});
  return *stream;
}

// A stream that is not read ends with our side of it: see stop_reading() in the header.
void Session::end_if_done(Stream& stream) {
  if (stream.ended_ || !stream.fin_sent_) return;
  if (!stream.read_closed_ && !stream.is_discarding_) return;
  churn_.earn();
  end(stream);
}

void Session::end_with_reset(Stream& stream) {
  if (stream.ended_) return;
  // At the peer's expense, who opened it, whoever gives it up.
  if (stream.is_inbound_) churn_.spend(now_);
  const bool peer_knows_all = stream.fin_sent_ && stream.fin_received_;
  if (stream.is_announced_ && !peer_knows_all) {
    owe_reset(stream.id_, stream.is_inbound_ ? kResetReceiver : kResetInitiator);
  }
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
  drop_held(stream);
  // References are dropped in sent(): a release callback must not find us half way.
  stream.queue_.move_to(in_flight_);
  ask_callback(stream);
  if (!stream.is_inbound_) start_waiting();
}

void Session::owe_reset(uint64_t id, Tag tag) {
  if (owed_resets_.size() >= limits::kMuxerOwedResets) {
    resets_overflow_ = true;
    return;
  }
  owed_resets_.push_back({id, tag});
  ask_flush();
}

void Session::start_waiting() {
  while (!waiting_.empty() && outbound_.size() - num_waiting_ < config_.max_outbound_streams &&
         (peer_answered_ || num_early_ < limits::kMuxerEarlyStreams)) {
    Stream& stream = *waiting_.pop_front();
    --num_waiting_;
    stream.is_waiting_ = false;
    if (!peer_answered_) ++num_early_;
    update_ready(stream);
  }
}

void Session::drop_held(Stream& stream) {
  held_total_ -= stream.held_.size();
  stream.held_.clear(pools_.chunks);
}

bool Session::may_send(const Stream& stream) const {
  if (stream.ended_ || stream.is_waiting_) return false;
  return !stream.is_announced_ || !stream.queue_.empty() ||
         (stream.fin_wanted_ && !stream.fin_sent_);
}

void Session::update_ready(Stream& stream) {
  if (stream.is_waiting_) return;
  if (!may_send(stream)) return ready_.remove(stream);
  ready_.push_back(stream);
  ask_flush();
}

}  // namespace kith::mplex
