// The identify message: what a peer says about itself, on request or pushed after a change.
// Sans-IO. Spec: libp2p/specs identify/README.md; field 8 and messages in parts as go-libp2p
// p2p/protocol/identify does them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/frame.h"
#include "wire/multiaddr.h"

namespace kith::identify {

inline constexpr std::string_view kProtocolId = "/ipfs/id/1.0.0";
inline constexpr std::string_view kPushProtocolId = "/ipfs/id/push/1.0.0";

// IdentifyMessage is the merge of the messages of one stream. An empty field was not sent: in a
// push it leaves what is known about the peer as it is.
//
// All of it is only what the peer claims. The receiver still has to check that `public_key` is the
// connection's, and that `signed_peer_record` is signed by it.
struct IdentifyMessage {
  std::string protocol_version;               // any bytes, at most limits::kIdentifyStringBytes
  std::string agent_version;                  // likewise
  ByteVector public_key;                      // PublicKey protobuf, at most limits::kPublicKeyBytes
  std::vector<wire::Multiaddr> listen_addrs;  // at most limits::kIdentifyAddresses
  std::optional<wire::Multiaddr> observed_addr;  // of the receiver, as the sender sees it
  std::vector<std::string> protocols;  // at most limits::kIdentifyProtocols, each negotiable
  ByteVector signed_peer_record;       // SignedEnvelope protobuf with a PeerRecord

  // What was received and left out, not encoded: addresses that do not parse (a peer may know
  // protocols that we do not), protocol ids that no stream could ask for, and all beyond the
  // limits.
  size_t num_skipped_addrs = 0;
  size_t num_skipped_protocols = 0;
};

// encode returns the bytes of a whole identify or push stream for `message`: one length-prefixed
// message, or several when one would exceed 4 KiB, the most that rust-libp2p accepts (go-libp2p and
// js-libp2p: 8 KiB). The fields that matter most to a peer that reads only the first, as
// rust-libp2p does, come first; the signed peer record comes last. KITH_ERR_MESSAGE_TOO_LARGE when
// a field alone exceeds limits::kIdentifyMessageBytes; KITH_ERR_LIMIT when it takes more messages
// than peers merge.
Result<ByteVector> encode(const IdentifyMessage& message);

// Reader collects the messages of one stream and merges them as protobuf does: repeated fields add
// up, of the others the last counts. What it keeps is bounded after the merge, however many
// messages there are.
class Reader {
 public:
  Reader() : frames_(limits::kIdentifyMessageBytes) {}

  // receive takes the peer's bytes, in pieces of any size, and returns how many it took: all of
  // them, as long as error() is KITH_OK and after.
  size_t receive(Bytes in);

  // finish is for when the peer closed its sending side; it gives the merged message away, once.
  // It also serves a deadline: what is complete counts even if the peer never closes.
  // KITH_ERR_MALFORMED for a stream that ends within a message, without any, or with one that is
  // not protobuf; KITH_ERR_MESSAGE_TOO_LARGE for a message, key or version string beyond its limit;
  // KITH_ERR_LIMIT for more than limits::kIdentifyMessages messages.
  Result<IdentifyMessage> finish();

  // error is the error that finish() will return, as soon as it is known; KITH_OK before.
  const Error& error() const { return error_; }

 private:
  Status merge(Bytes encoded);
  Status merge_field(uint32_t number, Bytes value);
  void add_addr(Bytes encoded);
  void add_protocol(std::string_view id);

  wire::FrameReader frames_;
  IdentifyMessage message_;
  ByteVector observed_addr_;  // the last one sent, parsed at the end
  Error error_{KITH_OK, "identify"};
  size_t num_messages_ = 0;
  bool is_mid_message_ = false;
};

// trim_observed_addr returns `addr` without what js-libp2p leaves at the end of the addresses it
// observes: our own /p2p/<id>, and before that our certificate hashes. Empty if nothing else is
// there.
wire::Multiaddr trim_observed_addr(const wire::Multiaddr& addr);

}  // namespace kith::identify
