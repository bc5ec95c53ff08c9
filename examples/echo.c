// Listens, and echoes what arrives on its protocol: echo [/ip4/0.0.0.0/udp/4001/quic-v1]
#include <kith/kith.h>
#include <signal.h>
#include <stdio.h>

static kith_runtime* runtime;

static void on_signal(int number) { (void)number, kith_runtime_quit(runtime); }

// Nothing is buffered here: what the stream has no room for stays with kith, and the peer waits.
static size_t on_data(void* user, kith_stream* stream, const uint8_t* data, size_t data_len) {
  (void)user;
  return kith_stream_write(stream, data, data_len) == KITH_ERR_WOULD_BLOCK ? 0 : data_len;
}
static void on_writable(void* user, kith_stream* stream) {
  (void)user, (void)kith_stream_resume(stream);
}
static void on_read_closed(void* user, kith_stream* stream) {
  (void)user, (void)kith_stream_close_write(stream);
}
static void on_abandoned(void* user, kith_stream* stream, uint64_t code) {
  (void)user, (void)kith_stream_abort(stream, code);
}

static const kith_stream_handler handler = {.struct_size = sizeof handler,
                                            .on_data = on_data,
                                            .on_writable = on_writable,
                                            .on_read_closed = on_read_closed,
                                            .on_reset = on_abandoned,
                                            .on_stop = on_abandoned};

static void on_stream(void* user, kith_stream* stream, const char* protocol) {
  (void)user, (void)protocol, (void)kith_stream_set_handler(stream, &handler);
}

int main(int argc, char** argv) {
  const char* listen = argc > 1 ? argv[1] : "/ip4/127.0.0.1/udp/0/quic-v1";
  const kith_protocol_handler echo = {.struct_size = sizeof echo, .on_stream = on_stream};
  kith_error err = {0};
  kith_host* host = NULL;
  kith_host_config config;
  kith_host_config_init(&config, sizeof config);
  config.listen_addrs = &listen;
  config.num_listen_addrs = 1;
  kith_status status = kith_runtime_new(&runtime, &err);
  if (status == KITH_OK) status = kith_host_new(runtime, &host, &config, &err);
  if (status == KITH_OK) status = kith_host_handle(host, "/kith-example/echo/1.0.0", &echo);
  if (status == KITH_OK) {
    for (size_t i = 0, num = kith_host_num_addresses(host); i < num; ++i)
      printf("%s\n", kith_host_address(host, i));
    fflush(stdout);  // for who reads a pipe
    signal(SIGINT, on_signal);
    status = kith_runtime_run(runtime);
  }
  if (status != KITH_OK)
    fprintf(stderr, "%s\n", err.status ? err.message : kith_status_text(status));
  kith_runtime_free(runtime);
  return status == KITH_OK ? 0 : 1;
}
