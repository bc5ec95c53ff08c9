// Scenarios about handshakes that are slow, halved, damaged or finished late.
#include <algorithm>
#include <random>
#include <thread>

#include "tests/attacker/flood.h"
#include "tests/attacker/relay.h"
#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

// So large a certificate spreads over several datagrams, which a relay can part.
constexpr size_t kLargePadding = 2400;
// With it the certificate just fits into the first two datagrams; CertificateVerify and Finished
// come in the third.
constexpr size_t kLateFinishPadding = 1825;
// The deadline of a handshake, and what a node may take to notice.
constexpr double kHandshakeSeconds = 10;
constexpr double kSlackSeconds = 2;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Dials the node through a relay with `plan`; the connection has a ping waiting to be sent.
struct RelayedDial {
  RelayedDial(Run& run, const RelayPlan& plan, const Credential& credential)
      : relay(run.options.host, run.options.port, plan) {
    if (relay.port() == 0) return;
    connection = run.endpoint.dial(run.options.host, relay.port(), credential);
    if (connection) stream = connection->open_stream();
    if (stream != nullptr) stream->send(ping_hello(kPingBytes));
  }

  // With the endpoint's lock held.
  void report(const Clock::time_point& start) const {
    const Connection::State& state = connection->state;
    Line("reaction")
        .flag("connected", state.is_connected)
        .flag("ended", state.is_ended)
        .seconds("ended_after", state.is_ended ? seconds_between(start, state.ended) : -1)
        .flag("served", is_served())
        .number("passed", relay.counts().passed.load())
        .number("delayed", relay.counts().delayed.load())
        .number("damaged", relay.counts().damaged.load())
        .print();
  }
  bool is_served() const {
    return connection->state.node_bytes > 0 || connection->state.node_streams > 0;
  }

  Relay relay;
  std::unique_ptr<Connection> connection;
  Stream* stream = nullptr;
};

// One datagram of the dialer every --interval-ms: an idle limit never fires, an absolute deadline
// must.
Verdict attack_by_dribble(Run& run) {
  if (run.options.is_server) return trouble("dribbled-handshake is for client mode");
  RelayPlan plan;
  plan.kind = RelayKind::kDribble;
  plan.pause = std::chrono::milliseconds(run.options.number("interval-ms", 9000));
  CertificateSpec spec;
  spec.padding_bytes = kLargePadding;
  RelayedDial dial(run, plan, run.credential(spec));
  if (dial.stream == nullptr) return trouble("no connection was started");
  Clock::time_point start = Clock::now(), deadline = run.after(run.options.seconds("wait", 45));
  run.endpoint.wait_until(deadline,
                          [&] { return dial.connection->state.is_ended || dial.is_served(); });
  double seconds = seconds_between(start, Clock::now());
  auto lock = run.endpoint.lock();
  dial.report(start);
  if (dial.is_served()) {
    return seconds > kHandshakeSeconds + kSlackSeconds
               ? wrong("the node took a handshake that dribbled in")
               : right("the handshake was complete in time");
  }
  const Connection::State& state = dial.connection->state;
  bool is_in_time =
      state.is_ended && seconds_between(start, state.ended) <= kHandshakeSeconds + kSlackSeconds;
  if (is_in_time) return right("the node ended the handshake in time");
  if (run.options.text("expect", "") == "refused")
    return wrong("the node did not end the handshake in time");
  return right("the node never completed the handshake");
}

// The certificate expires between its arrival and the end of the handshake. Whether the node then
// accepts is its choice; it must stay whole.
Verdict attack_by_late_finish(Run& run) {
  if (run.options.is_server) return trouble("held-finish is for client mode");
  double hold = run.options.seconds("hold", 4);
  RelayPlan plan;
  plan.kind = RelayKind::kHoldFinish;
  plan.pause = std::chrono::milliseconds(static_cast<int64_t>(hold * 1000));
  CertificateSpec spec;
  spec.padding_bytes = run.options.number("padding", kLateFinishPadding);
  spec.not_after = static_cast<int64_t>(hold) - 1;
  RelayedDial dial(run, plan, run.credential(spec));
  if (dial.stream == nullptr) return trouble("no connection was started");
  Clock::time_point start = Clock::now();
  run.endpoint.wait_until(run.wait_deadline(),
                          [&] { return dial.connection->state.is_ended || dial.is_served(); });
  uint64_t held = dial.relay.counts().delayed;
  {
    auto lock = run.endpoint.lock();
    dial.report(start);
  }
  HonestDials after;
  after.dial(run);
  after.report("after");
  if (held == 0) return trouble("the relay found no certificate flight to hold");
  return after.failed == 0 ? right("the node still serves")
                           : wrong("an honest dial failed afterwards");
}

// Damages a share of what the dialer sends. The handshake may succeed or not.
Verdict attack_by_damage(Run& run) {
  if (run.options.is_server) return trouble("corrupted-handshake is for client mode");
  HonestDials after;
  uint64_t count = run.options.number("count", 20), served = 0;
  for (uint64_t i = 0; i < count && Clock::now() + std::chrono::seconds(10) < run.limit(); ++i) {
    RelayPlan plan;
    plan.kind = RelayKind::kCorrupt;
    plan.percent = run.options.number("percent", 30);
    plan.seed = run.options.number("random-seed", 1) + i;
    RelayedDial dial(run, plan, run.credential());
    if (dial.stream == nullptr) return trouble("no connection was started");
    run.endpoint.wait_until(run.after(3), [&] {
      return dial.connection->state.is_ended || is_pong(dial.stream->state);
    });
    auto lock = run.endpoint.lock();
    if (is_pong(dial.stream->state)) ++served;
  }
  Line("reaction").number("dials", count).number("ponged", served).print();
  after.dial(run);
  after.report("after");
  return after.failed == 0 ? right("the node still serves")
                           : wrong("an honest dial failed afterwards");
}

// Before each datagram of a good connection goes a damaged copy of it: all must be dropped unseen.
Verdict attack_by_copies(Run& run) {
  if (run.options.is_server) return trouble("mutated-datagrams is for client mode");
  RelayPlan plan;
  plan.kind = RelayKind::kExtraCopies;
  plan.seed = run.options.number("random-seed", 1);
  RelayedDial dial(run, plan, run.credential());
  if (dial.stream == nullptr) return trouble("no connection was started");
  uint64_t count = run.options.number("count", 1000), done = 0;
  Clock::time_point start = Clock::now(), deadline = run.limit() - std::chrono::seconds(5);
  bool is_answered =
      run.endpoint.wait_until(run.after(10), [&] { return is_pong(dial.stream->state); });
  uint64_t header = ping_hello(0).size();
  while (is_answered && ++done < count && Clock::now() < deadline) {
    dial.stream->send(Bytes(kPingBytes, 'm'));
    is_answered = run.endpoint.wait_until(run.after(10), [&] {
      return dial.stream->state.received_bytes >= header + (done + 1) * kPingBytes;
    });
  }
  auto lock = run.endpoint.lock();
  dial.report(start);
  Line("pings").number("answered", done).print();
  return is_answered ? right("the connection lives through damaged copies")
                     : wrong("a ping was not answered");
}

struct HalfHandshakes {
  std::vector<Socket> sockets;
  std::vector<ClientInitial> hello;
  size_t datagrams = 0;
  FloodResult result;
  Clock::time_point last_sent;
};

// Sends a ClientHello with an id of its own over each socket, then only counts what comes back.
void send_halves(Run& run, HalfHandshakes& halves) {
  uint64_t rate = run.options.number("rate", 2000);
  std::mt19937_64 random(run.options.number("random-seed", 1));
  FloodResult& result = halves.result;
  Clock::time_point start = Clock::now();
  for (size_t index = 0; index < halves.sockets.size(); ++index) {
    Bytes destination(8);
    for (uint8_t& byte : destination) byte = static_cast<uint8_t>(random());
    for (size_t i = 0; i < halves.datagrams; ++i) {
      Bytes datagram = seal_client_initial(halves.hello[i], destination);
      if (send(halves.sockets[index].fd(), datagram.data(), datagram.size(), 0) < 0) continue;
      ++result.sent;
      result.sent_bytes += datagram.size();
    }
    if (rate == 0) continue;
    std::this_thread::sleep_until(start + std::chrono::nanoseconds(1'000'000'000 / rate) * index);
  }
  halves.last_sent = Clock::now();
  result.seconds = seconds_between(start, halves.last_sent);
  Line("half_open")
      .number("handshakes", halves.sockets.size())
      .seconds("seconds", result.seconds)
      .print();
  Clock::time_point end = run.after(run.options.seconds("hold", 15));
  while (Clock::now() < end) {
    for (const Socket& socket : halves.sockets) result.is_refused |= !drain(socket, result.replies);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Starts COUNT handshakes from as many ports, and never answers.
Verdict attack_by_halves(Run& run) {
  if (run.options.is_server) return trouble("half-handshakes is for client mode");
  const Options& options = run.options;
  HalfHandshakes halves;
  halves.hello = capture_client_hello(run);
  if (halves.hello.empty()) return trouble("no ClientHello was caught");
  halves.datagrams =
      std::min<size_t>(halves.hello.size(), options.number("datagrams", halves.hello.size()));
  uint64_t count = options.number("count", 1000);
  halves.sockets = connected_sockets(make_address(options.host, options.port), count,
                                     options.number("sources", 1));
  if (halves.sockets.size() < count) return trouble("not enough sockets: see ulimit -n");
  Line("client_hello")
      .number("datagrams", halves.hello.size())
      .number("used", halves.datagrams)
      .print();
  bool is_served = besieged(run, [&] { send_halves(run, halves); });
  const FloodResult& result = halves.result;
  result.report();
  double quiet_after =
      result.replies.datagrams > 0 ? seconds_between(halves.last_sent, result.replies.last) : 0;
  Line("reaction").seconds("last_reply_after", quiet_after).print();
  if (result.is_refused) return trouble("nobody listens on this port");
  if (result.is_amplified()) return wrong("the node sent more than three times what it got");
  if (quiet_after > kHandshakeSeconds + kSlackSeconds)
    return wrong("the node goes on with dead handshakes");
  return is_served ? right("the node went quiet and still serves")
                   : wrong("an honest dial failed afterwards");
}

}  // namespace

void add_handshake_scenarios(std::vector<Scenario>& out) {
  out.push_back({"dribbled-handshake",
                 "one datagram every --interval-ms (9000), for --wait (45) seconds; with --expect "
                 "refused the node must close in 12",
                 attack_by_dribble});
  out.push_back({"held-finish",
                 "the certificate expires before the last handshake datagram arrives (--hold 4)",
                 attack_by_late_finish});
  out.push_back({"corrupted-handshake",
                 "COUNT (20) dials with --percent (30) of the datagrams damaged",
                 attack_by_damage});
  out.push_back({"mutated-datagrams", "COUNT (1000) pings, a damaged copy before every datagram",
                 attack_by_copies});
  out.push_back({"half-handshakes",
                 "COUNT (1000) ClientHellos from as many ports, 2,000 a second, then silence for "
                 "--hold (15) seconds",
                 attack_by_halves});
}

}  // namespace kith::attacker
