// Scenarios about many streams and many connections.
#include <algorithm>
#include <thread>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

constexpr uint64_t kChurnWindow = 128;
constexpr std::chrono::milliseconds kSample{100};

bool is_open_at_node(const Stream* stream) {
  return stream->state.is_accepted && !stream->state.is_ended();
}

size_t count_open(Run& run, const std::vector<Stream*>& streams) {
  auto lock = run.endpoint.lock();
  return static_cast<size_t>(std::count_if(streams.begin(), streams.end(), is_open_at_node));
}

// Opens COUNT streams at once and never says a word on them.
Verdict attack_with_open_streams(Run& run) {
  uint64_t count = run.options.number("count", 1000), most = run.options.number("max", 256);
  Connection* connection = run.connect_fully({.is_quiet = true});
  if (connection == nullptr) return trouble("no connection to the node");
  std::vector<Stream*> streams;
  for (uint64_t i = 0; i < count; ++i) {
    Stream* stream = connection->open_stream();
    if (stream == nullptr) break;
    streams.push_back(stream);
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  std::vector<Stream*> first;  // those that the node let in at once
  {
    auto lock = run.endpoint.lock();
    for (Stream* stream : streams) {
      if (stream->state.is_accepted) first.push_back(stream);
    }
    Line("streams").number("asked", streams.size()).number("accepted", first.size()).print();
  }
  Clock::time_point start = Clock::now(), deadline = run.wait_deadline();
  size_t peak = first.size();
  bool is_ended = false;
  while (!is_ended && Clock::now() < deadline) {
    std::this_thread::sleep_for(kSample);
    peak = std::max(peak, count_open(run, streams));
    auto lock = run.endpoint.lock();
    is_ended =
        connection->state.is_ended || std::none_of(first.begin(), first.end(), is_open_at_node);
  }
  auto lock = run.endpoint.lock();
  Line("reaction")
      .number("peak_open", peak)
      .flag("first_streams_ended", is_ended)
      .seconds("seconds", std::chrono::duration<double>(Clock::now() - start).count() + 1)
      .flag("connection_ended", connection->state.is_ended)
      .print();
  if (peak > most) return wrong("the node let too many streams be open at once");
  return is_ended ? right("the node limited and ended the streams")
                  : wrong("the node kept silent streams");
}

struct Churn {
  uint64_t resets = 0;
  bool is_stalled = false;
};

// Opens, speaks and resets streams, a window's worth at a time, as fast as the node lets them go.
Churn churn(Run& run, Connection& connection, uint64_t count, const std::string& when) {
  Churn out;
  auto is_heard = [](const Stream* stream) {
    return stream->state.acked_bytes > 0 || stream->state.is_closed;
  };
  auto is_closed = [](const Stream* stream) { return stream->state.is_closed; };
  Clock::time_point deadline = run.limit() - std::chrono::seconds(3);
  while (out.resets < count && !out.is_stalled && Clock::now() < deadline) {
    std::vector<Stream*> window, later;
    for (uint64_t i = 0; i < std::min(count - out.resets, kChurnWindow); ++i) {
      Stream* stream = connection.open_stream();
      if (stream == nullptr) return out;
      stream->send(ping_hello(0));
      window.push_back(stream);
      if (when == "start" || (when == "mix" && i % 2 == 0)) {
        stream->reset(i);
      } else {
        later.push_back(stream);
      }
    }
    run.endpoint.wait_until(run.after(3),
                            [&] { return std::all_of(later.begin(), later.end(), is_heard); });
    for (Stream* stream : later) stream->reset(0);
    out.resets += window.size();
    out.is_stalled = !run.endpoint.wait_until(
        run.after(3), [&] { return std::all_of(window.begin(), window.end(), is_closed); });
    connection.reap();
  }
  return out;
}

Verdict attack_with_resets(Run& run) {
  uint64_t count = run.options.number("count", 100'000);
  std::string when = run.options.text("when", "mix"), expect = run.options.text("expect", "");
  if (when != "start" && when != "acked" && when != "mix")
    return trouble("--when is start, acked or mix");
  Connection* connection = run.connect_fully({.is_quiet = true});
  if (connection == nullptr) return trouble("no connection to the node");
  Clock::time_point start = Clock::now();
  Churn result = churn(run, *connection, count, when);
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  bool is_alive = ping(run, *connection, run.after(5));
  bool is_ended = false;
  {
    auto lock = run.endpoint.lock();
    is_ended = connection->state.is_ended;
    Line("reaction")
        .number("resets", result.resets)
        .seconds("seconds", seconds)
        .number("per_second", static_cast<uint64_t>(static_cast<double>(result.resets) / seconds))
        .flag("stalled", result.is_stalled)
        .flag("connection_ended", is_ended)
        .flag("ended_by_peer", connection->state.ended_by_peer)
        .number("error_code", connection->state.error_code)
        .flag("connection_still_pings", is_alive)
        .print();
  }
  if (expect == "refused" && !is_ended) return wrong("the node bore the churn");
  if (expect == "accepted" && !is_alive) return wrong("the node does not answer after the churn");
  if (is_ended) return right("the node ended the connection");
  return is_alive ? right("the node still answers") : wrong("the connection hangs");
}

// COUNT good peers that stay connected for --hold seconds.
Verdict attack_with_connections(Run& run) {
  if (run.options.is_server) return trouble("many-connections is for client mode");
  uint64_t count = run.options.number("count", 100);
  std::vector<std::unique_ptr<Connection>> connections;
  for (uint64_t i = 0; i < count && Clock::now() < run.limit(); ++i) {
    std::unique_ptr<HostKey> key = make_host_key("ed25519", run.options.number("seed", 1) + i);
    auto connection = run.endpoint.dial(run.options.host, run.options.port, make_credential(*key),
                                        {.is_quiet = true});
    if (connection) connections.push_back(std::move(connection));
  }
  auto is_kept = [](const auto& connection) {
    return connection->state.is_connected && !connection->state.is_ended;
  };
  auto is_settled = [](const auto& connection) {
    return connection->state.is_connected || connection->state.is_ended;
  };
  run.endpoint.wait_until(run.wait_deadline(), [&] {
    return std::all_of(connections.begin(), connections.end(), is_settled);
  });
  auto count_kept = [&] {
    auto lock = run.endpoint.lock();
    return std::count_if(connections.begin(), connections.end(), is_kept);
  };
  Line("connections").number("asked", connections.size()).number("kept", count_kept()).print();
  run.endpoint.wait_until(run.after(run.options.seconds("hold", 2)), [] { return false; });
  HonestDials after;
  after.dial(run);
  auto kept = count_kept();
  Line("reaction").number("kept", kept).print();
  after.report("after");
  for (const auto& connection : connections)
    connection->close(0);  // so that they end at the same time
  uint64_t most = run.options.number("max", count);
  return static_cast<uint64_t>(kept) <= most ? right("the node keeps within its limit")
                                             : wrong("the node kept too many connections");
}

}  // namespace

void add_stream_scenarios(std::vector<Scenario>& out) {
  out.push_back({"open-streams",
                 "COUNT (1000) streams at once, all silent; the node may allow --max (256)",
                 attack_with_open_streams});
  out.push_back(
      {"reset-churn",
       "COUNT (100000) times: open a stream, send the header, reset it (see --when, --expect)",
       attack_with_resets});
  out.push_back({"many-connections",
                 "COUNT (100) good peers at once for --hold seconds; the node may keep --max",
                 attack_with_connections});
}

}  // namespace kith::attacker
