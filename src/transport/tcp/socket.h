// TcpSocket: a TCP connection as a Pipe.
#pragma once

#include <optional>

#include "base/intrusive_list.h"
#include "runtime/epoll_loop.h"
#include "runtime/timer.h"
#include "transport/ip.h"
#include "transport/upgrade/pipe.h"

namespace kith::transport::tcp {

class SocketTransport;

class TcpSocket final : public upgrade::Pipe, runtime::EpollSource {
 public:
  // Begins to connect to `remote`, from `source` if that is possible.
  static Result<std::unique_ptr<TcpSocket>> connect(SocketTransport& transport,
                                                    const Endpoint& remote,
                                                    const std::optional<Endpoint>& source);
  // Takes over `fd`, connected to `remote`.
  static Result<std::unique_ptr<TcpSocket>> accepted(SocketTransport& transport, int socket_fd,
                                                     const Endpoint& remote);
  ~TcpSocket() override;

  bool is_open() const override { return state_ == State::kOpen; }
  void send(OutputBytes& bytes) override;
  size_t waiting() const override { return waiting_.size(); }
  void finish() override;
  wire::Multiaddr local_address() const override;
  wire::Multiaddr remote_address() const override;

  ListHook<TcpSocket> hook;  // of the transport, while finishing

 private:
  //   kConnecting --> kOpen --finish()--> kFinishing --> destroyed by the transport
  //        |            |                     ^
  //        +------------+--> kBroken ---------+
  enum class State : uint8_t { kConnecting, kOpen, kFinishing, kBroken };

  TcpSocket(SocketTransport& transport, int socket_fd, const Endpoint& remote);
  static void on_epoll(epoll_event* event);
  void on_events(uint32_t events);
  void on_connected();
  void read();
  // Reads and drops what comes while finishing.
  void drain();
  void send_waiting();
  // How many of `bytes` need not be sent any more.
  size_t send_some(Bytes bytes);
  // Nothing more is sent or received.
  void break_off(const Error& error);
  void step_finish();
  void on_linger_end();
  Status watch(uint32_t events);
  // Watches for what is left to be done on an open connection.
  void update_watch();

  SocketTransport& transport_;
  const Endpoint remote_;
  OutputBytes waiting_;
  runtime::Timer linger_;
  State state_ = State::kConnecting;
  uint32_t watched_ = 0;      // epoll events
  bool read_ended_ = false;   // by the peer
  bool write_ended_ = false;  // by us, while finishing
};

}  // namespace kith::transport::tcp
