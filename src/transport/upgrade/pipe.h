// Pipe: an ordered, reliable, plain byte pipe between two machines, to be upgraded to a connection. A TCP socket is
// one.
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "wire/multiaddr.h"

namespace kith::transport::upgrade {

// All callbacks come from the loop, none from inside a call of the pipe. A handler must not destroy the pipe inside one:
// in a later turn.
class PipeHandler {
 public:
  // A pipe that was being dialed is open.
  virtual void on_pipe_open() = 0;
  // Bytes arrived. They may be overwritten, and are a part of `backing`, which may be kept.
  virtual void on_pipe_data(MutableBytes bytes, const Buffer& backing) = 0;
  // All that waited to be sent has been.
  virtual void on_pipe_writable() = 0;
  // Nothing more will arrive: the peer ended its side (KITH_OK), or the pipe broke. Once, and the last callback.
  virtual void on_pipe_end(const Error& error) = 0;

 protected:
  ~PipeHandler() = default;
};

class Pipe {
 public:
  // Ends at once; what waits is lost.
  virtual ~Pipe() = default;
  void set_handler(PipeHandler* handler) { handler_ = handler; }

  // False until on_pipe_open, and after on_pipe_end with an error.
  virtual bool is_open() const = 0;
  // Sends all of `bytes`, and leaves it empty. What cannot be sent now waits; on_pipe_writable follows when nothing waits
  // any more. Dropped unless open.
  virtual void send(OutputBytes& bytes) = 0;
  // Bytes that wait to be sent.
  virtual size_t waiting() const = 0;
  // Ends the pipe in good order: sends what waits, ends our side, and gives the peer a little time to do the same. From
  // here on the pipe owns itself, and its handler is forgotten.
  virtual void finish() = 0;

  virtual wire::Multiaddr local_address() const = 0;
  virtual wire::Multiaddr remote_address() const = 0;

  // For whoever answers what arrives, and is not asked whether there is room: KITH_ERR_LIMIT when a peer makes us answer
  // and does not read.
  Status check_waiting() const {
    if (waiting() <= limits::kWaitingBytes) return {};
    return Error(KITH_ERR_LIMIT, "connection", "the peer does not read the answers it causes");
  }

 protected:
  PipeHandler* handler_ = nullptr;
};

}  // namespace kith::transport::upgrade
