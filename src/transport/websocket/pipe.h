// WebsocketPipe: the data of a WebSocket as a pipe, on top of one that carries its bytes.
// Spec: RFC 6455; libp2p/specs websockets/README.md.
#pragma once

#include <string>

#include "protocol/websocket/session.h"
#include "transport/upgrade/pipe_layer.h"

namespace kith::transport::websocket {

class WebsocketPipe final : public upgrade::PipeLayer {
 public:
  // Dials the WebSocket of `host`, as websocket::Handshake::dial says; or, with an empty one, listens. `above` is the part
  // of our addresses above the socket. `output` is for the bytes of one call, and shared; it outlives the pipe.
  WebsocketPipe(std::unique_ptr<upgrade::Pipe> below, const std::string& host,
                kith::websocket::Random random, wire::Multiaddr above, OutputBytes& output);

  bool is_open() const override {
    return session_.state() == kith::websocket::Session::State::kOpen && below_->is_open();
  }
  void send(OutputBytes& bytes) override;
  wire::Multiaddr local_address() const override { return below_->local_address().with(above_); }
  wire::Multiaddr remote_address() const override { return below_->remote_address().with(above_); }

 private:
  void say_goodbye() override;
  void on_pipe_open() override { send_request(); }
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override;
  void on_pipe_writable() override;
  void on_pipe_end(const Error& error) override { deliver_end(error); }
  void send_request();
  void deliver_end(const Error& error);
  void flush() {
    if (!output_.empty()) below_->send(output_);
  }

  OutputBytes request_;  // until the pipe below is open
  kith::websocket::Session session_;
  const wire::Multiaddr above_;
  OutputBytes& output_;
  bool has_ended_ = false;
};

}  // namespace kith::transport::websocket
