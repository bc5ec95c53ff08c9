// TLS 1.3 with a certificate on both sides, over memory instead of sockets. It knows nothing of
// libp2p: what a certificate means is for the caller to say. Spec: RFC 8446.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/bytes_sink.h"
#include "base/output_bytes.h"
#include "base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace kith::crypto {

// TlsContext is what sessions share: our certificate and key, and the rules. TLS 1.3 only; a
// certificate demanded from both sides; no tickets, no resumption, no early data, no server name,
// no renegotiation.
class TlsContext {
 public:
  // make reads an X.509 certificate and its PKCS#8 private key, both in DER. KITH_ERR_CRYPTO.
  static Result<TlsContext> make(Bytes certificate_der, Bytes private_key_der);

 private:
  friend class TlsSession;
  struct Free {
    void operator()(ssl_ctx_st* ctx) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> ctx_;
};

struct TlsConfig {
  const TlsContext* context = nullptr;  // borrowed for the call
  bool is_client = false;
  // Application protocols, best first. A client offers them; of what a client offers, a server
  // takes the first that is among them. Both refuse a peer with none. The views, and the array they
  // are in, are borrowed for the life of the session. At most 255 bytes each.
  std::span<const std::string_view> alpn;
  // Decides on the peer's one certificate, exactly once, before the handshake ends; TLS itself
  // checks only that the peer has its key. `verify_ctx` is passed to it.
  Status (*verify)(void* verify_ctx, Bytes certificate_der) = nullptr;
  void* verify_ctx = nullptr;
};

// TlsSession is one end of one connection. It begins with start(); an error is final. Not copied
// and not moved.
class TlsSession {
 public:
  TlsSession() = default;
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // start makes the session; a client's first message goes to `out`. KITH_ERR_CRYPTO.
  Status start(const TlsConfig& config, OutputBytes& out);

  // receive takes all of `in`. Plaintext goes to `plaintext`, piece by piece; what is to be sent
  // goes to `out`, also when it fails (alerts). `on_complete` is called once, when the handshake is
  // complete, before any plaintext. Bytes after the peer's close_notify, or after shut_down() from
  // within `plaintext`, are ignored. Returns verify's error, that of `on_complete`,
  // KITH_ERR_BAD_CERTIFICATE when the peer sent none or several, KITH_ERR_ALPN_MISMATCH,
  // KITH_ERR_MESSAGE_TOO_LARGE, KITH_ERR_HANDSHAKE; after the handshake KITH_ERR_MALFORMED for a
  // record that does not decrypt or does not belong there, KITH_ERR_HANDSHAKE for an alert.
  Status receive(Bytes in, BytesSink plaintext, Status (*on_complete)(void* ctx), void* ctx,
                 OutputBytes& out);

  // encrypt appends records with the bytes of `plaintext`, taken as one sequence. Precondition: the
  // handshake is complete.
  Status encrypt(std::span<const Bytes> plaintext, OutputBytes& out);

  // shut_down appends close_notify, if the handshake is complete. Nothing can be encrypted
  // afterwards.
  void shut_down(OutputBytes& out);

  bool is_started() const { return ssl_ != nullptr; }
  bool is_complete() const { return is_complete_; }
  // peer_closed says that the peer's close_notify came.
  bool peer_closed() const { return peer_closed_; }
  // alpn returns the protocol agreed on, one of the config's. Once complete.
  std::string_view alpn() const { return alpn_; }

 private:
  struct Callbacks;
  friend class TlsContext;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  Status handshake();
  Status complete();
  Status read(BytesSink plaintext);
  Status write(Bytes plaintext);
  Status failure(const char* what);

  TlsConfig config_;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::string_view alpn_;
  std::optional<Error> refusal_;  // why our callbacks refused the peer
  // Only during a call: what OpenSSL reads from and writes to.
  Bytes in_;
  OutputBytes* out_ = nullptr;
  bool is_verified_ = false;
  bool is_complete_ = false;
  bool peer_closed_ = false;
  bool is_shut_down_ = false;
};

}  // namespace kith::crypto
