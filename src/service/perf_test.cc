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
  void start(bool serve, uint64_t upload, uint64_t download) {
    network_.latency = milliseconds(5);
    if (serve) b_.perf.serve();
    const wire::Multiaddr address = wire::Multiaddr::parse("/memory/1").value();
    ASSERT_TRUE(b_.swarm.listen(address).ok());
    connect_ = a_.swarm.connect(b_.swarm.self(), std::span(&address, 1), this).value();
    ASSERT_TRUE(loop_.run_until([&] { return connection_ != nullptr; }));
    session_ = a_.perf.start(*connection_, upload, download, this).value();
  }
  void run(bool serve, uint64_t upload, uint64_t download) {
    start(serve, upload, download);
    ASSERT_TRUE(loop_.run_until([&] { return ended_; }));
  }
  void stop_after(Duration duration) {
    const TimePoint end = loop_.now() + duration;
    ASSERT_TRUE(loop_.run_until([&] { return loop_.now() >= end; }));
    session_->stop();
    EXPECT_FALSE(ended_) << "in a later turn";
    ASSERT_TRUE(loop_.run_until([&] { return ended_; }));
    EXPECT_EQ(error_.status(), KITH_OK) << error_.to_string();
  }
  void on_connect(swarm::PeerConnection& c) override { connection_ = &c; }
  void on_connect_failed(const Error& e) override { ADD_FAILURE() << e.to_string(); }
  void on_perf_progress(const PerfResult&) override {
    ++num_progress_;
    if (stop_on_progress_) session_->stop();
  }
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
  bool stop_on_progress_ = false;
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

TEST_F(PerfTest, AStoppedUploadEndsWhenAllOfItHasArrived) {
  start(/*serve=*/true, UINT64_MAX, UINT64_MAX);
  stop_after(seconds(2) + milliseconds(500));
  EXPECT_GT(result_.uploaded, 10U << 20);
  EXPECT_LT(result_.uploaded, 100U << 20);
  // What was on the way takes a latency, the first byte that comes back another.
  EXPECT_GE(result_.upload_time, seconds(2) + milliseconds(510));
  EXPECT_LT(result_.upload_time, seconds(3));
}

TEST_F(PerfTest, AStoppedDownloadEndsAtOnce) {
  start(/*serve=*/true, 1000, UINT64_MAX);
  stop_after(seconds(2) + milliseconds(500));
  EXPECT_EQ(result_.uploaded, 1000U);
  EXPECT_GT(result_.downloaded, 10U << 20);
  EXPECT_LT(result_.downloaded, 100U << 20);
  EXPECT_EQ(result_.upload_time + result_.download_time, seconds(2) + milliseconds(500));
  session_->stop();  // harmless after the end
}

TEST_F(PerfTest, MayBeStoppedFromItsProgress) {
  stop_on_progress_ = true;
  run(/*serve=*/true, UINT64_MAX, 0);
  EXPECT_EQ(error_.status(), KITH_OK) << error_.to_string();
  EXPECT_EQ(num_progress_, 1);
}

TEST_F(PerfTest, AStopDoesNotHideAnError) {
  start(/*serve=*/false, UINT64_MAX, 1000);
  session_->stop();
  ASSERT_TRUE(loop_.run_until([&] { return ended_; }));
  EXPECT_EQ(error_.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << error_.to_string();
}

TEST_F(PerfTest, IsNotServedUnlessAskedFor) {
  run(/*serve=*/false, 1000, 1000);
  EXPECT_EQ(error_.status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED) << error_.to_string();
}

}  // namespace
}  // namespace kith::service
