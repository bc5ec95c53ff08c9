// Scenarios of yamux over TCP: the advisories that hit go-yamux, rust-yamux and the HTTP/2 servers.
#include <algorithm>

#include "tests/attacker/report.h"
#include "tests/attacker/yamux.h"

namespace kith::attacker {
namespace {

constexpr size_t kBlockFrames = 1000;  // sent in one piece

// Sends `frames` after a good ping, and waits for the node to end the connection.
Verdict expect_end(Run& run, const Bytes& frames) {
  YamuxPeer peer(run, run.host_key());
  if (!peer.is_open() || !peer.has_pong(1, run.after(5)))
    return trouble("no connection to the node");
  peer.send(frames, run.after(5));
  const bool is_ended = peer.wait_end(run.wait_deadline());
  Line("reaction")
      .flag("connection_ended", is_ended)
      .flag("said_go_away", peer.go_away_code() != YamuxPeer::kNoCode)
      .print();
  if (!is_ended) return wrong("the node kept the connection");
  return peer.go_away_code() == 1 ? right("the node went away with a protocol error")
                                  : wrong("the node ended the connection without saying why");
}

// Sends COUNT units of `append_unit(out, i)`, at most --max on one connection, as fast as the node takes them. The node
// must end each of these connections.
Verdict flood(Run& run, uint64_t default_count,
              const std::function<void(Bytes& out, uint32_t i)>& append_unit) {
  const uint64_t count = run.options.number("count", default_count);
  const uint64_t most = run.options.number("max", 20'000);
  uint64_t sent = 0, connections = 0, borne = 0;
  while (sent < count && Clock::now() < run.limit()) {
    YamuxPeer peer(run, run.host_key());
    if (!peer.is_open()) return trouble("the node takes no connection any more");
    ++connections;
    uint64_t on_this = 0;
    while (!peer.is_ended() && sent < count && on_this < most) {
      Bytes block;
      for (size_t i = 0; i < kBlockFrames; ++i) {
        append_unit(block, static_cast<uint32_t>(on_this + i));
      }
      peer.send(block, run.after(5));
      on_this += kBlockFrames;
      sent += kBlockFrames;
    }
    if (on_this >= most && !peer.wait_hang_up(run.after(5))) ++borne;
  }
  run.report_flood(sent, connections, borne);
  if (sent < count) return trouble("the flood was not over in time");
  if (borne != 0) return wrong("the node bore a flood");
  YamuxPeer after(run, run.host_key());
  return after.is_open() && after.has_pong(1, run.after(5))
             ? right("the node ended the connections and still serves")
             : wrong("the node does not serve any more");
}

// Window updates that sum up beyond 32 bits: saturated or refused, and no more.
Verdict attack_window(Run& run) {
  YamuxPeer peer(run, run.host_key());
  if (!peer.is_open()) return trouble("no connection to the node");
  Bytes frames;
  append_frame(frames, kYamuxWindowUpdate, kYamuxSyn, 1, UINT32_MAX);
  for (int i = 0; i < 100; ++i) append_frame(frames, kYamuxWindowUpdate, 0, 1, UINT32_MAX);
  append_data(frames, 0, 1, ping_hello(0));
  peer.send(frames, run.after(5));
  const bool is_served = peer.has_pong(3, run.after(5));
  Line("reaction")
      .flag("still_serves", is_served)
      .flag("connection_ended", peer.is_ended())
      .print();
  return is_served || peer.is_ended() ? right("the window saturates, or the connection ends")
                                      : wrong("the connection hangs");
}

// Announcements of both forms, with and without data.
Verdict attack_syn(Run& run) {
  YamuxPeer peer(run, run.host_key());
  if (!peer.is_open()) return trouble("no connection to the node");
  const bool by_update = peer.has_pong(1, run.after(5));
  const bool by_data = peer.has_pong(3, run.after(5), /*syn_as_data=*/true);
  Bytes frames;
  for (const uint32_t id : {1U, 3U}) append_frame(frames, kYamuxWindowUpdate, kYamuxRst, id, 0);
  append_data(frames, kYamuxSyn, 5, {});
  const bool goes_on = peer.send(frames, run.after(5)) && peer.has_pong(7, run.after(5));
  Line("reaction")
      .flag("by_update", by_update)
      .flag("by_data", by_data)
      .flag("empty", goes_on)
      .print();
  return by_update && by_data && goes_on ? right("both forms are served")
                                         : wrong("a form is not served");
}

Scenario violation(const char* name, const char* help, uint8_t type, uint8_t flags, uint32_t id,
                   uint32_t length) {
  return {name, help, [=](Run& run) {
            Bytes frames;
            append_frame(frames, type, flags, id, length);
            return expect_end(run, frames);
          }};
}

}  // namespace

void add_yamux_scenarios(std::vector<Scenario>& out) {
  out.push_back(
      {"yamux-window-overflow", "window updates that sum up beyond 32 bits", attack_window});
  out.push_back(violation("yamux-large-first-frame", "a stream begins with 262,145 bytes of data",
                          kYamuxData, kYamuxSyn, 3, 262'145));
  out.push_back(violation("yamux-beyond-the-window", "more data than a stream's window", kYamuxData,
                          0, 1, 262'145));
  out.push_back(violation("yamux-own-id", "a stream with an id of the node's", kYamuxWindowUpdate,
                          kYamuxSyn, 2, 0));
  out.push_back({"yamux-syn-forms", "streams announced by data and by window updates", attack_syn});
  out.push_back(
      {"yamux-ping-flood", "COUNT (1000000) pings whose answers are never read", [](Run& run) {
         return flood(run, 1'000'000, [](Bytes& block, uint32_t i) {
           append_frame(block, kYamuxPing, kYamuxSyn, 0, i);
         });
       }});
  out.push_back(
      {"yamux-reset-churn", "COUNT (1000000) streams that are opened and reset", [](Run& run) {
         return flood(run, 1'000'000, [](Bytes& block, uint32_t i) {
           append_frame(block, kYamuxWindowUpdate, kYamuxSyn, 2 * i + 1, 0);
           append_frame(block, kYamuxWindowUpdate, kYamuxRst, 2 * i + 1, 0);
         });
       }});
  out.push_back({"yamux-empty-data", "COUNT (1000000) data frames without data", [](Run& run) {
                   return flood(run, 1'000'000, [](Bytes& block, uint32_t i) {
                     append_frame(block, kYamuxData, i == 0 ? kYamuxSyn : 0, 1, 0);
                   });
                 }});
}

}  // namespace kith::attacker
