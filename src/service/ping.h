// The ping service: answers pings, and measures round trips. Wire format: protocol/ping.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "protocol/ping/ping.h"
#include "runtime/timer.h"
#include "swarm/protocols.h"
#include "swarm/swarm.h"

namespace kith::service {

// A PingHandler hears the results of one session, and then exactly one on_ping_end: KITH_OK after the last round trip. Only
// the last may destroy the session.
class PingHandler {
 public:
  virtual void on_round_trip(Duration rtt) = 0;
  virtual void on_ping_end(const Error& error) = 0;

 protected:
  ~PingHandler() = default;
};

struct PingOptions {
  uint32_t count = 1;
  Duration interval = 0;  // from one ping to the next; at once if the round trip took longer
  bool new_stream =
      false;  // a stream for each ping: some responders serve only the first on a stream promptly
};

class PingSession;

class PingService final : public swarm::ProtocolHandler, public swarm::Observer {
 public:
  using Random = void (*)(MutableBytes out);
  // Serves /ipfs/ping/1.0.0 on `swarm` from now on if `serve`. `random` fills ping payloads.
  PingService(swarm::Swarm& swarm, Random random, bool serve);
  ~PingService();

  // Starts a session; it ends by itself. Destroying it cancels it without a callback.
  Result<std::unique_ptr<PingSession>> start(swarm::PeerConnection& connection,
                                             const PingOptions& options, PingHandler* handler);

 private:
  class Inbound;
  friend class PingSession;
  void on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                 std::string_view protocol) override;
  void on_disconnected(swarm::PeerConnection& connection, const Error& error) override;
  swarm::Swarm& swarm_;
  Random random_;
  ObjectPool<Inbound>* pool();
  struct Pool;
  std::unique_ptr<Pool> pool_;
  size_t num_inbound_ = 0;
  // Of every connection that has had one: found in one step per stream, not made anew for each.
  std::unordered_map<const swarm::PeerConnection*, size_t> num_inbound_of_;
  std::list<PingSession*> sessions_;
};

class PingSession final : public swarm::ProtocolStream {
 public:
  PingSession(PingService& service, swarm::PeerConnection& connection, const PingOptions& options,
              PingHandler* handler);
  ~PingSession();
  Status start();

 private:
  friend class PingService;
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream& stream, Bytes data) override;
  void on_read_closed(transport::Stream& stream) override;
  void on_reset(transport::Stream& stream, uint64_t code) override;
  void on_stop(transport::Stream&, uint64_t) override { stopped_ = true; }
  void on_writable(transport::Stream&) override {}
  void on_closed(transport::Stream& stream, const Error& error) override;
  void on_timer();
  Status send();
  void on_round_trip();
  // Lets go of the stream, gracefully.
  void leave_stream();
  // The stream is of no more use: the end if an echo is due, else the next ping takes a new one.
  void lose_stream(Error error);
  void end(Error error);

  PingService& service_;
  swarm::PeerConnection* connection_;  // null after the end
  const PingOptions options_;
  PingHandler* handler_;
  transport::Stream* stream_ = nullptr;
  ping::Pinger pinger_;
  uint32_t num_done_ = 0;
  TimePoint sent_at_ = 0;
  bool waiting_ = false;  // for an echo; else for the next ping's time
  bool stopped_ = false;  // the peer reads no more on stream_
  runtime::Timer timer_;
};

}  // namespace kith::service
