// Two nodes in one C++ program: one sends the other a line and hears it back.
#include <cstdio>
#include <kith/kith.hpp>

static kith::Task<> echo(kith::Stream stream) {
  for (;;) {
    auto data = co_await stream.read();
    if (!data.ok() || data->empty()) break;
    if (!(co_await stream.write(*data)).ok()) co_return;
    stream.consume(data->size());
  }
  stream.close_write();
}

static kith::Task<kith::Result<std::string>> call(kith::Host& client, std::string address) {
  auto connection = co_await client.connect(std::move(address));
  if (!connection.ok()) co_return connection.error();
  auto stream = co_await connection->open_stream("/consumer/echo");
  if (!stream.ok()) co_return stream.error();
  if (auto s = co_await stream->write("hello"); !s.ok()) co_return s.error();
  stream->close_write();
  uint8_t text[5];
  if (auto n = co_await stream->read_exactly(text); !n.ok()) co_return n.error();
  co_return std::string(text, text + 5);
}

int main() {
  auto runtime = kith::Runtime::create();
  if (!runtime.ok()) return 1;
  kith::HostConfig config;
  config.listen = {"/ip4/127.0.0.1/udp/0/quic-v1"};
  auto server = kith::Host::create(*runtime, config);
  auto client = kith::Host::create(*runtime);
  if (!server.ok() || !client.ok() || !server->handle("/consumer/echo", echo).ok()) return 1;
  auto text = runtime->run(call(*client, server->addresses().at(0)));
  std::printf("kith %s: %s\n", kith_version(), text.ok() ? text->c_str() : text.error().message());
  return text.ok() && *text == "hello" ? 0 : 1;
}
