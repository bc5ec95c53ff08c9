// Listens, and echoes what arrives on its protocol: echo [/ip4/0.0.0.0/udp/4001/quic-v1]
#include <csignal>
#include <cstdio>
#include <kith/kith.hpp>

static kith::Task<> echo(kith::Stream stream) {
  for (;;) {
    auto data = co_await stream.read();
    if (!data.ok()) co_return;  // lets go of the stream, which resets it
    if (data->empty()) break;
    if (!(co_await stream.write(*data)).ok()) co_return;
    stream.consume(data->size());
  }
  stream.close_write();
}

static int fail(const char* what, const kith::Error& error) {
  std::fprintf(stderr, "%s: %s (%s)\n", what, error.message(), error.name());
  return 1;
}

static kith::Runtime* running = nullptr;

int main(int argc, char** argv) {
  auto runtime = kith::Runtime::create();
  if (!runtime.ok()) return fail("runtime", runtime.error());
  kith::HostConfig config;
  config.listen = {argc > 1 ? argv[1] : "/ip4/127.0.0.1/udp/0/quic-v1"};
  auto host = kith::Host::create(*runtime, config);
  if (!host.ok()) return fail("host", host.error());
  if (auto s = host->handle("/kith-example/echo/1.0.0", echo); !s.ok())
    return fail("echo", s.error());
  for (const std::string& address : host->addresses()) std::printf("%s\n", address.c_str());
  std::fflush(stdout);
  running = &*runtime;
  std::signal(SIGINT, [](int) { running->quit(); });
  if (auto s = runtime->run(); !s.ok()) return fail("run", s.error());
}
