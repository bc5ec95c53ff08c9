// SocketTransport: what all transports over TCP have in common: sockets that listen and dial, upgraded with noise or TLS
// and with yamux or mplex (transport/upgrade). A transport says what goes between, on top of a socket.
// Spec: libp2p/specs connections/README.md; addressing/README.md.
//
// Dials leave from the port of a listener of the same family, when that fits: peers then see one address of a node, which
// is also the one that a firewall or NAT knows.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/intrusive_list.h"
#include "base/log.h"
#include "runtime/epoll_loop.h"
#include "transport/ip.h"
#include "transport/tcp/read_buffer.h"
#include "transport/tcp/socket.h"
#include "transport/transport.h"
#include "transport/upgrade/upgrader.h"

namespace kith::transport::tcp {

class TcpListener;

struct TcpConfig {
  upgrade::UpgradeConfig upgrade;
  int backlog = 1024;       // connections that wait to be accepted
  bool share_port = true;   // dials leave from a listening port
  bool joins_port = false;  // another loop of the node listens where this one is told to
  Duration linger = milliseconds(500);           // for peers to read the end of a connection
  size_t max_finishing = limits::kTcpFinishing;  // that are given this time, at once
  LogSink* log = nullptr;
};

class SocketTransport : public Transport {
 public:
  ~SocketTransport() override;

  Result<std::unique_ptr<Dial>> dial(const wire::Multiaddr& address, const DialOptions& options,
                                     DialHandler* handler) override;
  Result<std::unique_ptr<Listener>> listen(const wire::Multiaddr& address,
                                           ListenerHandler* handler) override;
  void shutdown(void (*done)(void* ctx), void* ctx) override;

  // For sockets and listeners.
  runtime::EpollLoop& loop() { return loop_; }
  const TcpConfig& config() const { return config_; }
  upgrade::Upgrader& upgrader() { return *upgrader_; }
  ReadBuffer& read_buffer() { return read_buffer_; }
  void add(TcpListener* listener) { listeners_.push_back(listener); }
  void remove(TcpListener* listener);
  // Owns `socket` until it is finished.
  void add_finishing(TcpSocket* socket) {
    finishing_.push_back(*socket);
    ++num_finishing_;
  }
  bool may_linger() const { return num_finishing_ <= config_.max_finishing; }
  // `socket` is destroyed in a later turn.
  void remove_finishing(TcpSocket* socket);
  // Puts on top of `socket`, which is being dialed or was accepted, what this transport has between it and the upgrade.
  // `above` is what follows /tcp/PORT in the address that is dialed or listened on; `remote` is the other end.
  virtual Result<std::unique_ptr<upgrade::Pipe>> wrap(std::unique_ptr<upgrade::Pipe> socket,
                                                      const wire::Multiaddr& above,
                                                      const Endpoint& remote,
                                                      Direction direction) = 0;

 protected:
  // What follows [ip6zone] ip4|ip6, tcp in `address`; nothing if that is not how it begins.
  static std::optional<wire::Multiaddr> above_tcp(const wire::Multiaddr& address);
  // `loop` must outlive the transport.
  SocketTransport(runtime::EpollLoop& loop, std::unique_ptr<upgrade::Upgrader> upgrader,
                  const TcpConfig& config);

 private:
  std::optional<Endpoint> dial_source(const Endpoint& remote) const;
  void clean_up();

  runtime::EpollLoop& loop_;
  const TcpConfig config_;
  ReadBuffer read_buffer_;
  std::unique_ptr<upgrade::Upgrader> upgrader_;
  std::vector<TcpListener*> listeners_;
  IntrusiveList<TcpSocket, &TcpSocket::hook> finishing_;
  size_t num_finishing_ = 0;
  std::vector<std::unique_ptr<TcpSocket>> finished_;
  bool shutting_down_ = false;
  void (*shutdown_done_)(void* ctx) = nullptr;
  void* shutdown_ctx_ = nullptr;
  runtime::Deferred clean_up_;
};

}  // namespace kith::transport::tcp
