// The scenarios that measure memory: of connections and of streams that are open and do nothing.
#include <cstdio>

#include "bench/measure.h"

namespace kith::bench {

namespace {

// Keeps what is open until stdin ends.
void hold(Engine& engine) {
  std::string line;
  while (!stdin_ready() || read_stdin(line)) engine.turn(100);
}

// IdleStream exchanges one message with the listener and stays open.
class IdleStream final : public PipeUser {
 public:
  IdleStream(Session& session, Bytes message, size_t& num_answered) : num_answered_(num_answered) {
    Pipe* pipe = session.open(this);
    if (!pipe || !pipe->write(message, false)) fail("no stream");
  }

 private:
  void on_data(Pipe&, Bytes) override { ++num_answered_; }
  void on_writable(Pipe&) override {}
  void on_closed(bool) override { fail("a stream ended"); }
  size_t& num_answered_;
};

}  // namespace

int run_idle(Engine& engine, const Options& options) {
  const size_t conns = number(options, "conns", 100);
  const auto settle = static_cast<double>(number(options, "settle", 3));
  Connections warm_up;  // the first connection's one-time costs are not a connection's
  warm_up.open(engine, 1);
  idle_for(engine, 1);
  const long before = rss_kb();
  Connections connections;
  Meter meter;
  meter.start();
  connections.open(engine, conns);
  idle_for(engine, settle);
  meter.stop();
  const long after = rss_kb();
  print_result(
      "idle", meter,
      text("\"conns\":%zu,\"rss_before_kb\":%ld,\"rss_after_kb\":%ld,\"kib_per_conn\":%.2f", conns,
           before, after, static_cast<double>(after - before) / static_cast<double>(conns)));
  hold(engine);
  return 0;
}

int run_idle_streams(Engine& engine, const Options& options) {
  const size_t conns = number(options, "conns", 100);
  const size_t streams = number(options, "streams", 100);
  const auto settle = static_cast<double>(number(options, "settle", 3));
  const ByteVector message = whole_message(0, 1, false);
  Connections connections;
  const std::vector<Session*> sessions = connections.open(engine, conns);
  size_t num_answered = 0;
  std::vector<std::unique_ptr<IdleStream>> open;
  open.reserve(conns * streams);
  idle_for(engine, settle);
  std::printf("{\"event\":\"connected\"}\n");
  std::fflush(stdout);
  std::string line;
  while (!stdin_ready()) engine.turn(100);
  read_stdin(line);
  const long before = rss_kb();
  Meter meter;
  meter.start();
  for (Session* session : sessions) {
    for (size_t i = 0; i < streams; ++i) {
      open.push_back(std::make_unique<IdleStream>(*session, message, num_answered));
      while (num_answered < open.size()) engine.turn(1000);
    }
  }
  idle_for(engine, settle);
  meter.stop();
  const auto all = static_cast<double>(open.size());
  print_result("idle-streams", meter,
               text("\"streams\":%zu,\"bytes_per_stream\":%.1f", open.size(),
                    static_cast<double>(rss_kb() - before) * 1024 / all));
  hold(engine);
  return 0;
}

}  // namespace kith::bench
