// Mplex sessions: ids, and the calls of the session's owner. Receiving is in receive.cc, sending in fill.cc.
// Spec: libp2p/specs mplex/README.md.
#include "protocol/mplex/session.h"

#include <utility>

namespace kith::mplex {

namespace {

// "the maximum stream ID is 60 bits"
constexpr uint64_t kMaxId = (uint64_t{1} << 60) - 1;

Tag reset_tag(const muxer::Stream& stream) {
  return stream.is_inbound() ? kResetReceiver : kResetInitiator;
}

}  // namespace

Session::Session(bool, const Config& config, muxer::SessionHandler* handler, TimePoint now)
    : muxer::Session("mplex", config, config.pools ? nullptr : std::make_unique<Pools>(),
                     config.pools, handler, now),
      pools_(static_cast<Pools&>(muxer::Session::pools())),
      next_id_(config.first_id) {}

Session::~Session() { end_all(); }

muxer::Stream* Session::create_outbound() {
  if (next_id_ > kMaxId) return nullptr;
  return pools_.streams.create(next_id_++, /*is_inbound=*/false);
}

void Session::reset(muxer::Stream& stream, uint64_t) { end_with_reset(stream, reset_tag(stream)); }

void Session::stop_reading(muxer::Stream& raw, uint64_t) {
  Stream& stream = of(raw);
  if (!stream.can_read()) return;
  stream.is_discarding_ = true;
  stream.stop_code_ = reset_tag(stream);
  drop_held(stream);
  stream.read_closed_ = stream.fin_received_;
  end_if_done(stream);
}

// Nobody waits for credit: what a slow reader leaves is bounded by ending its stream.
bool Session::make_room(muxer::Stream& raw, size_t n) {
  Stream& stream = of(raw);
  if (stream.held_.size() + n <= limits::kMplexHeldBytes &&
      held_bytes() + n <= limits::kMplexHeldTotal) {
    return true;
  }
  end_with_reset(stream, reset_tag(stream));
  handler_->on_reset(stream, 0);
  return false;
}

void Session::go_away(uint32_t) { state_ = State::kEnding; }

Error Session::fail(kith_status status, const char* detail) {
  go_away(0);
  return Error(status, "mplex", detail);
}

}  // namespace kith::mplex
