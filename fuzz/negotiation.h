// A stream's two ends around multistream negotiation, for the fuzz targets and the two-ended tests:
// each end negotiates, then sends its payload and collects what arrives.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "protocol/multistream/dialer.h"
#include "protocol/multistream/listener.h"

namespace kith::fuzz {

// ListTable supports the ids of a list.
class ListTable : public multistream::ProtocolTable {
 public:
  explicit ListTable(std::vector<std::string> ids) : ids_(std::move(ids)) {}
  bool supports(std::string_view id) const override {
    return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }
  std::vector<std::string_view> list() const override { return {ids_.begin(), ids_.end()}; }

 private:
  std::vector<std::string> ids_;
};

// StreamEnd is one end: `Negotiator` is a Dialer or a Listener.
template <typename Negotiator>
class StreamEnd {
 public:
  template <typename Arg>
  StreamEnd(const Arg& arg, ByteVector payload) : negotiator_(arg), payload_(std::move(payload)) {}

  // allow_early lets a dialer send its payload before the answer, when it has no other proposal.
  void allow_early() { may_be_early_ = true; }

  size_t receive(Bytes in) {
    const size_t n = negotiator_.receive(in);
    if (state() != multistream::State::kAgreed) return n;
    append(received_, in.subspan(n));
    return in.size();
  }
  Bytes pending() const {
    if (const Bytes own = negotiator_.pending(); !own.empty()) return own;
    if (!may_send_payload()) return {};
    return Bytes(payload_).subspan(num_sent_);
  }
  void sent(size_t n) {
    if (!negotiator_.pending().empty()) return negotiator_.sent(n);
    num_sent_ += n;
  }

  multistream::State state() const { return negotiator_.state(); }
  Negotiator& negotiator() { return negotiator_; }
  const ByteVector& received() const { return received_; }
  size_t num_payload_sent() const { return num_sent_; }

 private:
  bool may_send_payload() const {
    if (state() == multistream::State::kAgreed) return true;
    if constexpr (std::is_same_v<Negotiator, multistream::Dialer>) {
      return may_be_early_ && negotiator_.may_send_early();
    }
    return false;
  }

  Negotiator negotiator_;
  ByteVector payload_;
  ByteVector received_;
  size_t num_sent_ = 0;
  bool may_be_early_ = false;
};

}  // namespace kith::fuzz
