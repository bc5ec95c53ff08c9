// TLS over OpenSSL's libssl, with a BIO of our own: OpenSSL reads the caller's chunk and writes to
// the caller's output, and no bytes are parked between.
#include "crypto/tls_session.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/limits.h"
#include "crypto/openssl.h"
#include "crypto/x509.h"

namespace kith::crypto {
namespace {

constexpr char kWhere[] = "tls";
constexpr size_t kRecordBytes = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr int kAlertOffset = SSL_AD_REASON_OFFSET;  // reasons from here on are the peer's alerts
#ifdef SSL_MODE_RELEASE_HANDSHAKE
constexpr uint32_t kReleaseHandshake = SSL_MODE_RELEASE_HANDSHAKE;
#else
constexpr uint32_t kReleaseHandshake = 0;  // not our OpenSSL: it keeps what the handshake needed
#endif

// SSL_get_error looks at the whole queue of the thread: it must be empty before, and we leave none.
class CleanQueue {
 public:
  CleanQueue() { ERR_clear_error(); }
  ~CleanQueue() { ERR_clear_error(); }
  CleanQueue(const CleanQueue&) = delete;
  CleanQueue& operator=(const CleanQueue&) = delete;
};

bool append_alpn(std::span<const std::string_view> names, ByteVector& out) {
  for (const std::string_view name : names) {
    if (name.empty() || name.size() > 255) return false;
    out.push_back(static_cast<uint8_t>(name.size()));
    append(out, name);
  }
  return true;
}

kith_status status_of(int reason, bool is_complete) {
  switch (reason) {
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return KITH_ERR_ALPN_MISMATCH;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return KITH_ERR_BAD_CERTIFICATE;
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return KITH_ERR_MESSAGE_TOO_LARGE;
    case SSL_R_RECORD_TOO_SMALL:  // that was the 33rd in a row without content
    case SSL_R_TOO_MANY_WARN_ALERTS:
      return KITH_ERR_LIMIT;
    default:
      // A listener refuses a dialer's certificate when the dialer's handshake is over already.
      return is_complete && reason < kAlertOffset ? KITH_ERR_MALFORMED : KITH_ERR_HANDSHAKE;
  }
}

}  // namespace

// What OpenSSL calls. All of it runs inside a call of the session that it finds through the SSL
// object.
struct TlsSession::Callbacks {
  static TlsSession& of(const SSL* ssl) { return *static_cast<TlsSession*>(SSL_get_app_data(ssl)); }
  static TlsSession& of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int bio_read(BIO* bio, char* out, size_t size, size_t* num_read) {
    Bytes& in = of(bio).in_;
    BIO_clear_retry_flags(bio);
    if (of(bio).refusal_) return 0;  // nothing more is taken
    if (in.empty()) {
      BIO_set_retry_read(bio);
      return 0;
    }
    *num_read = std::min(size, in.size());
    std::memcpy(out, in.data(), *num_read);
    in = in.subspan(*num_read);
    return 1;
  }
  static int bio_write(BIO* bio, const char* data, size_t size, size_t* num_written) {
    of(bio).out_->append(Bytes(reinterpret_cast<const uint8_t*>(data), size));
    *num_written = size;
    return 1;
  }
  static long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static const BIO_METHOD* bio_method() {
    static const BIO_METHOD* const method = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kith");
      KITH_CHECK(m && BIO_meth_set_read_ex(m, bio_read) == 1 &&
                 BIO_meth_set_write_ex(m, bio_write) == 1 &&
                 BIO_meth_set_ctrl(m, bio_control) == 1);
      return m;
    }();
    return method;
  }

  // Counts the peer's messages after the handshake. OpenSSL calls it at each step of the machine that
  // handles them, and never for data; the step behind a message is in the state named after it.
  static void on_step(const SSL* ssl, int where, int) {
    TlsSession& session = of(ssl);
    if (!session.is_complete_ || (where & SSL_CB_LOOP) == 0) return;
    switch (SSL_get_state(ssl)) {
      case TLS_ST_OK:
      case TLS_ST_CW_KEY_UPDATE:  // our answers
      case TLS_ST_SW_KEY_UPDATE:
        return;
      default:
        break;
    }
    if (++session.num_messages_ <= limits::kTlsMessagesWithoutData || session.refusal_) return;
    session.refusal_ =
        Error(KITH_ERR_LIMIT, kWhere, "too many key updates and the like, and no data between");
  }

  // Refuses a client without ALPN: OpenSSL itself would go on without, and select_alpn not be
  // asked.
  static int client_hello(SSL* ssl, int* alert, void*) {
    const unsigned char* extension = nullptr;
    size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &extension, &size) == 1) {
      return SSL_CLIENT_HELLO_SUCCESS;
    }
    of(ssl).refusal_ = Error(KITH_ERR_ALPN_MISMATCH, kWhere, "the client sent no ALPN");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
  }

  static int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                         const unsigned char* in, unsigned in_size, void*) {
    const auto& ours = of(ssl).config_.alpn;
    for (Bytes rest(in, in_size); !rest.empty();) {  // OpenSSL has checked that it is well-formed
      const Bytes name = rest.subspan(1, rest[0]);
      const auto it = std::find(ours.begin(), ours.end(), as_text(name));
      if (it != ours.end()) {
        *out = name.data();
        *out_size = rest[0];
        return SSL_TLSEXT_ERR_OK;
      }
      rest = rest.subspan(1 + name.size());
    }
    return of(ssl).is_web_ ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static Status verify_once(TlsSession& session, X509_STORE_CTX* store) {
    if (session.is_verified_ || session.refusal_) {
      return Error(KITH_ERR_BAD_CERTIFICATE, kWhere, "the peer sent a certificate again");
    }
    size_t num_certificates = 0;
    KITH_ASSIGN(const ByteVector der,
                single_certificate_der(X509_STORE_CTX_get0_cert(store), store, &num_certificates));
    return session.config_.verify(session.config_.verify_ctx, der);
  }
  // Takes the place of X509_verify_cert: no paths, no names, no trust store.
  static int verify(X509_STORE_CTX* store, void*) {
    const int index = SSL_get_ex_data_X509_STORE_CTX_idx();
    TlsSession& session = of(static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, index)));
    if (Status s = verify_once(session, store); !s.ok()) {
      session.refusal_ = s.error();
      X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
      return 0;
    }
    session.is_verified_ = true;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
};

void TlsContext::Free::operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
void TlsSession::Free::operator()(SSL* ssl) const { SSL_free(ssl); }

Result<TlsContext> TlsContext::make(Bytes certificate_der, Bytes private_key_der) {
  CleanQueue clean;
  TlsContext out;
  out.ctx_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* ctx = out.ctx_.get();
  const unsigned char* key_data = private_key_der.data();
  PkeyPtr key(d2i_AutoPrivateKey(nullptr, &key_data, static_cast<long>(private_key_der.size())));
  if (!ctx || !key ||
      SSL_CTX_use_certificate_ASN1(ctx, static_cast<int>(certificate_der.size()),
                                   certificate_der.data()) != 1 ||
      SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 ||
      SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(ctx,
                               "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                               "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
      !set_common(ctx)) {
    return openssl_error(kWhere, "cannot use the credentials");
  }
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_max_cert_list(ctx, limits::kTlsCertificateMessageBytes);
  SSL_CTX_set_cert_verify_callback(ctx, TlsSession::Callbacks::verify, nullptr);
  SSL_CTX_set_client_hello_cb(ctx, TlsSession::Callbacks::client_hello, nullptr);
  return out;
}

bool TlsContext::set_common(SSL_CTX* ctx) {
  if (SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1) return false;
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_NO_RX_CERTIFICATE_COMPRESSION |
                               SSL_OP_NO_TX_CERTIFICATE_COMPRESSION);
  // Not the trust store's idea of a chain; and 34 KiB less per connection that is silent.
  SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS | kReleaseHandshake);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(ctx, TlsSession::Callbacks::select_alpn, nullptr);
  SSL_CTX_set_info_callback(ctx, TlsSession::Callbacks::on_step);
  return true;
}

TlsSession::~TlsSession() = default;

Status TlsSession::start(const TlsConfig& config, OutputBytes& out) {
  KITH_CHECK(!ssl_);
  CleanQueue clean;
  config_ = config;
  is_web_ = config.context->is_web_;
  ByteVector alpn;
  if ((config.alpn.empty() && !is_web_) || !append_alpn(config.alpn, alpn)) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "an application protocol's name is too long");
  }
  ssl_.reset(SSL_new(config.context->ctx_.get()));
  BIO* bio = BIO_new(Callbacks::bio_method());
  if (!ssl_ || !bio || SSL_set_app_data(ssl_.get(), this) != 1) {
    BIO_free(bio);
    return openssl_error(kWhere, "cannot make a session");
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it from here on
  if (!config.is_client) {
    SSL_set_accept_state(ssl_.get());
    return {};
  }
  SSL_set_connect_state(ssl_.get());
  if (SSL_set_alpn_protos(ssl_.get(), alpn.data(), static_cast<unsigned>(alpn.size())) != 0) {
    return openssl_error(kWhere, "cannot offer the application protocols");
  }
  if (is_web_) KITH_TRY(start_web_client());
  out_ = &out;
  Status s = handshake();
  out_ = nullptr;
  return s;
}

Status TlsSession::start_web_client() {
  const std::string name(config_.server_name);
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(config_.now_unix_s));
  if (X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) == 1) return {};
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (name.empty() || X509_VERIFY_PARAM_set1_host(param, name.c_str(), name.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "no server can be called so");
  }
  return {};
}

Status TlsSession::check_server_name() const {
  if (!is_web_ || SSL_get_verify_mode(ssl_.get()) == SSL_VERIFY_NONE) return {};
  const long verdict = SSL_get_verify_result(ssl_.get());
  if (verdict == X509_V_OK) return {};
  return Error(KITH_ERR_BAD_CERTIFICATE, kWhere,
               std::string("the server's certificate: ") + X509_verify_cert_error_string(verdict));
}

Status TlsSession::failure(const char* what) {
  if (refusal_) return *refusal_;
  KITH_TRY(check_server_name());
  const unsigned long code = ERR_peek_error();  // the first: others follow from it
  const int reason = ERR_GET_REASON(code);
  const char* text = ERR_reason_error_string(code);
  std::string detail = reason >= kAlertOffset ? "the peer refuses" : what;
  if (text) detail.append(": ").append(text);
  return Error(status_of(reason, is_complete_), kWhere, std::move(detail));
}

Status TlsSession::handshake() {
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) return complete();
  if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ) return {};
  return failure("the handshake fails");
}

Status TlsSession::complete() {
  // OpenSSL does not get here without; identity never fails open, whatever it does.
  if (!is_verified_ && !is_web_) {
    return Error(KITH_ERR_BAD_CERTIFICATE, kWhere, "the peer was not identified");
  }
  KITH_TRY(check_server_name());
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  const auto it = std::find(config_.alpn.begin(), config_.alpn.end(), as_text({name, size}));
  if (it != config_.alpn.end()) {
    alpn_ = *it;
  } else if (!is_web_) {
    return Error(KITH_ERR_ALPN_MISMATCH, kWhere, "the server selected no application protocol");
  }
  is_complete_ = true;
  return {};
}

Status TlsSession::receive(Bytes in, BytesSink plaintext, Status (*on_complete)(void*), void* ctx,
                           OutputBytes& out) {
  CleanQueue clean;
  in_ = in;
  out_ = &out;
  const auto run = [&]() -> Status {
    if (!is_complete_) {
      KITH_TRY(handshake());
      if (!is_complete_) return {};
      KITH_TRY(on_complete(ctx));
    }
    return read(plaintext);
  };
  Status s = run();
  in_ = {};
  out_ = nullptr;
  return s;
}

Status TlsSession::read(BytesSink plaintext) {
  // Room for one record, not initialized: SSL_read returns at most that much.
  std::array<uint8_t, kRecordBytes> record;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  while (!is_shut_down_ && !peer_closed_) {
    size_t size = 0;
    const int done = SSL_read_ex(ssl_.get(), record.data(), record.size(), &size);
    if (done == 1) {
      num_messages_ = 0;
      plaintext(MutableBytes(record).first(size));
      continue;
    }
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return {};
      case SSL_ERROR_ZERO_RETURN:
        peer_closed_ = true;
        break;
      default:
        return failure("a record is bad");
    }
  }
  return {};
}

Status TlsSession::write(Bytes plaintext) {
  size_t written = 0;
  if (SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written) != 1) {
    return openssl_error(kWhere, "cannot encrypt");
  }
  KITH_CHECK(written == plaintext.size());  // no partial writes unless asked for
  num_records_ += (plaintext.size() + kRecordBytes - 1) / kRecordBytes;
  if (num_records_ >= config_.records_per_key && SSL_version(ssl_.get()) == TLS1_3_VERSION) {
    // The next call of OpenSSL says so, before any data.
    if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
      return openssl_error(kWhere, "cannot change the key");
    }
    num_records_ = 0;
  }
  return {};
}

Status TlsSession::encrypt(std::span<const Bytes> plaintext, OutputBytes& out) {
  KITH_CHECK(is_complete_ && !is_shut_down_);
  CleanQueue clean;
  OutputBytes* const outer = std::exchange(out_, &out);
  // Small parts share a record; large ones are read where they are, once what is before them is
  // full.
  std::array<uint8_t, kRecordBytes> record;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  size_t used = 0;
  Status s;
  for (size_t i = 0; i < plaintext.size() && s.ok(); ++i) {
    Bytes part = plaintext[i];
    if (used != 0 || part.size() < kRecordBytes) {
      const Bytes head = part.first(std::min(part.size(), kRecordBytes - used));
      if (!head.empty()) std::memcpy(record.data() + used, head.data(), head.size());
      used += head.size();
      part = part.subspan(head.size());
      if (used == kRecordBytes) {
        s = write(record);
        used = 0;
      }
    }
    const size_t whole = part.size() - part.size() % kRecordBytes;
    if (whole != 0 && s.ok()) s = write(part.first(whole));
    part = part.subspan(whole);
    if (part.empty()) continue;
    std::memcpy(record.data(), part.data(), part.size());
    used = part.size();
  }
  if (used != 0 && s.ok()) s = write(Bytes(record).first(used));
  out_ = outer;
  return s;
}

void TlsSession::shut_down(OutputBytes& out) {
  if (!is_complete_ || is_shut_down_) return;
  CleanQueue clean;
  OutputBytes* const outer = std::exchange(out_, &out);
  is_shut_down_ = true;
  SSL_shutdown(ssl_.get());
  out_ = outer;
}

}  // namespace kith::crypto
