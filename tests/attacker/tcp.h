// A raw TCP connection to the node.
#pragma once

#include <chrono>
#include <string>

#include "tests/attacker/udp.h"
#include "tests/attacker/wire.h"

namespace kith::attacker {

using Clock = std::chrono::steady_clock;

class TcpSocket {
 public:
  TcpSocket() = default;
  // Connects; see is_open().
  TcpSocket(const std::string& host, uint16_t port);

  bool is_open() const { return socket_.is_open(); }
  int fd() const { return socket_.fd(); }
  // The node hung up, or broke the connection.
  bool is_ended() const { return is_ended_; }
  // The same, also when what it sent before is unread; waits for it until `deadline`.
  bool has_hung_up(Clock::time_point deadline = {}) const;

  // send sends all of `bytes`; false if the node has ended the connection, or has not taken them by `deadline`.
  bool send(View bytes, Clock::time_point deadline);
  // receive appends what has come; false if nothing has by `deadline`, or ever will.
  bool receive(Bytes& out, Clock::time_point deadline);
  // wait_end drops what comes until the node hangs up; false if it does not by `deadline`.
  bool wait_end(Clock::time_point deadline);

 private:
  bool wait(int events, Clock::time_point deadline) const;
  Socket socket_;
  bool is_ended_ = false;
};

// agree asks for `protocol` by multistream, on a channel with send(View, deadline) and receive(Bytes&, deadline), and
// waits for the answer. `rest` is what came behind it.
template <typename Channel>
bool agree(Channel& channel, std::string_view protocol, Bytes& rest, Clock::time_point deadline) {
  Bytes hello;
  append_line(hello, kMultistream);
  append_line(hello, protocol);
  if (!channel.send(hello, deadline)) return false;
  std::string line;
  for (int i = 0; i < 2; ++i) {
    while (!read_line(rest, line)) {
      if (!channel.receive(rest, deadline)) return false;
    }
  }
  return line == protocol;
}

}  // namespace kith::attacker
