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
#include "tests/support/tls_peer.h"

namespace kith::crypto {

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

struct RawPeer : test::TlsPeer {
  using TlsPeer::TlsPeer;
  void use(const Identity& id) { TlsPeer::use(id.certificate, id.pkcs8); }
  void add_to_chain(const Identity& id) {
    const unsigned char* data = id.certificate.data();
    X509* x509 = d2i_X509(nullptr, &data, static_cast<long>(id.certificate.size()));
    KITH_CHECK(SSL_CTX_add_extra_chain_cert(ctx(), x509) == 1);
  }
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
    config.records_per_key = records_per_key_;
    session_.emplace();
    out_.clear();
    ASSERT_TRUE(session_->start(config, out_).ok());
  }
  // meet has our end shake hands with `peer`, which is made ready for it.
  void meet(RawPeer& peer, bool peer_is_client) {
    peer.use(theirs_);
    peer_is_client ? peer.offer("libp2p") : peer.select_alpn();
    start(!peer_is_client);
    const Status s = exchange(peer);
    ASSERT_TRUE(s.ok() && session_->is_complete()) << s.error().to_string();
  }
  // meet_old_server has our end, as a client of the web, shake hands with a server that has TLS 1.2.
  void meet_old_server(RawPeer& server) {
    SSL_CTX_set_max_proto_version(server.ctx(), TLS1_2_VERSION);
    server.use(theirs_);
    const TlsContext any = TlsContext::make_web_client_of_any().value();
    TlsConfig config;
    config.context = &any;
    config.is_client = true;
    config.server_name = "localhost";
    config.records_per_key = records_per_key_;
    session_.emplace();
    ASSERT_TRUE(session_->start(config, out_).ok() && exchange(server).ok());
    ASSERT_TRUE(session_->is_complete());
  }
  // connect makes both ends, the raw peer's with what it needs to send anything, and their handshake.
  RawPeer& connect(bool is_client) {
    RawPeer& peer = peer_.emplace(!is_client);
    peer.prepare_to_seal();
    meet(peer, !is_client);
    return peer;
  }
  // receive takes what a peer sent, in one piece.
  Status receive(Bytes bytes) {
    auto keep = [this](MutableBytes text) { append(received_, text); };
    return session_->receive(
        bytes, keep, [](void*) { return Status(); }, nullptr, out_);
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
  std::optional<RawPeer> peer_;
  OutputBytes out_;
  ByteVector received_;
  std::vector<ByteVector> verified_;
  Status verdict_;
  int num_complete_ = 0;
  uint64_t records_per_key_ = TlsConfig().records_per_key;
};

}  // namespace kith::crypto
