// TlsSession once the handshake is over: what it still holds, and what a peer can say then.
#include <malloc.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "crypto/chacha20_poly1305.h"
#include "crypto/test_tls_peer.h"

namespace kith::crypto {
namespace {

// What OpenSSL has allocated. It takes other functions only before it has called its own.
size_t held;
void* counted(void* p) {
  held += malloc_usable_size(p);
  return p;
}
const int is_counted =
    CRYPTO_set_mem_functions([](size_t n, const char*, int) { return counted(std::malloc(n)); },
                             [](void* p, size_t n, const char*, int) {
                               held -= malloc_usable_size(p);
                               return counted(std::realloc(p, n));
                             },
                             [](void* p, const char*, int) {
                               held -= malloc_usable_size(p);
                               std::free(p);
                             });

#ifdef SSL_MODE_RELEASE_HANDSHAKE
constexpr bool kIsReleased = true;
#else
constexpr bool kIsReleased = false;
#endif

class TlsAfterHandshake : public Tls {
 protected:
  void SetUp() override { ASSERT_EQ(is_counted, 1) << "OpenSSL was called before main"; }

  Status receive(Bytes bytes) {
    auto none = [](MutableBytes) { FAIL(); };
    return session_->receive(bytes, none, nullptr, nullptr, out_);
  }
  // Says `text`, both ways.
  void talk(RawPeer& peer, std::string_view text) {
    received_.clear();
    peer.received.clear();
    const Bytes ours = as_bytes(text);
    ASSERT_EQ(SSL_write(peer.ssl(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
    ASSERT_TRUE(session_->encrypt({&ours, 1}, out_).ok());
    ASSERT_TRUE(exchange(peer).ok());
    EXPECT_EQ(as_text(received_), text);
    EXPECT_EQ(as_text(peer.received), text);
  }
};

TEST_F(TlsAfterHandshake, HoldsLittleAndNoMoreAfterTraffic) {
  if (!kIsReleased) GTEST_SKIP() << "the system's OpenSSL keeps it all";
  for (const bool peer_is_client : {true, false}) {
    SCOPED_TRACE(peer_is_client);
    for (const bool has_traffic : {false, true}) {
      RawPeer peer(peer_is_client);
      SSL_CTX_set_num_tickets(peer.ctx(), 0);
      meet(peer, peer_is_client);
      for (int i = 0; i < 3 && has_traffic; ++i) {
        ASSERT_EQ(SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
        talk(peer, std::string(40'000, 'x'));
      }
      const size_t with = held;
      session_.reset();
      EXPECT_LT(with - held, 10U * 1024);
    }
  }
}

TEST_F(TlsAfterHandshake, GoesOnAfterKeyUpdates) {
  for (const bool peer_is_client : {true, false}) {
    RawPeer peer(peer_is_client);
    meet(peer, peer_is_client);
    for (const int kind : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED,
                           SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      ASSERT_EQ(SSL_key_update(peer.ssl(), kind), 1);
      talk(peer, "ping");
    }
  }
}

// A server that puts `size` bytes of its own into each ticket.
void pad_tickets(RawPeer& server, size_t size) {
  static ByteVector padding;
  padding.assign(size, 7);
  const auto pad = [](SSL* ssl, void*) {
    return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), padding.data(), padding.size());
  };
  const auto use = [](SSL*, SSL_SESSION*, const unsigned char*, size_t, SSL_TICKET_STATUS,
                      void*) -> SSL_TICKET_RETURN { return SSL_TICKET_RETURN_IGNORE; };
  KITH_CHECK(SSL_CTX_set_session_ticket_cb(server.ctx(), pad, use, nullptr) == 1);
}

TEST_F(TlsAfterHandshake, HoldsNoneOfAServersTickets) {
  if (!kIsReleased) GTEST_SKIP() << "the system's OpenSSL keeps the last one";
  RawPeer server(/*is_client=*/false);
  pad_tickets(server, 12'000);
  SSL_CTX_set_num_tickets(server.ctx(), 0);  // but those asked for below
  meet(server, /*peer_is_client=*/false);
  talk(server, "hello");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(SSL_new_session_ticket(server.ssl()), 1);
    ASSERT_EQ(SSL_do_handshake(server.ssl()), 1);
    const ByteVector ticket = server.step({});
    ASSERT_GT(ticket.size(), 12'000U);
    const size_t before = held;
    ASSERT_TRUE(receive(ticket).ok());
    EXPECT_LE(held, before);
  }
  talk(server, "hello");
}

TEST_F(TlsAfterHandshake, RefusesATicketOfMoreThanARecord) {
  if (!kIsReleased) GTEST_SKIP() << "the system's OpenSSL takes 128 KiB";
  RawPeer server(/*is_client=*/false);
  pad_tickets(server, 20'000);
  server.use(theirs_);
  server.select_alpn();
  start(/*is_client=*/true);
  const Status s = exchange(server);
  EXPECT_TRUE(session_->is_complete());
  EXPECT_EQ(s.status(), KITH_ERR_MESSAGE_TOO_LARGE) << s.error().to_string();
}

// Forger writes records with a raw peer's keys, which that tells through OpenSSL's key log.
class Forger {
 public:
  Forger(RawPeer& peer, bool is_client) {
    label_ = is_client ? "CLIENT_TRAFFIC_SECRET_0 " : "SERVER_TRAFFIC_SECRET_0 ";
    secret_.clear();
    KITH_CHECK(SSL_CTX_set_ciphersuites(peer.ctx(), "TLS_CHACHA20_POLY1305_SHA256") == 1);
    SSL_CTX_set_num_tickets(peer.ctx(), 0);  // the first record after the handshake is ours
    SSL_CTX_set_keylog_callback(peer.ctx(), [](const SSL*, const char* text) {
      const std::string_view line(text);
      if (line.substr(0, label_.size()) != label_) return;
      for (size_t i = line.rfind(' ') + 1; i < line.size(); i += 2) {
        const std::string hex(line.substr(i, 2));
        secret_.push_back(static_cast<uint8_t>(std::stoi(hex, nullptr, 16)));
      }
    });
  }

  // record returns the first record after the handshake, with one handshake message.
  static ByteVector record(uint8_t type, Bytes body) {
    ByteVector text = {type, 0, 0, static_cast<uint8_t>(body.size())};
    append(text, body);
    text.push_back(SSL3_RT_HANDSHAKE);
    const size_t size = text.size() + ChaCha20Poly1305::kTagBytes;
    const std::array<uint8_t, 5> head = {SSL3_RT_APPLICATION_DATA, 3, 3, 0,
                                         static_cast<uint8_t>(size)};
    ByteVector out(head.size() + size);
    std::copy(head.begin(), head.end(), out.begin());
    ChaCha20Poly1305::Nonce nonce;  // of record 0
    const ByteVector iv = expand("iv", nonce.size());
    std::copy(iv.begin(), iv.end(), nonce.begin());
    const Bytes parts[] = {text};
    ChaCha20Poly1305(expand("key", 32), ChaCha20Poly1305::Direction::kSeal)
        .seal(nonce, head, parts, out.data() + head.size());
    return out;
  }

 private:
  // RFC 8446, section 7.1: HKDF-Expand-Label without context, of one block at most.
  static ByteVector expand(std::string_view label, size_t size) {
    ByteVector info = {0, static_cast<uint8_t>(size), static_cast<uint8_t>(6 + label.size())};
    append(info, "tls13 ");
    append(info, label);
    info.push_back(0);
    info.push_back(1);  // the number of the block
    std::array<uint8_t, 32> block;
    KITH_CHECK(HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), info.data(),
                    info.size(), block.data(), nullptr));
    return {block.begin(), block.begin() + static_cast<ptrdiff_t>(size)};
  }
  static inline std::string_view label_;
  static inline ByteVector secret_;
};

TEST_F(TlsAfterHandshake, TakesKeyUpdatesAndTicketsAndNoOtherHandshakeMessage) {
  for (const bool peer_is_client : {true, false}) {
    for (int type = 0; type <= 26; ++type) {
      SCOPED_TRACE(std::to_string(type) + (peer_is_client ? " of a client" : " of a server"));
      RawPeer peer(peer_is_client);
      const Forger forger(peer, peer_is_client);
      meet(peer, peer_is_client);
      static constexpr uint8_t kBody[] = {0};
      const Status s = receive(forger.record(static_cast<uint8_t>(type), kBody));
      const bool is_ticket = type == SSL3_MT_NEWSESSION_TICKET && !peer_is_client;
      if (type == SSL3_MT_KEY_UPDATE || (is_ticket && kIsReleased)) {
        EXPECT_TRUE(s.ok()) << s.error().to_string();
        EXPECT_TRUE(out_.empty());
      } else {
        EXPECT_EQ(s.status(), KITH_ERR_MALFORMED) << s.error().to_string();
        EXPECT_FALSE(out_.empty());  // an alert
      }
    }
  }
}

}  // namespace
}  // namespace kith::crypto
