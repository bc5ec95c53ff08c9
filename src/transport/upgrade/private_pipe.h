// PrivatePipe: a pipe of a private network, on top of another one. Only who has the key understands what goes through.
// Spec: libp2p/specs pnet/Private-Networks-PSK-V1.md.
#pragma once

#include <memory>

#include "protocol/pnet/pnet.h"
#include "transport/upgrade/pipe_layer.h"

namespace kith::transport::upgrade {

class PrivatePipe final : public PipeLayer {
 public:
  // `key` has pnet::kKeyBytes, `nonce` pnet::kNonceBytes of fresh randomness.
  PrivatePipe(std::unique_ptr<Pipe> below, Bytes key, Bytes nonce)
      : PipeLayer(std::move(below)), channel_(key, nonce) {
    if (below_->is_open()) send_nonce();
  }

  bool is_open() const override { return below_->is_open(); }
  void send(OutputBytes& bytes) override {
    channel_.encrypt(bytes.mutable_bytes());
    below_->send(bytes);
  }

 private:
  void on_pipe_open() override {
    send_nonce();
    if (handler_) handler_->on_pipe_open();
  }
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override {
    const MutableBytes plaintext = channel_.receive(bytes);
    if (!plaintext.empty() && handler_) handler_->on_pipe_data(plaintext, backing);
  }
  void send_nonce() {
    OutputBytes out;
    channel_.start(out);
    below_->send(out);
  }

  pnet::PrivateChannel channel_;
};

}  // namespace kith::transport::upgrade
