#include "transport/websocket/tls_pipe.h"

#include <cstring>

namespace kith::transport::websocket {

namespace {
constexpr std::string_view kAlpn[] = {"http/1.1"};
}  // namespace

Status TlsPipe::start(const crypto::TlsContext& context, std::string_view server_name,
                      int64_t now_unix_s) {
  crypto::TlsConfig config;
  config.context = &context;
  config.is_client = !server_name.empty();
  config.alpn = kAlpn;
  config.server_name = server_name;
  config.now_unix_s = now_unix_s;
  KITH_TRY(tls_.start(config, hello_));
  if (below_->is_open()) send_hello();
  return {};
}

void TlsPipe::send_hello() {
  if (!hello_.empty()) below_->send(hello_);
  hello_.release();
}

void TlsPipe::send(OutputBytes& bytes) {
  if (is_open()) {
    const Bytes plaintext = bytes.bytes();
    if (const Status s = tls_.encrypt({&plaintext, 1}, output_); !s.ok()) {
      failure_ = s.error();
      tell_failure_.schedule();
    }
  }
  bytes.clear();
  flush();
}

void TlsPipe::say_goodbye() {
  tls_.shut_down(output_);
  flush();
}

void TlsPipe::on_pipe_data(MutableBytes bytes, const Buffer&) {
  if (has_ended_ || failure_) return;
  const Busy busy(*this);
  auto deliver = [this](MutableBytes piece) {
    if (!handler_) return;
    uint8_t* copy = nullptr;
    const Buffer backing = pool_.allocate(piece.size(), &copy);
    std::memcpy(copy, piece.data(), piece.size());
    handler_->on_pipe_data({copy, piece.size()}, backing);
  };
  Status s = tls_.receive(bytes, deliver, on_complete, this, output_);
  flush();
  if (s.ok()) s = below_->check_waiting();
  if (!s.ok()) {
    failure_ = s.error();
    deliver_end(s.error());
  } else if (tls_.peer_closed()) {
    deliver_end(Error(KITH_OK, "tls"));
  }
}

Status TlsPipe::on_complete(void* self) {
  auto* pipe = static_cast<TlsPipe*>(self);
  if (pipe->handler_) pipe->handler_->on_pipe_open();
  return {};
}

void TlsPipe::deliver_end(const Error& error) {
  if (std::exchange(has_ended_, true)) return;
  if (handler_) handler_->on_pipe_end(error);
}

}  // namespace kith::transport::websocket
