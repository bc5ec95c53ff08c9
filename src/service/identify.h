// The identify service: tells peers who we are, asks every new connection who it is, and listens for pushes.
// Wire format: protocol/identify. Spec: libp2p/specs identify/README.md.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "crypto/keys.h"
#include "protocol/identify/message.h"
#include "swarm/protocols.h"
#include "swarm/stream_io.h"
#include "swarm/swarm.h"

namespace kith::service {

struct IdentifyConfig {
  std::string agent = "kith/" KITH_VERSION;
  std::string protocol_version = "ipfs/0.1.0";
};

class IdentifyService final : public swarm::ProtocolHandler, public swarm::Observer {
 public:
  // Serves /ipfs/id/1.0.0 and /ipfs/id/push/1.0.0 on `swarm` and observes it from now on.
  IdentifyService(swarm::Swarm& swarm, const crypto::PrivateKey& key, IdentifyConfig config);
  ~IdentifyService();

 private:
  class Reply;
  struct Query;
  void on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                 std::string_view protocol) override;
  void on_connected(swarm::PeerConnection& connection) override;
  void on_disconnected(swarm::PeerConnection& connection, const Error& error) override;

  // What we say of ourselves to this peer, framed.
  Result<Buffer> describe(const swarm::PeerConnection& connection);
  // Our addresses signed, made again when they change.
  const ByteVector& signed_record(const std::vector<wire::Multiaddr>& addresses);
  void send_reply(swarm::PeerConnection& connection, transport::Stream& stream);
  void ask(swarm::PeerConnection& connection);
  runtime::Task<void> read_answer(Query& query);
  static void on_query_done(void* query);

  swarm::Swarm& swarm_;
  const crypto::PrivateKey key_;
  const IdentifyConfig config_;
  ByteVector public_key_;
  std::vector<wire::Multiaddr> recorded_addresses_;
  ByteVector record_;
  uint64_t record_seq_ = 0;
  std::list<std::unique_ptr<Query>> queries_;
  std::list<std::unique_ptr<Reply>> replies_;
};

}  // namespace kith::service
