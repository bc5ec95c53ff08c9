// What the interoperability tests run against: peers, stacks, and each pair of them with its quirks. A row of kCells is
// a parameter of every test and a row of docs/interop.md.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace kith::test {

// One of the programs in interop/.
struct PeerKind {
  const char* name;
  const char* variable;                // the environment variable with its path
  const char* agent;                   // how its identify begins
  std::vector<const char*> key_types;  // its own, and those of ours that it accepts
  bool has_state = true;               // the action `state`
  bool has_roles = true;               // the flag --role
};

// What a connection is made of. Flags keep the peer from offering anything else.
struct Stack {
  const char* name;
  const char* listen;  // for the peer and for us
  std::vector<std::string> flags;
  const char* security = "";  // as negotiated; none for QUIC, which brings its own
  const char* muxer = "";
  bool has_mplex = false;   // deprecated: we offer it only when told
  uint64_t echo_mib = 64;   // the largest echo
  bool is_private = false;  // a private network, both with its key
  bool has_certificate =
      false;  // WebSocket in TLS: self-signed certificates, which nobody verifies
};

// Early muxer negotiation, in the security handshake.
enum class EarlyMuxer {
  kNone,      // the peer has it not, or has no need of it
  kUsed,      // the peer has it, and says so
  kInvisible  // the peer has it, and does not say
};

// A peer over a stack.
struct Cell {
  const PeerKind* peer;
  const Stack* stack;
  EarlyMuxer early_muxer = EarlyMuxer::kNone;
  bool can_reset = true;    // its listener's reset arrives as one
  bool sees_resets = true;  // its dialer takes our reset for one, not for an ordinary end
  bool listens = true;      // else it only dials

  // Both ends can dial the same connection at once.
  bool has_simultaneous_open() const {
    const std::string_view address = stack->listen;
    return peer->has_roles && address.substr(address.rfind('/') - 4, 4) == "/tcp";
  }
  std::string name() const { return std::string(peer->name) + "_" + stack->name; }
  friend void PrintTo(const Cell& c, std::ostream* out) {
    *out << c.peer->name << ", " << c.stack->name;
  }
};

inline const PeerKind kGo = {
    "go", "KITH_PEER_GO", "go-libp2p", {"ed25519", "secp256k1", "ecdsa", "rsa"}};
inline const PeerKind kRust = {"rust",
                               "KITH_PEER_RUST",
                               "rust-libp2p",
                               {"ed25519", "secp256k1", "ecdsa", "rsa"},
                               /*has_state=*/false};
// js-libp2p has no ECDSA identities and refuses those of others.
inline const PeerKind kJs = {.name = "js",
                             .variable = "KITH_PEER_JS",
                             .agent = "js-libp2p",
                             .key_types = {"ed25519", "secp256k1", "rsa"},
                             .has_roles = false};

inline const Stack kQuic = {"quic_v1", "/ip4/127.0.0.1/udp/0/quic-v1", {}};
inline const Stack kTcpNoise = {
    "tcp_noise_yamux", "/ip4/127.0.0.1/tcp/0", {"--security", "noise"}, "/noise", "/yamux/1.0.0"};
inline const Stack kTcpTls = {
    "tcp_tls_yamux", "/ip4/127.0.0.1/tcp/0", {"--security", "tls"}, "/tls/1.0.0", "/yamux/1.0.0"};
inline const Stack kTcpNoiseMplex = {
    "tcp_noise_mplex",  "/ip4/127.0.0.1/tcp/0", {"--security", "noise", "--muxer", "mplex"},
    "/noise",           "/mplex/6.7.0",
    /*has_mplex=*/true,
    /*echo_mib=*/2};

inline const Stack kTcpPrivate = {"tcp_psk_noise_yamux",   "/ip4/127.0.0.1/tcp/0",
                                  {"--security", "noise"}, "/noise",
                                  "/yamux/1.0.0",
                                  /*has_mplex=*/false,
                                  /*echo_mib=*/64,
                                  /*is_private=*/true};

inline const Stack kWs = {
    "ws_noise_yamux", "/ip4/127.0.0.1/tcp/0/ws", {"--security", "noise"}, "/noise", "/yamux/1.0.0"};
inline const Stack kWss = {.name = "wss_noise_yamux",
                           .listen = "/ip4/127.0.0.1/tcp/0/tls/ws",
                           .flags = {"--security", "noise"},
                           .security = "/noise",
                           .muxer = "/yamux/1.0.0",
                           .has_certificate = true};

// The quirks are described in interop/README.md. rust-libp2p cannot reset over QUIC: a stream that is dropped ends.
// Over yamux it can, but reads a reset as the end. js-libp2p reads resets over QUIC as the end. rust-libp2p alone has
// no early muxer negotiation.
inline const Cell kCells[] = {
    {.peer = &kGo, .stack = &kQuic},
    {.peer = &kRust, .stack = &kQuic, .can_reset = false},
    {.peer = &kJs, .stack = &kQuic, .sees_resets = false},

    {.peer = &kGo, .stack = &kTcpNoise, .early_muxer = EarlyMuxer::kUsed},
    {.peer = &kRust, .stack = &kTcpNoise, .sees_resets = false},
    {.peer = &kJs, .stack = &kTcpNoise, .early_muxer = EarlyMuxer::kInvisible},

    {.peer = &kGo, .stack = &kTcpTls, .early_muxer = EarlyMuxer::kUsed},
    {.peer = &kRust, .stack = &kTcpTls, .sees_resets = false},
    {.peer = &kJs, .stack = &kTcpTls, .early_muxer = EarlyMuxer::kInvisible},

    {.peer = &kGo, .stack = &kTcpNoiseMplex, .early_muxer = EarlyMuxer::kUsed},
    {.peer = &kJs, .stack = &kTcpNoiseMplex, .early_muxer = EarlyMuxer::kInvisible},

    {.peer = &kGo, .stack = &kTcpPrivate, .early_muxer = EarlyMuxer::kUsed},

#if KITH_WEBSOCKET
    {.peer = &kGo, .stack = &kWs, .early_muxer = EarlyMuxer::kUsed},
    {.peer = &kRust, .stack = &kWs, .sees_resets = false},
    {.peer = &kJs, .stack = &kWs, .early_muxer = EarlyMuxer::kInvisible},

    {.peer = &kGo, .stack = &kWss, .early_muxer = EarlyMuxer::kUsed},
    {.peer = &kJs, .stack = &kWss, .early_muxer = EarlyMuxer::kInvisible, .listens = false},
#endif
};

}  // namespace kith::test
