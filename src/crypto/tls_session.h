// TLS over memory instead of sockets, of two kinds. Between peers: TLS 1.3 with a certificate on both
// sides, whose meaning is for the caller to say. Of the web: a server proves its name with a
// certificate that others vouch for, and the client is anybody. Spec: RFC 8446; RFC 5246, 5280, 9525.
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

// TlsContext is what sessions share: our certificate and key, and the rules. No tickets, no
// resumption, no early data, no renegotiation.
class TlsContext {
 public:
  // make is for sessions between peers: TLS 1.3 only, a certificate demanded from both sides, no
  // server name. Reads our X.509 certificate and its PKCS#8 private key, both in DER.
  // KITH_ERR_CRYPTO.
  static Result<TlsContext> make(Bytes certificate_der, Bytes private_key_der);

  // make_web_client is for clients of the web: TLS 1.2 or 1.3, without a certificate of ours. The
  // server's must be valid for TlsConfig::server_name at TlsConfig::now_unix_s, and lead to one of
  // `roots_pem`; if that is empty, to one that the system trusts. KITH_ERR_INVALID_ARGUMENT when there
  // is no certificate in it, KITH_ERR_IO when the system's are not found, KITH_ERR_CRYPTO.
  static Result<TlsContext> make_web_client(std::string_view roots_pem);
  // make_web_client_of_any takes any certificate.
  static Result<TlsContext> make_web_client_of_any();
  // make_web_server reads our certificate, and after it those that lead to a root, and the key.
  // KITH_ERR_INVALID_ARGUMENT when that is not what the texts hold, or they do not fit together.
  static Result<TlsContext> make_web_server(std::string_view chain_pem,
                                            std::string_view private_key_pem);

 private:
  friend class TlsSession;
  // What all of them have in common. False when OpenSSL refuses.
  static bool set_common(ssl_ctx_st* ctx);
  static Result<TlsContext> make_web();
  struct Free {
    void operator()(ssl_ctx_st* ctx) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> ctx_;
  bool is_web_ = false;
};

struct TlsConfig {
  const TlsContext* context = nullptr;  // borrowed for the call
  bool is_client = false;
  // Application protocols, best first. A client offers them; of what a client offers, a server
  // takes the first that is among them. Between peers both refuse one with none; on the web it may
  // be left out. The views, and the array they are in, are borrowed for the life of the session. At
  // most 255 bytes each.
  std::span<const std::string_view> alpn;
  // Decides on the peer's one certificate, exactly once, before the handshake ends; TLS itself
  // checks only that the peer has its key. `verify_ctx` is passed to it. Not on the web.
  Status (*verify)(void* verify_ctx, Bytes certificate_der) = nullptr;
  void* verify_ctx = nullptr;
  // Of a client of the web: whom the server's certificate must name, a host name or an IP address,
  // and for which time. Borrowed for start().
  std::string_view server_name;
  int64_t now_unix_s = 0;
  // After so many records TLS 1.3 goes on with a new key, which OpenSSL does not see to. RFC 8446,
  // section 5.5, allows 2^24.5 with AES-GCM.
  uint64_t records_per_key = uint64_t{1} << 23;
};

// TlsSession is one end of one connection. It begins with start(); an error is final. Of a complete
// handshake of TLS 1.3 our OpenSSL keeps nothing but the keys. Not copied and not moved.
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
  // KITH_ERR_BAD_CERTIFICATE when the peer sent none or several, or one that is not good enough for the
  // web, KITH_ERR_ALPN_MISMATCH,
  // KITH_ERR_MESSAGE_TOO_LARGE, KITH_ERR_HANDSHAKE; after the handshake KITH_ERR_MALFORMED for a
  // record that does not decrypt or does not belong there, KITH_ERR_LIMIT for too much that is no
  // data (limits::kTlsMessagesWithoutData), KITH_ERR_HANDSHAKE for an alert.
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
  // alpn returns the protocol agreed on, one of the config's; on the web it may be empty. Once
  // complete.
  std::string_view alpn() const { return alpn_; }

 private:
  struct Callbacks;
  friend class TlsContext;
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  Status start_web_client();
  // What OpenSSL found of a server's certificate, if it was to look.
  Status check_server_name() const;
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
  uint64_t num_records_ = 0;  // written with the present key
  bool is_web_ = false;
  bool is_verified_ = false;
  bool is_complete_ = false;
  bool peer_closed_ = false;
  bool is_shut_down_ = false;
  uint16_t num_messages_ = 0;  // of the peer's after the handshake, since the last data
};

}  // namespace kith::crypto
