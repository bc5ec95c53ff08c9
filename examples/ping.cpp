// Dials a libp2p node and measures four round trips:
//   ping /ip4/127.0.0.1/udp/4001/quic-v1/p2p/12D3KooW...
#include <cstdio>
#include <kith/kith.hpp>

using namespace std::chrono_literals;

static int fail(const char* what, const kith::Error& error) {
  std::fprintf(stderr, "%s: %s (%s)\n", what, error.message(), error.name());
  return 1;
}

static kith::Task<int> ping(kith::Runtime& runtime, kith::Host& host, const char* address) {
  auto connection = co_await host.connect(address);
  if (!connection.ok()) co_return fail("connect", connection.error());
  std::printf("connected to %s\n", std::string(connection->peer_id()).c_str());
  for (int i = 0; i < 4; ++i) {
    auto rtt = co_await connection->ping();
    if (!rtt.ok()) co_return fail("ping", rtt.error());
    std::printf("%.3f ms\n", std::chrono::duration<double, std::milli>(*rtt).count());
    co_await runtime.sleep(250ms);
  }
  co_return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s MULTIADDR\n", argv[0]), 2;
  auto runtime = kith::Runtime::create();
  if (!runtime.ok()) return fail("runtime", runtime.error());
  auto host = kith::Host::create(*runtime);
  if (!host.ok()) return fail("host", host.error());
  auto code = runtime->run(ping(*runtime, *host, argv[1]));
  return code.ok() ? *code : fail("run", code.error());
}
