#include "host/placement.h"

#include <gtest/gtest.h>

#include "crypto/keys.h"

namespace kith::host {
namespace {

identity::PeerId a_peer() {
  const auto key = crypto::PrivateKey::generate(crypto::KeyType::kEd25519).value();
  return identity::PeerId::from_public_key(key.public_key());
}

TEST(Placement, SpreadsPeersEvenly) {
  Placement placement(4);
  size_t count[4] = {};
  for (int i = 0; i < 40; ++i) ++count[placement.choose(a_peer())];
  for (const size_t n : count) EXPECT_EQ(n, 10u);
}

TEST(Placement, DialsAPeerWhereItIsConnected) {
  Placement placement(4);
  const identity::PeerId peer = a_peer();
  placement.add(peer, 3);
  EXPECT_EQ(placement.choose(peer), 3u);
  placement.remove(peer, 3);  // the connection; the dial still counts
  EXPECT_EQ(placement.choose(peer), 3u);
}

TEST(Placement, DialsAPeerWhereItIsBeingDialed) {
  Placement placement(2);
  const identity::PeerId peer = a_peer();
  const size_t loop = placement.choose(peer);
  placement.choose(a_peer());
  placement.choose(a_peer());
  EXPECT_EQ(placement.choose(peer), loop);
}

TEST(Placement, ForgetsAPeerWithItsLastConnection) {
  Placement placement(2);
  const identity::PeerId peer = a_peer();
  placement.add(peer, 1);
  placement.add(peer, 1);
  placement.remove(peer, 1);
  EXPECT_EQ(placement.choose(peer), 1u);
  placement.remove(peer, 1);
  placement.remove(peer, 1);
  EXPECT_EQ(placement.choose(peer), 0u);  // both are empty now
}

TEST(Placement, PrefersTheOlderOfTwoLoops) {
  Placement placement(3);
  const identity::PeerId peer = a_peer();
  placement.add(peer, 2);
  placement.add(peer, 1);
  EXPECT_EQ(placement.choose(peer), 2u);
  placement.remove(peer, 2);
  placement.remove(peer, 2);
  EXPECT_EQ(placement.choose(peer), 1u);
}

TEST(Placement, SpreadsDialsToWhoeverAnswers) {
  Placement placement(2);
  EXPECT_NE(placement.choose({}), placement.choose({}));
  placement.remove({}, 1);
  EXPECT_EQ(placement.choose({}), 1u);
}

}  // namespace
}  // namespace kith::host
