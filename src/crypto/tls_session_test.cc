// TlsSession against OpenSSL peers that do what ours never would.
#include "crypto/tls_session.h"

#include "base/limits.h"
#include "crypto/test_tls_peer.h"

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

TEST_F(Tls, AfterManyRecordsItGoesOnWithANewKey) {
  for (const bool is_client : {true, false}) {
    RawPeer& peer = peer_.emplace(!is_client);
    int num_updates = 0;
    SSL_CTX_set_msg_callback(
        peer.ctx(), [](int is_write, int, int type, const void* bytes, size_t, SSL*, void* n) {
          const bool is_update = type == SSL3_RT_HANDSHAKE && !is_write &&
                                 *static_cast<const uint8_t*>(bytes) == SSL3_MT_KEY_UPDATE;
          *static_cast<int*>(n) += is_update;
        });
    SSL_CTX_set_msg_callback_arg(peer.ctx(), &num_updates);
    records_per_key_ = 10;
    meet(peer, !is_client);
    std::string sent;
    for (int i = 0; i < 100; ++i) {
      const std::string text = "message " + std::to_string(i);
      const Bytes bytes = as_bytes(text);
      ASSERT_TRUE(session_->encrypt({&bytes, 1}, out_).ok());
      sent += text;
      ASSERT_TRUE(exchange(peer).ok());
    }
    EXPECT_EQ(as_text(peer.received), sent);
    EXPECT_EQ(num_updates, 10);
  }
}

constexpr size_t kKeyUpdateRecord = 5 + 5 + 1 + 16;

TEST_F(Tls, KeyUpdatesBetweenDataGoOnForever) {
  for (const bool is_client : {true, false}) {
    RawPeer& peer = connect(is_client);
    const Bytes reply = as_bytes("pong");
    std::string pings, pongs;
    for (size_t i = 0; i < 200; ++i) {
      // Now and then as many as may be, and of those that want an answer all or none.
      const size_t count = i % 20 == 0 ? limits::kTlsMessagesWithoutData : 1;
      for (size_t k = 0; k < count; ++k) {
        peer.update_keys(i % 3 == 0 ? SSL_KEY_UPDATE_NOT_REQUESTED : SSL_KEY_UPDATE_REQUESTED);
      }
      peer.write("ping");
      pings += "ping";
      ASSERT_TRUE(exchange(peer).ok()) << i;
      ASSERT_TRUE(session_->encrypt({&reply, 1}, out_).ok());
      pongs += "pong";
      ASSERT_TRUE(exchange(peer).ok()) << i;
    }
    EXPECT_EQ(as_text(received_), pings);
    EXPECT_EQ(as_text(peer.received), pongs);
    received_.clear();
  }
}

TEST_F(Tls, KeyUpdatesWithoutDataEndBeyondTheLimit) {
  for (const bool is_client : {true, false}) {
    for (const int type : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED}) {
      for (const bool in_one_piece : {true, false}) {
        RawPeer& peer = connect(is_client);
        out_.clear();
        ByteVector updates;
        for (int i = 0; i < 1000; ++i) {
          peer.update_keys(type);
          append(updates, peer.step({}));
        }
        ASSERT_EQ(updates.size(), 1000 * kKeyUpdateRecord);
        Bytes rest(updates);
        const size_t borne = limits::kTlsMessagesWithoutData * kKeyUpdateRecord;
        ASSERT_TRUE(receive(rest.first(borne)).ok());
        rest = rest.subspan(borne);
        const Status s = receive(in_one_piece ? rest : rest.first(kKeyUpdateRecord));
        EXPECT_EQ(s.status(), KITH_ERR_LIMIT) << s.error().to_string();
        // OpenSSL answers one when the next comes, so the last that was taken has no answer, nor have those beyond.
        EXPECT_EQ(out_.size(), type == SSL_KEY_UPDATE_REQUESTED ? borne : 0);
      }
    }
  }
}

TEST_F(Tls, TicketsWithoutDataEndBeyondTheLimit) {
  RawPeer& server = connect(/*is_client=*/true);
  for (size_t i = 0; i <= limits::kTlsMessagesWithoutData; ++i) {
    EXPECT_TRUE(receive({}).ok());
    ASSERT_EQ(SSL_new_session_ticket(server.ssl()), 1);
    ASSERT_EQ(SSL_do_handshake(server.ssl()), 1);
    const Status s = receive(server.step({}));
    EXPECT_EQ(s.status(), i < limits::kTlsMessagesWithoutData ? KITH_OK : KITH_ERR_LIMIT);
  }
}

TEST_F(Tls, RequestsToRenegotiateWithoutDataEndBeyondTheLimit) {
  RawPeer server(/*is_client=*/false);
  meet_old_server(server);
  for (size_t i = 0; i <= limits::kTlsMessagesWithoutData; ++i) {
    ASSERT_EQ(SSL_renegotiate(server.ssl()), 1);
    ASSERT_EQ(SSL_do_handshake(server.ssl()), 1);
    const Status s = receive(server.step({}));
    EXPECT_EQ(s.status(), i < limits::kTlsMessagesWithoutData ? KITH_OK : KITH_ERR_LIMIT) << i;
    EXPECT_FALSE(out_.empty());  // each is refused by an alert
    out_.clear();
  }
}

TEST_F(Tls, ServersOfTheWebMayBeFromBeforeTls13) {
  RawPeer server(/*is_client=*/false);
  records_per_key_ = 1;  // of TLS 1.3 only
  meet_old_server(server);
  for (int i = 0; i < 3; ++i) {
    server.write("ping");
    const Bytes reply = as_bytes("pong");
    ASSERT_TRUE(session_->encrypt({&reply, 1}, out_).ok());
    ASSERT_TRUE(exchange(server).ok());
  }
  EXPECT_EQ(as_text(received_), "pingpingping");
  EXPECT_EQ(as_text(server.received), "pongpongpong");
  session_->shut_down(out_);
  ASSERT_TRUE(exchange(server).ok());
  EXPECT_EQ(SSL_get_shutdown(server.ssl()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_F(Tls, RecordsWithoutContentEndBeyondTheLimit) {
  RawPeer& peer = connect(/*is_client=*/false);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 32; ++i) ASSERT_TRUE(receive(peer.seal(SSL3_RT_APPLICATION_DATA, {})).ok());
    if (round == 0) {
      ASSERT_TRUE(receive(peer.seal(SSL3_RT_APPLICATION_DATA, as_bytes("x"))).ok());
    }
  }
  EXPECT_EQ(as_text(received_), "x");
  const Status s = receive(peer.seal(SSL3_RT_APPLICATION_DATA, {}));
  EXPECT_EQ(s.status(), KITH_ERR_LIMIT) << s.error().to_string();
}

TEST_F(Tls, WarningsWithoutDataEndBeyondTheLimit) {
  RawPeer& peer = connect(/*is_client=*/false);
  const ByteVector canceled = {SSL3_AL_WARNING, SSL_AD_USER_CANCELLED};
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(receive(peer.seal(SSL3_RT_ALERT, canceled)).ok());
  EXPECT_EQ(receive(peer.seal(SSL3_RT_ALERT, canceled)).status(), KITH_ERR_LIMIT);
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
