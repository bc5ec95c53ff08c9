// TlsPeer is plain OpenSSL over memory: the other end of a TLS session, which does what ours never would.
#pragma once

#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string_view>

#include "crypto/chacha20_poly1305.h"
#include "crypto/openssl.h"

namespace kith::test {

class TlsPeer {
 public:
  explicit TlsPeer(bool is_client) : ctx_(SSL_CTX_new(TLS_method())), is_client_(is_client) {
    KITH_CHECK(ctx_);
    SSL_CTX_set_security_level(ctx_.get(), 0);
    if (!is_client) SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_PEER, accept_all);
  }
  SSL_CTX* ctx() { return ctx_.get(); }
  SSL* ssl() {
    if (!ssl_) {
      ssl_.reset(SSL_new(ctx()));
      SSL_set_app_data(ssl_.get(), this);
      SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      is_client_ ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
    }
    return ssl_.get();
  }
  void use(Bytes certificate_der, Bytes private_key_der) {
    KITH_CHECK(SSL_CTX_use_certificate_ASN1(ctx(), static_cast<int>(certificate_der.size()),
                                            certificate_der.data()) == 1);
    const unsigned char* data = private_key_der.data();
    const crypto::PkeyPtr key(
        d2i_AutoPrivateKey(nullptr, &data, static_cast<long>(private_key_der.size())));
    KITH_CHECK(SSL_CTX_use_PrivateKey(ctx(), key.get()) == 1);
  }
  // Of a client.
  void offer(std::string_view alpn) {
    ByteVector list = {static_cast<uint8_t>(alpn.size())};
    append(list, alpn);
    KITH_CHECK(SSL_CTX_set_alpn_protos(ctx(), list.data(), static_cast<unsigned>(list.size())) ==
               0);
  }
  // Of a server: takes the first that is offered.
  void select_alpn() {
    SSL_CTX_set_alpn_select_cb(
        ctx(),
        [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned,
           void*) {
          *out = in + 1;
          *size = in[0];
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
  }
  // step takes what came, and returns what this side sends then.
  ByteVector step(Bytes in) {
    ERR_clear_error();
    BIO_write(SSL_get_rbio(ssl()), in.data(), static_cast<int>(in.size()));
    if (!SSL_is_init_finished(ssl())) SSL_do_handshake(ssl());
    uint8_t buf[4096];
    for (int n; SSL_is_init_finished(ssl()) && (n = SSL_read(ssl(), buf, sizeof buf)) > 0;) {
      append(received, Bytes(buf, static_cast<size_t>(n)));
    }
    ByteVector out(BIO_ctrl_pending(SSL_get_wbio(ssl())));
    BIO_read(SSL_get_wbio(ssl()), out.data(), static_cast<int>(out.size()));
    return out;
  }
  // The next two are sent by the next step().
  void write(std::string_view text) {
    KITH_CHECK(SSL_write(ssl(), text.data(), static_cast<int>(text.size())) > 0);
  }
  void update_keys(int type = SSL_KEY_UPDATE_REQUESTED) {
    KITH_CHECK(SSL_key_update(ssl(), type) == 1 && SSL_do_handshake(ssl()) == 1);
  }

  // Before the handshake: makes seal() possible.
  void prepare_to_seal() {
    KITH_CHECK(SSL_CTX_set_ciphersuites(ctx(), "TLS_CHACHA20_POLY1305_SHA256") == 1);
    SSL_CTX_set_num_tickets(ctx(), 0);
    SSL_CTX_set_keylog_callback(ctx(), [](const SSL* ssl, const char* text) {
      const std::string_view line(text);
      auto* peer = static_cast<TlsPeer*>(SSL_get_app_data(ssl));
      if (!line.starts_with(peer->is_client_ ? "CLIENT_TRAFFIC" : "SERVER_TRAFFIC")) return;
      peer->secret_ = *from_hex(line.substr(line.rfind(' ') + 1));
    });
  }
  // After it: a record of any type and short content, as OpenSSL would not write it. From the first one on OpenSSL must
  // not write any.
  ByteVector seal(uint8_t type, Bytes content) {
    using Cipher = crypto::ChaCha20Poly1305;
    const ByteVector iv = derive("iv", 12);
    Cipher::Nonce nonce;
    std::copy(iv.begin(), iv.end(), nonce.begin());
    nonce[11] = static_cast<uint8_t>(nonce[11] ^ num_sealed_++);  // not more than 256
    const Bytes parts[] = {content, {&type, 1}};
    const auto size = static_cast<uint8_t>(content.size() + 1 + Cipher::kTagBytes);
    ByteVector out = {23, 3, 3, 0, size};
    out.resize(out.size() + size);
    Cipher(derive("key", Cipher::kKeyBytes), Cipher::Direction::kSeal)
        .seal(nonce, Bytes(out).first(5), parts, out.data() + 5);
    return out;
  }

  ByteVector received;

 private:
  static int accept_all(int, X509_STORE_CTX*) { return 1; }
  // HKDF-Expand-Label of RFC 8446, section 7.1.
  ByteVector derive(std::string_view label, uint8_t size) const {
    ByteVector info = {0, size, static_cast<uint8_t>(6 + label.size())};
    append(info, "tls13 ");
    append(info, label);
    info.insert(info.end(), {0, 1});
    ByteVector out(32);
    HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), info.data(), info.size(),
         out.data(), nullptr);
    out.resize(size);
    return out;
  }

  crypto::OpensslPtr<SSL_CTX, SSL_CTX_free> ctx_;
  crypto::OpensslPtr<SSL, SSL_free> ssl_;
  bool is_client_;
  ByteVector secret_;
  uint8_t num_sealed_ = 0;
};

}  // namespace kith::test
