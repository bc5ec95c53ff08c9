#include "protocol/tls/session.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crypto/x509.h"
#include "fuzz/channel_suite.h"
#include "protocol/tls/test_party.h"

namespace kith::fuzz {
INSTANTIATE_TYPED_TEST_SUITE_P(Tls, SecureChannel, tls::Party);
}  // namespace kith::fuzz

namespace kith::tls {
namespace {

using State = Session::State;

constexpr int64_t kNow = Party::kNow;

crypto::PrivateKey host_key(uint8_t seed) { return Party(seed).key; }

using TlsChannel = fuzz::SecureChannel<Party>;
using End = fuzz::ChannelEnd<Session>;

TEST_F(TlsChannel, AListenerHearsOfARefusal) {
  Config config = dialer_config();
  config.expected_peer = Party(9).id();
  End dialer(config), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(listener.session.error().status(), KITH_ERR_HANDSHAKE);
  EXPECT_EQ(listener.session.error().detail(), "the peer refuses: ssl/tls alert bad certificate");
}

TEST_F(TlsChannel, HearsOfAListenersRefusalWhenItIsOpenAlready) {
  Config config = listener_config();
  config.expected_peer = Party(9).id();
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

// Both sides name libp2p itself, too.
TEST_F(TlsChannel, LeavesTheMuxerToMultistreamWithoutOneInCommon) {
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
  EXPECT_EQ(listener.session.remote_peer(), dialer_.id());
}

TEST_F(TlsChannel, TellsThePeerOfABadRecord) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("first"), dialer.out).ok());
  ByteVector record = to_vector(dialer.pending());
  record.back() ^= 1;
  listener.receive(record);
  EXPECT_FALSE(listener.pending().empty());  // an alert
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

}  // namespace
}  // namespace kith::tls
