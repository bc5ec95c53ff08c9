// A WebSocket's frames, over wslay: a stream of bytes in binary messages, and control frames.
// Sans-IO. Spec: RFC 6455 sections 5 to 7.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"

struct wslay_frame_context;
struct wslay_frame_iocb;

namespace kith::websocket {

// Random fills `out` with random bytes. Tests pass one whose bytes they know.
using Random = void (*)(MutableBytes out);

// Codes of a close frame.
inline constexpr uint16_t kCloseNormal = 1000;
inline constexpr uint16_t kCloseGoingAway = 1001;
inline constexpr uint16_t kCloseProtocolError = 1002;
inline constexpr uint16_t kCloseUnsupportedData = 1003;
inline constexpr uint16_t kCloseNoStatus = 1005;  // the frame had no code

inline constexpr size_t kControlBytes = 125;  // payload of a control frame

// Frames is one end of an open WebSocket. Not copied and not moved.
class Frames {
 public:
  // What a data frame of ours carries, at most: receivers tend to gather whole messages.
  static constexpr size_t kDataBytes = 64 * 1024;

  // `random` gives the masking keys, of which only a dialer has need.
  Frames(bool is_dialer, Random random);
  ~Frames();
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;

  // receive takes all of `chunk`, and writes the data that is in it over its front: that is what it
  // returns, in order, whatever the messages it came in. The answer to a close frame goes to `out`;
  // from then on everything is ignored. An error is final, and what tells the peer of it is in `out`:
  // KITH_ERR_PROTOCOL_VIOLATION, with close code 1002, or 1003 for text.
  Result<MutableBytes> receive(MutableBytes chunk, OutputBytes& out);

  // send appends `data` in frames. Not after close().
  void send(Bytes data, OutputBytes& out);

  // answer_ping appends the answer to the last ping, if one is owed. Call it when the peer takes what
  // it is sent: pings that come before are answered with this one.
  void answer_ping(OutputBytes& out);

  // close appends a close frame, unless there was one.
  void close(uint16_t code, OutputBytes& out);

  bool close_sent() const { return close_sent_; }
  // received_code returns that of the peer's close frame, if it came.
  std::optional<uint16_t> received_code() const { return received_code_; }

 private:
  struct Callbacks;
  struct Free {
    void operator()(wslay_frame_context* context) const;
  };
  Status take(const wslay_frame_iocb& frame, uint8_t** to, OutputBytes& out);
  Status check_start(const wslay_frame_iocb& frame);
  Status take_control(uint8_t opcode, OutputBytes& out);
  Status violation(const char* what, uint16_t code = kCloseProtocolError);
  void write(uint8_t opcode, Bytes payload, OutputBytes& out);

  const bool is_dialer_;
  const Random random_;
  std::unique_ptr<wslay_frame_context, Free> context_;
  Bytes in_;                                      // during receive: what wslay has not read
  uint64_t left_ = 0;                             // of the payload of the frame that is coming in
  bool is_in_frame_ = false;                      // more of it is to come
  bool is_in_message_ = false;                    // the last data frame was not its message's last
  std::array<uint8_t, kControlBytes> control_{};  // payload of the control frame that is coming in
  size_t control_size_ = 0;
  std::array<uint8_t, kControlBytes> ping_{};  // payload of the ping that is to be answered
  std::optional<size_t> ping_size_;
  uint16_t violation_code_ = 0;
  std::optional<uint16_t> received_code_;
  bool close_sent_ = false;
};

}  // namespace kith::websocket
