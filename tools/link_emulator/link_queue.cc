#include "tools/link_emulator/link_queue.h"

#include <algorithm>

#include "tools/link_emulator/packet.h"

namespace kith::link_emulator {
namespace {

constexpr uint64_t kBitsPerByte = 8;
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

Duration time_to_send(size_t length, uint64_t rate_bps) {
  const double bits = static_cast<double>(length * kBitsPerByte);
  return Duration(
      static_cast<int64_t>(bits * kNanosecondsPerSecond / static_cast<double>(rate_bps)));
}

}  // namespace

uint64_t Random::next() {
  state_ += 0x9E3779B97F4A7C15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

bool Random::chance(double p) {
  constexpr double kScale = 1.0 / (uint64_t{1} << 53);
  return static_cast<double>(next() >> 11) * kScale < p;
}

uint64_t Random::below(uint64_t bound) {
  const uint64_t n = next();
  return bound == 0 ? 0 : n % bound;
}

void LinkQueue::configure(const LinkConfig& config, Time now) {
  config_ = config;
  origin_ = now;
  arrived_ = 0;
  run_ = 0;
  is_bad_ = false;
  Random seeds(config.seed);
  for (Random* r : {&loss_, &burst_, &corruption_, &duplication_, &jitter_}) {
    *r = Random(seeds.next());
  }
}

bool LinkQueue::is_blackhole(Time now) const {
  if (config_.blackhole_off <= Duration{0}) return false;
  return (now - origin_) % (config_.blackhole_on + config_.blackhole_off) >= config_.blackhole_on;
}

bool LinkQueue::is_lost() {
  // All random numbers are drawn for every packet: see the top of the header.
  if (is_bad_ ? burst_.chance(config_.burst_end) : burst_.chance(config_.burst_begin)) {
    is_bad_ = !is_bad_;
  }
  const bool is_burst_loss = burst_.chance(config_.burst_loss) && is_bad_;
  bool is_random_loss = loss_.chance(config_.loss);
  if (is_random_loss && config_.loss_run != 0 && run_ >= config_.loss_run) is_random_loss = false;
  run_ = is_random_loss ? run_ + 1 : 0;
  const bool is_listed = arrived_ >= config_.drop_first && arrived_ <= config_.drop_last;
  return is_burst_loss || is_random_loss || (is_listed && config_.drop_first != 0);
}

// Puts a packet into the queue before the wire; when it has been sent, or nothing if there is no room.
std::optional<Time> LinkQueue::enqueue(size_t length, Time now) {
  if (config_.rate_bps == 0) return now;
  while (!waiting_.empty() && waiting_.front().sent <= now) {
    waiting_bytes_ -= waiting_.front().length;
    waiting_.pop_front();
  }
  const bool is_full =
      (config_.queue_bytes != 0 && waiting_bytes_ + length > config_.queue_bytes) ||
      (config_.queue_packets != 0 && waiting_.size() >= config_.queue_packets);
  // A queue smaller than a packet still sends packets, one at a time.
  if (is_full && !waiting_.empty()) return std::nullopt;
  idle_at_ = std::max(idle_at_, now) + time_to_send(length, config_.rate_bps);
  waiting_.push_back({idle_at_, length});
  waiting_bytes_ += length;
  counters_.max_queue_bytes = std::max<uint64_t>(counters_.max_queue_bytes, waiting_bytes_);
  return idle_at_;
}

void LinkQueue::push(std::span<const uint8_t> packet, Time now) {
  ++counters_.packets_in;
  counters_.bytes_in += packet.size();
  if (config_.mtu != 0 && packet.size() > config_.mtu) {
    ++counters_.too_long;
    return;
  }
  if (is_blackhole(now)) {
    ++counters_.blackholed;
    return;
  }
  const std::optional<Time> sent = enqueue(packet.size(), now);
  if (!sent) {
    ++counters_.overflowed;
    return;
  }
  ++arrived_;
  const bool is_dropped = is_lost();
  const bool is_corrupt = corruption_.chance(config_.corrupt);
  const uint64_t corrupt_bit = corruption_.next();
  const bool is_duplicate = duplication_.chance(config_.duplicate);
  const Time arrival = *sent + config_.delay;
  const Time first = arrival + jitter();
  const Time second = arrival + jitter();
  if (is_dropped) {
    ++counters_.lost;
    return;
  }
  depart(packet, first);
  if (is_corrupt && flip_payload_bit(slots_[newest_slot_], corrupt_bit)) ++counters_.corrupted;
  if (is_duplicate) {
    ++counters_.duplicated;
    depart(packet, second);
  }
}

Duration LinkQueue::jitter() {
  const auto spread = static_cast<uint64_t>(config_.jitter.count());
  return Duration(static_cast<int64_t>(jitter_.below(spread + 1)));
}

void LinkQueue::depart(std::span<const uint8_t> packet, Time at) {
  if (!config_.reorder) at = std::max(at, last_departure_);
  last_departure_ = std::max(at, last_departure_);

  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot].assign(packet.begin(), packet.end());
  newest_slot_ = slot;
  departures_.push_back({at, departed_number_++, slot});
  std::push_heap(departures_.begin(), departures_.end());
}

std::optional<Time> LinkQueue::next_departure() const {
  if (departures_.empty()) return std::nullopt;
  return departures_.front().at;
}

std::span<const uint8_t> LinkQueue::pop(Time now) {
  if (departures_.empty() || departures_.front().at > now) return {};
  std::pop_heap(departures_.begin(), departures_.end());
  const uint32_t slot = departures_.back().slot;
  departures_.pop_back();
  free_slots_.push_back(slot);
  ++counters_.packets_out;
  counters_.bytes_out += slots_[slot].size();
  return slots_[slot];
}

}  // namespace kith::link_emulator
