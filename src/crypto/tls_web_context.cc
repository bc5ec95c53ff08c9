// The contexts of TLS as the web has it: certificates and keys in PEM, and whom the system trusts.
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <string>

#include "base/limits.h"
#include "crypto/openssl.h"
#include "crypto/tls_session.h"

namespace kith::crypto {
namespace {

constexpr char kWhere[] = "tls";
using BioPtr = OpensslPtr<BIO, BIO_free>;

// Where distributions keep the roots they trust, all in one file.
constexpr const char* kRootFiles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",                   // older ones
    "/etc/ssl/ca-bundle.pem",                             // openSUSE
    "/etc/ssl/cert.pem",                                  // Alpine
};

Error bad(const char* what) { return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, what); }

BioPtr reader_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask the terminal.
int no_password(char*, int, int, void*) { return -1; }

// Calls `take` with each certificate in `pem`. `what` is the error if there is none, or what is there is broken.
template <typename Take>
Status for_each_certificate(std::string_view pem, const char* what, Take take) {
  const BioPtr bio = reader_of(pem);
  size_t num = 0;
  while (X509Ptr x509 = X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr))) {
    if (!take(std::move(x509))) return bad(what);
    ++num;
  }
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  return num != 0 && is_end ? Status() : bad(what);
}

Status add_system_roots(SSL_CTX* ctx) {
  if (const char* file = std::getenv(X509_get_default_cert_file_env())) {
    if (SSL_CTX_load_verify_file(ctx, file) == 1) return {};
    return Error(KITH_ERR_IO, kWhere, std::string("cannot read the roots in ") + file);
  }
  for (const char* file : kRootFiles) {
    if (SSL_CTX_load_verify_file(ctx, file) == 1) return {};
  }
  return Error(KITH_ERR_IO, kWhere,
               "the system's certificates are in none of the usual files: install them, or give "
               "some with SSL_CERT_FILE");
}

}  // namespace

Result<TlsContext> TlsContext::make_web() {
  const ErrorScope scope;
  TlsContext out;
  out.is_web_ = true;
  out.ctx_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* ctx = out.ctx_.get();
  if (!ctx || !set_common(ctx) || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
    return openssl_error(kWhere, "cannot make a context");
  }
  SSL_CTX_set_max_cert_list(ctx, limits::kWebCertificateMessageBytes);
  return out;
}

Result<TlsContext> TlsContext::make_web_client(std::string_view roots_pem) {
  const ErrorScope scope;
  KITH_ASSIGN(TlsContext out, make_web());
  SSL_CTX* ctx = out.ctx_.get();
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  if (roots_pem.empty()) {
    KITH_TRY(add_system_roots(ctx));
    return out;
  }
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  KITH_TRY(for_each_certificate(roots_pem, "the roots are not certificates in PEM", [&](X509Ptr x) {
    return X509_STORE_add_cert(store, x.get()) == 1;
  }));
  return out;
}

Result<TlsContext> TlsContext::make_web_client_of_any() {
  KITH_ASSIGN(TlsContext out, make_web());
  SSL_CTX_set_verify(out.ctx_.get(), SSL_VERIFY_NONE, nullptr);
  return out;
}

Result<TlsContext> TlsContext::make_web_server(std::string_view chain_pem,
                                               std::string_view private_key_pem) {
  const ErrorScope scope;
  KITH_ASSIGN(TlsContext out, make_web());
  SSL_CTX* ctx = out.ctx_.get();
  bool is_first = true;
  KITH_TRY(for_each_certificate(chain_pem, "the certificate is not one in PEM, or too weak",
                                [&](X509Ptr x) {
                                  if (std::exchange(is_first, false))
                                    return SSL_CTX_use_certificate(ctx, x.get()) == 1;
                                  return SSL_CTX_add1_chain_cert(ctx, x.get()) == 1;
                                }));
  const BioPtr bio = reader_of(private_key_pem);
  const PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) return bad("the private key is not one in PEM without a password");
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    return bad("the private key is not that of the certificate");
  }
  return out;
}

}  // namespace kith::crypto
