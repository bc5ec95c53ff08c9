#include "bench/workload.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include "bench/measure.h"

namespace kith::bench {

namespace {

class Responder final : public PipeUser {
 public:
  void on_data(Pipe& pipe, Bytes data) override {
    while (!data.empty()) {
      if (header_ < kHeaderBytes) {
        const size_t n = std::min(kHeaderBytes - header_, data.size());
        std::memcpy(head_ + header_, data.data(), n);
        header_ += n;
        data = data.subspan(n);
        if (header_ < kHeaderBytes) return;
        up_ = get_u64(head_) & ~kLast;
      }
      const size_t n = static_cast<size_t>(std::min<uint64_t>(up_, data.size()));
      up_ -= n;
      data = data.subspan(n);
      if (up_ != 0) return;
      down_ += get_u64(head_ + 8);
      last_ = (get_u64(head_) & kLast) != 0;
      header_ = 0;
      on_writable(pipe);
    }
  }
  void on_writable(Pipe& pipe) override {
    while (down_ != 0) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(down_, kChunkBytes));
      if (!pipe.write({kZeros, n}, last_ && n == down_)) return;
      down_ -= n;
    }
  }
  void on_closed(bool) override {}

 private:
  uint8_t head_[kHeaderBytes];
  size_t header_ = 0;
  uint64_t up_ = 0;
  uint64_t down_ = 0;
  bool last_ = false;
};

// Bulk moves bytes on all streams of all connections at once.
class Bulk final : public Exchange::Owner {
 public:
  int run(Engine& engine, const char* scenario, const Options& options) {
    const uint64_t bytes = number(options, "bytes", 1 << 30);
    const size_t conns = number(options, "conns", 1);
    const size_t streams = number(options, "streams", 1);
    const bool up = std::strcmp(scenario, "download") != 0;
    const bool down = std::strcmp(scenario, "upload") != 0;
    Connections connections;
    const std::vector<Session*> sessions = connections.open(engine, conns);
    const uint64_t share = std::max<uint64_t>(1, bytes / (conns * streams));
    Meter meter;
    meter.start();
    for (size_t i = 0; i < conns * streams; ++i) {
      if (up) start(*sessions[i % conns], share, 1);
      if (down) start(*sessions[i % conns], 0, share);
    }
    while (num_answered_ < exchanges_.size()) engine.turn(1000);
    meter.stop();
    double sum = 0, squares = 0;
    for (const Exchange& e : exchanges_) {
      const double rate = static_cast<double>(share) / e.seconds();
      sum += rate;
      squares += rate * rate;
    }
    const double moved = static_cast<double>(share) * static_cast<double>(exchanges_.size());
    print_result(
        scenario, meter,
        text("\"bytes\":%.0f,\"gbit_s\":%.4f,\"jain\":%.4f", moved, moved * 8e-9 / meter.seconds,
             sum * sum / (squares * static_cast<double>(exchanges_.size()))));
    return 0;
  }

 private:
  void start(Session& session, uint64_t up, uint64_t down) {
    exchanges_.emplace_back(static_cast<Exchange::Owner&>(*this), up, down);
    exchanges_.back().start(session);
  }
  void answered(Exchange&) override { ++num_answered_; }
  void exchange_closed(Exchange&, bool failed) override {
    if (failed) fail("a transfer failed");
  }
  std::deque<Exchange> exchanges_;
  size_t num_answered_ = 0;
};

// Requests runs `n` exchanges of which `inflight` are under way, each on a new stream.
class Requests final : public Exchange::Owner {
 public:
  int run(Engine& engine, const Options& options) {
    n_ = number(options, "n", 100'000);
    down_ = number(options, "size_down", 4000);
    const size_t inflight = number(options, "inflight", 1);
    message_ = whole_message(number(options, "size_up", 512), down_, true);
    Connections connections;
    session_ = connections.open(engine, 1).front();
    latencies_.reserve(n_);
    run_batch(engine, std::min<uint64_t>(n_, 1000), inflight);  // warms up
    latencies_.clear();
    Meter meter;
    meter.start();
    run_batch(engine, n_, inflight);
    meter.stop();
    print_result("request", meter,
                 text("\"n\":%zu,\"req_s\":%.1f,", latencies_.size(),
                      static_cast<double>(latencies_.size()) / meter.seconds) +
                     latency(latencies_, 1e6, "us"));
    return 0;
  }

 private:
  void run_batch(Engine& engine, uint64_t n, size_t inflight) {
    started_ = 0;
    batch_ = n;
    const size_t target = latencies_.size() + n;
    for (size_t i = 0; i < inflight; ++i) next();
    while (latencies_.size() < target) engine.turn(1000);
  }
  void next() {
    if (started_ == batch_) return;
    ++started_;
    (new Exchange(*this, 0, down_))->start(*session_, message_);
  }
  void answered(Exchange& exchange) override {
    latencies_.push_back(exchange.seconds());
    next();
  }
  void exchange_closed(Exchange& exchange, bool failed) override {
    if (failed) fail("a request failed");
    delete &exchange;
  }
  ByteVector message_;
  Session* session_ = nullptr;
  uint64_t n_ = 0;
  uint64_t batch_ = 0;
  uint64_t started_ = 0;
  uint64_t down_ = 0;
  std::vector<double> latencies_;
};

int run_pingpong(Engine& engine, const Options& options) {
  const uint64_t n = number(options, "n", 20'000);
  Connections connections;
  Pinger pinger(*connections.open(engine, 1).front(), number(options, "size", 64));
  pinger.run(engine, std::min<uint64_t>(n, 500));  // warms up
  pinger.latencies.clear();
  Meter meter;
  meter.start();
  pinger.run(engine, n);
  meter.stop();
  print_result("pingpong", meter,
               text("\"n\":%zu,\"req_s\":%.1f,", pinger.latencies.size(),
                    static_cast<double>(pinger.latencies.size()) / meter.seconds) +
                   latency(pinger.latencies, 1e6, "us"));
  return 0;
}

// Beside sends messages there and back on one stream while another, of the same connection, uploads without end.
class Beside final : public Exchange::Owner {
 public:
  int run(Engine& engine, const Options& options) {
    const auto seconds = static_cast<double>(number(options, "seconds", 3));
    Connections connections;
    Session& session = *connections.open(engine, 1).front();
    Exchange bulk(*this, uint64_t{1} << 50, 1);
    bulk.start(session);
    Pinger pinger(session, number(options, "size", 64));
    idle_for(engine, 1);
    const uint64_t before = bulk.bytes_left();
    Meter meter;
    meter.start();
    pinger.run(engine, UINT64_MAX, seconds);
    meter.stop();
    const uint64_t bytes = before - bulk.bytes_left();
    if (bytes == 0) fail("the upload stood still");
    print_result("beside", meter,
                 text("\"gbit_s\":%.4f,\"pings\":%zu,",
                      static_cast<double>(bytes) * 8e-9 / meter.seconds, pinger.latencies.size()) +
                     latency(pinger.latencies, 1e6, "us"));
    std::fflush(stdout);
    std::_Exit(0);  // in the middle of the upload
  }

 private:
  void answered(Exchange&) override {}
  void exchange_closed(Exchange&, bool) override { fail("the upload ended"); }
};

// Connects runs `n` times: connect, exchange one message, close; `inflight` of them at once.
class Connects final {
 public:
  int run(Engine& engine, const Options& options) {
    engine_ = &engine;
    n_ = number(options, "n", 2000);
    message_ = whole_message(0, 1, true);
    const size_t inflight = number(options, "inflight", 1);
    Meter meter;
    meter.start();
    for (size_t i = 0; i < inflight; ++i) next();
    while (latencies_.size() < n_) engine.turn(1000);
    meter.stop();
    print_result("connect", meter,
                 text("\"n\":%zu,\"conn_s\":%.1f,", latencies_.size(),
                      static_cast<double>(latencies_.size()) / meter.seconds) +
                     latency(latencies_, 1e3, "ms"));
    while (num_open_ != 0) engine.turn(1000);
    return 0;
  }

 private:
  struct One final : public SessionUser, public Exchange::Owner {
    explicit One(Connects& c) : connects(c), exchange(*this, 0, 1), started(now()) {}
    void on_connected(Session& s) override {
      session = &s;
      exchange.start(s, connects.message_);
    }
    void answered(Exchange&) override {
      connects.latencies_.push_back(now() - started);
      session->close();
      connects.next();
    }
    void exchange_closed(Exchange& e, bool) override {
      if (e.finished == 0) fail("a connection gave no answer");
    }
    void on_disconnected() override {
      if (exchange.finished == 0) fail("a connection failed");
      --connects.num_open_;
      delete this;
    }
    Connects& connects;
    Exchange exchange;
    Session* session = nullptr;
    double started;
  };
  void next() {
    if (num_started_ == n_) return;
    ++num_started_;
    ++num_open_;
    engine_->dial(new One(*this));
  }
  Engine* engine_ = nullptr;
  ByteVector message_;
  uint64_t n_ = 0;
  uint64_t num_started_ = 0;
  size_t num_open_ = 0;
  std::vector<double> latencies_;
};

int run(Engine& engine, const std::string& scenario, const Options& options) {
  if (scenario == "upload" || scenario == "download" || scenario == "both")
    return Bulk().run(engine, scenario.c_str(), options);
  if (scenario == "request") return Requests().run(engine, options);
  if (scenario == "pingpong") return run_pingpong(engine, options);
  if (scenario == "beside") return Beside().run(engine, options);
  if (scenario == "connect") return Connects().run(engine, options);
  if (scenario == "idle") return run_idle(engine, options);
  if (scenario == "idle-streams") return run_idle_streams(engine, options);
  fail("no such scenario");
}

int serve(Engine& engine, const std::string& listen) {
  const std::string address = engine.listen(listen);
  if (address.empty()) return 1;
  const double cpu = cpu_seconds();
  std::printf("{\"event\":\"listening\",\"addr\":\"%s\"}\n", address.c_str());
  std::fflush(stdout);
  engine.wake_on(0);
  std::string line;
  while (true) {
    engine.turn(3'600'000);  // a node that is left alone sleeps
    if (!stdin_ready()) continue;
    if (!read_stdin(line)) break;
    if (line != "rss") continue;
    std::printf("{\"event\":\"rss\",\"rss_kb\":%ld,\"cpu_s\":%.6f}\n", rss_kb(),
                cpu_seconds() - cpu);
    std::fflush(stdout);
  }
  std::printf("{\"event\":\"usage\",\"cpu_s\":%.6f,\"peak_rss_kb\":%ld}\n", cpu_seconds() - cpu,
              peak_rss_kb());
  std::fflush(stdout);
  return 0;
}

}  // namespace

uint64_t number(const Options& options, std::string_view key, uint64_t otherwise) {
  const auto it = options.find(key);
  return it == options.end() ? otherwise : std::strtoull(it->second.c_str(), nullptr, 0);
}

std::unique_ptr<PipeUser> make_responder() { return std::make_unique<Responder>(); }

int peer_main(int argc, char** argv, std::unique_ptr<Engine> (*make)(const Options& options)) {
  std::vector<std::string> words;
  Options options;
  std::string listen;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const size_t equals = arg.find('=');
    if (arg == "--listen" && i + 1 < argc) {
      listen = argv[++i];
    } else if (equals != std::string::npos) {
      options[arg.substr(0, equals)] = arg.substr(equals + 1);
    } else {
      words.push_back(arg);
    }
  }
  const bool serving = words.size() == 1 && words[0] == "serve";
  if (!serving && !(words.size() == 3 && words[0] == "run")) {
    std::fprintf(stderr,
                 "usage: peer serve [--listen ADDRESS] [key=value...]\n"
                 "       peer run ADDRESS SCENARIO [key=value...]\n");
    return 2;
  }
  std::unique_ptr<Engine> engine = make(options);
  if (!engine) return 1;
  if (!serving && !engine->set_remote(words[1])) return 1;
  const int code = serving ? serve(*engine, listen) : run(*engine, words[2], options);
  // The engine is not taken down: what is measured is over, and the process ends.
  std::fflush(stdout);
  std::_Exit(code);
}

}  // namespace kith::bench
