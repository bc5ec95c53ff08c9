// A libp2p node: listens, connects, serves protocols. All calls on the loop (of several: kith/runtime.h).
#ifndef KITH_HOST_H
#define KITH_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "kith/identity.h"
#include "kith/runtime.h"
#include "kith/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kith_host kith_host;

typedef int32_t kith_log_level;
#define KITH_LOG_ERROR 1
#define KITH_LOG_WARN 2
#define KITH_LOG_INFO 3
#define KITH_LOG_DEBUG 4

// kith_host_handler hears what happens to a host's connections. Any pointer may be NULL. Connections are borrowed for
// the call; keep one with kith_connection_ref.
typedef struct kith_host_handler {
  size_t struct_size;  // sizeof(kith_host_handler)
  void* user;
  void (*on_connected)(void* user, kith_connection* connection);
  // The peer has said what it is: kith_connection_identify answers now.
  void (*on_identified)(void* user, kith_connection* connection);
  // Identify failed; the connection goes on.
  void (*on_identify_failed)(void* user, kith_connection* connection, const kith_error* error);
  void (*on_disconnected)(void* user, kith_connection* connection, const kith_error* error);
  // An inbound connection from `address` failed before its peer was known, or was refused because a limit is reached
  // (KITH_ERR_LIMIT: told once, until a connection is taken again).
  void (*on_inbound_failed)(void* user, const char* address, const kith_error* error);
  // A stream of the peer's was refused.
  void (*on_stream_failed)(void* user, kith_connection* connection, const kith_error* error);
  void (*on_log)(void* user, kith_log_level level, const char* area, const char* line);
} kith_host_handler;

typedef struct kith_host_config {
  size_t struct_size;               // set by kith_host_config_init, like all defaults
  const kith_key* key;              // NULL: a fresh Ed25519 key; borrowed for kith_host_new
  const char* const* listen_addrs;  // multiaddrs; none: dial only
  size_t num_listen_addrs;
  const char* agent;                 // NULL: "kith/<version>"
  const char* protocol_version;      // NULL: "ipfs/0.1.0"
  const kith_host_handler* handler;  // NULL: nobody hears; copied by kith_host_new
  kith_log_level log_level;          // 0: no on_log
  int32_t serve_ping;                // 1
  int32_t dial_from_listen_port;     // 1; one UDP port for everything, or one to dial from
  int64_t idle_timeout_ms;           // 30,000
  int64_t keep_alive_ms;             // 15,000; 0: none
  uint16_t max_inbound_streams;      // 256, per connection
  uint32_t max_inbound_connections;  // 4,096
  int32_t serve_perf;                // 0; lets anybody make us send as much as they like

  // More limits of inbound connections, all transports together. An address is an IPv4 address or an IPv6 /64; an IPv6
  // /48 may have eight times as much. 0 takes a limit of an address or a peer away.
  int32_t limit_loopback;  // 0; 1: the limits of an address hold for 127.0.0.0/8 and ::1, too
  uint32_t max_inbound_handshakes;          // 1,024; not yet identified
  uint32_t max_inbound_per_address;         // 8
  uint32_t max_inbound_per_peer;            // 8
  uint32_t inbound_burst_per_address;       // 16 new connections at once,
  int64_t inbound_interval_per_address_ms;  // 5,000; and one more each time that this has passed

  // A private network: the content of a swarm.key file (/key/swarm/psk/1.0.0/, in /base16/, /base64/ or /bin/), borrowed
  // for kith_host_new; NULL: none. Only who has the same key can connect. QUIC is off then: it has no private networks.
  const uint8_t* network_key;
  size_t network_key_len;

  // What TCP connections are secured and multiplexed with, best first; borrowed for kith_host_new.
  const char* const* security;  // of "/tls/1.0.0" and "/noise"; none: both, in this order
  size_t num_security;
  const char* const* muxers;  // of "/yamux/1.0.0" and "/mplex/6.7.0"; none: yamux
  size_t num_muxers;

  // WebSocket in TLS (/tls/ws, /wss). The texts are PEM, borrowed for kith_host_new.
  const char* wss_certificate_chain;   // ours, then those that lead to a root; NULL: no listening
  const char* wss_private_key;         // the certificate's
  const char* wss_roots;               // who vouches for servers; NULL: whom the system trusts
  int32_t wss_accept_any_certificate;  // 0; who the peer is, is proven inside all the same
} kith_host_config;

// kith_host_config_init sets struct_size to `size`, sizeof(kith_host_config) for the caller, and the defaults.
KITH_API void kith_host_config_init(kith_host_config* config, size_t size);

// kith_host_new starts a node on `runtime` and listens. Returns KITH_OK and a host in `*out`; release it with
// kith_host_close. Errors name the address that failed.
KITH_API kith_status kith_host_new(kith_runtime* runtime, kith_host** out,
                                   const kith_host_config* config, kith_error* out_error);

// kith_host_close ends all connections, listeners and dials. `on_closed(user)` (may be NULL) runs in a later turn, when
// all is gone and no other callback will come. `host` must not be used after this call.
KITH_API kith_status kith_host_close(kith_host* host, void (*on_closed)(void* user), void* user);

// The host's peer id, borrowed for its life.
KITH_API const char* kith_host_peer_id(const kith_host* host);
// kith_host_num_addresses and kith_host_address give the addresses to tell others, with the real ports and /p2p/ID. The
// text is borrowed until the next call of kith_host_num_addresses. NULL beyond the last.
KITH_API size_t kith_host_num_addresses(kith_host* host);
KITH_API const char* kith_host_address(kith_host* host, size_t index);
// kith_host_listen adds a listening address.
KITH_API kith_status kith_host_listen(kith_host* host, const char* address, kith_error* out_error);

// kith_protocol_handler serves the streams that peers open for one protocol.
typedef struct kith_protocol_handler {
  size_t struct_size;
  void* user;
  void (*user_destroy)(void* user);
  // Must call kith_stream_set_handler; else the stream is aborted.
  void (*on_stream)(void* user, kith_stream* stream, const char* protocol);
} kith_protocol_handler;

// kith_host_handle serves `protocol` with `handler` (copied) until kith_host_unhandle or the end of the host.
// Returns KITH_OK, KITH_ERR_INVALID_STATE if the protocol has a handler, KITH_ERR_INVALID_ARGUMENT for a bad id.
KITH_API kith_status kith_host_handle(kith_host* host, const char* protocol,
                                      const kith_protocol_handler* handler);
KITH_API kith_status kith_host_unhandle(kith_host* host, const char* protocol);

// kith_connect_handler hears the outcome of kith_host_connect: exactly one of the two, then user_destroy.
typedef struct kith_connect_handler {
  size_t struct_size;
  void* user;
  void (*user_destroy)(void* user);
  void (*on_connected)(void* user, kith_connection* connection);
  void (*on_failed)(void* user, const kith_error* error);
} kith_connect_handler;

// kith_host_connect connects to a peer at one of `num_addrs` (1..64) multiaddrs, each of which may end in /p2p/ID (all of
// one peer). A connection that exists is used again. If the ID is given, any other peer is
// KITH_ERR_PEER_ID_MISMATCH. The outcome comes in a later turn unless this returns an error.
KITH_API kith_status kith_host_connect(kith_host* host, const char* const* addrs, size_t num_addrs,
                                       const kith_connect_handler* handler, kith_error* out_error);

// References, as for streams.
KITH_API kith_connection* kith_connection_ref(kith_connection* connection);
KITH_API void kith_connection_unref(kith_connection* connection);
// Texts borrowed for the life of the reference; the remote address, which follows a peer whose NAT gives it another port,
// until it is asked for again.
KITH_API const char* kith_connection_peer_id(const kith_connection* connection);
KITH_API const char* kith_connection_remote_address(const kith_connection* connection);
KITH_API const char* kith_connection_local_address(const kith_connection* connection);
KITH_API int32_t kith_connection_is_inbound(const kith_connection* connection);
// kith_connection_post runs fn(user) on the connection's loop, later, whether or not the connection still lives then. Any
// thread that holds a reference. Allocates.
KITH_API kith_status kith_connection_post(kith_connection* connection, void (*fn)(void* user),
                                          void* user);
// kith_connection_close ends the connection and its streams.
KITH_API kith_status kith_connection_close(kith_connection* connection);

// kith_connection_open_stream opens a stream and negotiates the first of `num_protocols` (1..16) that the peer supports.
//
// `handler` is copied. On success sets `*out_stream` to a new reference (release with kith_stream_unref). With one
// protocol, data written now travels with the proposal. The outcome arrives as on_open or on_closed.
// Streams beyond what the peer allows wait until it allows more.
// Returns KITH_OK, KITH_ERR_CLOSED, KITH_ERR_INVALID_ARGUMENT. On error nothing is taken.
// Spec: connections/README.md "multistream-select".
KITH_API kith_status kith_connection_open_stream(kith_connection* connection,
                                                 kith_stream** out_stream,
                                                 const char* const* protocols, size_t num_protocols,
                                                 const kith_stream_handler* handler);

// What a peer said of itself. Texts are borrowed until the connection's next on_identified, or its end.
typedef struct kith_identify {
  size_t struct_size;  // set by the caller to sizeof(kith_identify)
  const char* agent;
  const char* protocol_version;
  const char* observed_address;  // ours, as the peer sees it; "" if it did not say
  const char* const* listen_addrs;
  size_t num_listen_addrs;
  const char* const* protocols;
  size_t num_protocols;
} kith_identify;

// kith_connection_identify fills `out`. KITH_ERR_WOULD_BLOCK before on_identified, KITH_ERR_CLOSED after the end.
KITH_API kith_status kith_connection_identify(kith_connection* connection, kith_identify* out);

// kith_ping_handler hears the round trips of one kith_connection_ping, then on_end (KITH_OK after the last), then
// user_destroy.
typedef struct kith_ping_handler {
  size_t struct_size;
  void* user;
  void (*user_destroy)(void* user);
  void (*on_round_trip)(void* user, int64_t rtt_ns);
  void (*on_end)(void* user, const kith_error* error);
} kith_ping_handler;

// kith_connection_ping measures `count` round trips, `interval_ms` apart. `new_stream` 1 uses a stream for each.
// Spec: ping/ping.md.
KITH_API kith_status kith_connection_ping(kith_connection* connection, uint32_t count,
                                          int64_t interval_ms, int32_t new_stream,
                                          const kith_ping_handler* handler);

// What one kith_connection_perf has moved so far, and how long it took.
typedef struct kith_perf_result {
  uint64_t uploaded;    // bytes the transport has taken
  uint64_t downloaded;  // bytes received
  int64_t upload_ns;    // from the start to the first byte that comes back, or the end
  int64_t download_ns;  // from there to the end
} kith_perf_result;

// kith_perf_handler hears of one measurement: on_progress once a second, then on_end, then user_destroy.
typedef struct kith_perf_handler {
  size_t struct_size;
  void* user;
  void (*user_destroy)(void* user);
  void (*on_progress)(void* user, const kith_perf_result* so_far);
  void (*on_end)(void* user, const kith_perf_result* result, const kith_error* error);
} kith_perf_handler;

// kith_connection_perf uploads `upload` bytes to a peer that serves perf, then downloads `download` bytes.
// To measure for a time instead, ask for UINT64_MAX bytes one way, none the other, and call kith_connection_stop_perf.
// Returns KITH_OK, KITH_ERR_CLOSED, KITH_ERR_INVALID_ARGUMENT. The outcome arrives as on_end.
// Spec: perf/perf.md.
KITH_API kith_status kith_connection_perf(kith_connection* connection, uint64_t upload,
                                          uint64_t download, const kith_perf_handler* handler);

// kith_connection_stop_perf ends the connection's measurements before they have moved everything, in later turns: an
// upload with what the transport has taken, once the peer has confirmed it by its answer, and with nothing downloaded
// after that; a download with what has come. on_end then says KITH_OK and how much it was; no on_progress comes before.
// Returns KITH_OK, also if there is none; KITH_ERR_CLOSED.
KITH_API kith_status kith_connection_stop_perf(kith_connection* connection);

#ifdef __cplusplus
}
#endif
#endif  // KITH_HOST_H
