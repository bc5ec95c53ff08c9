// TcpListener: one listening socket.
#pragma once

#include "base/intrusive_list.h"
#include "runtime/epoll_loop.h"
#include "runtime/timer.h"
#include "transport/ip.h"
#include "transport/transport.h"

namespace kith::transport::tcp {

class SocketTransport;

class TcpListener final : public Listener {
 public:
  TcpListener(SocketTransport& transport, wire::Multiaddr above, ListenerHandler* handler);
  ~TcpListener() override;
  Status start(const Endpoint& at);

  wire::Multiaddr address() const override;
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  // What epoll points to: an event of the same turn may come after the listener is gone.
  struct Source : runtime::EpollSource {
    TcpListener* listener;
  };
  // Takes one connection off the queue. False if there is none, or none can be taken now.
  bool accept_one();
  void resume();

  SocketTransport& transport_;
  const wire::Multiaddr above_;  // what follows /tcp/PORT in our address
  ListenerHandler* const handler_;
  Endpoint endpoint_;
  std::unique_ptr<Source> source_;
  runtime::Timer retry_;
  bool is_exhausted_ = false;  // the last accept found no descriptors or memory
};

}  // namespace kith::transport::tcp
