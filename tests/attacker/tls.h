// The client's side of TLS over TCP, from OpenSSL over memory: /tls/1.0.0, or TLS of the web. It verifies nothing.
// Spec: libp2p/specs tls/tls.md.
#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "tests/attacker/host_key.h"
#include "tests/attacker/tcp.h"

namespace kith::attacker {

class TlsChannel {
 public:
  enum class Kind : uint8_t { kLibp2p, kWeb };
  // `socket` is borrowed. With a `host` we present a certificate of it.
  TlsChannel(TcpSocket& socket, Kind kind, const HostKey* host = nullptr);

  // handshake is over when our side of it is; false if the node does not go along.
  bool handshake(Clock::time_point deadline);
  bool send(View plaintext, Clock::time_point deadline);
  // receive appends decrypted bytes; false if none came by `deadline`, or ever will.
  bool receive(Bytes& out, Clock::time_point deadline);

  // append_key_update appends a record that updates our keys and asks for the same.
  void append_key_update(Bytes& out);

 private:
  struct Free {
    void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  // What OpenSSL has for the node.
  Bytes take_output();
  bool flush(Clock::time_point deadline) { return socket_.send(take_output(), deadline); }
  bool read_more(Clock::time_point deadline);

  TcpSocket& socket_;
  std::unique_ptr<SSL_CTX, Free> ctx_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace kith::attacker
