#include "protocol/websocket/session.h"

#include <array>
#include <string>
#include <utility>

namespace kith::websocket {

Session Session::dial(std::string_view host, Random random, OutputBytes& out) {
  std::array<uint8_t, kNonceBytes> nonce{};
  random(nonce);
  return {/*is_dialer=*/true, random, Handshake::dial(host, nonce, out)};
}

Session Session::listen(Random random) {
  return {/*is_dialer=*/false, random, Handshake::listen()};
}

Result<MutableBytes> Session::receive(MutableBytes chunk, OutputBytes& out) {
  size_t start = 0;  // of the frames
  if (state_ == State::kHandshaking) {
    const Result<size_t> taken = handshake_->receive(chunk, out);
    if (!taken.ok()) {
      state_ = State::kFailed;
      return taken.error();
    }
    start = *taken;
    if (handshake_->is_complete()) {
      handshake_.reset();
      frames_ = std::make_unique<Frames>(is_dialer_, random_);
      state_ = State::kOpen;
    }
  }
  if (state_ != State::kOpen) return MutableBytes();
  Result<MutableBytes> data = frames_->receive(chunk.subspan(start), out);
  if (!data.ok()) {
    state_ = State::kFailed;
  } else if (frames_->received_code()) {
    state_ = State::kClosed;
  }
  return data;
}

void Session::send(Bytes data, OutputBytes& out) {
  if (state_ == State::kOpen) frames_->send(data, out);
}

void Session::answer_ping(OutputBytes& out) {
  if (state_ == State::kOpen) frames_->answer_ping(out);
}

void Session::close(OutputBytes& out) {
  if (state_ != State::kOpen) return;
  frames_->close(kCloseNormal, out);
  state_ = State::kClosed;
}

Error Session::end() const {
  const uint16_t code = frames_ ? frames_->received_code().value_or(kCloseNormal) : kCloseNormal;
  if (code == kCloseNormal || code == kCloseGoingAway || code == kCloseNoStatus) {
    return Error(KITH_OK, "websocket");
  }
  return Error(KITH_ERR_CONNECTION_LOST, "websocket",
               "the peer closes with code " + std::to_string(code));
}

}  // namespace kith::websocket
