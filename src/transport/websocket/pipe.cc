#include "transport/websocket/pipe.h"

#include <utility>

namespace kith::transport::websocket {

using State = kith::websocket::Session::State;

WebsocketPipe::WebsocketPipe(std::unique_ptr<upgrade::Pipe> below, const std::string& host,
                             kith::websocket::Random random, wire::Multiaddr above,
                             OutputBytes& output)
    : PipeLayer(std::move(below)),
      session_(host.empty() ? kith::websocket::Session::listen(random)
                            : kith::websocket::Session::dial(host, random, request_)),
      above_(std::move(above)),
      output_(output) {
  if (below_->is_open()) send_request();
}

void WebsocketPipe::send_request() {
  if (!request_.empty()) below_->send(request_);
  request_.release();
}

void WebsocketPipe::send(OutputBytes& bytes) {
  session_.send(bytes.bytes(), output_);
  bytes.clear();
  flush();
}

void WebsocketPipe::say_goodbye() {
  session_.close(output_);
  flush();
}

void WebsocketPipe::on_pipe_data(MutableBytes bytes, const Buffer& backing) {
  if (has_ended_) return;
  const Busy busy(*this);
  const bool was_open = is_open();
  const Result<MutableBytes> data = session_.receive(bytes, output_);
  if (below_->waiting() == 0) session_.answer_ping(output_);
  flush();
  if (!was_open && is_open() && handler_) handler_->on_pipe_open();
  if (!data.ok()) return deliver_end(data.error());
  if (!data->empty() && handler_) handler_->on_pipe_data(*data, backing);
  if (session_.state() == State::kClosed) deliver_end(session_.end());
}

void WebsocketPipe::on_pipe_writable() {
  session_.answer_ping(output_);
  flush();
  if (handler_ && below_->waiting() == 0) handler_->on_pipe_writable();
}

void WebsocketPipe::deliver_end(const Error& error) {
  if (std::exchange(has_ended_, true)) return;
  if (handler_) handler_->on_pipe_end(error);
}

}  // namespace kith::transport::websocket
