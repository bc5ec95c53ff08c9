#include "protocol/tls/session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crypto/x509.h"
#include "fuzz/channel.h"
#include "fuzz/input.h"
#include "fuzz/pair.h"

namespace kith::tls {
namespace {

using End = fuzz::ChannelEnd<Session>;
using State = Session::State;

constexpr int64_t kNow = 1767225600;  // 2026-01-01
constexpr std::string_view kYamux = "/yamux/1.0.0", kMplex = "/mplex/6.7.0";

crypto::PrivateKey host_key(uint8_t seed) {
  return crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value();
}

identity::PeerId id_of(const crypto::PrivateKey& key) {
  return identity::PeerId::from_public_key(key.public_key());
}

class TlsChannel : public testing::Test {
 protected:
  Config dialer_config() const {
    Config c;
    c.context = &dialer_context_;
    c.is_dialer = true;
    c.now_unix_s = kNow;
    return c;
  }
  Config listener_config() const {
    Config c;
    c.context = &listener_context_;
    c.now_unix_s = kNow;
    return c;
  }
  static Context context_for(const crypto::PrivateKey& key) {
    return Context::make(make_credentials(key, kNow).value()).value();
  }
  static void meet(End& dialer, End& listener) { fuzz::Pair(dialer, listener).settle(); }

  const crypto::PrivateKey dialer_key_ = host_key(1);
  const crypto::PrivateKey listener_key_ = host_key(2);
  const Context dialer_context_ = context_for(dialer_key_);
  const Context listener_context_ = context_for(listener_key_);
};

TEST_F(TlsChannel, OpensWithBothIdentitiesVerified) {
  Config config = dialer_config();
  config.expected_peer = id_of(listener_key_);
  End dialer(config), listener(listener_config());
  EXPECT_TRUE(listener.pending().empty());
  meet(dialer, listener);
  ASSERT_TRUE(dialer.is_open() && listener.is_open()) << dialer.session.error().to_string();
  EXPECT_EQ(dialer.session.remote_peer(), id_of(listener_key_));
  EXPECT_EQ(listener.session.remote_peer(), id_of(dialer_key_));
  EXPECT_EQ(dialer.session.muxer(), "");
}

TEST_F(TlsChannel, CarriesDataHoweverItIsCutAndInterleaved) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    End dialer(dialer_config()), listener(listener_config());
    fuzz::Pair pair(dialer, listener);
    const ByteVector decisions = fuzz::random_bytes(seed, 3000);
    fuzz::FuzzInput input(decisions);
    while (!input.empty()) {
      End& end = input.flag() ? dialer : listener;
      if (end.is_open()) end.say(fuzz::random_bytes(seed, input.below(5000)), input);
      for (int i = 0; i < 8; ++i) pair.step(input);
    }
    pair.settle();
    ASSERT_TRUE(dialer.is_open() && listener.is_open()) << dialer.session.error().to_string();
    EXPECT_EQ(dialer.received, listener.said);
    EXPECT_EQ(listener.received, dialer.said);
    EXPECT_GT(dialer.said.size(), 10000U);
  }
}

TEST_F(TlsChannel, OpensWhenBytesComeOneByOne) {
  End dialer(dialer_config()), listener(listener_config());
  const auto trickle = [](End& from, End& to) {
    const ByteVector bytes = to_vector(from.pending());
    from.sent(bytes.size());
    for (const uint8_t b : bytes) to.receive({&b, 1});
  };
  for (int i = 0; i < 3; ++i) {
    trickle(dialer, listener);
    trickle(listener, dialer);
  }
  EXPECT_TRUE(dialer.is_open() && listener.is_open());
}

TEST_F(TlsChannel, TakesTheHandshakeAndTheFirstDataInOnePiece) {
  End dialer(dialer_config()), listener(listener_config());
  listener.receive(dialer.pending());
  dialer.sent(dialer.pending().size());
  dialer.receive(listener.pending());
  ASSERT_TRUE(dialer.is_open());
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("early bird"), dialer.out).ok());
  const ByteVector flight = to_vector(dialer.pending());
  listener.receive(flight);
  ASSERT_TRUE(listener.is_open());
  EXPECT_EQ(as_text(listener.received), "early bird");
}

TEST_F(TlsChannel, RefusesAnotherPeerThanTheOneDialed) {
  Config config = dialer_config();
  config.expected_peer = id_of(host_key(9));
  End dialer(config), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(dialer.session.error().status(), KITH_ERR_PEER_ID_MISMATCH);
  EXPECT_EQ(dialer.session.error().detail(), "dialed " + config.expected_peer.to_string() +
                                                 " but the peer is " +
                                                 id_of(listener_key_).to_string());
  EXPECT_TRUE(dialer.session.remote_peer().empty());
  EXPECT_FALSE(listener.is_open());
  EXPECT_EQ(listener.session.error().status(), KITH_ERR_HANDSHAKE);
  EXPECT_EQ(listener.session.error().detail(), "the peer refuses: ssl/tls alert bad certificate");
}

TEST_F(TlsChannel, HearsOfAListenersRefusalWhenItIsOpenAlready) {
  Config config = listener_config();
  config.expected_peer = id_of(host_key(9));
  End dialer(dialer_config()), listener(config);
  meet(dialer, listener);
  EXPECT_EQ(listener.session.error().status(), KITH_ERR_PEER_ID_MISMATCH);
  EXPECT_EQ(dialer.session.state(), State::kFailed);
  EXPECT_EQ(dialer.session.error().status(), KITH_ERR_HANDSHAKE);
  EXPECT_TRUE(dialer.session.remote_peer().empty());
}

TEST_F(TlsChannel, JudgesTheCertificateAtTheGivenTime) {
  Config config = dialer_config();
  config.now_unix_s = kNow + int64_t{101} * 366 * 86400;
  End dialer(config), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(dialer.session.error().status(), KITH_ERR_BAD_CERTIFICATE);
}

TEST_F(TlsChannel, RefusesAnExtensionThatAnotherKeySigned) {
  // The certificate of one key with the TLS key of another: its owner cannot prove to have it.
  Credentials stolen = make_credentials(host_key(3), kNow).value();
  stolen.private_key_der = make_credentials(host_key(4), kNow).value().private_key_der;
  EXPECT_EQ(Context::make(stolen).status(), KITH_ERR_CRYPTO);
  // A certificate without libp2p's extension, signed in order.
  const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyType::kEcdsa).value();
  crypto::SelfSignedCertificate content;
  content.serial_number = 1;
  content.not_after_unix_s = kNow + 1000;
  static constexpr uint8_t kOtherOid[] = {0x2b, 0x06, 0x01};
  const ByteVector value = {5, 0};
  content.extension = {kOtherOid, false, value};
  Credentials plain;
  plain.certificate_der = crypto::make_certificate(key, content).value();
  plain.private_key_der = crypto::make_pkcs8(key);
  const Context context = Context::make(plain).value();
  for (const bool is_dialer : {true, false}) {
    Config a = dialer_config(), b = listener_config();
    (is_dialer ? a : b).context = &context;
    End dialer(a), listener(b);
    meet(dialer, listener);
    const Session& judge = is_dialer ? listener.session : dialer.session;
    EXPECT_EQ(judge.error().status(), KITH_ERR_BAD_CERTIFICATE);
    EXPECT_FALSE(dialer.is_open() || listener.is_open());
  }
}

// Early muxer negotiation.

class TlsMuxers : public TlsChannel {
 protected:
  using Names = std::vector<std::string_view>;
  std::string agree(const Names& dialers, const Names& listeners) {
    Config a = dialer_config(), b = listener_config();
    a.muxers = dialers;
    b.muxers = listeners;
    End dialer(a), listener(b);
    meet(dialer, listener);
    if (!dialer.is_open()) return kith_status_name(dialer.session.error().status());
    EXPECT_TRUE(listener.is_open());
    EXPECT_EQ(dialer.session.muxer(), listener.session.muxer());
    return std::string(dialer.session.muxer());
  }
};

TEST_F(TlsMuxers, TakesTheFirstOfTheDialersThatBothHave) {
  EXPECT_EQ(agree({kYamux, kMplex}, {kMplex, kYamux}), kYamux);
  EXPECT_EQ(agree({"/quic/9", kMplex, kYamux}, {kYamux, kMplex}), kMplex);
}

TEST_F(TlsMuxers, LeavesItToMultistreamWhenTheyShareOnlyLibp2p) {
  EXPECT_EQ(agree({}, {kYamux}), "");
  EXPECT_EQ(agree({kYamux}, {}), "");
  EXPECT_EQ(agree({kYamux}, {kMplex}), "");
}

// The end.

TEST_F(TlsChannel, TellsACleanEndFromATruncatedOne) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(listener.session.end_of_input().status(), KITH_ERR_CLOSED);
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("bye"), dialer.out).ok());
  ASSERT_TRUE(dialer.session.close(dialer.out).ok());
  EXPECT_EQ(dialer.session.state(), State::kClosed);
  EXPECT_EQ(dialer.session.encrypt(as_bytes("x"), dialer.out).status(), KITH_ERR_INVALID_STATE);
  meet(dialer, listener);
  EXPECT_EQ(as_text(listener.received), "bye");
  EXPECT_EQ(listener.session.state(), State::kClosed);
  EXPECT_TRUE(listener.session.end_of_input().ok());
  EXPECT_EQ(listener.session.remote_peer(), id_of(dialer_key_));
}

TEST_F(TlsChannel, TakesNothingAfterTheFirstBadRecord) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("first"), dialer.out).ok());
  const size_t size = dialer.pending().size();
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("second"), dialer.out).ok());
  ByteVector records = to_vector(dialer.pending());
  const ByteVector good = records;
  records[size - 1] ^= 1;
  listener.receive(records);
  EXPECT_EQ(listener.session.error().status(), KITH_ERR_MALFORMED)
      << listener.session.error().to_string();
  EXPECT_FALSE(listener.pending().empty());  // an alert
  listener.sent(listener.pending().size());
  listener.receive(good);
  EXPECT_TRUE(listener.received.empty() && listener.pending().empty());
  EXPECT_EQ(listener.session.encrypt(as_bytes("x"), listener.out).status(), KITH_ERR_INVALID_STATE);
}

TEST_F(TlsChannel, FailsOnBytesThatAreNotTls) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n\r\n", "\x13/multistream/1.0.0\n"}) {
    End dialer(dialer_config()), listener(listener_config());
    dialer.receive(as_bytes(text));
    listener.receive(as_bytes(text));
    EXPECT_EQ(dialer.session.error().status(), KITH_ERR_HANDSHAKE);
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_HANDSHAKE);
  }
}

TEST_F(TlsChannel, CanBeUsedAndClosedFromWithinTheSink) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(dialer.session.encrypt(as_bytes("again"), dialer.out).ok());
  }
  ByteVector chunk = to_vector(dialer.pending());
  dialer.sent(chunk.size());
  int calls = 0;
  auto answer_and_close = [&](MutableBytes) {
    OutputBytes elsewhere;
    ASSERT_TRUE(listener.session.encrypt(as_bytes("enough"), elsewhere).ok());
    listener.out.append(elsewhere.bytes());
    if (++calls == 2) {
      EXPECT_TRUE(listener.session.close(listener.out).ok());
    }
  };
  EXPECT_TRUE(listener.session.receive(chunk, answer_and_close, listener.out).ok());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(listener.session.state(), State::kClosed);
  EXPECT_EQ(listener.session.receive(chunk, answer_and_close, listener.out).status(),
            KITH_ERR_CLOSED);
  dialer.receive(listener.pending());
  EXPECT_EQ(as_text(dialer.received), "enoughenough");
  EXPECT_EQ(dialer.session.state(), State::kClosed);
}

TEST_F(TlsChannel, IsStartedOnceBeforeAnythingElse) {
  Session session(dialer_config());
  OutputBytes out;
  ByteVector chunk(10);
  auto ignore = [](MutableBytes) {};
  EXPECT_EQ(session.receive(chunk, ignore, out).status(), KITH_ERR_INVALID_STATE);
  EXPECT_EQ(session.encrypt(as_bytes("x"), out).status(), KITH_ERR_INVALID_STATE);
  EXPECT_TRUE(session.start(out).ok());
  EXPECT_EQ(session.start(out).status(), KITH_ERR_INVALID_STATE);
}

}  // namespace
}  // namespace kith::tls
