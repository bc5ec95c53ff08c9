// A kith host for a program that does one thing after another: the loop runs on this thread while somebody waits for
// something, and Ctrl-C ends the wait.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "command.h"
#include "kith/kith.h"

namespace cli {

// What a peer said of itself by identify.
struct PeerInfo {
  std::string agent;
  std::string protocol_version;
  std::string observed_addr;
  std::vector<std::string> listen_addrs;
  std::vector<std::string> protocols;
};

// What a command wants to hear of connections. The pointers are borrowed for the call.
class NodeObserver {
 public:
  virtual ~NodeObserver() = default;
  virtual void on_connected(kith_connection*) {}
  virtual void on_identified(kith_connection*, const PeerInfo&) {}
  virtual void on_identify_failed(kith_connection*, const kith_error&) {}
  virtual void on_disconnected(kith_connection*, const kith_error&) {}
};

enum class Serve { kPing, kPingAndPerf };

class Node {
 public:
  // Starts a node that listens on nothing. `verbosity` as in Program. The observer may be null and must outlive the node;
  // with more than one loop it is called on several threads. Throws Failure.
  Node(const NodeOptions& options, int verbosity, NodeObserver* observer,
       Serve serve = Serve::kPing, uint32_t num_loops = 1);
  // Says goodbye to peers and waits until all is closed.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  kith_host* host() const { return host_; }
  std::string peer_id() const { return kith_host_peer_id(host_); }
  // Addresses to tell others, with /p2p/ID.
  std::vector<std::string> addresses() const;

  // Runs the loop until `done` is true, which is looked at after every wake(). False if that takes longer than
  // `timeout`, if there is one, or if a signal came: see signal().
  bool wait(const std::function<bool()>& done,
            std::optional<std::chrono::milliseconds> timeout = {});
  // From callbacks: makes wait() look.
  void wake() { kith_runtime_quit(runtime_); }
  // SIGINT or SIGTERM if one came, else 0.
  static int signal();

  // Dials. The reference is the node's, to the end or the next connect(). Throws Failure or Interrupted.
  kith_connection* connect(const Address& address, std::chrono::milliseconds timeout);
  // Ends the connection that connect() made and waits until it is gone, so that the next connect() makes a new one.
  void disconnect();

 private:
  struct Deadline {
    Node& node;
    bool passed = false;
  };
  void start_host(const NodeOptions& options, int verbosity, Serve serve);
  kith_host_handler handler();

  kith_runtime* runtime_ = nullptr;
  kith_host* host_ = nullptr;
  NodeObserver* observer_;
  std::list<Deadline> deadlines_;  // timers cannot be canceled: these stay until the end
  kith_connection* connection_ = nullptr;
  bool is_connected_ = false;  // connection_ has not ended
  std::optional<kith_error> connect_error_;
  bool closed_ = false;
};

// SECONDS of an option, for wait().
std::chrono::milliseconds to_milliseconds(double seconds);

}  // namespace cli
