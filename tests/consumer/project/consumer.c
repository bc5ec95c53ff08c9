// Two nodes in one C program: one pings the other.
#include <kith/kith.h>
#include <stdio.h>
#include <string.h>

static kith_runtime* runtime;
static int num_round_trips;

static void on_round_trip(void* user, int64_t rtt_ns) {
  (void)user;
  if (rtt_ns > 0) ++num_round_trips;
}
static void on_end(void* user, const kith_error* error) {
  (void)user;
  if (error->status != KITH_OK) fprintf(stderr, "%s\n", error->message);
  kith_runtime_quit(runtime);
}
static void on_connected(void* user, kith_connection* connection) {
  kith_ping_handler handler = {sizeof handler, user, NULL, on_round_trip, on_end};
  if (kith_connection_ping(connection, 3, 0, 0, &handler) != KITH_OK) kith_runtime_quit(runtime);
}
static void on_failed(void* user, const kith_error* error) { on_end(user, error); }

int main(void) {
  const char* listen = "/ip4/127.0.0.1/udp/0/quic-v1";
  kith_host *server, *client;
  kith_error error;
  kith_host_config config;
  kith_connect_handler handler = {sizeof handler, NULL, NULL, on_connected, on_failed};
  memset(&error, 0, sizeof error);
  kith_host_config_init(&config, sizeof config);
  if (kith_runtime_new(&runtime, &error) != KITH_OK) return 1;
  if (kith_host_new(runtime, &client, &config, &error) != KITH_OK) return 1;
  config.listen_addrs = &listen;
  config.num_listen_addrs = 1;
  if (kith_host_new(runtime, &server, &config, &error) != KITH_OK) return 1;
  kith_host_num_addresses(server);
  const char* address = kith_host_address(server, 0);
  if (kith_host_connect(client, &address, 1, &handler, &error) != KITH_OK) return 1;
  kith_runtime_run(runtime);
  kith_runtime_free(runtime);
  printf("kith %s: %d round trips\n", kith_version(), num_round_trips);
  return num_round_trips == 3 ? 0 : 1;
}
