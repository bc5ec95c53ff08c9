#include "service/identify.h"

#include <algorithm>

#include "base/limits.h"
#include "identity/key_proto.h"
#include "identity/peer_record.h"
#include "runtime/timer.h"
#include "swarm/peer_connection.h"

namespace kith::service {

using transport::Stream;

// Our answer on its way: written at once, then the peer closes. A peer that never does is cut off.
class IdentifyService::Reply final : public transport::StreamHandler {
 public:
  Reply(IdentifyService& service, Stream& stream)
      : service_(service),
        stream_(stream),
        deadline_(runtime::Timer::of<&Reply::on_deadline>(service.swarm_.loop().timers(), this)) {
    stream.set_handler(this);
    deadline_.set(service.swarm_.loop().now() + limits::kIdentifyTimeout);
  }
  size_t on_data(Stream&, Bytes data) override { return data.size(); }
  void on_read_closed(Stream&) override {}
  void on_reset(Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(Stream&, uint64_t) override { stream_.stop_reading(0); }
  void on_writable(Stream&) override {}
  void on_closed(Stream&, const Error&) override {
    service_.replies_.remove_if([this](const auto& r) { return r.get() == this; });
  }

 private:
  void on_deadline() { stream_.abort(0); }
  IdentifyService& service_;
  Stream& stream_;
  runtime::Timer deadline_;
};

// One identify message being read: our question, or a push of the peer's.
struct IdentifyService::Query {
  Query(IdentifyService& s, swarm::PeerConnection& c, bool push)
      : service(s),
        connection(c),
        is_push(push),
        deadline(runtime::Timer::of<&Query::on_deadline>(s.swarm_.loop().timers(), this)) {
    deadline.set(s.swarm_.loop().now() + limits::kIdentifyTimeout);
  }
  void on_deadline() {
    io.fail(Error(KITH_ERR_TIMEOUT, "identify", "the peer did not finish its message in time"));
  }
  IdentifyService& service;
  swarm::PeerConnection& connection;
  const bool is_push;
  swarm::StreamIo io;
  runtime::Timer deadline;
  runtime::Task<void> task;  // destroyed first: it uses the rest
};

namespace {
void merge(identify::IdentifyMessage& known, identify::IdentifyMessage&& news) {
  if (!news.protocol_version.empty()) known.protocol_version = std::move(news.protocol_version);
  if (!news.agent_version.empty()) known.agent_version = std::move(news.agent_version);
  if (!news.listen_addrs.empty()) known.listen_addrs = std::move(news.listen_addrs);
  if (news.observed_addr) known.observed_addr = std::move(news.observed_addr);
  if (!news.protocols.empty()) known.protocols = std::move(news.protocols);
  known.signed_peer_record = std::move(news.signed_peer_record);
}
}  // namespace

IdentifyService::IdentifyService(swarm::Swarm& swarm, const crypto::PrivateKey& key,
                                 IdentifyConfig config)
    : swarm_(swarm),
      key_(key),
      config_(std::move(config)),
      public_key_(identity::encode_public_key(key.public_key())) {
  KITH_CHECK(swarm_.protocols().add(identify::kProtocolId, this).ok());
  KITH_CHECK(swarm_.protocols().add(identify::kPushProtocolId, this).ok());
  swarm_.add_observer(this);
}

IdentifyService::~IdentifyService() {
  swarm_.remove_observer(this);
  swarm_.protocols().remove(identify::kProtocolId);
  swarm_.protocols().remove(identify::kPushProtocolId);
}

const ByteVector& IdentifyService::signed_record(const std::vector<wire::Multiaddr>& addresses) {
  if (record_.empty() || addresses != recorded_addresses_) {
    recorded_addresses_ = addresses;
    record_.clear();
    // The sequence number orders records; go-libp2p uses nanoseconds since 1970, too.
    const uint64_t now = static_cast<uint64_t>(swarm_.loop().unix_seconds()) * 1'000'000'000ULL;
    record_seq_ = std::max(record_seq_ + 1, now);
    if (Result<ByteVector> sealed = identity::seal_peer_record(key_, record_seq_, addresses);
        sealed.ok()) {
      record_ = std::move(sealed).value();
    }
  }
  return record_;
}

Result<Buffer> IdentifyService::describe(const swarm::PeerConnection& connection) {
  identify::IdentifyMessage m;
  m.protocol_version = config_.protocol_version;
  m.agent_version = config_.agent;
  m.public_key = public_key_;
  m.listen_addrs = swarm_.listen_addresses();
  if (wire::Multiaddr seen = connection.remote_address(); !seen.empty()) {
    m.observed_addr = std::move(seen);
  }
  for (const std::string_view id : swarm_.protocols().list()) m.protocols.emplace_back(id);
  m.signed_peer_record = signed_record(m.listen_addrs);
  KITH_ASSIGN(ByteVector bytes, identify::encode(m));
  return Buffer::take(std::move(bytes));
}

void IdentifyService::send_reply(swarm::PeerConnection& connection, Stream& stream) {
  Result<Buffer> message = describe(connection);
  if (!message.ok()) {
    swarm_.stream_failed(connection, message.error());
    return;  // without a handler the stream is aborted
  }
  replies_.push_back(std::make_unique<Reply>(*this, stream));
  if (!stream.write(std::move(message).value()).ok()) return stream.abort(0);
  stream.close_write();
}

void IdentifyService::on_stream(swarm::PeerConnection& connection, Stream& stream,
                                std::string_view protocol) {
  if (protocol == identify::kProtocolId) return send_reply(connection, stream);
  size_t num_pushes = 0;
  for (const auto& q : queries_) num_pushes += q->is_push && &q->connection == &connection ? 1 : 0;
  if (num_pushes >= limits::kIdentifyPushStreams) {
    swarm_.stream_failed(connection,
                         Error(KITH_ERR_LIMIT, "identify", "too many pushes at once of one peer"));
    return;  // without a handler the stream is aborted
  }
  queries_.push_back(std::make_unique<Query>(*this, connection, /*push=*/true));
  Query& query = *queries_.back();
  query.io.attach(stream);
  query.io.close_write();
  query.task = read_answer(query);
  query.task.start(on_query_done, &query);
}

void IdentifyService::on_connected(swarm::PeerConnection& connection) { ask(connection); }

void IdentifyService::ask(swarm::PeerConnection& connection) {
  queries_.push_back(std::make_unique<Query>(*this, connection, /*push=*/false));
  Query& query = *queries_.back();
  const std::string_view protocol = identify::kProtocolId;
  if (Status s = query.io.open(connection, std::span(&protocol, 1)); !s.ok()) {
    queries_.pop_back();
    return swarm_.identify_failed(connection, s.error());
  }
  query.io.close_write();
  query.task = read_answer(query);
  query.task.start(on_query_done, &query);
}

runtime::Task<void> IdentifyService::read_answer(Query& query) {
  identify::Reader reader;
  Error failure(KITH_OK, "identify");
  for (;;) {
    const Result<Bytes> data = co_await query.io.read();
    if (data.status() == KITH_ERR_TIMEOUT) {
      failure = data.error();
      break;  // what is complete counts, also from a peer that does not close
    }
    if (!data.ok()) {
      swarm_.identify_failed(query.connection, data.error());
      co_return;
    }
    if (data->empty()) break;
    const size_t n = data->size();
    reader.receive(*data);
    query.io.consume(n);
    if (reader.error().status() != KITH_OK) break;
  }
  Result<identify::IdentifyMessage> message = reader.finish();
  if (!message.ok()) {
    if (failure.status() == KITH_OK) failure = message.error();
    swarm_.identify_failed(query.connection, failure);
    co_return;
  }
  // A peer may leave its key out, but it may not claim another one.
  if (!message->public_key.empty()) {
    const Result<crypto::PublicKey> key = identity::decode_public_key(message->public_key);
    if (!key.ok() || !query.connection.peer().matches(*key)) {
      swarm_.identify_failed(query.connection,
                             Error(KITH_ERR_PEER_ID_MISMATCH, "identify",
                                   "the message carries a key that is not the connection's"));
      co_return;
    }
  }
  if (query.is_push && query.connection.identified()) {
    identify::IdentifyMessage known = *query.connection.identified();
    merge(known, std::move(*message));
    query.connection.set_identified(std::move(known));
  } else {
    query.connection.set_identified(std::move(*message));
  }
  swarm_.identified(query.connection);
}

void IdentifyService::on_query_done(void* ctx) {
  auto* query = static_cast<Query*>(ctx);
  query->service.queries_.remove_if([query](const auto& q) { return q.get() == query; });
}

void IdentifyService::on_disconnected(swarm::PeerConnection& connection, const Error&) {
  queries_.remove_if([&](const auto& q) { return &q->connection == &connection; });
}

}  // namespace kith::service
