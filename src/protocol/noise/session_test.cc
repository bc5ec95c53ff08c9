#include "protocol/noise/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "crypto/x25519_vectors.h"
#include "fuzz/channel_suite.h"
#include "protocol/noise/handshake.h"
#include "protocol/noise/payload.h"
#include "protocol/noise/test_party.h"
#include "wire/protobuf.h"

namespace kith::fuzz {
INSTANTIATE_TYPED_TEST_SUITE_P(Noise, SecureChannel, noise::Party);
}  // namespace kith::fuzz

namespace kith::noise {
namespace {

using State = Session::State;

crypto::PrivateKey identity_key(uint8_t seed) { return Party(seed).key; }

using NoiseSession = fuzz::SecureChannel<Party>;
using End = fuzz::ChannelEnd<Session>;

TEST_F(NoiseSession, ADialerBeginsWithAKey) {
  End dialer(dialer_config());
  EXPECT_EQ(dialer.pending().size(), 2U + 32U);
}

TEST_F(NoiseSession, AListenerHearsNothingOfARefusal) {
  Config config = dialer_config();
  config.expected_peer = Party(9).id();
  End dialer(config), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(listener.session.state(), State::kHandshaking);
  EXPECT_EQ(listener.session.end_of_input().status(), KITH_ERR_CLOSED);
}

TEST_F(NoiseSession, CutsLargeDataIntoFullFrames) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  const ByteVector text = fuzz::random_bytes(5, 2 * kMaxPlaintext + 10);
  ASSERT_TRUE(dialer.session.encrypt(text, dialer.out).ok());
  EXPECT_EQ(dialer.pending().size(), text.size() + 3 * 18);
  EXPECT_TRUE(equal(dialer.pending().first(2), ByteVector{0xff, 0xff}));
  meet(dialer, listener);
  EXPECT_EQ(listener.received, text);
}

TEST_F(NoiseSession, GathersManySmallSpansAndNoEmptyFrame) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  const ByteVector text = fuzz::random_bytes(6, 300);
  std::vector<Bytes> parts;
  for (size_t i = 0; i < text.size(); ++i) {
    parts.push_back(Bytes(text).subspan(i, 1));
    parts.push_back({});
  }
  ASSERT_TRUE(dialer.session.encrypt(parts, dialer.out).ok());
  meet(dialer, listener);
  EXPECT_EQ(listener.received, text);
  ASSERT_TRUE(dialer.session.encrypt(std::span<const Bytes>(), dialer.out).ok());
  ASSERT_TRUE(dialer.session.encrypt(Bytes(), dialer.out).ok());
  EXPECT_TRUE(dialer.pending().empty());
}

TEST_F(NoiseSession, RefusesAnotherPrologue) {
  Config config = dialer_config();
  const ByteVector prologue = to_vector(as_bytes("libp2p-webrtc-noise:"));
  config.prologue = prologue;
  End dialer(config), listener(listener_config());
  meet(dialer, listener);
  EXPECT_EQ(dialer.session.error().status(), KITH_ERR_HANDSHAKE);
  Config same = listener_config();
  same.prologue = prologue;
  End dialer2(config), listener2(same);
  meet(dialer2, listener2);
  EXPECT_TRUE(dialer2.is_open() && listener2.is_open());
}

TEST_F(NoiseSession, FailsWithoutAMuxerInCommon) {
  EXPECT_EQ(agree({kYamux}, {kMplex}), "KITH_ERR_PROTOCOL_NOT_SUPPORTED");
}

TEST_F(NoiseSession, HandsOverCertificateHashes) {
  const std::vector<ByteVector> hashes = {{0x12, 0x20, 1}, {0x12, 0x20, 2}};
  Config a = dialer_config(), b = listener_config();
  a.certhashes = hashes;  // a dialer has no use for them, and sends none
  b.certhashes = hashes;
  End dialer(a), listener(b);
  meet(dialer, listener);
  EXPECT_EQ(dialer.session.remote_certhashes(), hashes);
  EXPECT_TRUE(listener.session.remote_certhashes().empty());
}

// What a peer may do wrong. Its handshake is our own, with any payload.

class RawPeer {
 public:
  explicit RawPeer(Handshake::Role role)
      : handshake_(role, {}, crypto::X25519Key::from_private(ByteVector(32, 0x31)).value(),
                   crypto::X25519Key::from_private(ByteVector(32, 0x32)).value()),
        static_key_(crypto::X25519Key::from_private(ByteVector(32, 0x31)).value()) {}

  ByteVector message(Bytes payload) {
    OutputBytes message;
    KITH_CHECK(handshake_.write(payload, message).ok());
    ByteVector out = {static_cast<uint8_t>(message.size() >> 8),
                      static_cast<uint8_t>(message.size())};
    append(out, message.bytes());
    return out;
  }
  ByteVector read(Bytes framed) { return handshake_.read(framed.subspan(2)).value(); }
  const crypto::X25519PublicKey& static_key() const { return static_key_.public_key(); }
  Handshake& handshake() { return handshake_; }

 private:
  Handshake handshake_;
  crypto::X25519Key static_key_;
};

class NoisePayload : public NoiseSession {
 protected:
  // answer returns the error of a dialer whose listener sends `payload`.
  Error answer(Bytes payload, const Config& config) {
    RawPeer peer(Handshake::Role::kResponder);
    End dialer(config);
    peer.read(dialer.pending());
    dialer.sent(dialer.pending().size());
    dialer.receive(peer.message(payload));
    // The listener is judged by the same code.
    RawPeer second(Handshake::Role::kInitiator);
    End listener(listener_config());
    listener.receive(second.message({}));
    second.read(listener.pending());
    listener.sent(listener.pending().size());
    listener.receive(second.message(payload));
    if (config.muxers.empty()) {
      EXPECT_EQ(dialer.session.error().status(), listener.session.error().status());
      EXPECT_EQ(dialer.session.error().detail(), listener.session.error().detail());
    }
    EXPECT_EQ(dialer.is_open(), dialer.session.error().status() == KITH_OK);
    EXPECT_EQ(dialer.is_open(), !dialer.session.remote_peer().empty());
    return dialer.session.error();
  }
  Error answer(Bytes payload) { return answer(payload, dialer_config()); }

  ByteVector good() { return encode_identity(identity_key(7), peer_.static_key()).value(); }
  RawPeer peer_{Handshake::Role::kResponder};
};

TEST_F(NoisePayload, IsTakenWithUnknownFields) {
  ByteVector payload = good();
  EXPECT_EQ(answer(payload).status(), KITH_OK);
  wire::ProtoWriter writer(payload);
  writer.bytes(3, as_bytes("data of old implementations"));
  writer.varint(1000, 5);
  EXPECT_EQ(answer(payload).status(), KITH_OK);
}

TEST_F(NoisePayload, NeedsTheSignatureOfThisVeryStaticKey) {
  const crypto::X25519Key other = crypto::X25519Key::from_private(ByteVector(32, 0x77)).value();
  const ByteVector payload = encode_identity(identity_key(7), other.public_key()).value();
  EXPECT_EQ(answer(payload).status(), KITH_ERR_BAD_SIGNATURE);
}

TEST_F(NoisePayload, NeedsTheSignatureOfTheKeyInIt) {
  const ByteVector mine = good();
  const ByteVector of_another = encode_identity(identity_key(8), peer_.static_key()).value();
  const Payload a = decode_payload(mine).value(), b = decode_payload(of_another).value();
  ByteVector mixed;
  wire::ProtoWriter writer(mixed);
  writer.bytes(1, a.identity_key);
  writer.bytes(2, b.identity_sig);
  EXPECT_EQ(answer(mixed).status(), KITH_ERR_BAD_SIGNATURE);

  for (size_t i = 0; i < a.identity_sig.size(); i += 5) {
    ByteVector bad = to_vector(a.identity_sig), payload;
    bad[i] ^= 0x04;
    wire::ProtoWriter fields(payload);
    fields.bytes(1, a.identity_key);
    fields.bytes(2, bad);
    EXPECT_EQ(answer(payload).status(), KITH_ERR_BAD_SIGNATURE);
  }
}

TEST_F(NoisePayload, NeedsKeyAndSignatureOnceEach) {
  const ByteVector whole = good();
  const Payload a = decode_payload(whole).value();
  const auto with = [&](int keys, int signatures) {
    ByteVector payload;
    wire::ProtoWriter writer(payload);
    for (int i = 0; i < keys; ++i) writer.bytes(1, a.identity_key);
    for (int i = 0; i < signatures; ++i) writer.bytes(2, a.identity_sig);
    return std::string(answer(payload).detail());
  };
  EXPECT_EQ(with(1, 0), "the handshake payload has no signature");
  EXPECT_EQ(with(0, 1), "the handshake payload has no identity key");
  EXPECT_EQ(with(0, 0), "the handshake payload has no identity key");
  EXPECT_EQ(with(2, 1), "the handshake payload has a field twice");
  EXPECT_EQ(with(1, 2), "the handshake payload has a field twice");
  EXPECT_EQ(with(1, 1), "");
  ByteVector empty_signature;
  wire::ProtoWriter writer(empty_signature);
  writer.bytes(1, a.identity_key);
  writer.bytes(2, {});
  EXPECT_EQ(answer(empty_signature).status(), KITH_ERR_BAD_SIGNATURE);
}

TEST_F(NoisePayload, MustBeProtobuf) {
  const ByteVector whole = good();
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(answer(Bytes(whole).first(size)).status() == KITH_OK) << size;
  }
  ByteVector payload = good();
  wire::ProtoWriter(payload).bytes(4, ByteVector{0x0a});
  EXPECT_EQ(answer(payload).status(), KITH_ERR_MALFORMED);
  payload = good();
  wire::ProtoWriter(payload).varint(4, 1);
  EXPECT_EQ(answer(payload).status(), KITH_ERR_MALFORMED);
  ByteVector bad_key;
  wire::ProtoWriter writer(bad_key);
  writer.bytes(1, as_bytes("not a key"));
  writer.bytes(2, ByteVector(64));
  EXPECT_NE(answer(bad_key).status(), KITH_OK);
}

TEST_F(NoisePayload, HasLimits) {
  const auto muxers = [&](size_t count, size_t size) {
    ByteVector extensions, payload = good();
    wire::ProtoWriter writer(extensions);
    for (size_t i = 0; i < count; ++i) writer.bytes(2, ByteVector(size, 'm'));
    wire::ProtoWriter(payload).bytes(4, extensions);
    return answer(payload).status();
  };
  EXPECT_EQ(muxers(limits::kNoiseMuxers, 1), KITH_OK);
  EXPECT_EQ(muxers(limits::kNoiseMuxers + 1, 1), KITH_ERR_LIMIT);
  EXPECT_EQ(muxers(1, limits::kNoiseMuxerBytes), KITH_OK);
  EXPECT_EQ(muxers(1, limits::kNoiseMuxerBytes + 1), KITH_ERR_LIMIT);
  const auto hashes = [&](size_t count, size_t size) {
    ByteVector extensions, payload = good();
    wire::ProtoWriter writer(extensions);
    for (size_t i = 0; i < count; ++i) writer.bytes(1, ByteVector(size, 'h'));
    wire::ProtoWriter(payload).bytes(4, extensions);
    return answer(payload).status();
  };
  EXPECT_EQ(hashes(limits::kNoiseCertHashes, limits::kNoiseCertHashBytes), KITH_OK);
  EXPECT_EQ(hashes(limits::kNoiseCertHashes + 1, 1), KITH_ERR_LIMIT);
  EXPECT_EQ(hashes(1, limits::kNoiseCertHashBytes + 1), KITH_ERR_LIMIT);
}

TEST_F(NoisePayload, LeavesRoomForTheLargestKey) {
  // 32 + 48 + 16 bytes of Noise, and the protobuf of an 8192 bit RSA key with its signature.
  EXPECT_LT(96U + limits::kRsaMaxSpkiBytes + 1024U + 32U, limits::kNoiseHandshakeBytes / 2);
}

// Framing.

TEST_F(NoiseSession, RefusesAHandshakeMessageByItsLengthAlone) {
  for (const size_t length : {limits::kNoiseHandshakeBytes + 1, kMaxMessage}) {
    End listener(listener_config());
    listener.receive(ByteVector{static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_MESSAGE_TOO_LARGE);
  }
  End listener(listener_config());
  ByteVector longest(2 + limits::kNoiseHandshakeBytes, 9);
  longest[0] = limits::kNoiseHandshakeBytes >> 8;
  longest[1] = limits::kNoiseHandshakeBytes & 0xff;
  listener.receive(longest);  // the first message has a key, and a payload that means nothing
  EXPECT_EQ(listener.session.state(), State::kHandshaking);
}

TEST_F(NoiseSession, RefusesEmptyAndTruncatedHandshakeMessages) {
  for (const size_t length : {0UL, 1UL, 31UL}) {
    End listener(listener_config());
    ByteVector message(2 + length, 9);
    message[0] = 0;
    message[1] = static_cast<uint8_t>(length);
    listener.receive(message);
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_HANDSHAKE);
  }
}

// A secret that everybody knows is none.
TEST_F(NoiseSession, RefusesKeysOfSmallOrder) {
  for (const crypto::X25519PublicKey& key : crypto::points_of_small_order()) {
    ByteVector first = {0, 32}, second = {0, 32 + 48 + 16};
    append(first, key);
    append(second, key);
    second.resize(2 + 32 + 48 + 16);
    End dialer(dialer_config()), listener(listener_config());
    listener.receive(first);
    dialer.sent(dialer.pending().size());
    dialer.receive(second);
    for (const End* end : {&dialer, &listener}) {
      EXPECT_EQ(end->session.error().status(), KITH_ERR_HANDSHAKE) << to_hex(key);
      EXPECT_EQ(end->session.error().detail(), "the peer's public key is a point of small order")
          << to_hex(key);
    }
  }
}

TEST_F(NoiseSession, RefusesAFrameThatIsTooShortForItsTag) {
  for (const int length : {0, 1, 15}) {
    End dialer(dialer_config()), listener(listener_config());
    meet(dialer, listener);
    listener.receive(ByteVector{0, static_cast<uint8_t>(length)});
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_MALFORMED);
  }
}

TEST_F(NoiseSession, NoticesReplayedDroppedAndSwappedFrames) {
  const int orders[][3] = {{0, 0, 1}, {1, 2, 0}, {0, 2, 1}};
  for (const auto& order : orders) {
    End dialer(dialer_config()), listener(listener_config());
    meet(dialer, listener);
    ByteVector frames[3];
    for (ByteVector& frame : frames) {
      ASSERT_TRUE(dialer.session.encrypt(as_bytes("same"), dialer.out).ok());
      frame = to_vector(dialer.pending());
      dialer.sent(frame.size());
    }
    for (const int i : order) listener.receive(frames[i]);
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_MALFORMED);
  }
}

TEST_F(NoiseSession, AFrameThatArrivesInPiecesMayBeKept) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  const ByteVector text = fuzz::random_bytes(7, 3000);
  const size_t end = kLengthBytes + text.size() + kTagBytes;
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{1025}, size_t{1026},
                           size_t{2100}, end - 17, end - 16, end - 15, end - 1}) {
    ASSERT_TRUE(dialer.session.encrypt(text, dialer.out).ok());
    ByteVector frame = to_vector(dialer.pending());
    dialer.sent(frame.size());
    ByteVector received;
    Buffer kept;
    auto keep = [&](MutableBytes piece) {
      received = to_vector(piece);
      kept = listener.session.memory_of_piece();
      EXPECT_EQ(kept.data(), cut == 0 ? nullptr : piece.data());
    };
    for (const MutableBytes piece :
         {MutableBytes(frame).first(cut), MutableBytes(frame).subspan(cut)}) {
      EXPECT_TRUE(received.empty());
      ASSERT_TRUE(listener.session.receive(piece, keep, listener.out).ok());
    }
    EXPECT_EQ(received, text) << cut;
    EXPECT_TRUE(listener.session.memory_of_piece().empty());
    if (cut == 0) continue;
    EXPECT_TRUE(equal(kept.bytes().first(text.size()), text)) << cut;
  }
}

TEST_F(NoiseSession, ShowsNothingOfABadFrameThatArrivesInPieces) {
  const size_t size = 3000, end = kLengthBytes + size + kTagBytes;
  for (const size_t bad : {size_t{2}, size_t{1500}, end - 17, end - 1}) {
    End dialer(dialer_config()), listener(listener_config());
    meet(dialer, listener);
    ASSERT_TRUE(dialer.session.encrypt(ByteVector(size), dialer.out).ok());
    ByteVector frame = to_vector(dialer.pending());
    frame[bad] ^= 1;
    for (size_t at = 0; at < frame.size(); at += 500) {
      listener.receive(Bytes(frame).subspan(at, std::min<size_t>(500, frame.size() - at)));
    }
    EXPECT_EQ(listener.session.error().status(), KITH_ERR_MALFORMED) << bad;
    EXPECT_TRUE(listener.received.empty()) << bad;
  }
}

TEST_F(NoiseSession, TellsTheEndWithinAFrameFromTheEndBetweenFrames) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  EXPECT_TRUE(listener.session.end_of_input().ok());
  listener.receive(ByteVector{0});
  EXPECT_EQ(listener.session.end_of_input().status(), KITH_ERR_CLOSED);
}

TEST_F(NoiseSession, CanBeClosedFromWithinTheSink) {
  End dialer(dialer_config()), listener(listener_config());
  meet(dialer, listener);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(dialer.session.encrypt(as_bytes("again"), dialer.out).ok());
  }
  ByteVector chunk = to_vector(dialer.pending());
  int calls = 0;
  auto close = [&](MutableBytes) {
    ++calls;
    EXPECT_TRUE(listener.session.close(listener.out).ok());
  };
  EXPECT_TRUE(listener.session.receive(chunk, close, listener.out).ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(listener.session.state(), State::kClosed);
  EXPECT_EQ(listener.session.receive(chunk, close, listener.out).status(), KITH_ERR_CLOSED);
}

}  // namespace
}  // namespace kith::noise
