#include "service/perf.h"

#include <gtest/gtest.h>

#include "crypto/keys.h"
#include "runtime/sim_loop.h"
#include "transport/memory/memory.h"

namespace kith::service {
namespace {

identity::PeerId peer_id(uint8_t seed) {
  const ByteVector bytes(32, seed);
  return identity::PeerId::from_public_key(
      crypto::PrivateKey::ed25519_from_seed(bytes).value().public_key());
}

// Two swarms on a virtual network; B serves perf if asked to.
class PerfTest : public testing::Test, public swarm::ConnectHandler, public PerfHandler {
 protected:
  struct Node {
    Node(runtime::Loop& loop, transport::memory::MemoryNetwork& network, uint8_t seed)
        : swarm(loop, peer_id(seed)), perf(swarm) {
      swarm.add_transport(
          std::make_unique<transport::memory::MemoryTransport>(loop, network, swarm.self()));
    }
    swarm::Swarm swarm;
    PerfService perf;
  };
  ~PerfTest() override {
    session_.reset();
    int stopped = 0;
    for (Node* n : {&a_, &b_})
      n->swarm.shutdown([](void* c) { ++*static_cast<int*>(c); }, &stopped);
    EXPECT_TRUE(loop_.run_until([&] { return stopped == 2; }));
  }
  void run(bool serve, uint64_t upload, uint64_t download) {
    network_.latency = milliseconds(5);
    if (serve) b_.perf.serve();
    const wire::Multiaddr address = wire::Multiaddr::parse("/memory/1").value();
    ASSERT_TRUE(b_.swarm.listen(address).ok());
    connect_ = a_.swarm.connect(b_.swarm.self(), std::span(&address, 1), this).value();
    ASSERT_TRUE(loop_.run_until([&] { return connection_ != nullptr; }));
    session_ = a_.perf.start(*connection_, upload, download, this).value();
    ASSERT_TRUE(loop_.run_until([&] { return ended_; }));
  }
  void on_connect(swarm::PeerConnection& c) override { connection_ = &c; }
  void on_connect_failed(const Error& e) override { ADD_FAILURE() << e.to_string(); }
  void on_perf_progress(const PerfResult&) override { ++num_progress_; }
  void on_perf_end(const PerfResult& result, const Error& error) override {
    ended_ = true;
    result_ = result;
    error_ = error;
  }

  runtime::SimLoop loop_;
  transport::memory::MemoryNetwork network_;
  Node a_{loop_, network_, 1};
  Node b_{loop_, network_, 2};
  std::unique_ptr<swarm::Connect> connect_;
  std::unique_ptr<PerfSession> session_;
  swarm::PeerConnection* connection_ = nullptr;
  bool ended_ = false;
  int num_progress_ = 0;
  PerfResult result_;
  Error error_{KITH_OK, ""};
};

TEST_F(PerfTest, MovesTheBytesBothWays) {
  run(/*serve=*/true, 3 << 20, 5 << 20);
  EXPECT_EQ(error_.status(), KITH_OK) << error_.to_string();
  EXPECT_EQ(result_.uploaded, 3U << 20);
  EXPECT_EQ(result_.downloaded, 5U << 20);
  EXPECT_GT(result_.upload_time, 0);
}

TEST_F(PerfTest, MeasuresALatencyOfOneRoundTripForNothing) {
  run(/*serve=*/true, 0, 1);
  EXPECT_EQ(result_.upload_time, milliseconds(10));  // proposal, header and end leave together
}

TEST_F(PerfTest, ReportsProgressEverySecond) {
  run(/*serve=*/true, 60 << 20, 0);  // 256 KiB per round trip of 10 ms: about 2.4 s
  EXPECT_EQ(error_.status(), KITH_OK) << error_.to_string();
  EXPECT_GE(num_progress_, 2);
}

TEST_F(PerfTest, IsNotServedUnlessAskedFor) {
  run(/*serve=*/false, 1000, 1000);
  EXPECT_EQ(error_.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << error_.to_string();
}

}  // namespace
}  // namespace kith::service
