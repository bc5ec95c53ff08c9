// The perf service: measures throughput to a peer, and serves measurements. Wire format: protocol/perf.
// Serving is a bandwidth cannon for whoever asks: hosts serve it only when told to.
#pragma once

#include <list>
#include <memory>

#include "protocol/perf/perf.h"
#include "swarm/protocols.h"
#include "swarm/swarm.h"

namespace kith::service {

struct PerfResult {
  uint64_t uploaded = 0;  // bytes the transport has taken, without the header
  uint64_t downloaded = 0;
  Duration upload_time = 0;    // from the start to the first byte that comes back, or its end
  Duration download_time = 0;  // from there to the end
};

// Exactly one on_perf_end; on_perf_progress at most once per kInterval before it.
class PerfHandler {
 public:
  virtual void on_perf_progress(const PerfResult& so_far) = 0;
  virtual void on_perf_end(const PerfResult& result, const Error& error) = 0;

 protected:
  ~PerfHandler() = default;
};

class PerfSession;

class PerfService final : public swarm::ProtocolHandler {
 public:
  explicit PerfService(swarm::Swarm& swarm);
  ~PerfService();
  // Serves /perf/1.0.0 from now on.
  void serve();
  // Uploads `upload` bytes of zeros, then downloads `download`. The session ends by itself; destroying it cancels it.
  Result<std::unique_ptr<PerfSession>> start(swarm::PeerConnection& connection, uint64_t upload,
                                             uint64_t download, PerfHandler* handler);

 private:
  class Inbound;
  void on_stream(swarm::PeerConnection& connection, transport::Stream& stream,
                 std::string_view protocol) override;
  swarm::Swarm& swarm_;
  bool serving_ = false;
  std::list<std::unique_ptr<Inbound>> inbound_;
};

// Sends `bytes` zeros on a stream as fast as it takes them.
class ZeroSource {
 public:
  explicit ZeroSource(uint64_t bytes) : left_(bytes) {}
  // Writes until all is written (then closes the write side, once) or the stream is full.
  void pump(transport::Stream& stream);
  // Closes the write side now, whatever is left.
  void end(transport::Stream& stream);
  uint64_t left() const { return left_; }

 private:
  uint64_t left_;
  bool closed_ = false;
};

class PerfSession final : public swarm::ProtocolStream {
 public:
  static constexpr Duration kInterval = seconds(1);
  PerfSession(runtime::Loop& loop, uint64_t upload, uint64_t download, PerfHandler* handler);
  ~PerfSession();
  Status start(swarm::PeerConnection& connection);
  // Ends the upload with what the transport has taken, and the session, in a later turn, when the peer has answered:
  // then all of it has arrived. A download ends with what has come. on_perf_end then says KITH_OK; no
  // on_perf_progress comes before it.
  void stop();

 private:
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream& stream, Bytes data) override;
  void on_read_closed(transport::Stream& stream) override;
  void on_reset(transport::Stream& stream, uint64_t code) override;
  void on_stop(transport::Stream&, uint64_t) override {}
  void on_writable(transport::Stream& stream) override { source_.pump(stream); }
  void on_closed(transport::Stream& stream, const Error& error) override;
  void on_progress();
  PerfResult result() const;
  void end(const Error& error);

  runtime::Loop& loop_;
  const uint64_t upload_;
  const uint64_t download_;
  PerfHandler* handler_;
  transport::Stream* stream_ = nullptr;
  ZeroSource source_;
  uint64_t downloaded_ = 0;
  TimePoint started_ = 0;
  TimePoint first_byte_ = 0;
  bool stopping_ = false;
  runtime::Timer progress_;
};

}  // namespace kith::service
