// The relay and its four ways to treat a dialer's datagrams. See relay.h.
#include "tests/attacker/relay.h"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <random>
#include <thread>

#include "tests/attacker/udp.h"

namespace kith::attacker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxDatagram = 65536;
constexpr size_t kQueueLimit = 512;
// A Handshake datagram of this size carries the certificate flight, not only an acknowledgement.
constexpr size_t kFlightBytes = 600;
constexpr std::chrono::milliseconds kFlightQuiet{40};  // after it the flight is complete

// A cursor over a QUIC header; every read past the end makes it invalid.
struct Cursor {
  View rest;
  bool is_valid = true;

  View take(size_t size) {
    if (size > rest.size()) {
      is_valid = false;
      return {};
    }
    View out = rest.first(size);
    rest = rest.subspan(size);
    return out;
  }
  uint64_t varint() {
    View head = take(1);
    if (head.empty()) return 0;
    uint64_t value = head[0] & 0x3f;
    for (uint8_t byte : take((size_t{1} << (head[0] >> 6)) - 1)) value = value << 8 | byte;
    return value;
  }
};

}  // namespace

size_t handshake_bytes(View datagram) {
  constexpr uint8_t kLongHeader = 0x80, kTypeInitial = 0, kTypeHandshake = 2;
  size_t out = 0;
  Cursor at{datagram};
  while (at.is_valid && !at.rest.empty()) {
    uint8_t first = at.take(1)[0];
    if ((first & kLongHeader) == 0) break;
    at.take(4);  // version
    for (int i = 0; i < 2; ++i) {
      View length = at.take(1);
      if (!length.empty()) at.take(length[0]);
    }
    int type = first >> 4 & 3;
    if (type == kTypeInitial) at.take(at.varint());  // token
    size_t length = at.varint();
    if (type == kTypeHandshake) out += at.take(length).size();
    if (type != kTypeHandshake) at.take(length);
  }
  return out;
}

struct Relay::Worker {
  Worker(const std::string& host, uint16_t port, const RelayPlan& relay_plan)
      : plan(relay_plan),
        random(relay_plan.seed),
        node(make_address(host, port)),
        inside(bound_socket(make_address(host, 0))),
        outside(bound_socket(make_address(host, 0))) {
    if (inside.is_open()) {
      local.size = sizeof local.storage;
      getsockname(inside.fd(), local.get(), &local.size);
    }
  }

  void run();
  void from_dialer(Bytes datagram);
  void from_node();
  void release_due();
  int poll_timeout() const;
  void pass(const Bytes& datagram) {
    sendto(outside.fd(), datagram.data(), datagram.size(), 0, node.get(), node.size);
  }
  Bytes damaged(Bytes datagram);
  void enqueue(Bytes datagram) {
    if (queue.size() < kQueueLimit) queue.push_back(std::move(datagram));
    ++counts.delayed;
  }
  void hold_finish(Bytes datagram);
  void split_flight();

  // Constant.
  const RelayPlan plan;
  std::mt19937_64 random;
  const Address node;
  const Socket inside, outside;
  Address local;
  std::atomic<bool> stopping{false};
  RelayCounts counts;
  std::thread thread;

  // The relay's thread.
  Address dialer;
  std::deque<Bytes> queue;
  Clock::time_point next_release{};
  // kHoldFinish: kWaiting -> kCollecting (the flight) -> kHolding (its last datagram) -> kDone.
  enum class Phase { kWaiting, kCollecting, kHolding, kDone } phase = Phase::kWaiting;
};

Bytes Relay::Worker::damaged(Bytes datagram) {
  ++counts.damaged;
  size_t flips = 1 + random() % 8;
  for (size_t i = 0; i < flips && !datagram.empty(); ++i) {
    datagram[random() % datagram.size()] ^= static_cast<uint8_t>(1 + random() % 255);
  }
  if (random() % 8 == 0) datagram.resize(1 + random() % datagram.size());
  return datagram;
}

void Relay::Worker::hold_finish(Bytes datagram) {
  if (phase == Phase::kWaiting && handshake_bytes(datagram) >= kFlightBytes)
    phase = Phase::kCollecting;
  if (phase == Phase::kWaiting || phase == Phase::kDone) {
    ++counts.passed;
    pass(datagram);
    return;
  }
  enqueue(std::move(datagram));
  if (phase != Phase::kCollecting) return;
  // A datagram that is not full ends the flight; what comes later is a retransmission.
  if (queue.back().size() < queue.front().size()) {
    split_flight();
  } else {
    next_release = Clock::now() + kFlightQuiet;
  }
}

// The flight is complete: its last Handshake datagram, which ends with Finished, and all behind it
// are held. What follows may be application data already.
void Relay::Worker::split_flight() {
  size_t held = 1;
  while (held < queue.size() && handshake_bytes(queue[queue.size() - held]) == 0) ++held;
  while (queue.size() > held) {
    pass(queue.front());
    queue.pop_front();
  }
  phase = Phase::kHolding;
  next_release = Clock::now() + plan.pause;
}

void Relay::Worker::from_dialer(Bytes datagram) {
  switch (plan.kind) {
    case RelayKind::kDribble:
      enqueue(std::move(datagram));
      return;
    case RelayKind::kHoldFinish:
      hold_finish(std::move(datagram));
      return;
    case RelayKind::kCorrupt:
      if (random() % 100 < plan.percent) datagram = damaged(std::move(datagram));
      break;
    case RelayKind::kExtraCopies:
      pass(damaged(datagram));
      break;
  }
  ++counts.passed;
  pass(datagram);
}

void Relay::Worker::release_due() {
  if (queue.empty() || Clock::now() < next_release) return;
  if (plan.kind == RelayKind::kDribble) {
    pass(queue.front());
    queue.pop_front();
    next_release = Clock::now() + plan.pause;
    return;
  }
  if (phase == Phase::kCollecting) {
    split_flight();
    return;
  }
  phase = Phase::kDone;
  for (const Bytes& datagram : queue) pass(datagram);
  queue.clear();
}

int Relay::Worker::poll_timeout() const {
  constexpr int64_t kIdleMs = 50;
  if (queue.empty()) return kIdleMs;
  auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(next_release - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, kIdleMs));
}

void Relay::Worker::from_node() {
  Bytes buffer(kMaxDatagram);
  for (;;) {
    ssize_t size = recv(outside.fd(), buffer.data(), buffer.size(), 0);
    if (size < 0) return;
    if (dialer.size > 0) {
      sendto(inside.fd(), buffer.data(), static_cast<size_t>(size), 0, dialer.get(), dialer.size);
    }
  }
}

void Relay::Worker::run() {
  Bytes buffer(kMaxDatagram);
  while (!stopping) {
    pollfd fds[] = {{inside.fd(), POLLIN, 0}, {outside.fd(), POLLIN, 0}};
    poll(fds, 2, poll_timeout());
    for (;;) {
      Address from;
      from.size = sizeof from.storage;
      ssize_t size = recvfrom(inside.fd(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
      if (size < 0) break;
      dialer = from;
      from_dialer(Bytes(buffer.begin(), buffer.begin() + size));
    }
    from_node();
    release_due();
  }
}

Relay::Relay(const std::string& host, uint16_t port, const RelayPlan& plan)
    : worker_(std::make_unique<Worker>(host, port, plan)) {
  if (this->port() == 0) return;
  worker_->thread = std::thread([this] { worker_->run(); });
}

Relay::~Relay() {
  worker_->stopping = true;
  if (worker_->thread.joinable()) worker_->thread.join();
}

uint16_t Relay::port() const {
  bool is_open = worker_->inside.is_open() && worker_->outside.is_open();
  return is_open ? worker_->local.port() : uint16_t{0};
}

const RelayCounts& Relay::counts() const { return worker_->counts; }

}  // namespace kith::attacker
