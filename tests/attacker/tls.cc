// TLS of the attacker. See tls.h.
#include "tests/attacker/tls.h"

#include <openssl/pkcs12.h>

#include <array>

#include "tests/attacker/certificate.h"

namespace kith::attacker {
namespace {

void use_certificate(SSL_CTX* ctx, const HostKey& host) {
  const Bytes der = make_pkcs12(host, {});
  const uint8_t* data = der.data();
  PKCS12* store = d2i_PKCS12(nullptr, &data, static_cast<long>(der.size()));
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  PKCS12_parse(store, "", &key, &certificate, nullptr);
  SSL_CTX_use_certificate(ctx, certificate);
  SSL_CTX_use_PrivateKey(ctx, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  PKCS12_free(store);
}

}  // namespace

TlsChannel::TlsChannel(TcpSocket& socket, Kind kind, const HostKey* host)
    : socket_(socket), ctx_(SSL_CTX_new(TLS_client_method())) {
  if (host) use_certificate(ctx_.get(), *host);
  ssl_.reset(SSL_new(ctx_.get()));
  static constexpr uint8_t kAlpn[] = "\x06libp2p";
  if (kind == Kind::kLibp2p) SSL_set_alpn_protos(ssl_.get(), kAlpn, sizeof kAlpn - 1);
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
}

Bytes TlsChannel::take_output() {
  BIO* bio = SSL_get_wbio(ssl_.get());
  Bytes out(BIO_ctrl_pending(bio));
  BIO_read(bio, out.data(), static_cast<int>(out.size()));
  return out;
}

bool TlsChannel::read_more(Clock::time_point deadline) {
  Bytes bytes;
  if (!socket_.receive(bytes, deadline)) return false;
  BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  return true;
}

bool TlsChannel::handshake(Clock::time_point deadline) {
  for (;;) {
    const int done = SSL_do_handshake(ssl_.get());
    if (!flush(deadline)) return false;
    if (done == 1) return true;
    if (SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ || !read_more(deadline)) {
      return false;
    }
  }
}

bool TlsChannel::send(View plaintext, Clock::time_point deadline) {
  return SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size())) > 0 &&
         flush(deadline);
}

bool TlsChannel::receive(Bytes& out, Clock::time_point deadline) {
  std::array<uint8_t, 16384> buffer;
  for (;;) {
    const int n = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (n > 0) {
      append(out, View(buffer).first(static_cast<size_t>(n)));
      return true;
    }
    if (SSL_get_error(ssl_.get(), n) != SSL_ERROR_WANT_READ || !read_more(deadline)) return false;
  }
}

void TlsChannel::append_key_update(Bytes& out) {
  SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(ssl_.get());
  append(out, take_output());
}

}  // namespace kith::attacker
