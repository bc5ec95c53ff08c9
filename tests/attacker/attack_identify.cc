// Scenarios about identify: answers to the node's /ipfs/id/1.0.0 stream, or pushes, that no node
// should take whole. Spec: libp2p/specs identify/README.md.
#include <algorithm>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

struct IdentifyScenario {
  const char* name;
  const char* help;
  IdentifyAnswer answer;
};

constexpr IdentifyScenario kScenarios[] = {
    {"identify-1mib", "one identify message of 1 MiB", IdentifyAnswer::kMebibyte},
    {"identify-endless", "right identify messages without end", IdentifyAnswer::kEndless},
    {"identify-many", "10 messages below 8 KiB with 2,000 protocols and 10,000 addresses, then FIN",
     IdentifyAnswer::kMany},
    {"identify-silent", "accepts the node's identify stream and never answers",
     IdentifyAnswer::kSilent},
};

Stream* find_identify(Connection& connection) {
  for (Stream* stream : connection.node_streams()) {
    if (stream->responder()->protocol() == kIdentify) return stream;
  }
  return nullptr;
}

// True when the node does not want more of `stream`. A FIN of the node alone says nothing: many
// dialers finish their side as soon as they have asked.
bool is_given_up(const Stream& stream, const Connection& connection) {
  return stream.state.reset || stream.state.stopped || connection.state.is_ended;
}

Stream* open_push(Run& run, Connection& connection) {
  Stream* stream = connection.open_stream();
  if (stream == nullptr) return nullptr;
  Bytes hello;
  append_line(hello, kMultistream);
  append_line(hello, kIdentifyPush);
  stream->send(hello);
  run.endpoint.wait_until(run.wait_deadline(), [&] {
    return stream->state.received == hello || is_given_up(*stream, connection);
  });
  bool is_agreed = false;
  {
    auto lock = run.endpoint.lock();
    is_agreed = stream->state.received == hello;
  }
  if (!is_agreed) return nullptr;
  if (run.identify.answer != IdentifyAnswer::kSilent) {
    stream->pump(identify_generator(run.identify), identify_ends(run.identify.answer));
  }
  return stream;
}

Verdict attack(Run& run, IdentifyAnswer answer) {
  run.identify.answer = answer;
  run.identify.messages = std::max<uint64_t>(1, run.options.number("messages", 10));
  run.identify.protocols = run.options.number("protocols", 2000);
  run.identify.addresses = run.options.number("addresses", 10'000);
  run.identify.agent_bytes = run.options.number("agent-bytes", 16);
  Connection* connection = run.connect_fully();
  if (connection == nullptr) return trouble("no connection to the node");

  Stream* stream = nullptr;
  if (run.options.number("push", 0) != 0) {
    stream = open_push(run, *connection);
    if (stream == nullptr) return trouble("the node does not take identify pushes");
  } else {
    run.endpoint.wait_until(run.wait_deadline(), [&] {
      stream = find_identify(*connection);
      return stream != nullptr || connection->state.is_ended;
    });
    if (stream == nullptr) return trouble("the node never asked for identify");
  }
  Clock::time_point start = Clock::now();
  bool may_finish = identify_ends(answer);
  bool is_ended = run.endpoint.wait_until(run.wait_deadline(), [&] {
    return is_given_up(*stream, *connection) || (may_finish && stream->state.is_closed);
  });
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  bool is_alive = ping(run, *connection, run.after(5));
  auto lock = run.endpoint.lock();
  Line("reaction")
      .flag("stream_ended", is_ended)
      .flag("given_up", is_given_up(*stream, *connection))
      .seconds("seconds", seconds)
      .number("acked_bytes", stream->state.acked_bytes)
      .number("code", stream->state.code)
      .flag("connection_ended", connection->state.is_ended)
      .flag("connection_still_pings", is_alive)
      .print();
  if (!is_ended) return wrong("the node kept the identify stream");
  return right("the identify stream ended");
}

}  // namespace

void add_identify_scenarios(std::vector<Scenario>& out) {
  for (const IdentifyScenario& row : kScenarios) {
    IdentifyAnswer answer = row.answer;
    out.push_back({row.name, row.help, [answer](Run& run) { return attack(run, answer); }});
  }
}

}  // namespace kith::attacker
