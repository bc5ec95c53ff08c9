// TlsPipe: TLS as the web has it, as a pipe on top of another one. It says nothing of who the peer is: that is proven inside.
// Spec: RFC 8446; libp2p/specs websockets/README.md.
#pragma once

#include <optional>
#include <string_view>

#include "crypto/tls_session.h"
#include "runtime/loop.h"
#include "transport/upgrade/pipe_layer.h"

namespace kith::transport::websocket {

class TlsPipe final : public upgrade::PipeLayer {
 public:
  // `output` is for the bytes of one call and shared. Both it and `loop` outlive the pipe.
  TlsPipe(std::unique_ptr<upgrade::Pipe> below, runtime::Loop& loop, OutputBytes& output)
      : PipeLayer(std::move(below)),
        pool_(loop.buffers()),
        output_(output),
        tell_failure_(runtime::Deferred::of<&TlsPipe::deliver_failure>(loop, this)) {}

  // Begins, once, with a context of the web: as a client of the server that has `server_name`, at `now_unix_s`; or, with
  // an empty one, as a server. KITH_ERR_INVALID_ARGUMENT for a name that none can have.
  Status start(const crypto::TlsContext& context, std::string_view server_name, int64_t now_unix_s);

  bool is_open() const override { return tls_.is_complete() && !failure_ && below_->is_open(); }
  void send(OutputBytes& bytes) override;

 private:
  void say_goodbye() override;
  void on_pipe_open() override { send_hello(); }
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override;
  void on_pipe_end(const Error& error) override { deliver_end(error); }
  static Status on_complete(void* self);
  void send_hello();
  void deliver_failure() { deliver_end(*failure_); }
  void deliver_end(const Error& error);
  void flush() {
    if (!output_.empty()) below_->send(output_);
  }

  BufferPool& pool_;
  OutputBytes& output_;
  OutputBytes hello_;  // until the pipe below is open
  crypto::TlsSession tls_;
  std::optional<Error> failure_;    // why it ended here; final
  runtime::Deferred tell_failure_;  // in a later turn
  bool has_ended_ = false;
};

}  // namespace kith::transport::websocket
