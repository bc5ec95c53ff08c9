// What every secure channel does, as a typed test suite: instantiated with a Party by the tests of noise and of tls.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fuzz/channel.h"
#include "fuzz/input.h"
#include "fuzz/pair.h"

namespace kith::fuzz {

// A Party is a node: made from a seed; id(), and config(is_dialer) for a session of its own.
template <typename Party>
class SecureChannel : public testing::Test {
 protected:
  using Session = typename Party::Session;
  using End = ChannelEnd<Session>;

  // meet connects two sessions until nothing moves any more.
  static void meet(End& dialer, End& listener) { Pair(dialer, listener).settle(); }
  auto dialer_config() const { return dialer_.config(true); }
  auto listener_config() const { return listener_.config(false); }
  // agree returns the muxer that both ends agree on, or the dialer's status.
  std::string agree(const std::vector<std::string_view>& dialers,
                    const std::vector<std::string_view>& listeners) {
    auto a = dialer_config(), b = listener_config();
    a.muxers = dialers;
    b.muxers = listeners;
    End dialer(a), listener(b);
    meet(dialer, listener);
    if (!dialer.is_open()) return kith_status_name(dialer.session.error().status());
    EXPECT_TRUE(listener.is_open());
    EXPECT_EQ(dialer.session.muxer(), listener.session.muxer());
    return std::string(dialer.session.muxer());
  }

  static constexpr std::string_view kYamux = "/yamux/1.0.0", kMplex = "/mplex/6.7.0";
  const Party dialer_{1}, listener_{2};
};

TYPED_TEST_SUITE_P(SecureChannel);

TYPED_TEST_P(SecureChannel, OpensWithBothIdentitiesVerified) {
  auto config = this->dialer_config();
  config.expected_peer = this->listener_.id();
  typename TestFixture::End dialer(config), listener(this->listener_config());
  EXPECT_TRUE(listener.pending().empty());
  this->meet(dialer, listener);
  ASSERT_TRUE(dialer.is_open() && listener.is_open()) << dialer.session.error().to_string();
  EXPECT_EQ(dialer.session.remote_peer(), this->listener_.id());
  EXPECT_EQ(listener.session.remote_peer(), this->dialer_.id());
  EXPECT_EQ(dialer.session.muxer(), "");
}

TYPED_TEST_P(SecureChannel, CarriesDataHoweverItIsCutAndInterleaved) {
  using Node = typename TestFixture::End;
  for (uint64_t seed = 0; seed < 15; ++seed) {
    Node dialer(this->dialer_config()), listener(this->listener_config());
    Pair pair(dialer, listener);
    const ByteVector decisions = random_bytes(seed, 3000);
    FuzzInput input(decisions);
    while (!input.empty()) {
      Node& end = input.flag() ? dialer : listener;
      if (end.is_open()) end.say(random_bytes(seed, input.below(5000)), input);
      for (int i = 0; i < 8; ++i) pair.step(input);
    }
    pair.settle();
    ASSERT_TRUE(dialer.is_open() && listener.is_open()) << dialer.session.error().to_string();
    EXPECT_EQ(dialer.received, listener.said);
    EXPECT_EQ(listener.received, dialer.said);
    EXPECT_GT(dialer.said.size(), 10000U);
  }
}

TYPED_TEST_P(SecureChannel, OpensWhenBytesComeOneByOne) {
  using Node = typename TestFixture::End;
  Node dialer(this->dialer_config()), listener(this->listener_config());
  const auto trickle = [](Node& from, Node& to) {
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

TYPED_TEST_P(SecureChannel, TakesTheHandshakeAndTheFirstDataInOnePiece) {
  typename TestFixture::End dialer(this->dialer_config()), listener(this->listener_config());
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

TYPED_TEST_P(SecureChannel, RefusesAnotherPeerThanTheOneDialed) {
  auto config = this->dialer_config();
  config.expected_peer = TypeParam(9).id();
  typename TestFixture::End dialer(config), listener(this->listener_config());
  this->meet(dialer, listener);
  EXPECT_EQ(dialer.session.state(), TypeParam::Session::State::kFailed);
  EXPECT_EQ(dialer.session.error().status(), KITH_ERR_PEER_ID_MISMATCH);
  EXPECT_EQ(dialer.session.error().detail(), "dialed " + config.expected_peer.to_string() +
                                                 " but the peer is " +
                                                 this->listener_.id().to_string());
  EXPECT_TRUE(dialer.session.remote_peer().empty());
  EXPECT_FALSE(listener.is_open());
}

TYPED_TEST_P(SecureChannel, TakesTheFirstOfTheDialersMuxersThatBothHave) {
  const auto yamux = this->kYamux, mplex = this->kMplex;
  EXPECT_EQ(this->agree({yamux, mplex}, {mplex, yamux}), yamux);
  EXPECT_EQ(this->agree({"/quic/9", mplex, yamux}, {yamux, mplex}), mplex);
  EXPECT_EQ(this->agree({yamux}, {yamux}), yamux);
}

TYPED_TEST_P(SecureChannel, LeavesTheMuxerToMultistreamWhenOneSideNamesNone) {
  EXPECT_EQ(this->agree({}, {this->kYamux}), "");
  EXPECT_EQ(this->agree({this->kYamux}, {}), "");
}

TYPED_TEST_P(SecureChannel, TakesNothingAfterTheFirstBadByte) {
  typename TestFixture::End dialer(this->dialer_config()), listener(this->listener_config());
  this->meet(dialer, listener);
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("first"), dialer.out).ok());
  const size_t size = dialer.pending().size();
  ASSERT_TRUE(dialer.session.encrypt(as_bytes("second"), dialer.out).ok());
  const ByteVector good = to_vector(dialer.pending());
  ByteVector bad = good;
  bad[size - 1] ^= 1;
  listener.receive(bad);
  EXPECT_EQ(listener.session.error().status(), KITH_ERR_MALFORMED);
  listener.sent(listener.pending().size());
  listener.receive(Bytes(good).subspan(size));
  listener.receive(good);
  EXPECT_EQ(listener.last.status(), KITH_ERR_MALFORMED);
  EXPECT_TRUE(listener.received.empty() && listener.pending().empty());
  EXPECT_EQ(listener.session.encrypt(as_bytes("x"), listener.out).status(), KITH_ERR_INVALID_STATE);
}

TYPED_TEST_P(SecureChannel, IsStartedOnceBeforeAnythingElse) {
  typename TypeParam::Session session(this->dialer_config());
  OutputBytes out;
  ByteVector chunk(10);
  auto ignore = [](MutableBytes) {};
  EXPECT_EQ(session.receive(chunk, ignore, out).status(), KITH_ERR_INVALID_STATE);
  EXPECT_EQ(session.encrypt(as_bytes("x"), out).status(), KITH_ERR_INVALID_STATE);
  EXPECT_TRUE(session.start(out).ok());
  EXPECT_EQ(session.start(out).status(), KITH_ERR_INVALID_STATE);
}

REGISTER_TYPED_TEST_SUITE_P(SecureChannel, OpensWithBothIdentitiesVerified,
                            CarriesDataHoweverItIsCutAndInterleaved, OpensWhenBytesComeOneByOne,
                            TakesTheHandshakeAndTheFirstDataInOnePiece,
                            RefusesAnotherPeerThanTheOneDialed,
                            TakesTheFirstOfTheDialersMuxersThatBothHave,
                            LeavesTheMuxerToMultistreamWhenOneSideNamesNone,
                            TakesNothingAfterTheFirstBadByte, IsStartedOnceBeforeAnythingElse);

}  // namespace kith::fuzz
