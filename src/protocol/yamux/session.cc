// Yamux sessions: ids, windows, pings and the calls of the session's owner. Receiving is in receive.cc, sending in fill.cc.
// Spec: libp2p/specs yamux/README.md.
#include "protocol/yamux/session.h"

#include <utility>

namespace kith::yamux {

namespace {

// Window of one stream, of the spec's minimum at least.
Config sane(Config config) {
  config.max_window = std::max(config.max_window, kInitialWindow);
  return config;
}

// Odd ids are the client's, and 0 is the session's.
uint64_t first_id(bool is_client, uint64_t at_least) {
  const uint64_t first = std::max<uint64_t>(at_least, 1);
  return first + ((first & 1) == (is_client ? 1 : 0) ? 0 : 1);
}

uint32_t wire_code(uint64_t code) {
  return code > UINT32_MAX ? kCodeOutOfRange : static_cast<uint32_t>(code);
}

}  // namespace

Session::Session(bool is_client, const Config& config, muxer::SessionHandler* handler,
                 TimePoint now)
    : muxer::Session("yamux", config, config.pools ? nullptr : std::make_unique<Pools>(),
                     config.pools, handler, now),
      config_(sane(config)),
      pools_(static_cast<Pools&>(muxer::Session::pools())),
      is_client_(is_client),
      next_id_(first_id(is_client, config.first_id)),
      last_heard_(now) {
  start_ping();
}

Session::~Session() { end_all(); }

muxer::Stream* Session::create_outbound() {
  if (next_id_ > UINT32_MAX) return nullptr;
  return &create(static_cast<uint32_t>(std::exchange(next_id_, next_id_ + 2)));
}

Stream& Session::create(uint32_t id) {
  Stream& stream = *pools_.streams.create(id, is_peers(id));
  stream.epoch_ = now_;
  return stream;
}

void Session::reset(muxer::Stream& stream, uint64_t code) {
  end_with_reset(stream, wire_code(code));
}

void Session::stop_reading(muxer::Stream& raw, uint64_t code) {
  Stream& stream = of(raw);
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
    on_taken(stream, held);
  }
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
    go_away(kInternalError);
    return fail(KITH_ERR_TIMEOUT, "nothing came from the peer since a ping");
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

Error Session::fail(kith_status status, const char* detail) {
  go_away(kProtocolError);
  return Error(status, "yamux", detail);
}

void Session::ask_control(Stream& stream) {
  control_.push_back(stream);
  ask_flush();
}

void Session::on_end(muxer::Stream& stream) {
  control_.remove(of(stream));
  window_growth_ -= of(stream).window_ - kInitialWindow;
}

// What the handler has taken the peer may send again; it hears of it when it is half the window.
void Session::on_taken(muxer::Stream& raw, size_t n) {
  Stream& stream = of(raw);
  if (stream.ended_ || stream.fin_received_) return;
  stream.credit_ += static_cast<uint32_t>(n);
  if (stream.credit_owed_ || stream.credit_ < stream.window_ / 2) return;
  grow_window(stream);
  stream.credit_owed_ = true;
  ask_control(stream);
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
