// The side of multistream-select that answers proposals. Sans-IO; the deadline
// (limits::kNegotiationTimeout) is the caller's timer.
// Spec: libp2p/specs connections/README.md "multistream-select"; multiformats/multistream-select
// README.md, with its form of `ls`.
#pragma once

#include <string_view>
#include <vector>

#include "protocol/multistream/line.h"

namespace kith::multistream {

// ProtocolTable is what a Listener asks about the protocols that are served.
class ProtocolTable {
 public:
  // supports is true when a stream with protocol `id` has a handler. `id` is the peer's, any bytes
  // but never empty, valid for the call.
  virtual bool supports(std::string_view id) const = 0;
  // list returns the ids to tell a peer that asks with `ls`; may be empty. The views must be valid
  // until the call of Listener::receive() returns.
  virtual std::vector<std::string_view> list() const = 0;

 protected:
  ~ProtocolTable() = default;
};

// Listener answers the peer's proposals from a ProtocolTable: it echoes the first that is supported
// and says `na` to the others. Its header is pending as soon as the peer's has arrived, in front of
// the first answer, so that they leave in one packet when the peer's two lines came in one.
//
// Memory is bounded however little the peer reads: limits::kMultistreamProposals answers, of which
// one is the answer to `ls` (limits::kMultistreamLsBytes).
class Listener {
 public:
  using State = multistream::State;

  // `table` is borrowed and must outlive the Listener, or at least its kNegotiating state.
  explicit Listener(const ProtocolTable& table) : table_(&table) {}

  // receive takes the peer's bytes, in pieces of any size, and returns how many belonged to the
  // negotiation: it stops right behind the proposal that is agreed, where an eager peer's payload
  // begins, and takes nothing once kAgreed. After kFailed everything is taken and ignored.
  size_t receive(Bytes in);

  // end_of_input says that the peer closed its sending side: before the outcome that is kFailed,
  // with KITH_ERR_PROTOCOL_NOT_SUPPORTED after an `na`, else with KITH_ERR_CLOSED.
  void end_of_input();

  // pending returns the bytes to send next, valid until receive() or sent(); empty when there is
  // nothing to send. sent says that the first `n` of them are on their way. Also in kAgreed and
  // kFailed pending bytes should be sent: the echo, or the `na` by which an eager peer learns why
  // its stream ends.
  Bytes pending() const { return out_.bytes().subspan(sent_); }
  void sent(size_t n);

  State state() const;
  // agreed returns the protocol, valid as long as the Listener. Precondition: kAgreed.
  std::string_view agreed() const;
  // error says why the negotiation failed: KITH_ERR_PROTOCOL_NOT_SUPPORTED when the peer goes on,
  // or ends, after an `na` (it sent its payload early); KITH_ERR_LIMIT for too many proposals;
  // KITH_ERR_PROTOCOL_VIOLATION for a wrong header; KITH_ERR_MALFORMED and
  // KITH_ERR_MESSAGE_TOO_LARGE say what was wrong with a line. KITH_OK unless kFailed.
  const Error& error() const { return error_; }

 private:
  //   kHeader --header--> kProposal --supported--> kAgreed
  //      |                 |  ^ |
  //      |                 |  +-+ not supported: `na`; `ls`: the list
  //      +----anything-----+------------> kFailed
  //           else           a bad line, too many proposals
  enum class Phase : uint8_t {
    kHeader,    // the peer's header is due
    kProposal,  // a proposal or `ls` is due
    kAgreed,
    kFailed,
  };

  void on_line(std::string_view line);
  void on_proposal(std::string_view line);
  void drop_sent();
  void answer(std::string_view text);
  void answer_list();
  void fail(Error error);

  const ProtocolTable* table_;
  SmallBuffer<88> out_;  // answers; the last one is kept, it holds the agreed id
  LineReader reader_;
  Error error_{KITH_OK, kWhere};
  uint32_t sent_ = 0;         // bytes of out_ that are sent
  uint16_t agreed_size_ = 0;  // the agreed id lies before the newline that ends out_
  uint8_t num_proposals_ = 0;
  Phase phase_ = Phase::kHeader;
  bool is_declined_ = false;  // the last answer was `na`
  bool is_listed_ = false;    // `ls` was answered
};
static_assert(sizeof(Listener) <= 256);

}  // namespace kith::multistream
