// The side of multistream-select that proposes: over a connection being upgraded, or on a stream it
// opened. Sans-IO; the deadline (limits::kNegotiationTimeout) is the caller's timer.
// Spec: libp2p/specs connections/README.md "multistream-select"; multiformats/multistream-select
// README.md "Implementation Recommendations".
#pragma once

#include <span>
#include <string_view>

#include "protocol/multistream/line.h"

namespace kith::multistream {

// Dialer proposes protocols in order until the peer echoes one. The multistream header and the
// first proposal are pending at once, so that they leave in one packet; each `na` makes the next
// one pending.
//
//   Dialer dialer(protocols);
//   send dialer.pending(), then dialer.sent(n)                 whenever pending() is not empty
//   n = dialer.receive(bytes); the rest belongs to the protocol once state() is kAgreed
class Dialer {
 public:
  // The most protocols of one negotiation, and the longest id.
  static constexpr size_t kMaxProtocols = 16;
  static constexpr size_t kMaxIdBytes = limits::kMultistreamLineBytes - 1;

  using State = multistream::State;

  // Dialer proposes `protocols`, 1..kMaxProtocols ids in order of preference, which it copies
  // (without allocating when one id of up to 63 bytes, or a few short ones, are given). When the
  // ids cannot be negotiated (none or too many; one that is empty, longer than kMaxIdBytes, holds a
  // newline or is a word of multistream-select itself) the state is kFailed with
  // KITH_ERR_INVALID_ARGUMENT.
  explicit Dialer(std::span<const std::string_view> protocols);

  // receive takes the peer's bytes, in pieces of any size, and returns how many belonged to the
  // negotiation: it stops right behind the line that ends it, and takes nothing once kAgreed. After
  // kFailed everything is taken and ignored.
  size_t receive(Bytes in);

  // end_of_input says that the peer closed its sending side: before the outcome that is kFailed
  // with KITH_ERR_CLOSED.
  void end_of_input();

  // pending returns the bytes to send next, valid until receive() or sent(); empty when there is
  // nothing to send. sent says that the first `n` of them are on their way.
  Bytes pending() const;
  void sent(size_t n);

  // may_send_early is true when no further protocol would be proposed: the caller may then send its
  // payload right behind pending() without waiting for the outcome, which saves a round trip. After
  // an `na` such payload is lost with the stream. The end of the stream is best held back until
  // kAgreed: js-libp2p handlers hang when proposal, payload and end come in one flight.
  bool may_send_early() const { return phase_ != Phase::kFailed && proposal_end_ == lines_.size(); }

  State state() const;
  // agreed returns the protocol, valid as long as the Dialer. Precondition: kAgreed.
  std::string_view agreed() const;
  // error says why the negotiation failed: KITH_ERR_PROTOCOL_NOT_SUPPORTED names the protocols,
  // KITH_ERR_PROTOCOL_VIOLATION what the peer said instead of an answer, KITH_ERR_MALFORMED and
  // KITH_ERR_MESSAGE_TOO_LARGE what was wrong with a line. KITH_OK unless kFailed.
  const Error& error() const { return error_; }

 private:
  //   kHeader --header--> kAnswer --echo--> kAgreed
  //      |                 |  ^ |
  //      |                 |  +-+ `na`, next proposal
  //      +---anything------+------------> kFailed
  //          else            `na` to the last, or anything else
  enum class Phase : uint8_t {
    kHeader,  // header and first proposal are pending or sent; the peer's header is due
    kAnswer,  // the answer to the current proposal is due
    kAgreed,
    kFailed,
  };

  void begin(std::span<const std::string_view> protocols);
  void on_line(std::string_view line);
  void next_proposal();
  std::string_view line_at(size_t begin, size_t* end) const;
  std::string_view proposal() const;
  void fail(Error error);
  Error not_supported() const;

  SmallBuffer<96> lines_;  // the header and every proposal, as lines, in the order of sending
  LineReader reader_;
  Error error_{KITH_OK, kWhere};
  uint32_t sent_ = 0;  // bytes of lines_ that are sent
  uint32_t proposal_begin_ =
      0;  // the current proposal in lines_; what lies behind it is not due yet
  uint32_t proposal_end_ = 0;
  Phase phase_ = Phase::kHeader;
};
static_assert(sizeof(Dialer) <= 256);

}  // namespace kith::multistream
