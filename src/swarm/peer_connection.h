// PeerConnection: one connection to one identified peer, as the swarm and everything above see it.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string_view>

#include "protocol/identify/message.h"
#include "swarm/protocols.h"
#include "transport/transport.h"

namespace kith::swarm {

class Swarm;

class PeerConnection final : public transport::ConnectionHandler {
 public:
  PeerConnection(Swarm& swarm, transport::Connection& connection);
  ~PeerConnection();

  const identity::PeerId& peer() const { return peer_; }
  transport::Direction direction() const { return direction_; }
  // Where the peer is seen now: a NAT may give it another port at any time.
  wire::Multiaddr remote_address() const { return connection_->remote_address(); }
  const wire::Multiaddr& local_address() const { return local_address_; }

  // Opens a stream and proposes `protocols` in order. With one protocol the stream may be written to at once: the
  // payload travels with the proposal. `handler` is borrowed until its on_closed.
  Result<transport::Stream*> open_stream(std::span<const std::string_view> protocols,
                                         ProtocolStream* handler);
  // False as soon as the connection is known to end.
  bool is_open() const { return connection_->is_open(); }
  // Ends the connection; on_closed of every stream and the observers' on_disconnected follow in later turns.
  void close();

  Swarm& swarm() { return swarm_; }
  // What the peer said of itself, once identified; its signed record is apart.
  const std::optional<identify::IdentifyMessage>& identified() const { return identified_; }
  // The record (identity/peer_record.h) that the peer signed, or empty. Verified here, on the first call: that costs
  // as much as a tenth of the whole connection, and few ever pass a record on. Of another peer, or badly signed: empty.
  const ByteVector& signed_record();
  // Whether the peer is known to take the end of a stream together with the proposal that began it. js-libp2p does not, so
  // who is not known to be another waits for the answer, and has a round trip more where a request ends with its stream.
  bool takes_early_end() const { return takes_early_end_; }
  // Takes the record out of `message`; without one, that of an earlier message stays.
  void set_identified(identify::IdentifyMessage message);

  // One pointer for the layer above (the C API's handle).
  void* user = nullptr;

  // Where the swarm keeps this.
  std::list<std::unique_ptr<PeerConnection>>::iterator position;

  // For negotiations: theirs is over.
  void done(class InboundNegotiation* negotiation);
  void done(class OutboundNegotiation* negotiation);

 private:
  void on_stream(transport::Connection& connection, transport::Stream& stream) override;
  void on_closed(transport::Connection& connection, const Error& error) override;

  Swarm& swarm_;
  transport::Connection* connection_;
  const identity::PeerId peer_;
  const transport::Direction direction_;
  const wire::Multiaddr local_address_;
  std::optional<identify::IdentifyMessage> identified_;
  ByteVector signed_record_;
  bool is_record_verified_ = false;
  bool takes_early_end_ = false;
  size_t num_negotiating_ = 0;  // inbound
};

}  // namespace kith::swarm
