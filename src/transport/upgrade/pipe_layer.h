// PipeLayer: what pipes that lie on top of another one have in common.
#pragma once

#include <memory>
#include <utility>

#include "transport/upgrade/pipe.h"

namespace kith::transport::upgrade {

class PipeLayer : public Pipe, protected PipeHandler {
 public:
  // Lies on `below`, and owns it.
  explicit PipeLayer(std::unique_ptr<Pipe> below) : below_(std::move(below)) {
    below_->set_handler(this);
  }
  PipeLayer(const PipeLayer&) = delete;
  PipeLayer& operator=(const PipeLayer&) = delete;

  size_t waiting() const override { return below_->waiting(); }
  void finish() final {
    handler_ = nullptr;
    say_goodbye();
    is_finished_ = true;
    if (!is_busy_) end();
  }
  wire::Multiaddr local_address() const override { return below_->local_address(); }
  wire::Multiaddr remote_address() const override { return below_->remote_address(); }

 protected:
  // Sends what ends the layer in good order, if anything does.
  virtual void say_goodbye() {}

  // A handler may finish() the pipe inside a callback. A layer that makes several of them in a row has a Busy around all:
  // then finish() waits for its end, and nothing is delivered any more.
  class Busy {
   public:
    explicit Busy(PipeLayer& layer) : layer_(layer) { layer_.is_busy_ = true; }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    ~Busy() {
      layer_.is_busy_ = false;
      if (layer_.is_finished_) layer_.end();
    }

   private:
    PipeLayer& layer_;
  };

  void on_pipe_writable() override {
    if (handler_) handler_->on_pipe_writable();
  }
  void on_pipe_end(const Error& error) override {
    if (handler_) handler_->on_pipe_end(error);
  }

  std::unique_ptr<Pipe> below_;

 private:
  void end() {
    below_.release()->finish();
    delete this;
  }
  bool is_busy_ = false;
  bool is_finished_ = false;
};

}  // namespace kith::transport::upgrade
