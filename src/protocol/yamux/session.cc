// Yamux sessions: the streams, their ends, and the calls of the session's owner. Receiving is in receive.cc, sending in
// fill.cc. Spec: libp2p/specs yamux/README.md.
#include "protocol/yamux/session.h"

#include <utility>

namespace kith::yamux {

namespace {

// Window of one stream, of the spec's minimum at least.
Config sane(Config config) {
  config.max_window = std::max(config.max_window, kInitialWindow);
  return config;
}

uint32_t wire_code(uint64_t code) {
  return code > UINT32_MAX ? kCodeOutOfRange : static_cast<uint32_t>(code);
}

}  // namespace

Session::Session(bool is_client, const Config& config, SessionHandler* handler, TimePoint now)
    : config_(sane(config)),
      own_pools_(config.pools ? nullptr : std::make_unique<Pools>()),
      pools_(config.pools ? *config.pools : *own_pools_),
      handler_(handler),
      is_client_(is_client),
      now_(now),
      next_id_(is_client ? 1 : 2),
      last_heard_(now) {
  flush_asked_ = true;  // the owner flushes a new session without being asked
  start_ping();
}

Session::~Session() {
  state_ = State::kEnding;  // release callbacks find a session that takes nothing
  flush_asked_ = true;
  while (!inbound_.empty()) end(*inbound_.back().stream);
  while (!outbound_.empty()) end(*outbound_.back().stream);
  while (Stream* stream = due_.pop_front()) pools_.streams.destroy(stream);
  in_flight_.clear(pools_.nodes);
  if (headers_) pools_.headers.destroy(headers_);
}

Result<Stream*> Session::open(void* user) {
  if (going_away()) return Error(KITH_ERR_CLOSED, "yamux");
  if (num_waiting_ >= limits::kMuxerWaitingStreams) {
    return Error(KITH_ERR_LIMIT, "yamux", "too many streams wait for the peer to allow them");
  }
  if (next_id_ > UINT32_MAX - 2) return Error(KITH_ERR_LIMIT, "yamux", "no stream ids are left");
  Stream& stream = add(next_id_, /*is_inbound=*/false);
  next_id_ += 2;
  stream.user = user;
  stream.syn_owed_ = true;
  stream.is_waiting_ = true;
  waiting_.push_back(stream);
  ++num_waiting_;
  start_waiting();
  return &stream;
}

Status Session::write(Stream& stream, Buffer data) {
  if (!stream.can_write() || state_ == State::kEnding) return Error(KITH_ERR_CLOSED, "yamux");
  if (data.empty()) return {};
  if (stream.queue_.size() >= config_.send_budget) {
    stream.write_refused_ = true;
    return Error(KITH_ERR_WOULD_BLOCK, "yamux");
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

void Session::reset(Stream& stream, uint64_t code) { end_with_reset(stream, wire_code(code)); }

void Session::stop_reading(Stream& stream, uint64_t code) {
  if (!stream.can_read()) return;
  stream.is_discarding_ = true;
  stream.stop_code_ = wire_code(code);
  const size_t held = stream.held_.size();
  drop_held(stream);
  if (stream.fin_received_) {
    stream.read_closed_ = true;
    end_if_done(stream);
  } else if (stream.fin_sent_) {
    end_with_reset(stream, stream.stop_code_);
  } else {
    return_credit(stream, held);
  }
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
    take_held(stream, n);
    if (n < view.size()) return;
  }
}

void Session::close_read_if_done(Stream& stream) {
  if (!stream.fin_received_ || !stream.can_read() || !stream.held_.empty()) return;
  stream.read_closed_ = true;
  handler_->on_read_closed(stream);
  end_if_done(stream);
}

TimePoint Session::next_timeout() const {
  if (state_ == State::kEnding) return kNever;
  return is_pinging_ ? silence_ends() : next_ping_;
}

TimePoint Session::silence_ends() const {
  if (config_.ping_timeout == kNever) return kNever;
  return std::max(ping_started_, last_heard_) + config_.ping_timeout;
}

Status Session::on_timeout(TimePoint now) {
  advance(now);
  if (now_ < next_timeout()) return {};
  if (is_pinging_) {
    return fail(KITH_ERR_TIMEOUT, kInternalError, "nothing came from the peer since a ping");
  }
  start_ping();
  return {};
}

void Session::start_ping() {
  ping_owed_ = is_pinging_ = true;
  ++ping_id_;
  ping_started_ = now_;
  ask_flush();
}

void Session::go_away(uint32_t code) {
  if (state_ == State::kEnding) return;
  state_ = State::kEnding;
  go_away_owed_ = true;
  go_away_code_ = code;
  ask_flush();
}

Error Session::fail(kith_status status, GoAway code, const char* detail) {
  go_away(code);
  return Error(status, "yamux", detail);
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

Session::Table& Session::table_of(uint32_t id) {
  return ((id & 1) != 0) == is_client_ ? outbound_ : inbound_;
}

Stream* Session::find(uint32_t id) {
  Table& table = table_of(id);
  const auto it = std::ranges::lower_bound(table, id, {}, &Entry::id);
  return it != table.end() && it->id == id ? it->stream : nullptr;
}

Stream& Session::add(uint32_t id, bool is_inbound) {
  Stream* stream = pools_.streams.create(id, is_inbound);
  stream->epoch_ = now_;
  Table& table = table_of(id);
  table.insert(std::ranges::lower_bound(table, id, {}, &Entry::id), {id, stream});
  return *stream;
}

void Session::end_if_done(Stream& stream) {
  if (stream.ended_ || !stream.read_closed_ || !stream.fin_sent_) return;
  churn_.earn();
  end(stream);
}

void Session::end_with_reset(Stream& stream, uint32_t code) {
  if (stream.ended_) return;
  // At the peer's expense, who opened it, whoever gives it up.
  if (stream.is_inbound_) churn_.spend(now_);
  const bool peer_knows_all = stream.fin_sent_ && stream.fin_received_;
  if (!stream.syn_owed_ && !peer_knows_all) owe_reset(stream.id_, code);
  end(stream);
}

void Session::end(Stream& stream) {
  stream.ended_ = true;
  Table& table = table_of(stream.id_);
  table.erase(std::ranges::lower_bound(table, stream.id_, {}, &Entry::id));
  if (body_stream_ == &stream) body_stream_ = nullptr;
  if (stream.is_waiting_) {
    waiting_.remove(stream);
    --num_waiting_;
  } else {
    control_.remove(stream);
  }
  ready_.remove(stream);
  drop_held(stream);
  // References are dropped in sent(): a release callback must not find us half way.
  stream.queue_.move_to(in_flight_);
  window_growth_ -= stream.window_ - kInitialWindow;
  ask_callback(stream);
  if (!stream.is_inbound_) start_waiting();
}

void Session::owe_reset(uint32_t id, uint32_t code) {
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
    control_.push_back(stream);
    if (!peer_answered_) ++num_early_;
    ask_flush();
  }
}

void Session::drop_held(Stream& stream) {
  held_total_ -= stream.held_.size();
  stream.held_.clear(pools_.chunks);
}

void Session::take_held(Stream& stream, size_t n) {
  stream.held_.consume(n, pools_.chunks);
  held_total_ -= n;
  return_credit(stream, n);
}

void Session::return_credit(Stream& stream, size_t n) {
  if (stream.ended_ || stream.fin_received_) return;
  stream.credit_ += static_cast<uint32_t>(n);
  if (stream.credit_owed_ || stream.credit_ < stream.window_ / 2) return;
  grow_window(stream);
  stream.credit_owed_ = true;
  control_.push_back(stream);
  ask_flush();
}

// A window that is used up faster than the peer can learn of new credit holds it back: it should be twice the bandwidth-delay
// product, so half of it lasts one round trip.
void Session::grow_window(Stream& stream) {
  const Duration elapsed = now_ - std::exchange(stream.epoch_, now_);
  if (rtt_ == 0 || elapsed >= 2 * rtt_ || stream.is_discarding_) return;
  const size_t growth = std::min<size_t>(
      {stream.window_, config_.max_window - stream.window_,
       config_.max_window_growth - std::min(window_growth_, config_.max_window_growth)});
  stream.window_ += static_cast<uint32_t>(growth);
  stream.credit_ += static_cast<uint32_t>(growth);
  window_growth_ += growth;
}

}  // namespace kith::yamux
