// Tests of the link emulator's core: a fake clock, seeded, no packets on any device.
#include "tools/link_emulator/link_queue.h"

#include <gtest/gtest.h>

#include <set>

#include "tools/link_emulator/options.h"
#include "tools/link_emulator/packet.h"

namespace kith::link_emulator {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Packet = std::vector<uint8_t>;

LinkConfig config_of(const char* words) {
  LinkOptions options;
  EXPECT_EQ(apply_words(options, words), "");
  return options.a_to_b;
}

// A packet of 1,000 bytes that carries a number, in no protocol.
Packet numbered(size_t number, size_t length = 1000) {
  Packet out(length);
  out[1] = static_cast<uint8_t>(number >> 8);
  out[2] = static_cast<uint8_t>(number);
  return out;
}
size_t number_of(std::span<const uint8_t> p) { return static_cast<size_t>(p[1]) << 8 | p[2]; }

struct Arrival {
  Time at;
  size_t number;
  bool operator==(const Arrival&) const = default;
};

// Pushes `count` packets, one each `interval`, and returns what comes out, and when.
std::vector<Arrival> pass(LinkQueue& queue, size_t count, Duration interval, Time start = {}) {
  for (size_t i = 1; i <= count; ++i) {
    queue.push(numbered(i), start + interval * static_cast<int64_t>(i - 1));
  }
  std::vector<Arrival> out;
  while (const std::optional<Time> at = queue.next_departure()) {
    EXPECT_TRUE(queue.pop(*at - Duration{1}).empty());
    out.push_back({*at, number_of(queue.pop(*at))});
  }
  return out;
}
std::vector<Arrival> pass(const char* words, size_t count, Duration interval) {
  LinkQueue queue(config_of(words), Time{});
  return pass(queue, count, interval);
}

TEST(LinkQueue, PassesEverythingAtOnceByDefault) {
  LinkQueue queue(LinkConfig{}, Time{});
  EXPECT_EQ(pass(queue, 3, milliseconds(1)),
            (std::vector<Arrival>{{Time{0}, 1}, {milliseconds(1), 2}, {milliseconds(2), 3}}));
  EXPECT_EQ(queue.counters().packets_in, 3u);
  EXPECT_EQ(queue.counters().bytes_out, 3000u);
}

TEST(LinkQueue, DelaysEachPacketByTheSame) {
  EXPECT_EQ(pass("delay_ms=31.5", 2, milliseconds(10)),
            (std::vector<Arrival>{{microseconds(31'500), 1}, {microseconds(41'500), 2}}));
}

TEST(LinkQueue, SendsAtItsRateAndAddsTheDelay) {
  // 1,000 bytes at 8 Mbit/s take 1 ms.
  EXPECT_EQ(
      pass("rate_mbit=8 delay_ms=5", 3, Duration{0}),
      (std::vector<Arrival>{{milliseconds(6), 1}, {milliseconds(7), 2}, {milliseconds(8), 3}}));
}

TEST(LinkQueue, AnIdleLinkSavesNoRateForLater) {
  LinkQueue queue(config_of("rate_mbit=8"), Time{});
  queue.push(numbered(1), seconds(1));
  queue.push(numbered(2), seconds(1));
  EXPECT_EQ(queue.next_departure(), seconds(1) + milliseconds(1));
  queue.pop(seconds(2));
  EXPECT_EQ(queue.next_departure(), seconds(1) + milliseconds(2));
}

TEST(LinkQueue, DropsWhatFindsTheQueueFullOfBytes) {
  LinkQueue queue(config_of("rate_mbit=8 queue_bytes=3500"), Time{});
  EXPECT_EQ(pass(queue, 5, Duration{0}).size(), 3u);
  EXPECT_EQ(queue.counters().overflowed, 2u);
  EXPECT_EQ(queue.counters().max_queue_bytes, 3000u);
}

TEST(LinkQueue, DropsWhatFindsTheQueueFullOfPackets) {
  LinkQueue queue(config_of("rate_mbit=8 queue_packets=2 delay_ms=100"), Time{});
  // One leaves the queue each millisecond, though it is under way for much longer.
  EXPECT_EQ(pass(queue, 10, milliseconds(1)).size(), 10u);
  EXPECT_EQ(pass(queue, 10, microseconds(500), seconds(1)).size(), 6u);
}

TEST(LinkQueue, AQueueSmallerThanAPacketSendsOneAtATime) {
  EXPECT_EQ(pass("rate_mbit=8 queue_bytes=10", 3, Duration{0}).size(), 1u);
  EXPECT_EQ(pass("rate_mbit=8 queue_bytes=10", 3, milliseconds(1)).size(), 3u);
}

TEST(LinkQueue, QueueInMillisecondsIsBytesAtTheRate) {
  EXPECT_EQ(config_of("rate_mbit=1000 queue_ms=63").queue_bytes, 7'875'000u);
}

TEST(LinkQueue, LosesTheShareThatItIsTold) {
  LinkQueue queue(config_of("loss=0.1 seed=7"), Time{});
  const size_t arrived = pass(queue, 20'000, microseconds(1)).size();
  EXPECT_NEAR(static_cast<double>(arrived), 18'000, 150);
  EXPECT_EQ(queue.counters().lost + arrived, 20'000u);
}

TEST(LinkQueue, ALostPacketHasUsedTheRate) {
  const auto arrived = pass("rate_mbit=8 drop_first=1 drop_last=2", 3, Duration{0});
  EXPECT_EQ(arrived, (std::vector<Arrival>{{milliseconds(3), 3}}));
}

TEST(LinkQueue, LosesTheNumberedPackets) {
  std::set<size_t> arrived;
  for (const Arrival& a : pass("drop_first=2 drop_last=7", 10, milliseconds(1))) {
    arrived.insert(a.number);
  }
  EXPECT_EQ(arrived, (std::set<size_t>{1, 8, 9, 10}));
}

size_t longest_gap(const std::vector<Arrival>& arrived) {
  size_t longest = 0, before = 0;
  for (const Arrival& a : arrived) {
    longest = std::max(longest, a.number - before - 1);
    before = a.number;
  }
  return longest;
}

TEST(LinkQueue, LosesNoMoreInARowThanTheRun) {
  EXPECT_GT(longest_gap(pass("loss=0.7", 2000, microseconds(1))), 5u);
  EXPECT_EQ(longest_gap(pass("loss=0.7 loss_run=3", 2000, microseconds(1))), 3u);
  EXPECT_EQ(pass("loss=1 loss_run=3", 400, microseconds(1)).size(), 100u);
}

TEST(LinkQueue, LosesInBurstsOfTheExpectedLength) {
  // Bad one fifth of the time (0.025 / 0.125), for eight packets on average.
  const auto arrived = pass("burst_begin=0.025 burst_end=0.1", 60'000, microseconds(1));
  EXPECT_NEAR(static_cast<double>(arrived.size()) / 60'000, 0.8, 0.02);
  size_t bursts = 0, before = 0;
  for (const Arrival& a : arrived) {
    bursts += a.number != before + 1 ? 1 : 0;
    before = a.number;
  }
  EXPECT_NEAR(static_cast<double>(60'000 - arrived.size()) / static_cast<double>(bursts), 10, 1);
}

TEST(LinkQueue, TheSameSeedLosesTheSamePackets) {
  EXPECT_EQ(pass("loss=0.3 seed=5", 500, microseconds(1)),
            pass("loss=0.3 seed=5", 500, microseconds(1)));
  EXPECT_NE(pass("loss=0.3 seed=5", 500, microseconds(1)),
            pass("loss=0.3 seed=6", 500, microseconds(1)));
}

TEST(LinkQueue, OtherEffectsDoNotChangeWhichPacketsAreLost) {
  std::multiset<size_t> plain, more;
  for (const Arrival& a : pass("loss=0.3", 500, milliseconds(1))) plain.insert(a.number);
  for (const Arrival& a :
       pass("loss=0.3 jitter_ms=5 reorder=1 corrupt=0.5 rate_mbit=100", 500, milliseconds(1))) {
    more.insert(a.number);
  }
  EXPECT_EQ(plain, more);
}

TEST(LinkQueue, JitterKeepsTheOrderUnlessItMayNot) {
  size_t before = 0;
  for (const Arrival& a : pass("delay_ms=10 jitter_ms=5", 1000, microseconds(100))) {
    EXPECT_EQ(a.number, ++before);
  }
  bool is_ordered = true;
  before = 0;
  std::set<size_t> numbers;
  for (const Arrival& a : pass("delay_ms=10 jitter_ms=5 reorder=1", 1000, microseconds(100))) {
    const Time sent = microseconds(100) * static_cast<int64_t>(a.number - 1);
    EXPECT_GE(a.at - sent, milliseconds(10));
    EXPECT_LE(a.at - sent, milliseconds(15));
    is_ordered = is_ordered && a.number > before;
    before = a.number;
    numbers.insert(a.number);
  }
  EXPECT_FALSE(is_ordered);
  EXPECT_EQ(numbers.size(), 1000u);
}

TEST(LinkQueue, DuplicatesWhatItIsTold) {
  LinkQueue queue(config_of("duplicate=0.25"), Time{});
  const size_t arrived = pass(queue, 4000, microseconds(1)).size();
  EXPECT_NEAR(static_cast<double>(arrived), 5000, 100);
  EXPECT_EQ(queue.counters().duplicated, arrived - 4000);
}

TEST(LinkQueue, IsABlackHoleBySchedule) {
  std::vector<size_t> numbers;
  for (const Arrival& a : pass("on_ms=5000 off_ms=2000", 10, seconds(1)))
    numbers.push_back(a.number);
  EXPECT_EQ(numbers, (std::vector<size_t>{1, 2, 3, 4, 5, 8, 9, 10}));
}

TEST(LinkQueue, DropsWhatIsLongerThanTheMtu) {
  LinkQueue queue(config_of("mtu=1000"), Time{});
  queue.push(numbered(1, 1001), Time{});
  EXPECT_FALSE(queue.next_departure());
  queue.push(numbered(2, 1000), Time{});
  EXPECT_TRUE(queue.next_departure());
  EXPECT_EQ(queue.counters().too_long, 1u);
}

TEST(LinkQueue, ANewConfigurationLeavesWhatIsUnderWay) {
  LinkQueue queue(config_of("delay_ms=10"), Time{});
  queue.push(numbered(1), Time{});
  queue.configure(config_of("drop_first=1 drop_last=1"), milliseconds(1));
  queue.push(numbered(2), milliseconds(1));
  queue.push(numbered(3), milliseconds(20));
  EXPECT_EQ(number_of(queue.pop(milliseconds(10))), 1u);
  EXPECT_EQ(number_of(queue.pop(milliseconds(20))), 3u);
  EXPECT_EQ(queue.size(), 0u);
}

// The checksum of UDP with its pseudo header, which is 0 for a packet that is right.
uint16_t udp_error(const Packet& p) {
  const bool is_v6 = p[0] >> 4 == 6;
  const size_t header = is_v6 ? 40 : 20, addresses = is_v6 ? 8 : 12;
  uint32_t sum = 17 + static_cast<uint32_t>(p.size() - header);
  for (size_t i = addresses; i < p.size(); ++i) sum += uint32_t{p[i]} << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

Packet udp_packet(bool is_v6, size_t payload) {
  const size_t header = is_v6 ? 40 : 20;
  Packet p(header + 8 + payload);
  p[0] = is_v6 ? 0x60 : 0x45;
  p[is_v6 ? 6 : 9] = 17;
  for (size_t i = header + 8; i < p.size(); ++i) p[i] = static_cast<uint8_t>(i * 7);
  const uint16_t checksum = udp_error(p);
  p[header + 6] = static_cast<uint8_t>(checksum >> 8);
  p[header + 7] = static_cast<uint8_t>(checksum);
  return p;
}

TEST(LinkPacket, ADamagedDatagramKeepsARightChecksum) {
  for (const bool is_v6 : {false, true}) {
    for (const size_t payload : {1u, 2u, 101u, 1200u}) {
      for (uint64_t random = 0; random < 4000; random += 7) {
        const Packet before = udp_packet(is_v6, payload);
        ASSERT_EQ(udp_error(before), 0);
        Packet after = before;
        ASSERT_TRUE(flip_payload_bit(after, random));
        EXPECT_EQ(udp_error(after), 0);
        const size_t begin = before.size() - payload;
        EXPECT_FALSE(std::equal(before.begin() + static_cast<ptrdiff_t>(begin), before.end(),
                                after.begin() + static_cast<ptrdiff_t>(begin)));
      }
    }
  }
}

TEST(LinkPacket, LeavesAloneWhatHasNoPayload) {
  Packet p = udp_packet(false, 0);
  EXPECT_FALSE(flip_payload_bit(p, 1));
  Packet none;
  EXPECT_FALSE(flip_payload_bit(none, 1));
  for (size_t n = 1; n < 29; ++n) {
    Packet cut(p.begin(), p.begin() + static_cast<ptrdiff_t>(n));
    flip_payload_bit(cut, 1);  // under sanitizers: reads nothing beyond
    is_multicast(cut);
  }
}

TEST(LinkPacket, KnowsMulticast) {
  Packet p = udp_packet(false, 1);
  EXPECT_FALSE(is_multicast(p));
  p[16] = 224;
  EXPECT_TRUE(is_multicast(p));
  p = udp_packet(true, 1);
  EXPECT_FALSE(is_multicast(p));
  p[24] = 0xFF;
  EXPECT_TRUE(is_multicast(p));
}

TEST(LinkQueue, DamagesTheShareOfDatagramsThatItIsTold) {
  LinkQueue queue(config_of("corrupt=0.5"), Time{});
  const Packet sent = udp_packet(true, 500);
  size_t damaged = 0;
  for (int i = 0; i < 1000; ++i) {
    queue.push(sent, Time{});
    const auto got = queue.pop(Time{});
    damaged += std::equal(sent.begin(), sent.end(), got.begin(), got.end()) ? 0 : 1;
  }
  EXPECT_NEAR(static_cast<double>(damaged), 500, 60);
  EXPECT_EQ(queue.counters().corrupted, damaged);
}

TEST(LinkOptions, GoToTheDirectionNamedBefore) {
  LinkOptions o;
  EXPECT_EQ(apply_words(o, "loss=0.1 a-to-b loss=0.2 delay_ms=3 b-to-a loss=0.3  both mtu=1400"),
            "");
  EXPECT_EQ(o.a_to_b.loss, 0.2);
  EXPECT_EQ(o.b_to_a.loss, 0.3);
  EXPECT_EQ(o.a_to_b.delay, milliseconds(3));
  EXPECT_EQ(o.b_to_a.delay, Duration{0});
  EXPECT_EQ(o.b_to_a.mtu, 1400u);
  EXPECT_EQ(apply_words(o, "a-to-b clear"), "");
  EXPECT_EQ(o.a_to_b, LinkConfig{});
  EXPECT_EQ(o.b_to_a.loss, 0.3);
}

TEST(LinkOptions, RefuseWhatMakesNoSense) {
  LinkOptions o;
  for (const char* words :
       {"loss", "loss=", "loss=2", "loss=-1", "loss=x", "loss=nan", "lose=1", "=1"}) {
    EXPECT_NE(apply_words(o, words), "") << words;
  }
  EXPECT_EQ(o.a_to_b, LinkConfig{});
}

}  // namespace
}  // namespace kith::link_emulator
