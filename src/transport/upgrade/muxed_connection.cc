#include "transport/upgrade/muxed_connection.h"

#include <algorithm>
#include <string>
#include <utility>

namespace kith::transport::upgrade {

namespace {

// Encrypted and sent in one go: four full messages of noise, sixteen records of TLS. Each one sent wakes a peer that waits.
// It is also what one connection sends in one turn of the loop, so that others are not kept waiting.
constexpr size_t kSendBytes = 4 * noise::kMaxPlaintext;

// What is decrypted elsewhere than in the pipe's memory, and may be kept where it is.
Buffer memory_of_piece(const noise::Session& session, Bytes piece) {
  const Buffer& memory = session.memory_of_piece();
  return memory.empty() ? memory : memory.slice(0, piece.size());
}
Buffer memory_of_piece(const tls::Session&, Bytes) { return {}; }

uint32_t go_away_code(uint64_t code) {
  return static_cast<uint32_t>(std::min<uint64_t>(code, UINT32_MAX));
}

}  // namespace

template <typename Session, typename Muxer>
MuxedConnection<Session, Muxer>::MuxedConnection(Upgrader& upgrader, std::unique_ptr<Pipe> pipe,
                                                 std::unique_ptr<Session> session,
                                                 Direction direction, Role role)
    : upgrader_(upgrader),
      flush_(runtime::Deferred::of<&MuxedConnection::flush>(upgrader.loop(), this)),
      finish_(runtime::Deferred::of<&MuxedConnection::finish>(upgrader.loop(), this)),
      timer_(runtime::Timer::of<&MuxedConnection::on_timer>(upgrader.loop().timers(), this)),
      pipe_(std::move(pipe)),
      session_(std::move(session)),
      muxer_(role == Role::kDialer, muxer_config(upgrader), this, upgrader.loop().now()),
      local_address_(pipe_->local_address()),
      remote_address_(pipe_->remote_address()),
      direction_(direction) {
  pipe_->set_handler(this);
}

template <typename Session, typename Muxer>
MuxedConnection<Session, Muxer>::~MuxedConnection() {
  KITH_CHECK(streams_.empty());
}

template <typename Session, typename Muxer>
typename Muxer::Config MuxedConnection<Session, Muxer>::muxer_config(Upgrader& upgrader) {
  typename Muxer::Config config;
  config.max_inbound_streams = upgrader.config().max_inbound_streams;
  config.pools = &upgrader.pools().of<Muxer>();
  return config;
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::start(Bytes early) {
  if (!is_open_) return;
  KITH_CHECK(handler_ != nullptr);
  if (!early.empty()) {
    const Buffer bytes = upgrader_.loop().buffers().copy(early);
    if (Status s = muxer_.receive(bytes, upgrader_.loop().now()); !s.ok()) return end(s.error());
  }
  if (session_->state() != Session::State::kOpen) {
    return end(Error(KITH_ERR_CLOSED, "connection", "closed by the peer"));
  }
  flush_.schedule();
  set_timer();
}

template <typename Session, typename Muxer>
Result<Stream*> MuxedConnection<Session, Muxer>::open_stream(StreamHandler* handler) {
  if (!is_open()) return Error(KITH_ERR_CLOSED, "connection");
  auto& pool = upgrader_.pools().streams;
  MuxedStream* stream = pool.create(*this, muxer_, Direction::kOutbound);
  Result<RawStream*> raw = muxer_.open(stream);
  if (!raw.ok()) {
    pool.destroy(stream);
    return raw.error();
  }
  stream->set_raw(*raw);
  stream->set_handler(handler);
  streams_.push_back(*stream);
  return static_cast<Stream*>(stream);
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::close(uint64_t code) {
  if (!is_open_) return;
  muxer_.go_away(go_away_code(code));
  end(Error(KITH_ERR_CLOSED, "connection", "closed here"));
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::end(Error reason) {
  if (!std::exchange(is_open_, false)) return;
  end_ = std::move(reason);
  flush_.cancel();
  timer_.cancel();
  finish_.schedule();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::finish() {
  muxer_.go_away(0);  // unless that was said, or worse
  if (!pipe_ended_) {
    OutputBytes& out = upgrader_.output();
    encrypt_next(out);
    static_cast<void>(session_->close(out));
    pipe_->send(out);
  }
  muxer_.sent();
  while (MuxedStream* stream = streams_.pop_front()) {
    stream->on_closed(end_);
    upgrader_.pools().streams.destroy(stream);
  }
  if (handler_) handler_->on_closed(*this, end_);
  if (!pipe_broke_) pipe_.release()->finish();
  upgrader_.remove(this);
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_pipe_data(MutableBytes bytes, const Buffer& backing) {
  if (!is_open_) return;
  auto plaintext = [&](MutableBytes piece) { on_plaintext(piece, backing); };
  OutputBytes& out = upgrader_.output();
  Status s = session_->receive(bytes, plaintext, out);
  if (!out.empty()) pipe_->send(out);
  if (!s.ok()) return end(s.error());
  if (session_->state() != Session::State::kOpen) {
    return end(Error(KITH_ERR_CLOSED, "connection", "closed by the peer"));
  }
  if (s = pipe_->check_waiting(); !s.ok()) return end(s.error());
  set_timer();
  check_idle_end();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_plaintext(MutableBytes piece, const Buffer& backing) {
  if (!is_open_) return;
  const uint8_t* const begin = backing.data();
  const bool is_inside = std::less_equal<>()(begin, piece.data()) &&
                         std::less<>()(piece.data(), begin + backing.size());
  Buffer held;
  if (is_inside) {
    held = backing.slice(static_cast<size_t>(piece.data() - begin), piece.size());
  } else if (held = memory_of_piece(*session_, piece); held.empty()) {
    held = upgrader_.loop().buffers().copy(piece);
  }
  if (Status s = muxer_.receive(held, upgrader_.loop().now()); !s.ok()) end(s.error());
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_pipe_end(const Error& error) {
  pipe_ended_ = true;
  pipe_broke_ = error.status() != KITH_OK;
  if (pipe_broke_) return end(error);
  const Status s = session_->end_of_input();
  if (muxer_.going_away() || (s.ok() && muxer_.may_end_here())) {
    return end(Error(KITH_ERR_CLOSED, "connection", "closed by the peer"));
  }
  end(Error(KITH_ERR_CONNECTION_LOST, "connection",
            s.ok() ? "the peer hung up with streams open" : std::string(s.error().detail())));
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::check_idle_end() {
  if (is_open_ && muxer_.going_away() && muxer_.num_streams() == 0) {
    end(Error(KITH_ERR_CLOSED, "connection", "closed by the peer"));
  }
}

template <typename Session, typename Muxer>
size_t MuxedConnection<Session, Muxer>::encrypt_next(OutputBytes& out) {
  std::vector<Bytes>& views = upgrader_.views();
  size_t total = 0;
  while (total < kSendBytes && muxer_.has_output()) {
    views.clear();
    const size_t n = muxer_.fill(views, kSendBytes - total);
    if (n == 0) break;
    total += n;
    if (Status s = session_->encrypt(views, out); !s.ok()) {
      end(s.error());
      break;
    }
  }
  return total;
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::flush() {
  size_t total = 0;
  while (is_open_) {
    if (pipe_->waiting() == 0 && total < kSendBytes) {
      OutputBytes& out = upgrader_.output();
      total += encrypt_next(out);
      pipe_->send(out);
    }
    muxer_.sent();
    if (!is_open_ || !muxer_.has_output() || pipe_->waiting() != 0) break;
    if (total >= kSendBytes) {
      flush_.schedule();
      break;
    }
  }
  if (is_open_) {
    set_timer();
    check_idle_end();
  }
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::set_timer() {
  const TimePoint at = muxer_.next_timeout();
  // A deadline that moved back is found out when it comes: cheaper than moving it with all that arrives.
  if (at != kNever && (!timer_.is_set() || at < timer_.deadline())) timer_.set(at);
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_timer() {
  if (!is_open_) return;
  if (Status s = muxer_.on_timeout(upgrader_.loop().now()); !s.ok()) return end(s.error());
  set_timer();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_stream(RawStream& raw) {
  MuxedStream* stream = upgrader_.pools().streams.create(*this, muxer_, Direction::kInbound);
  raw.user = stream;
  stream->set_raw(&raw);
  streams_.push_back(*stream);
  if (is_open_) handler_->on_stream(*this, *stream);
  if (!stream->handler()) stream->abort(0);
}

template <typename Session, typename Muxer>
size_t MuxedConnection<Session, Muxer>::on_data(RawStream& raw, Bytes data) {
  return is_open_ ? of(raw).on_data(data) : data.size();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_read_closed(RawStream& raw) {
  if (is_open_) of(raw).on_read_closed();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_reset(RawStream& raw, uint64_t code) {
  if (is_open_) of(raw).on_reset(code);
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_writable(RawStream& raw) {
  if (is_open_) of(raw).on_writable();
}

template <typename Session, typename Muxer>
void MuxedConnection<Session, Muxer>::on_closed(RawStream& raw) {
  MuxedStream& stream = of(raw);
  streams_.remove(stream);
  stream.on_closed(is_open_ ? clean_ : end_);
  upgrader_.pools().streams.destroy(&stream);
}

template class MuxedConnection<noise::Session, yamux::Session>;
template class MuxedConnection<noise::Session, mplex::Session>;
template class MuxedConnection<tls::Session, yamux::Session>;
template class MuxedConnection<tls::Session, mplex::Session>;

}  // namespace kith::transport::upgrade
