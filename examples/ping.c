// Dials a libp2p node and measures four round trips:
//   ping /ip4/127.0.0.1/udp/4001/quic-v1/p2p/12D3KooW...
#include <kith/kith.h>
#include <stdio.h>

static kith_runtime* runtime;
static int exit_code = 1;

static void fail(const char* what, kith_status status, const char* message) {
  fprintf(stderr, "%s: %s (%s)\n", what, message, kith_status_name(status));
  kith_runtime_quit(runtime);
}

static void on_round_trip(void* user, int64_t rtt_ns) {
  (void)user, printf("%.3f ms\n", (double)rtt_ns / 1e6);
}

static void on_end(void* user, const kith_error* error) {
  (void)user;
  exit_code = error->status == KITH_OK ? 0 : 1;
  if (exit_code != 0) fail("ping", error->status, error->message);
  kith_runtime_quit(runtime);
}

static void on_connected(void* user, kith_connection* connection) {
  kith_ping_handler handler = {.struct_size = sizeof handler, .user = user};
  handler.on_round_trip = on_round_trip;
  handler.on_end = on_end;
  printf("connected to %s\n", kith_connection_peer_id(connection));
  const kith_status status = kith_connection_ping(connection, 4, 250, 0, &handler);
  if (status != KITH_OK) fail("ping", status, kith_status_text(status));
}

static void on_failed(void* user, const kith_error* error) {
  fail(user, error->status, error->message);
}

int main(int argc, char** argv) {
  kith_error error = {0};
  kith_host* host = NULL;
  kith_host_config config;
  kith_connect_handler handler = {.struct_size = sizeof handler, .user = "connect"};
  handler.on_connected = on_connected;
  handler.on_failed = on_failed;
  if (argc != 2) return fprintf(stderr, "usage: %s MULTIADDR\n", argv[0]), 2;
  kith_host_config_init(&config, sizeof config);
  const char* const* addrs = (const char* const*)&argv[1];
  if (kith_runtime_new(&runtime, &error) != KITH_OK ||
      kith_host_new(runtime, &host, &config, &error) != KITH_OK ||
      kith_host_connect(host, addrs, 1, &handler, &error) != KITH_OK) {
    fail("start", error.status, error.message);
  } else {
    kith_runtime_run(runtime);
  }
  kith_runtime_free(runtime);  // closes the host, and waits until the peer has been told
  return exit_code;
}
