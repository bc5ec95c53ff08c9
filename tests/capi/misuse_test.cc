// NULL for every argument of every function: a code (or an empty value), never a crash.
#include <thread>

#include "tests/capi/node.h"

namespace kith_test {
namespace {

constexpr kith_status kBad = KITH_ERR_INVALID_ARGUMENT;
const uint8_t kBytes[] = {1, 2, 3};

TEST(Misuse, NullObjectsAreHarmlessToLetGo) {
  kith_key_free(nullptr);
  kith_runtime_free(nullptr);
  kith_runtime_quit(nullptr);
  kith_connection_unref(nullptr);
  kith_stream_unref(nullptr);
  kith_host_config_init(nullptr, sizeof(kith_host_config));
  kith_runtime_config_init(nullptr, sizeof(kith_runtime_config));
  EXPECT_EQ(nullptr, kith_connection_ref(nullptr));
  EXPECT_EQ(nullptr, kith_stream_ref(nullptr));
}

TEST(Misuse, NullObjectsGiveEmptyValues) {
  EXPECT_EQ(-1, kith_runtime_fd(nullptr));
  EXPECT_EQ(-1, kith_runtime_timeout_ms(nullptr));
  EXPECT_STREQ("", kith_host_peer_id(nullptr));
  EXPECT_EQ(0u, kith_host_num_addresses(nullptr));
  EXPECT_EQ(nullptr, kith_host_address(nullptr, 0));
  EXPECT_STREQ("", kith_connection_peer_id(nullptr));
  EXPECT_STREQ("", kith_connection_remote_address(nullptr));
  EXPECT_STREQ("", kith_connection_local_address(nullptr));
  EXPECT_EQ(0, kith_connection_is_inbound(nullptr));
  EXPECT_STREQ("", kith_stream_protocol(nullptr));
  EXPECT_EQ(nullptr, kith_stream_connection(nullptr));
  EXPECT_EQ(-1, kith_key_get_type(nullptr));
}

TEST(Misuse, NullsToTheFunctionsWithoutALoop) {
  kith_key* key = nullptr;
  ASSERT_EQ(KITH_OK, kith_key_generate(&key, KITH_KEY_ED25519, 0));
  size_t len = 0;
  char text[KITH_PEER_ID_TEXT_MAX];
  EXPECT_EQ(kBad, kith_key_generate(nullptr, KITH_KEY_ED25519, 0));
  EXPECT_EQ(kBad, kith_key_decode(nullptr, kBytes, 3, nullptr));
  EXPECT_EQ(kBad, kith_key_decode(&key, nullptr, 3, nullptr));
  EXPECT_EQ(kBad, kith_key_encode(nullptr, nullptr, &len));
  EXPECT_EQ(kBad, kith_key_encode(key, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_key_encode_public(nullptr, nullptr, &len));
  EXPECT_EQ(kBad, kith_key_encode_public(key, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_key_sign(nullptr, nullptr, &len, kBytes, 3));
  EXPECT_EQ(kBad, kith_key_sign(key, nullptr, nullptr, kBytes, 3));
  EXPECT_EQ(kBad, kith_key_sign(key, nullptr, &len, nullptr, 3));
  EXPECT_EQ(kBad, kith_verify(nullptr, 3, kBytes, 3, kBytes, 3));
  EXPECT_EQ(kBad, kith_verify(kBytes, 3, nullptr, 3, kBytes, 3));
  EXPECT_EQ(kBad, kith_verify(kBytes, 3, kBytes, 3, nullptr, 3));
  EXPECT_EQ(kBad, kith_key_peer_id(nullptr, text));
  EXPECT_EQ(kBad, kith_key_peer_id(key, nullptr));
  EXPECT_EQ(kBad, kith_peer_id_of_public_key(nullptr, 3, text));
  EXPECT_EQ(kBad, kith_peer_id_of_public_key(kBytes, 3, nullptr));
  EXPECT_EQ(kBad, kith_peer_id_parse(nullptr, text, text, nullptr));
  EXPECT_EQ(kBad, kith_multiaddr_parse(nullptr, nullptr, "/tls", nullptr));
  EXPECT_EQ(kBad, kith_multiaddr_parse(nullptr, &len, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_multiaddr_format(nullptr, nullptr, kBytes, 3, nullptr));
  EXPECT_EQ(kBad, kith_multiaddr_format(nullptr, &len, nullptr, 3, nullptr));
  kith_multiaddr_component c;
  len = 0;
  EXPECT_EQ(kBad, kith_multiaddr_next(nullptr, 3, &len, &c));
  EXPECT_EQ(kBad, kith_multiaddr_next(kBytes, 3, nullptr, &c));
  EXPECT_EQ(kBad, kith_multiaddr_next(kBytes, 3, &len, nullptr));
  EXPECT_EQ(KITH_ERR_CLOSED, kith_multiaddr_next(nullptr, 0, &len, &c));
  EXPECT_EQ(kBad, kith_tls_make(nullptr, 0, nullptr, &len, nullptr, &len));
  EXPECT_EQ(kBad, kith_tls_make(key, 0, nullptr, nullptr, nullptr, &len));
  EXPECT_EQ(kBad, kith_tls_make(key, 0, nullptr, &len, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_tls_verify(nullptr, 3, 0, text, nullptr));
  EXPECT_EQ(kBad, kith_tls_verify(kBytes, 3, 0, nullptr, nullptr));
  kith_key_free(key);
}

TEST(Misuse, NullsToTheRuntime) {
  const auto fn = [](void*) { ADD_FAILURE(); };
  EXPECT_EQ(kBad, kith_runtime_new(nullptr, nullptr));
  EXPECT_EQ(kBad, kith_runtime_start(nullptr));
  EXPECT_EQ(kBad, kith_runtime_stop(nullptr));
  EXPECT_EQ(kBad, kith_runtime_drive(nullptr));
  EXPECT_EQ(kBad, kith_runtime_run(nullptr));
  EXPECT_EQ(kBad, kith_runtime_post(nullptr, fn, nullptr));
  EXPECT_EQ(kBad, kith_runtime_call(nullptr, fn, nullptr));
  EXPECT_EQ(kBad, kith_runtime_after(nullptr, 0, fn, nullptr));
  Loop loop;
  EXPECT_EQ(kBad, kith_runtime_post(loop.runtime, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_runtime_call(loop.runtime, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_runtime_after(loop.runtime, 0, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_runtime_after(loop.runtime, -1, fn, nullptr));
  EXPECT_EQ(kBad, kith_runtime_after(loop.runtime, INT64_MAX, fn, nullptr));
}

class MisusePair : public Pair {};

TEST_F(MisusePair, NullsToHosts) {
  kith_host_config c;
  kith_host_config_init(&c, sizeof c);
  kith_host* h = nullptr;
  kith_error error{};
  EXPECT_EQ(kBad, kith_host_new(nullptr, &h, &c, &error));
  EXPECT_STRNE("", error.message);
  EXPECT_EQ(kBad, kith_host_new(loop.runtime, nullptr, &c, nullptr));
  EXPECT_EQ(kBad, kith_host_new(loop.runtime, &h, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_host_close(nullptr, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_host_listen(nullptr, kAnyPort, nullptr));
  error = {};
  EXPECT_EQ(kBad, kith_host_listen(server.host, nullptr, &error));
  EXPECT_EQ(kBad, error.status);
  const kith_protocol_handler p = {sizeof p, nullptr, nullptr,
                                   [](void*, kith_stream*, const char*) {}};
  EXPECT_EQ(kBad, kith_host_handle(nullptr, "/a", &p));
  EXPECT_EQ(kBad, kith_host_handle(server.host, nullptr, &p));
  EXPECT_EQ(kBad, kith_host_handle(server.host, "/a", nullptr));
  EXPECT_EQ(kBad, kith_host_unhandle(nullptr, "/a"));
  EXPECT_EQ(kBad, kith_host_unhandle(server.host, nullptr));
  kith_connect_handler k = {sizeof k, nullptr, nullptr, nullptr, nullptr};
  const char* address = kAnyPort;
  EXPECT_EQ(kBad, kith_host_connect(nullptr, &address, 1, &k, nullptr));
  EXPECT_EQ(kBad, kith_host_connect(server.host, nullptr, 1, &k, nullptr));
  error = {};
  EXPECT_EQ(kBad, kith_host_connect(server.host, &address, 1, nullptr, &error));
  EXPECT_EQ(kBad, error.status);
  for (const size_t size : {size_t{0}, size_t{7}, sizeof k + 1, SIZE_MAX}) {
    k.struct_size = size;
    EXPECT_EQ(kBad, kith_host_connect(server.host, &address, 1, &k, nullptr)) << size;
  }
}

TEST_F(MisusePair, NullsToConnectionsAndStreams) {
  connect();
  kith_connection* c = client.connection;
  kith_stream_handler h{};
  h.struct_size = sizeof h;
  kith_stream* s = nullptr;
  EXPECT_EQ(kBad, kith_connection_close(nullptr));
  EXPECT_EQ(kBad, kith_connection_open_stream(nullptr, &s, &kEcho, 1, &h));
  EXPECT_EQ(kBad, kith_connection_open_stream(c, nullptr, &kEcho, 1, &h));
  EXPECT_EQ(kBad, kith_connection_open_stream(c, &s, nullptr, 1, &h));
  EXPECT_EQ(kBad, kith_connection_open_stream(c, &s, &kEcho, 1, nullptr));
  for (const size_t size : {size_t{0}, size_t{7}, sizeof h + 1, SIZE_MAX}) {
    h.struct_size = size;
    EXPECT_EQ(kBad, kith_connection_open_stream(c, &s, &kEcho, 1, &h)) << size;
  }
  kith_identify id{};
  EXPECT_EQ(kBad, kith_connection_identify(nullptr, &id));
  EXPECT_EQ(kBad, kith_connection_identify(c, nullptr));
  EXPECT_EQ(kBad, kith_connection_ping(nullptr, 1, 0, 0, nullptr));
  EXPECT_EQ(kBad, kith_connection_ping(c, 1, 0, 0, nullptr));
  EXPECT_EQ(kBad, kith_connection_perf(nullptr, 1, 1, nullptr));
  EXPECT_EQ(kBad, kith_connection_perf(c, 1, 1, nullptr));
  EXPECT_EQ(kBad, kith_connection_stop_perf(nullptr));

  StreamLog& log = open({kEcho});
  s = log.stream;
  const auto release = [](void*, const uint8_t*, size_t) { ADD_FAILURE(); };
  EXPECT_EQ(kBad, kith_stream_set_handler(nullptr, &h));
  EXPECT_EQ(kBad, kith_stream_set_handler(s, nullptr));
  EXPECT_EQ(kBad, kith_stream_write(nullptr, kBytes, 3));
  EXPECT_EQ(kBad, kith_stream_write(s, nullptr, 3));
  EXPECT_EQ(KITH_OK, kith_stream_write(s, nullptr, 0));
  EXPECT_EQ(kBad, kith_stream_write_lent(nullptr, kBytes, 3, release, nullptr));
  EXPECT_EQ(kBad, kith_stream_write_lent(s, nullptr, 3, release, nullptr));
  EXPECT_EQ(kBad, kith_stream_write_lent(s, kBytes, 0, release, nullptr));
  EXPECT_EQ(kBad, kith_stream_write_lent(s, kBytes, 3, nullptr, nullptr));
  EXPECT_EQ(kBad, kith_stream_close_write(nullptr));
  EXPECT_EQ(kBad, kith_stream_reset(nullptr, 0));
  EXPECT_EQ(kBad, kith_stream_stop_reading(nullptr, 0));
  EXPECT_EQ(kBad, kith_stream_abort(nullptr, 0));
  EXPECT_EQ(kBad, kith_stream_consume(nullptr, 0));
  EXPECT_EQ(kBad, kith_stream_resume(nullptr));
  EXPECT_EQ(KITH_OK, kith_stream_write(s, kBytes, 3));
}

}  // namespace
}  // namespace kith_test
