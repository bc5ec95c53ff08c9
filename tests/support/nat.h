// A network address translator for UDP on the loop of the nodes that it stands between: what comes to its port goes on to
// one server from another port, which the test may change at any time.
#pragma once

#include "runtime/epoll_loop.h"
#include "transport/ip.h"

namespace kith::test {

class Nat {
 public:
  // In front of `server`, a loopback address. `loop` outlives it.
  Nat(runtime::EpollLoop& loop, const transport::Endpoint& server);
  ~Nat();
  Nat(const Nat&) = delete;
  Nat& operator=(const Nat&) = delete;

  // Where the client finds it, and where the server sees the client.
  const transport::Endpoint& inside() const { return inside_.at; }
  const transport::Endpoint& outside() const { return outside_.at; }
  // From now on the server sees another port; what it sends to the old one is lost.
  void rebind();
  // Does the same with each `datagrams`-th datagram of the client; 0: no longer.
  void rebind_every(size_t datagrams) { rebind_every_ = datagrams; }
  // While set, nothing gets to the client.
  bool loses_replies = false;
  size_t num_rebinds() const { return num_rebinds_; }

 private:
  struct Port : runtime::EpollSource {
    Nat* nat = nullptr;
    transport::Endpoint at;
  };
  void open(Port& port, void (*on_event)(epoll_event*));
  void close(Port& port);
  void from_client();
  void from_server();

  runtime::EpollLoop& loop_;
  const transport::Endpoint server_;
  transport::Endpoint client_;  // whoever sent last
  Port inside_{}, outside_{};
  size_t rebind_every_ = 0;
  size_t num_sent_ = 0;  // by the client
  size_t num_rebinds_ = 0;
};

}  // namespace kith::test
