// QUIC v1 over MsQuic. Spec: libp2p/specs quic/README.md; the peer is identified by the TLS extension (tls/tls.md).
//
// One UDP port serves everything, when the build carries the MsQuic patch for it (KITH_MSQUIC_PATCHED): a dial leaves
// from the port of a listener of the same address family; without one, all dials leave from one port that accepts
// nothing.
#pragma once

#include <memory>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/pool.h"
#include "protocol/tls/certificate_cache.h"
#include "runtime/epoll_loop.h"
#include "transport/admission.h"
#include "transport/ip.h"
#include "transport/quic/library.h"
#include "transport/transport.h"

namespace kith::transport::quic {

class QuicConnection;
class QuicListener;
class QuicStream;
struct SendOp;

struct QuicConfig {
  Duration idle_timeout = seconds(30);
  Duration keep_alive = seconds(15);
  Duration handshake_timeout = limits::kHandshakeTimeout;
  uint16_t max_inbound_streams = limits::kStreamsPerConnection;
  size_t max_verified_certificates = limits::kVerifiedCertificates;  // remembered; 0: none
  uint32_t stream_window_bytes = 256 << 10;     // power of two; grows up to the connection's
  uint32_t connection_window_bytes = 16 << 20;  // starts at four streams' and grows up to this
  Duration shutdown_timeout =
      milliseconds(500);   // for peers to acknowledge the close when the node stops
  bool share_port = true;  // dials leave from one port; off without the patch
  bool joins_port =
      false;  // another loop of the node listens where this one is told to; needs the patch
  LogSink* log = nullptr;
  // The node's, for all its transports.
  std::shared_ptr<Admission> admission = std::make_shared<Admission>(AdmissionConfig());
};

// /ip4|ip6/.../udp/PORT/quic-v1
wire::Multiaddr quic_address(const Endpoint& endpoint);

class QuicTransport final : public Transport {
 public:
  // `loop` must be built on `slot`; both outlive the transport. `credentials` are used for both roles.
  static Result<std::unique_ptr<QuicTransport>> create(runtime::EpollLoop& loop, Slot& slot,
                                                       const tls::Credentials& credentials,
                                                       const QuicConfig& config);
  ~QuicTransport() override;

  bool can_dial(const wire::Multiaddr& address) const override;
  bool can_listen(const wire::Multiaddr& address) const override;
  Result<std::unique_ptr<Dial>> dial(const wire::Multiaddr& address, const DialOptions& options,
                                     DialHandler* handler) override;
  Result<std::unique_ptr<Listener>> listen(const wire::Multiaddr& address,
                                           ListenerHandler* handler) override;
  void shutdown(void (*done)(void* ctx), void* ctx) override;

  // For the parts of this driver.
  const QUIC_API_TABLE& api() const { return slot_.api(); }
  runtime::EpollLoop& loop() { return loop_; }
  Slot& slot() { return slot_; }
  const QuicConfig& config() const { return config_; }
  QUIC_HANDLE* server_configuration() const { return server_; }
  QUIC_HANDLE* client_configuration() const { return client_; }
  ObjectPool<QuicStream>& streams();
  ObjectPool<SendOp>& send_ops();
  tls::CertificateCache& certificates() { return certificates_; }
  void add(QuicConnection* connection);
  // The connection is about to be destroyed.
  void remove(QuicConnection* connection);
  void add(QuicListener* listener) { listeners_.push_back(listener); }
  void remove(QuicListener* listener);
  // MsQuic still holds `n` more (or fewer) listeners that were closed here.
  void listener_handles(int change);
  bool is_shutting_down() const { return shutting_down_; }

 private:
  QuicTransport(runtime::EpollLoop& loop, Slot& slot, const QuicConfig& config);
  Status open_configuration(const tls::Credentials& credentials, bool is_server, QUIC_HANDLE** out);
  // Where a dial to `remote` should leave from: the concrete address and port of a listener that fits, or of the dial
  // port; nothing when MsQuic is to choose.
  std::optional<Endpoint> dial_source(const Endpoint& remote);
  // Opens the dial port unless that cannot be.
  void open_dial_port();
  void check_shutdown();
  void on_shutdown_deadline();

  runtime::EpollLoop& loop_;
  Slot& slot_;
  const QuicConfig config_;
  QUIC_HANDLE* server_ = nullptr;
  QUIC_HANDLE* client_ = nullptr;
  QuicConnection* connections_ = nullptr;  // intrusive list
  std::vector<QuicListener*> listeners_;
  // Of a node that only dials. One socket instead of one for each connection: cheaper, and no fresh port can be one whose
  // last connection the peer still remembers, which costs a second.
  std::unique_ptr<QuicListener> dial_port_;
  bool dial_port_failed_ = false;
  int listener_handles_ = 0;
  bool shutting_down_ = false;
  void (*shutdown_done_)(void* ctx) = nullptr;
  void* shutdown_ctx_ = nullptr;
  runtime::Deferred shutdown_finish_;
  runtime::Timer shutdown_deadline_;
  tls::CertificateCache certificates_;
  struct Pools;
  std::unique_ptr<Pools> pools_;
};

}  // namespace kith::transport::quic
