// TlsSession against OpenSSL peers that do what ours never would.
#include "crypto/tls_session.h"

#include "base/limits.h"
#include "crypto/tls_raw_peer.h"

namespace kith::crypto {
namespace {

TEST_F(Tls, ShowsTheCertificateToTheCallerOnce) {
  RawPeer peer(/*is_client=*/true);
  peer.use(theirs_);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  ASSERT_TRUE(exchange(peer).ok());
  EXPECT_TRUE(session_->is_complete() && SSL_is_init_finished(peer.ssl()));
  EXPECT_EQ(num_complete_, 1);
  ASSERT_EQ(verified_.size(), 1U);
  EXPECT_EQ(verified_[0], theirs_.certificate);
  EXPECT_EQ(session_->alpn(), "libp2p");
  EXPECT_EQ(SSL_version(peer.ssl()), TLS1_3_VERSION);
  EXPECT_FALSE(SSL_session_reused(peer.ssl()));
}

TEST_F(Tls, GivesOutNoTicketsAndTakesNone) {
  RawPeer client(/*is_client=*/true);
  client.use(theirs_);
  client.offer("libp2p");
  static int num_tickets;
  num_tickets = 0;
  SSL_CTX_set_session_cache_mode(client.ctx(), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(client.ctx(), [](SSL*, SSL_SESSION*) { return ++num_tickets, 0; });
  start(/*is_client=*/false);
  ASSERT_TRUE(exchange(client).ok());
  EXPECT_EQ(num_tickets, 0);
}

TEST_F(Tls, IgnoresTheTicketsOfAServer) {
  RawPeer server(/*is_client=*/false);
  meet(server, /*peer_is_client=*/false);
  EXPECT_EQ(session_->alpn(), "/yamux/1.0.0");
  SSL_write(server.ssl(), "hello", 5);
  ASSERT_TRUE(exchange(server).ok());
  EXPECT_EQ(as_text(received_), "hello");
  EXPECT_EQ(SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name), nullptr);
}

TEST_F(Tls, RefusesAClientWithoutCertificate) {
  RawPeer peer(/*is_client=*/true);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  const Status s = exchange(peer);
  EXPECT_EQ(s.status(), KITH_ERR_BAD_CERTIFICATE) << s.error().to_string();
  EXPECT_FALSE(session_->is_complete());
  EXPECT_TRUE(verified_.empty());
  EXPECT_FALSE(out_.empty());  // an alert says why
}

TEST_F(Tls, RefusesWhatTheCallerRefuses) {
  for (const bool is_client : {true, false}) {
    SCOPED_TRACE(is_client);
    TlsSession session;
    RawPeer peer(is_client);
    peer.use(theirs_);
    peer.offer("libp2p");
    TlsConfig config;
    config.context = &context_;
    config.is_client = !is_client;
    config.alpn = kAlpns;
    config.verify = [](void*, Bytes) -> Status { return Error(KITH_ERR_PEER_ID_MISMATCH, "x"); };
    OutputBytes out;
    ASSERT_TRUE(session.start(config, out).ok());
    auto none = [](MutableBytes) { FAIL(); };
    Status s;
    for (int round = 0; round < 4 && s.ok(); ++round) {
      const ByteVector to_peer = to_vector(out.bytes());
      out.clear();
      s = session.receive(
          peer.step(to_peer), none, [](void*) { return Status(); }, nullptr, out);
    }
    EXPECT_EQ(s.status(), KITH_ERR_PEER_ID_MISMATCH);
    EXPECT_FALSE(session.is_complete());
    peer.step(out.bytes());
    EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_CERTIFICATE);
  }
}

TEST_F(Tls, RefusesTwoCertificates) {
  RawPeer peer(/*is_client=*/true);
  peer.use(theirs_);
  peer.add_to_chain(ours_);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  EXPECT_EQ(exchange(peer).status(), KITH_ERR_BAD_CERTIFICATE);
  EXPECT_TRUE(verified_.empty());
}

TEST_F(Tls, RefusesACertificateOfTooManyBytes) {
  const Identity large(limits::kCertificateBytes), huge(limits::kTlsCertificateMessageBytes);
  {
    RawPeer peer(/*is_client=*/true);
    peer.use(large);
    peer.offer("libp2p");
    start(/*is_client=*/false);
    EXPECT_EQ(exchange(peer).status(), KITH_ERR_BAD_CERTIFICATE);
  }
  RawPeer peer(/*is_client=*/true);
  peer.use(huge);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  const Status s = exchange(peer);
  EXPECT_EQ(s.status(), KITH_ERR_MESSAGE_TOO_LARGE) << s.error().to_string();
  EXPECT_TRUE(verified_.empty());
}

TEST_F(Tls, RefusesTls12) {
  RawPeer peer(/*is_client=*/true);
  SSL_CTX_set_max_proto_version(peer.ctx(), TLS1_2_VERSION);
  peer.use(theirs_);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  EXPECT_EQ(exchange(peer).status(), KITH_ERR_HANDSHAKE);

  RawPeer server(/*is_client=*/false);
  SSL_CTX_set_max_proto_version(server.ctx(), TLS1_2_VERSION);
  server.use(theirs_);
  start(/*is_client=*/true);
  EXPECT_EQ(exchange(server).status(), KITH_ERR_HANDSHAKE);
}

TEST_F(Tls, RefusesOtherApplicationProtocolsAndNone) {
  RawPeer other(/*is_client=*/true);
  other.use(theirs_);
  other.offer("h2");
  start(/*is_client=*/false);
  EXPECT_EQ(exchange(other).status(), KITH_ERR_ALPN_MISMATCH);
  EXPECT_FALSE(out_.empty());

  RawPeer none(/*is_client=*/true);
  none.use(theirs_);
  start(/*is_client=*/false);
  EXPECT_EQ(exchange(none).status(), KITH_ERR_ALPN_MISMATCH);
  EXPECT_FALSE(out_.empty());

  RawPeer server(/*is_client=*/false);  // selects none
  server.use(theirs_);
  start(/*is_client=*/true);
  EXPECT_EQ(exchange(server).status(), KITH_ERR_ALPN_MISMATCH);
}

TEST_F(Tls, IgnoresTheServerName) {
  RawPeer peer(/*is_client=*/true);
  peer.use(theirs_);
  peer.offer("libp2p");
  SSL_set_tlsext_host_name(peer.ssl(), "example.com");
  start(/*is_client=*/false);
  EXPECT_TRUE(exchange(peer).ok() && session_->is_complete());
}

TEST_F(Tls, SharesRecordsBetweenSmallPartsAndFillsThem) {
  RawPeer peer(/*is_client=*/true);
  peer.use(theirs_);
  peer.offer("libp2p");
  start(/*is_client=*/false);
  ASSERT_TRUE(exchange(peer).ok());
  ByteVector text(70000);
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<uint8_t>(i * 31 >> 3);
  const Bytes all(text);
  static constexpr size_t kOverhead = 5 + 1 + 16;
  const Bytes small[] = {all.first(12), {}, all.subspan(12, 100), all.subspan(112, 1)};
  ASSERT_TRUE(session_->encrypt(small, out_).ok());
  EXPECT_EQ(out_.size(), 113 + kOverhead);
  const Bytes mixed[] = {all.subspan(113, 12), all.subspan(125, 60000), all.subspan(60125)};
  ASSERT_TRUE(session_->encrypt(mixed, out_).ok());
  EXPECT_EQ(out_.size(), text.size() + 6 * kOverhead);  // five of up to 16 KiB after the first
  ASSERT_TRUE(exchange(peer).ok());
  EXPECT_EQ(peer.received, text);
}

}  // namespace
}  // namespace kith::crypto
