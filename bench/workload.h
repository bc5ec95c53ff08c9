// The workloads of the benchmark and the interface that an implementation offers to run them. One copy of the
// workloads serves kith and raw MsQuic, so that the two differ in nothing but the stack.
//
// Protocol, on every stream: messages of u64 BE `up` (top bit: the last message of this stream), u64 BE `down`, then
// `up` bytes. The listener answers `down` zeros once it has a message whole, and ends its side after the last.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace kith::bench {

inline constexpr std::string_view kProtocolId = "/kith/bench/1.0.0";
inline constexpr size_t kHeaderBytes = 16;
inline constexpr size_t kChunkBytes = 256 * 1024;
inline constexpr uint64_t kLast = uint64_t{1} << 63;

// Pipe is a stream.
class Pipe {
 public:
  // Queues bytes that outlive the pipe, and with `fin` the end. False: no room, on_writable() follows.
  virtual bool write(Bytes bytes, bool fin) = 0;

 protected:
  ~Pipe() = default;
};

class PipeUser {
 public:
  virtual ~PipeUser() = default;
  // All of it is consumed.
  virtual void on_data(Pipe& pipe, Bytes data) = 0;
  virtual void on_writable(Pipe& pipe) = 0;
  // The last call. `failed`: the stream was reset or the connection ended.
  virtual void on_closed(bool failed) = 0;
};

// Session is a connection that we dialed.
class Session {
 public:
  virtual Pipe* open(PipeUser* user) = 0;
  virtual void close() = 0;

 protected:
  ~Session() = default;
};

class SessionUser {
 public:
  virtual void on_connected(Session& session) = 0;
  // The last call; before on_connected(), the dial failed. The session is gone after it.
  virtual void on_disconnected() = 0;

 protected:
  ~SessionUser() = default;
};

using Options = std::map<std::string, std::string, std::less<>>;
uint64_t number(const Options& options, std::string_view key, uint64_t otherwise);

// Engine is an implementation: one node, on one loop.
class Engine {
 public:
  virtual ~Engine() = default;
  // Serves; returns the address to give to `run`, or "" after saying why not. Each inbound stream gets a
  // make_responder() of its own, which the engine destroys after on_closed().
  virtual std::string listen(const std::string& address) = 0;
  virtual bool set_remote(const std::string& address) = 0;
  // Starts a new connection to the remote.
  virtual void dial(SessionUser* user) = 0;
  // Runs the loop once, waiting at most `ms`.
  virtual void turn(int ms) = 0;
  // Makes turn() return when descriptor `fd` can be read.
  virtual void wake_on(int fd) = 0;
};

std::unique_ptr<PipeUser> make_responder();

// The program: `serve [--listen ADDRESS] [key=value...]` or `run ADDRESS SCENARIO [key=value...]`.
int peer_main(int argc, char** argv, std::unique_ptr<Engine> (*make)(const Options& options));

}  // namespace kith::bench
