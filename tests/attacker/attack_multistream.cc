// Scenarios about multistream-select: what a node must end instead of waiting for it or storing it.
// Spec: libp2p/specs connections/README.md "multistream-select".
#include <algorithm>
#include <thread>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

// What is sent on one stream: `first` at once, then pieces from `next`, with `interval` between
// them if not zero.
struct Script {
  Bytes first;
  Generator next;
  std::chrono::milliseconds interval{0};
  bool fin = false;
  uint64_t most_refusals = UINT64_MAX;  // "na" lines that the node may send
};

Bytes header() {
  Bytes out;
  append_line(out, kMultistream);
  return out;
}

// Gives `total` bytes of 'a', `block` at a time.
Generator filler(size_t total, size_t block) {
  return [total, block, sent = size_t{0}](Bytes& out) mutable {
    out.assign(std::min(block, total - sent), 'a');
    sent += out.size();
    return sent < total;
  };
}

// Gives the bytes of `content` one by one.
Generator one_by_one(Bytes content) {
  return [content = std::move(content), at = size_t{0}](Bytes& out) mutable {
    out.assign(1, content[at]);
    return ++at < content.size();
  };
}

// Sends the pieces of `script` that come with a pause, until the node ends the stream.
void trickle(Run& run, Stream& stream, const Connection& connection, const Script& script,
             Clock::time_point deadline) {
  bool has_more = true;
  while (has_more && Clock::now() < deadline) {
    Clock::time_point pause = std::min(deadline, Clock::now() + script.interval);
    if (run.endpoint.wait_until(
            pause, [&] { return stream.state.is_ended() || connection.state.is_ended; })) {
      return;
    }
    Bytes piece;
    has_more = script.next(piece);
    if (!stream.send(std::move(piece))) return;
  }
}

// The number of "na" lines in what the node sent.
size_t count_refusals(Bytes received) {
  std::string line;
  size_t count = 0;
  while (read_line(received, line)) {
    if (line == "na") ++count;
  }
  return count;
}

Verdict attack(Run& run, const Script& script) {
  Connection* connection = run.connect_fully();
  if (connection == nullptr) return trouble("no connection to the node");
  Clock::time_point start = Clock::now(), deadline = run.wait_deadline();
  Stream* stream = connection->open_stream();
  if (stream == nullptr) return trouble("no stream could be opened");
  if (!script.first.empty() || script.fin) stream->send(script.first, script.fin);
  if (script.next && script.interval.count() > 0) {
    trickle(run, *stream, *connection, script, deadline);
  } else if (script.next) {
    stream->pump(script.next);
  }
  bool is_ended = run.endpoint.wait_until(
      deadline, [&] { return stream->state.is_ended() || connection->state.is_ended; });
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  bool is_alive = ping(run, *connection, run.after(5));
  auto lock = run.endpoint.lock();
  size_t refusals = count_refusals(stream->state.received);
  Line("reaction")
      .flag("stream_ended", is_ended)
      .seconds("seconds", seconds)
      .number("acked_bytes", stream->state.acked_bytes)
      .number("received_bytes", stream->state.received_bytes)
      .number("refused_proposals", refusals)
      .flag("connection_ended", connection->state.is_ended)
      .flag("connection_still_pings", is_alive)
      .print();
  if (!is_ended) return wrong("the node kept the stream");
  if (refusals > script.most_refusals) return wrong("the node answered too many proposals");
  return right("the node ended the stream");
}

Scenario scenario(const char* name, const char* help,
                  std::function<Script(const Options&)> script) {
  return {name, help, [script](Run& run) { return attack(run, script(run.options)); }};
}

std::chrono::milliseconds interval(const Options& options, uint64_t fallback) {
  return std::chrono::milliseconds(options.number("interval-ms", fallback));
}

Script only(Bytes first) { return {.first = std::move(first), .next = nullptr}; }

Script with_header(std::initializer_list<uint8_t> bytes) {
  Bytes out = header();
  append(out, Bytes(bytes));
  return only(std::move(out));
}

Script oversized_line(const Options&) {
  constexpr size_t kLine = 1'000'000;
  Script out = only(header());
  append_varint(out.first, kLine);
  out.next = filler(kLine, 16 * 1024);
  return out;
}

Script endless_line(const Options& options) {
  uint64_t length = options.number("length", 1024);
  Script out = only(header());
  append_varint(out.first, length);
  out.next = filler(length, 1);
  out.interval = interval(options, 250);
  return out;
}

Script many_proposals(const Options& options) {
  uint64_t count = options.number("count", 1001);
  Script out = only(header());
  out.most_refusals = options.number("max", count - 1);
  out.next = [count, index = uint64_t{0}](Bytes& block) mutable {
    for (int i = 0; i < 100 && index < count; ++i) {
      append_line(block, "/unknown/" + std::to_string(index++));
    }
    return index < count;
  };
  return out;
}

Script zero_lines(const Options& options) {
  Script out = only(header());
  out.next = [left = options.number("count", 100'000)](Bytes& block) mutable {
    block.assign(std::min<uint64_t>(left, 4096), 0);
    left -= block.size();
    return left > 0;
  };
  return out;
}

Script dribble(const Options& options) {
  Script out;
  out.next = one_by_one(ping_hello(kPingBytes));
  out.interval = interval(options, 1000);
  return out;
}

// Read as a multistream line, its first byte announces 71 more.
Script no_multistream(const Options&) {
  return only(
      bytes_of("GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: none\r\nAccept: text/plain, "
               "*/*\r\nAccept-Encoding: none\r\n\r\n"));
}

Script wrong_version(const Options&) {
  Script out;
  append_line(out.first, "/multistream/9.0.0");
  append_line(out.first, kPing);
  return out;
}

Script early_fin(const Options&) {
  Script out = only(header());
  out.first.push_back(17);  // announces a line, and ends
  out.fin = true;
  return out;
}

}  // namespace

void add_multistream_scenarios(std::vector<Scenario>& out) {
  out.push_back(scenario("no-multistream", "a stream that begins with HTTP", no_multistream));
  out.push_back(scenario("multistream-wrong-version", "/multistream/9.0.0", wrong_version));
  out.push_back(scenario("multistream-oversized-line",
                         "a line announced and sent with 1,000,000 bytes", oversized_line));
  out.push_back(scenario(
      "multistream-endless-line",
      "a line of --length bytes that trickles, one each --interval-ms (250), without a newline",
      endless_line));
  out.push_back(scenario("multistream-no-newline", "a line that does not end with a newline",
                         [](const Options&) {
                           return with_header({4, '/', 'a', '/', 'b'});
                         }));
  out.push_back(
      scenario("multistream-bad-varint", "a length varint of ten bytes", [](const Options&) {
        return with_header({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
      }));
  out.push_back(scenario("multistream-nonminimal-varint",
                         "a length varint with a zero group at its end", [](const Options&) {
                           return with_header({0x84, 0x00, '/', 'a', 'b', '\n'});
                         }));
  out.push_back(
      scenario("multistream-huge-length", "a line announced with 2^62 bytes", [](const Options&) {
        return with_header({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 'a'});
      }));
  out.push_back(scenario("multistream-zero-lines", "COUNT (100000) lines of no bytes", zero_lines));
  out.push_back(scenario("multistream-many-proposals",
                         "COUNT (1001) unknown protocols; the node may refuse --max (COUNT - 1)",
                         many_proposals));
  out.push_back(scenario("multistream-early-fin", "FIN inside a line", early_fin));
  out.push_back(scenario("multistream-silence", "an open stream and not one byte",
                         [](const Options&) { return Script{}; }));
  out.push_back(scenario("multistream-dribble",
                         "a right header, one byte each --interval-ms (1000)", dribble));
}

}  // namespace kith::attacker
