#include "protocol/noise/handshake.h"

#include <gtest/gtest.h>

#include <optional>

#include "protocol/noise/transcripts.h"

namespace kith::noise {
namespace {

ByteVector hex(const char* text) { return from_hex(text).value(); }

crypto::X25519Key key(const char* text) {
  return crypto::X25519Key::from_private(hex(text)).value();
}

struct Pair {
  explicit Pair(const Transcript& t)
      : initiator(Handshake::Role::kInitiator, hex(t.prologue), key(t.init_static),
                  key(t.init_ephemeral)),
        responder(Handshake::Role::kResponder, hex(t.prologue), key(t.resp_static),
                  key(t.resp_ephemeral)) {}
  Handshake& sender(int message) { return message % 2 == 0 ? initiator : responder; }
  Handshake& receiver(int message) { return message % 2 == 0 ? responder : initiator; }
  Handshake initiator;
  Handshake responder;
};

// exchange runs the first `count` messages of the transcript.
void exchange(Pair& pair, const Transcript& t, int count) {
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(pair.sender(i).is_our_turn() && !pair.receiver(i).is_our_turn());
    OutputBytes out;
    ASSERT_TRUE(pair.sender(i).write(hex(t.messages[i].payload), out).ok());
    EXPECT_EQ(to_hex(out.bytes()), t.messages[i].ciphertext);
    EXPECT_EQ(to_hex(pair.receiver(i).read(out.bytes()).value()), t.messages[i].payload);
  }
}

TEST(NoiseHandshake, ReplaysTheTranscriptsOfOtherImplementations) {
  for (const Transcript& t : kTranscripts) {
    SCOPED_TRACE(t.name);
    Pair pair(t);
    exchange(pair, t, 3);
    ASSERT_TRUE(pair.initiator.is_done() && pair.responder.is_done());
    EXPECT_EQ(pair.initiator.remote_static(), key(t.resp_static).public_key());
    EXPECT_EQ(pair.responder.remote_static(), key(t.init_static).public_key());
    EXPECT_EQ(pair.initiator.hash(), pair.responder.hash());
    if (*t.handshake_hash) {
      EXPECT_EQ(to_hex(pair.initiator.hash()), t.handshake_hash);
    }

    CipherState encryptors[] = {pair.initiator.encryptor(), pair.responder.encryptor()};
    CipherState decryptors[] = {pair.responder.decryptor(), pair.initiator.decryptor()};
    for (int i = 3; i < 6 && t.messages[i].payload; ++i) {
      // After three messages it is the responder's turn to speak.
      CipherState& encryptor = encryptors[i % 2 == 0 ? 0 : 1];
      CipherState& decryptor = decryptors[i % 2 == 0 ? 0 : 1];
      const ByteVector text = hex(t.messages[i].payload);
      ByteVector sealed(text.size() + kTagBytes);
      const Bytes view(text);
      ASSERT_TRUE(encryptor.seal({}, {&view, 1}, sealed.data()).ok());
      EXPECT_EQ(to_hex(sealed), t.messages[i].ciphertext);
      ASSERT_TRUE(decryptor.open({}, sealed).ok());
      EXPECT_TRUE(equal(Bytes(sealed).first(text.size()), text));
    }
  }
}

TEST(NoiseHandshake, FailsWhenOneBitOfAnyMessageDiffers) {
  const Transcript& t = kTranscripts[0];
  for (int message = 0; message < 3; ++message) {
    const size_t size = hex(t.messages[message].ciphertext).size();
    for (size_t bit = 0; bit < size * 8; bit += 7) {
      Pair pair(t);
      exchange(pair, t, message);
      ByteVector bad = hex(t.messages[message].ciphertext);
      bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1 << bit % 8));
      auto read = pair.receiver(message).read(bad);
      if (message > 0) {
        ASSERT_EQ(read.status(), KITH_ERR_HANDSHAKE) << message << " " << bit;
        continue;
      }
      // Nothing protects the first message but what comes after it.
      ASSERT_TRUE(read.ok());
      OutputBytes first, second;
      ASSERT_TRUE(pair.initiator.write(hex(t.messages[0].payload), first).ok());
      ASSERT_TRUE(pair.responder.write({}, second).ok());
      EXPECT_EQ(pair.initiator.read(second.bytes()).status(), KITH_ERR_HANDSHAKE) << bit;
    }
  }
}

TEST(NoiseHandshake, RefusesEveryTruncatedMessage) {
  const Transcript& t = kTranscripts[1];
  for (int message = 0; message < 3; ++message) {
    const ByteVector whole = hex(t.messages[message].ciphertext);
    const size_t needed = message == 0 ? 32 : whole.size();
    for (size_t size = 0; size < needed; ++size) {
      Pair pair(t);
      exchange(pair, t, message);
      EXPECT_EQ(pair.receiver(message).read(Bytes(whole).first(size)).status(), KITH_ERR_HANDSHAKE);
    }
  }
}

TEST(NoiseHandshake, RefusesAnEphemeralKeyOfSmallOrder) {
  Pair pair(kTranscripts[0]);
  const ByteVector zeros(32);
  ASSERT_TRUE(pair.responder.read(zeros).ok());
  OutputBytes out;
  EXPECT_EQ(pair.responder.write({}, out).status(), KITH_ERR_HANDSHAKE);

  ByteVector second(32 + 48 + 16);
  OutputBytes first;
  ASSERT_TRUE(pair.initiator.write({}, first).ok());
  EXPECT_EQ(pair.initiator.read(second).status(), KITH_ERR_HANDSHAKE);
}

TEST(NoiseHandshake, DoesNotDecryptWithAnotherPrologue) {
  const Transcript& t = kTranscripts[0];
  Pair pair(t);
  Handshake other(Handshake::Role::kResponder, as_bytes("another"), key(t.resp_static),
                  key(t.resp_ephemeral));
  OutputBytes first, second;
  ASSERT_TRUE(pair.initiator.write({}, first).ok());
  ASSERT_TRUE(other.read(first.bytes()).ok());
  ASSERT_TRUE(other.write({}, second).ok());
  EXPECT_EQ(pair.initiator.read(second.bytes()).status(), KITH_ERR_HANDSHAKE);
}

TEST(NoiseHandshake, KnowsWhoseTurnItIs) {
  Pair pair(kTranscripts[0]);
  OutputBytes out;
  EXPECT_EQ(pair.responder.write({}, out).status(), KITH_ERR_INVALID_STATE);
  EXPECT_EQ(pair.initiator.read(ByteVector(32)).status(), KITH_ERR_INVALID_STATE);
  const ByteVector large(kMaxMessage - 32 - kTagBytes + 1);
  EXPECT_EQ(pair.initiator.write(large, out).status(), KITH_ERR_MESSAGE_TOO_LARGE);
}

TEST(NoiseCipherState, NeverUsesTheLastNonce) {
  const ByteVector secret(32, 7);
  CipherState encryptor(secret, CipherState::Direction::kSeal, UINT64_MAX - 1);
  CipherState decryptor(secret, CipherState::Direction::kOpen, UINT64_MAX - 1);
  const Bytes text = as_bytes("the last one");
  ByteVector sealed(text.size() + kTagBytes);
  ASSERT_TRUE(encryptor.seal({}, {&text, 1}, sealed.data()).ok());
  EXPECT_EQ(encryptor.nonces_left(), 0U);
  ByteVector again = sealed;
  EXPECT_EQ(encryptor.seal({}, {&text, 1}, again.data()).status(), KITH_ERR_LIMIT);
  EXPECT_TRUE(decryptor.open({}, sealed).ok());
  EXPECT_EQ(decryptor.open({}, again).status(), KITH_ERR_LIMIT);
  EXPECT_EQ(decryptor.open({}, again).status(), KITH_ERR_LIMIT);
}

}  // namespace
}  // namespace kith::noise
