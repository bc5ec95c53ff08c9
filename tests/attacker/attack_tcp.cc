// Scenarios of the upgrade over TCP: multistream, Noise and TLS handshakes that are wrong, slow or never finished.
// Spec: libp2p/specs connections/README.md, noise/README.md, tls/tls.md.
#include <algorithm>
#include <thread>

#include "tests/attacker/report.h"
#include "tests/attacker/tls.h"
#include "tests/attacker/yamux.h"

namespace kith::attacker {
namespace {

// The deadline of an upgrade, and what a node may take to notice.
constexpr double kUpgradeSeconds = 10;
constexpr double kSlackSeconds = 2;

Verdict expect_end(TcpSocket& socket, Clock::time_point deadline) {
  const bool is_ended = socket.wait_end(deadline);
  Line("reaction").flag("connection_ended", is_ended).print();
  return is_ended ? right("the node ended the connection") : wrong("the node kept the connection");
}

Verdict attack_good(Run& run) {
  YamuxPeer peer(run, run.host_key());
  return peer.is_open() && peer.has_pong(1, run.after(5))
             ? right("the node accepted us")
             : wrong("the node did not accept a good peer");
}

Verdict attack_line(Run& run) {
  TcpSocket socket(run.options.host, run.options.port);
  if (!socket.is_open()) return trouble("no connection to the node");
  Bytes hello;
  append_line(hello, kMultistream);
  append_line(hello, "/" + std::string(2000, 'x'));
  socket.send(hello, run.after(5));
  return expect_end(socket, run.wait_deadline());
}

// One byte of a good beginning every --interval-ms: an idle limit never fires, an absolute deadline must.
Verdict attack_dribble(Run& run) {
  TcpSocket socket(run.options.host, run.options.port);
  if (!socket.is_open()) return trouble("no connection to the node");
  const auto start = Clock::now();
  Bytes hello, dropped;
  append_line(hello, kMultistream);
  append_line(hello, "/noise");
  const std::chrono::milliseconds interval(run.options.number("interval-ms", 500));
  for (size_t i = 0; i < hello.size() && !socket.is_ended() && Clock::now() < run.limit(); ++i) {
    socket.send(View(hello).subspan(i, 1), run.after(1));
    const auto next = start + interval * static_cast<int>(i + 1);
    while (socket.receive(dropped, next)) {
    }
  }
  const bool is_ended = socket.wait_end(run.after(kSlackSeconds));
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Line("reaction").flag("connection_ended", is_ended).seconds("seconds", seconds).print();
  if (!is_ended || seconds > kUpgradeSeconds + kSlackSeconds)
    return wrong("the node waited too long");
  return seconds < kUpgradeSeconds - kSlackSeconds ? wrong("the node gave up too early")
                                                   : right("the node kept its deadline");
}

// COUNT connections that say nothing. The node may have --max of them under way, and none after its deadline.
Verdict attack_half(Run& run) {
  const uint64_t count = run.options.number("count", 200), most = run.options.number("max", 1024);
  std::vector<TcpSocket> sockets;
  for (uint64_t i = 0; i < count; ++i) {
    TcpSocket socket(run.options.host, run.options.port);
    if (socket.is_open()) sockets.push_back(std::move(socket));
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const auto count_kept = [&] {
    return static_cast<uint64_t>(std::count_if(
        sockets.begin(), sockets.end(), [](TcpSocket& s) { return !s.wait_end(Clock::now()); }));
  };
  const uint64_t at_first = count_kept();
  std::this_thread::sleep_until(run.after(kUpgradeSeconds + kSlackSeconds - 1));
  const uint64_t at_last = count_kept();
  Line("reaction")
      .number("opened", sockets.size())
      .number("kept", at_first)
      .number("kept_after_the_deadline", at_last)
      .print();
  if (at_first > most) return wrong("the node kept more upgrades than it may");
  return at_last == 0 ? right("the node kept its limit and its deadline")
                      : wrong("the node kept silent connections");
}

// A handshake that must fail; with `plan` empty, one that is right up to a broken frame behind it.
Scenario noise(const char* name, const char* help, const NoisePlan& plan) {
  return {name, help, [=](Run& run) {
            TcpSocket socket(run.options.host, run.options.port);
            if (!socket.is_open()) return trouble("no connection to the node");
            NoiseChannel channel(socket);
            if (channel.handshake(run.host_key(), plan, run.after(5))) {
              Bytes rest;
              if (agree(channel, "/yamux/1.0.0", rest, run.after(3))) {
                return wrong("the node took us for a peer");
              }
            }
            return expect_end(socket, run.wait_deadline());
          }};
}

// The frames behind a bad one are right: with a nonce that goes on, or with the one that was not used.
Verdict attack_bad_frame(Run& run) {
  for (const bool reuses_nonce : {false, true}) {
    YamuxPeer peer(run, run.host_key());
    if (!peer.is_open() || !peer.has_pong(1, run.after(5))) {
      return trouble("no connection to the node");
    }
    Bytes update;
    append_frame(update, kYamuxPing, kYamuxSyn, 0, 7);
    Bytes bad = peer.channel().seal(update);
    if (reuses_nonce) peer.channel().unseal();
    bad.back() ^= 1;
    peer.channel().socket().send(bad, run.after(5));
    if (peer.has_pong(3, run.after(3))) return wrong("the node went on after a bad frame");
    if (!peer.wait_end(run.wait_deadline())) return wrong("the node kept the connection");
  }
  return right("the first bad frame was the last");
}

// A TLS client that presents no certificate. In TLS 1.3 its own handshake is complete before the server notices.
Verdict attack_tls(Run& run) {
  TcpSocket socket(run.options.host, run.options.port);
  Bytes rest;
  if (!socket.is_open() || !agree(socket, "/tls/1.0.0", rest, run.after(5))) {
    return trouble("the node does not speak TLS");
  }
  TlsChannel channel(socket, TlsChannel::Kind::kLibp2p);
  const bool is_served =
      channel.handshake(run.after(5)) && channel.receive(rest, run.wait_deadline());
  const bool is_refused = !is_served && socket.has_hung_up(run.after(5));
  Line("reaction").flag("served", is_served).flag("refused", is_refused).print();
  if (is_served) return wrong("the node serves a client without a certificate");
  return is_refused ? right("the node refused") : wrong("the node kept the connection");
}

// COUNT requests to update keys, and nothing else, at most --max on one connection: behind a good handshake and the muxer's
// name, or, with --web, behind the handshake of the web. The node must end each of these connections.
Verdict attack_key_updates(Run& run) {
  const uint64_t count = run.options.number("count", 300'000);
  const uint64_t most = run.options.number("max", 20'000);
  const bool is_web = run.options.number("web", 0) != 0;
  uint64_t sent = 0, connections = 0, borne = 0;
  while (sent < count && Clock::now() < run.limit()) {
    TcpSocket socket(run.options.host, run.options.port);
    Bytes rest;
    const auto deadline = run.after(10);
    if (!socket.is_open() || (!is_web && !agree(socket, "/tls/1.0.0", rest, deadline))) {
      return trouble("the node takes no connection any more");
    }
    TlsChannel channel(socket, is_web ? TlsChannel::Kind::kWeb : TlsChannel::Kind::kLibp2p,
                       is_web ? nullptr : &run.host_key());
    if (!channel.handshake(deadline) ||
        (!is_web && !agree(channel, "/yamux/1.0.0", rest, deadline))) {
      return trouble("the handshake fails");
    }
    ++connections;
    uint64_t on_this = 0;
    while (!socket.has_hung_up() && on_this < most) {
      Bytes block;
      for (int i = 0; i < 100; ++i) channel.append_key_update(block);
      socket.send(block, run.after(5));
      on_this += 100;
    }
    sent += on_this;
    if (!socket.has_hung_up(run.after(5))) ++borne;
  }
  run.report_flood(sent, connections, borne);
  if (sent < count) return trouble("the flood was not over in time");
  return borne == 0 ? right("the node ended the connections") : wrong("the node bore a flood");
}

}  // namespace

void add_tcp_scenarios(std::vector<Scenario>& out) {
  // A point of order 8 (RFC 7748, section 6.1).
  static constexpr uint8_t kSmallOrder[] = {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
                                            0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
                                            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
                                            0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00};
  out.push_back(
      {"tcp-good", "right handshake, yamux, ping over TCP: must be accepted", attack_good});
  out.push_back(
      {"tcp-oversized-line", "a multistream line of 2,000 bytes before anything", attack_line});
  out.push_back({"tcp-dribbled-upgrade", "a good beginning, a byte every --interval-ms (500)",
                 attack_dribble});
  out.push_back({"tcp-half-upgrades", "COUNT (200) silent connections; the node may keep --max",
                 attack_half});
  out.push_back(noise("noise-foreign-signature", "the signature is of another static key",
                      {.foreign_signature = true}));
  out.push_back(
      noise("noise-no-signature", "the payload has no signature", {.no_signature = true}));
  out.push_back(noise("noise-small-order", "the ephemeral key is a point of small order",
                      {.ephemeral = Bytes(std::begin(kSmallOrder), std::end(kSmallOrder))}));
  out.push_back(
      {"noise-bad-frame", "a frame that does not decrypt, then good ones", attack_bad_frame});
  out.push_back({"tls-no-certificate", "TLS client without a certificate, over TCP", attack_tls});
  out.push_back(
      {"tls-key-updates",
       "COUNT (300000) updates of keys and no data, --max on one connection; --web 1: to /wss",
       attack_key_updates});
}

}  // namespace kith::attacker
