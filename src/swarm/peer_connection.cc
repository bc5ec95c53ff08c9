#include "swarm/peer_connection.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "identity/peer_record.h"
#include "swarm/negotiation.h"
#include "swarm/swarm.h"

namespace kith::swarm {

namespace {
// What applications of these stacks call themselves by default.
constexpr std::string_view kTakeEarlyEnd[] = {"kith/", "go-libp2p", "github.com/libp2p/go-libp2p",
                                              "kubo/", "rust-libp2p/"};
}  // namespace

PeerConnection::PeerConnection(Swarm& swarm, transport::Connection& connection)
    : swarm_(swarm),
      connection_(&connection),
      peer_(connection.remote_peer()),
      direction_(connection.direction()),
      local_address_(connection.local_address()) {
  connection.set_handler(this);
}

PeerConnection::~PeerConnection() = default;

Result<transport::Stream*> PeerConnection::open_stream(std::span<const std::string_view> protocols,
                                                       ProtocolStream* handler) {
  OutboundNegotiation* negotiation = swarm_.pools().outbound.create(*this, protocols, handler);
  if (negotiation->failed()) {
    const Error error = negotiation->error();
    swarm_.pools().outbound.destroy(negotiation);
    return error;
  }
  Result<transport::Stream*> stream = connection_->open_stream(negotiation);
  if (!stream.ok()) {
    swarm_.pools().outbound.destroy(negotiation);
    return stream;
  }
  negotiation->start(**stream);
  return stream;
}

const ByteVector& PeerConnection::signed_record() {
  if (!signed_record_.empty() && !std::exchange(is_record_verified_, true)) {
    const Result<identity::PeerRecord> record = identity::open_peer_record(signed_record_);
    if (!record.ok() || !(record->peer == peer_)) signed_record_.clear();
  }
  return signed_record_;
}

void PeerConnection::set_identified(identify::IdentifyMessage message) {
  if (!message.signed_peer_record.empty()) {
    signed_record_ = std::exchange(message.signed_peer_record, {});
    is_record_verified_ = false;
  }
  takes_early_end_ =
      std::any_of(std::begin(kTakeEarlyEnd), std::end(kTakeEarlyEnd),
                  [&](std::string_view agent) { return message.agent_version.starts_with(agent); });
  identified_ = std::move(message);
}

void PeerConnection::close() { connection_->close(0); }

void PeerConnection::on_stream(transport::Connection&, transport::Stream& stream) {
  if (num_negotiating_ >= limits::kNegotiatingStreams) {
    swarm_.stream_failed(
        *this, Error(KITH_ERR_LIMIT, "multistream", "too many streams without a protocol"));
    return stream.abort(0);
  }
  ++num_negotiating_;
  stream.set_handler(swarm_.pools().inbound.create(*this, stream));
}

void PeerConnection::done(InboundNegotiation* negotiation) {
  --num_negotiating_;
  swarm_.pools().inbound.destroy(negotiation);
}

void PeerConnection::done(OutboundNegotiation* negotiation) {
  swarm_.pools().outbound.destroy(negotiation);
}

void PeerConnection::on_closed(transport::Connection&, const Error& error) {
  swarm_.connection_closed(this, error);  // destroys this
}

}  // namespace kith::swarm
