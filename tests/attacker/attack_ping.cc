// Scenarios about ping: floods that are never read, a short ping, and too many ping streams.
// Spec: libp2p/specs ping/ping.md.
#include <algorithm>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

constexpr size_t kFloodBlock = 4096;
constexpr double kStallSeconds = 3;

// Negotiates ping on a new stream. Null if the node does not agree.
Stream* open_ping(Run& run, Connection& connection) {
  Stream* stream = connection.open_stream();
  if (stream == nullptr) return nullptr;
  Bytes hello = ping_hello(0);
  stream->send(hello);
  run.endpoint.wait_until(run.after(5), [&] {
    return stream->state.received == hello || stream->state.is_ended() || connection.state.is_ended;
  });
  auto lock = run.endpoint.lock();
  return stream->state.received == hello ? stream : nullptr;
}

// Pings without end while the answers stay unread: the node's memory must not grow with what we
// send.
Verdict attack_unread(Run& run) {
  uint64_t most = run.options.number("limit-bytes", 64 << 20);
  Connection* connection = run.connect_fully();
  if (connection == nullptr) return trouble("no connection to the node");
  Stream* stream = open_ping(run, *connection);
  if (stream == nullptr) return trouble("the node does not agree on ping");
  stream->hold_reads();
  stream->pump([](Bytes& block) {
    block.assign(kFloodBlock, 'p');
    return true;
  });
  Clock::time_point deadline = run.wait_deadline();
  uint64_t acked = 0;
  bool is_over = false, is_stalled = false;
  while (!is_over && !is_stalled && Clock::now() < deadline) {
    uint64_t before = acked;
    bool moved = run.endpoint.wait_until(run.after(kStallSeconds), [&] {
      acked = stream->state.acked_bytes;
      return acked > before || connection->state.is_ended || stream->state.reset ||
             stream->state.stopped;
    });
    is_stalled = !moved;
    is_over = acked >= most || (moved && acked == before);
  }
  bool is_alive = ping(run, *connection, run.after(5));
  auto lock = run.endpoint.lock();
  Line("reaction")
      .number("acked_bytes", acked)
      .flag("stalled", is_stalled)
      .flag("stream_ended", stream->state.reset || stream->state.stopped)
      .flag("connection_ended", connection->state.is_ended)
      .flag("connection_still_pings", is_alive)
      .print();
  if (acked >= most) return wrong("the node took every ping although no answer was read");
  return right(is_stalled ? "the node stopped reading" : "the node ended the stream");
}

Verdict attack_short(Run& run) {
  Connection* connection = run.connect_fully();
  if (connection == nullptr) return trouble("no connection to the node");
  Stream* stream = open_ping(run, *connection);
  if (stream == nullptr) return trouble("the node does not agree on ping");
  stream->send(Bytes(kPingBytes - 1, 's'), true);
  bool is_ended = run.endpoint.wait_until(
      run.wait_deadline(), [&] { return stream->state.is_ended() || connection->state.is_ended; });
  bool is_alive = ping(run, *connection, run.after(5));
  auto lock = run.endpoint.lock();
  uint64_t echoed = stream->state.received_bytes - ping_hello(0).size();
  Line("reaction")
      .flag("stream_ended", is_ended)
      .number("echoed_bytes", echoed)
      .flag("connection_still_pings", is_alive)
      .print();
  if (echoed > 0) return wrong("the node echoed a ping of 31 bytes");
  return is_ended ? right("the node ended the stream") : wrong("the node kept the stream");
}

// Opens COUNT ping streams at once and keeps them; counts those that the node answers.
Verdict attack_with_many_streams(Run& run) {
  uint64_t count = run.options.number("count", 16), most = run.options.number("max", 2);
  Connection* connection = run.connect_fully();
  if (connection == nullptr) return trouble("no connection to the node");
  std::vector<Stream*> streams;
  for (uint64_t i = 0; i < count; ++i) {
    Stream* stream = connection->open_stream();
    if (stream == nullptr) break;
    stream->send(ping_hello(kPingBytes));
    streams.push_back(stream);
  }
  auto is_settled = [](const Stream* stream) {
    return is_pong(stream->state) || stream->state.is_ended();
  };
  run.endpoint.wait_until(run.after(3), [&] {
    return connection->state.is_ended || std::all_of(streams.begin(), streams.end(), is_settled);
  });
  auto lock = run.endpoint.lock();
  auto served =
      static_cast<uint64_t>(std::count_if(streams.begin(), streams.end(), [](const Stream* stream) {
        return is_pong(stream->state) && !stream->state.reset && !stream->state.is_closed;
      }));
  Line("reaction")
      .number("opened", streams.size())
      .number("served", served)
      .flag("connection_ended", connection->state.is_ended)
      .print();
  if (connection->state.is_ended) return right("the node ended the connection");
  return served <= most ? right("the node kept few ping streams")
                        : wrong("the node kept too many ping streams");
}

}  // namespace

void add_ping_scenarios(std::vector<Scenario>& out) {
  out.push_back({"ping-flood-unread",
                 "pings without end, the answers are never read (see --limit-bytes)",
                 attack_unread});
  out.push_back({"ping-short", "31 bytes and FIN", attack_short});
  out.push_back({"ping-many-streams",
                 "COUNT (16) ping streams kept open at once; the node may keep --max (2)",
                 attack_with_many_streams});
}

}  // namespace kith::attacker
