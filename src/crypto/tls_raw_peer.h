// For tests of TlsSession: a peer that is plain OpenSSL, and a fixture in which ours meets it.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/openssl.h"
#include "crypto/tls_session.h"
#include "crypto/x509.h"

namespace kith::crypto {

using SslCtxPtr = OpensslPtr<SSL_CTX, SSL_CTX_free>;
using SslPtr = OpensslPtr<SSL, SSL_free>;

inline constexpr std::string_view kAlpns[] = {"/yamux/1.0.0", "libp2p"};

struct Identity {
  explicit Identity(size_t padding = 0)
      : key(PrivateKey::generate(KeyType::kEcdsa).value()), pkcs8(make_pkcs8(key)) {
    SelfSignedCertificate content;
    content.serial_number = 1;
    content.not_after_unix_s = 4000000000;
    static constexpr uint8_t kOid[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xa2, 0x5a, 0x01, 0x01};
    const ByteVector value(padding + 1, 7);
    content.extension = {kOid, false, value};
    certificate = make_certificate(key, content).value();
  }
  PrivateKey key;
  ByteVector certificate;
  SecretBytes pkcs8;
};

// RawPeer is plain OpenSSL over memory.
class RawPeer {
 public:
  explicit RawPeer(bool is_client) : ctx_(SSL_CTX_new(TLS_method())), is_client_(is_client) {
    KITH_CHECK(ctx_);
    SSL_CTX_set_security_level(ctx_.get(), 0);
    if (!is_client) SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_PEER, accept_all);
  }
  SSL_CTX* ctx() { return ctx_.get(); }
  SSL* ssl() {
    if (!ssl_) {
      ssl_.reset(SSL_new(ctx()));
      SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      is_client_ ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
    }
    return ssl_.get();
  }
  void use(const Identity& id) {
    KITH_CHECK(SSL_CTX_use_certificate_ASN1(ctx(), static_cast<int>(id.certificate.size()),
                                            id.certificate.data()) == 1);
    const unsigned char* data = id.pkcs8.data();
    PkeyPtr key(d2i_AutoPrivateKey(nullptr, &data, static_cast<long>(id.pkcs8.size())));
    KITH_CHECK(SSL_CTX_use_PrivateKey(ctx(), key.get()) == 1);
  }
  void add_to_chain(const Identity& id) {
    const unsigned char* data = id.certificate.data();
    X509* x509 = d2i_X509(nullptr, &data, static_cast<long>(id.certificate.size()));
    KITH_CHECK(SSL_CTX_add_extra_chain_cert(ctx(), x509) == 1);
  }
  void offer(std::string_view alpn) {
    ByteVector list = {static_cast<uint8_t>(alpn.size())};
    append(list, alpn);
    KITH_CHECK(SSL_CTX_set_alpn_protos(ctx(), list.data(), static_cast<unsigned>(list.size())) ==
               0);
  }
  // take_any_alpn selects the first application protocol that the client offers.
  void take_any_alpn() {
    const auto take = [](SSL*, const unsigned char** out, unsigned char* size,
                         const unsigned char* in, unsigned, void*) {
      *out = in + 1;
      *size = in[0];
      return SSL_TLSEXT_ERR_OK;
    };
    SSL_CTX_set_alpn_select_cb(ctx(), take, nullptr);
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
  ByteVector received;

 private:
  static int accept_all(int, X509_STORE_CTX*) { return 1; }
  SslCtxPtr ctx_;
  SslPtr ssl_;
  bool is_client_;
};

class Tls : public testing::Test {
 protected:
  // start makes our end, the opposite of the raw peer's.
  void start(bool is_client) {
    TlsConfig config;
    config.context = &context_;
    config.is_client = is_client;
    config.alpn = kAlpns;
    config.verify = [](void* self, Bytes der) {
      auto* test = static_cast<Tls*>(self);
      test->verified_.push_back(to_vector(der));
      return test->verdict_;
    };
    config.verify_ctx = this;
    session_.emplace();
    out_.clear();
    ASSERT_TRUE(session_->start(config, out_).ok());
  }
  // meet has our end shake hands with `peer`, which is made ready for it.
  void meet(RawPeer& peer, bool peer_is_client) {
    peer.use(theirs_);
    peer_is_client ? peer.offer("libp2p") : peer.take_any_alpn();
    start(!peer_is_client);
    const Status s = exchange(peer);
    ASSERT_TRUE(s.ok() && session_->is_complete()) << s.error().to_string();
  }
  // exchange runs both until neither has anything to say. Returns our status.
  Status exchange(RawPeer& peer) {
    auto keep = [this](MutableBytes text) { append(received_, text); };
    Status s;
    for (bool moved = true; moved && s.ok();) {
      const ByteVector to_peer = to_vector(out_.bytes());
      out_.clear();
      const ByteVector to_us = peer.step(to_peer);
      moved = !to_peer.empty() || !to_us.empty();
      s = session_->receive(
          to_us, keep,
          [](void* n) {
            ++*static_cast<int*>(n);
            return Status();
          },
          &num_complete_, out_);
    }
    return s;
  }

  const Identity ours_, theirs_;
  const TlsContext context_ = TlsContext::make(ours_.certificate, ours_.pkcs8).value();
  std::optional<TlsSession> session_;
  OutputBytes out_;
  ByteVector received_;
  std::vector<ByteVector> verified_;
  Status verdict_;
  int num_complete_ = 0;
};

}  // namespace kith::crypto
