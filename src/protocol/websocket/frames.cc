#include "protocol/websocket/frames.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <string>

namespace kith::websocket {
namespace {

constexpr char kWhere[] = "websocket";
constexpr size_t kMaxHeaderBytes = 14;

// Codes that may be in a frame: RFC 6455 section 7.4.
bool may_be_sent(unsigned code) {
  if (code >= 3000 && code < 5000) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

struct Frames::Callbacks {
  static ssize_t read(uint8_t* to, size_t size, int, void* self) {
    Bytes& in = static_cast<Frames*>(self)->in_;
    const size_t n = std::min(size, in.size());
    if (n == 0) return 0;  // wslay then wants more
    std::memcpy(to, in.data(), n);
    in = in.subspan(n);
    return static_cast<ssize_t>(n);
  }
  static int make_mask(uint8_t* to, size_t size, void* self) {
    static_cast<Frames*>(self)->random_({to, size});
    return 0;
  }
};

void Frames::Free::operator()(wslay_frame_context* context) const {
  wslay_frame_context_free(context);
}

Frames::Frames(bool is_dialer, Random random) : is_dialer_(is_dialer), random_(random) {
  const wslay_frame_callbacks callbacks = {nullptr, Callbacks::read, Callbacks::make_mask};
  wslay_frame_context* context = nullptr;
  KITH_CHECK(wslay_frame_context_init(&context, &callbacks, this) == 0);
  context_.reset(context);
}

Frames::~Frames() = default;

Result<MutableBytes> Frames::receive(MutableBytes chunk, OutputBytes& out) {
  in_ = chunk;
  uint8_t* to = chunk.data();
  while (!received_code_) {
    wslay_frame_iocb frame{};
    const ssize_t n = wslay_frame_recv(context_.get(), &frame);
    if (n == WSLAY_ERR_WANT_READ) break;
    Status s = n < 0 ? violation("a frame's header is bad") : take(frame, &to, out);
    if (s.ok()) continue;
    close(violation_code_, out);
    return s.error();
  }
  in_ = {};
  return chunk.first(static_cast<size_t>(to - chunk.data()));
}

Status Frames::take(const wslay_frame_iocb& frame, uint8_t** to, OutputBytes& out) {
  if (!is_in_frame_) {
    KITH_TRY(check_start(frame));
    left_ = frame.payload_length;
    control_size_ = 0;
  }
  left_ -= frame.data_length;
  is_in_frame_ = left_ != 0;
  const bool is_control = wslay_is_ctrl_frame(frame.opcode) != 0;
  // What wslay gives is in its own memory, and was in the chunk behind a header.
  uint8_t* const target = is_control ? control_.data() + control_size_ : *to;
  if (frame.data_length != 0) std::memcpy(target, frame.data, frame.data_length);
  if (!is_control) {
    *to += frame.data_length;
    return {};
  }
  control_size_ += frame.data_length;
  return is_in_frame_ ? Status() : take_control(frame.opcode, out);
}

Status Frames::check_start(const wslay_frame_iocb& frame) {
  if (frame.rsv != 0) return violation("a frame has a reserved bit");
  if ((frame.mask != 0) == is_dialer_) {
    return violation(is_dialer_ ? "the server masks a frame" : "the client does not mask a frame");
  }
  switch (frame.opcode) {
    case WSLAY_CONTINUATION_FRAME:
      if (!is_in_message_) return violation("a continuation of no message");
      is_in_message_ = frame.fin == 0;
      return {};
    case WSLAY_BINARY_FRAME:
      if (is_in_message_) return violation("a message begins within another");
      is_in_message_ = frame.fin == 0;
      return {};
    case WSLAY_TEXT_FRAME:
      return violation("a text message", kCloseUnsupportedData);
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
      return {};
    default:
      return violation("a frame of an unknown kind");
  }
}

Status Frames::take_control(uint8_t opcode, OutputBytes& out) {
  if (opcode == WSLAY_PING) {
    ping_ = control_;
    ping_size_ = control_size_;
    return {};
  }
  if (opcode != WSLAY_CONNECTION_CLOSE) return {};
  if (control_size_ == 1) return violation("half a close code");
  unsigned code = kCloseNoStatus;
  if (control_size_ != 0) {
    code = static_cast<unsigned>(control_[0]) << 8 | control_[1];
    if (!may_be_sent(code)) return violation("a close code that nobody may send");
  }
  received_code_ = static_cast<uint16_t>(code);
  close(*received_code_, out);
  return {};
}

Status Frames::violation(const char* what, uint16_t code) {
  violation_code_ = code;
  return Error(KITH_ERR_PROTOCOL_VIOLATION, kWhere, what);
}

void Frames::write(uint8_t opcode, Bytes payload, OutputBytes& out) {
  wslay_frame_iocb frame{};
  frame.fin = 1;
  frame.opcode = opcode;
  frame.mask = is_dialer_ ? 1 : 0;
  frame.payload_length = payload.size();
  frame.data = payload.data();
  frame.data_length = payload.size();
  const size_t before = out.size();
  uint8_t* const to = out.extend(kMaxHeaderBytes + payload.size());
  size_t num_payload = 0;
  const ssize_t n =
      wslay_frame_write(context_.get(), &frame, to, kMaxHeaderBytes + payload.size(), &num_payload);
  KITH_CHECK(n > 0 && num_payload == payload.size());
  out.truncate(before + static_cast<size_t>(n));
}

void Frames::send(Bytes data, OutputBytes& out) {
  KITH_CHECK(!close_sent_);
  for (; !data.empty(); data = data.subspan(std::min(data.size(), kDataBytes))) {
    write(WSLAY_BINARY_FRAME, data.first(std::min(data.size(), kDataBytes)), out);
  }
}

void Frames::answer_ping(OutputBytes& out) {
  if (!ping_size_ || close_sent_) return;
  write(WSLAY_PONG, Bytes(ping_).first(*ping_size_), out);
  ping_size_.reset();
}

void Frames::close(uint16_t code, OutputBytes& out) {
  if (std::exchange(close_sent_, true)) return;
  const uint8_t payload[2] = {static_cast<uint8_t>(code >> 8), static_cast<uint8_t>(code)};
  write(WSLAY_CONNECTION_CLOSE, code == kCloseNoStatus ? Bytes() : Bytes(payload), out);
}

}  // namespace kith::websocket
