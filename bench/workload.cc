#include "bench/workload.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace kith::bench {

namespace {

alignas(64) const uint8_t kZeros[kChunkBytes] = {};

double now() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9;
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

// A field of /proc/self/status in KiB. Not getrusage's maximum, which remembers the process before exec.
long status_kb(const char* field) {
  std::FILE* f = std::fopen("/proc/self/status", "r");
  if (!f) return 0;
  char line[256];
  long kb = 0;
  const size_t n = std::strlen(field);
  while (std::fgets(line, sizeof line, f)) {
    if (std::strncmp(line, field, n) == 0) kb = std::atol(line + n);
  }
  std::fclose(f);
  return kb;
}
long rss_kb() { return status_kb("VmRSS:"); }
long peak_rss_kb() { return status_kb("VmHWM:"); }

void put_u64(uint8_t* to, uint64_t v) {
  for (int i = 7; i >= 0; --i, v >>= 8) to[i] = static_cast<uint8_t>(v);
}
uint64_t get_u64(const uint8_t* from) {
  uint64_t v = 0;
  for (int i = 0; i < 8; ++i) v = v << 8 | from[i];
  return v;
}

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

// Exchange sends one message on a stream of its own and counts the answer.
class Exchange final : public PipeUser {
 public:
  class Owner {
   public:
    virtual void answered(Exchange& exchange) = 0;
    virtual void exchange_closed(Exchange& exchange, bool failed) = 0;

   protected:
    ~Owner() = default;
  };
  Exchange(Owner& owner, uint64_t up, uint64_t down) : owner_(owner), up_(up), down_(down) {
    put_u64(head_, up | kLast);
    put_u64(head_ + 8, down);
  }
  // `whole`: header and bytes in one piece that outlives the stream; for small messages.
  void start(Session& session, Bytes whole = {}) {
    started = now();
    Pipe* pipe = session.open(this);
    if (!pipe) return owner_.exchange_closed(*this, true);
    if (!whole.empty()) {
      up_ = 0;
      pipe->write(whole, true);
      return;
    }
    pipe->write({head_, kHeaderBytes}, up_ == 0);
    on_writable(*pipe);
  }
  void on_data(Pipe&, Bytes data) override {
    received_ += data.size();
    if (received_ == down_) {
      finished = now();
      owner_.answered(*this);
    }
  }
  void on_writable(Pipe& pipe) override {
    while (up_ != 0) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(up_, kChunkBytes));
      if (!pipe.write({kZeros, n}, n == up_)) return;
      up_ -= n;
    }
  }
  void on_closed(bool failed) override { owner_.exchange_closed(*this, failed || finished == 0); }
  double seconds() const { return finished - started; }

  double started = 0;
  double finished = 0;

 private:
  Owner& owner_;
  uint64_t up_;
  uint64_t down_;
  uint64_t received_ = 0;
  uint8_t head_[kHeaderBytes];
};

// What is measured: time and CPU between start() and stop().
struct Meter {
  void start() {
    began = now();
    cpu = cpu_seconds();
  }
  void stop() {
    seconds = now() - began;
    cpu = cpu_seconds() - cpu;
  }
  double began = 0;
  double seconds = 0;
  double cpu = 0;
};

double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto i = static_cast<size_t>(p * static_cast<double>(values.size() - 1) + 0.5);
  return values[i];
}

void print_result(const char* scenario, const Meter& meter, const std::string& metrics) {
  std::printf("{\"scenario\":\"%s\",\"seconds\":%.6f,%s,\"cpu_s\":%.6f,\"peak_rss_kb\":%ld}\n",
              scenario, meter.seconds, metrics.c_str(), meter.cpu, peak_rss_kb());
  std::fflush(stdout);
}

__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...) {
  char out[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(out, sizeof out, format, args);
  va_end(args);
  return out;
}

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "bench: %s\n", why);
  std::exit(1);
}

// Connections keeps `count` of them open at once.
class Connections final : public SessionUser {
 public:
  std::vector<Session*> open(Engine& engine, size_t count) {
    while (sessions_.size() < count) {
      while (dialing_ < 32 && sessions_.size() + dialing_ < count) {
        ++dialing_;
        engine.dial(this);
      }
      engine.turn(100);
    }
    return sessions_;
  }

 private:
  void on_connected(Session& session) override {
    --dialing_;
    sessions_.push_back(&session);
  }
  void on_disconnected() override { fail("a connection failed or was lost"); }
  std::vector<Session*> sessions_;
  size_t dialing_ = 0;
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

ByteVector whole_message(uint64_t size, uint64_t down, bool last) {
  const uint64_t up = size > kHeaderBytes ? size - kHeaderBytes : 0;
  ByteVector out(kHeaderBytes + up);
  put_u64(out.data(), up | (last ? kLast : 0));
  put_u64(out.data() + 8, down);
  return out;
}

std::string latency(std::vector<double>& values, double unit, const char* name) {
  const double p50 = percentile(values, 0.5) * unit;
  return text("\"p50_%s\":%.3f,\"p99_%s\":%.3f,\"max_%s\":%.3f", name, p50, name,
              percentile(values, 0.99) * unit, name, percentile(values, 1) * unit);
}

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

// PingPong exchanges messages on one stream, one at a time.
class PingPong final : public PipeUser {
 public:
  int run(Engine& engine, const Options& options) {
    n_ = number(options, "n", 20'000);
    size_ = number(options, "size", 64);
    message_ = whole_message(size_, size_, false);
    Connections connections;
    Pipe* pipe = connections.open(engine, 1).front()->open(this);
    if (!pipe) fail("no stream");
    run_batch(engine, *pipe, std::min<uint64_t>(n_, 500));
    latencies_.clear();
    Meter meter;
    meter.start();
    run_batch(engine, *pipe, n_);
    meter.stop();
    print_result("pingpong", meter,
                 text("\"n\":%zu,\"req_s\":%.1f,", latencies_.size(),
                      static_cast<double>(latencies_.size()) / meter.seconds) +
                     latency(latencies_, 1e6, "us"));
    return 0;
  }

 private:
  void run_batch(Engine& engine, Pipe& pipe, uint64_t n) {
    left_ = n;
    send(pipe);
    while (left_ != 0) engine.turn(1000);
  }
  void send(Pipe& pipe) {
    received_ = 0;
    sent_at_ = now();
    pipe.write(message_, false);
  }
  void on_data(Pipe& pipe, Bytes data) override {
    received_ += data.size();
    if (received_ != size_) return;
    latencies_.push_back(now() - sent_at_);
    if (--left_ != 0) send(pipe);
  }
  void on_writable(Pipe&) override {}
  void on_closed(bool) override { fail("the stream ended"); }
  ByteVector message_;
  uint64_t n_ = 0;
  uint64_t size_ = 0;
  uint64_t left_ = 0;
  uint64_t received_ = 0;
  double sent_at_ = 0;
  std::vector<double> latencies_;
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

// Reads lines of stdin without blocking. False at its end.
bool read_stdin(std::string& line) {
  char c;
  line.clear();
  while (true) {
    const ssize_t n = read(0, &c, 1);
    if (n <= 0) return false;
    if (c == '\n') return true;
    line.push_back(c);
  }
}
bool stdin_ready() {
  pollfd p{0, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

int run_idle(Engine& engine, const Options& options) {
  const size_t conns = number(options, "conns", 100);
  const auto settle = static_cast<double>(number(options, "settle", 3));
  Connections warm_up;  // the first connection's one-time costs are not a connection's
  warm_up.open(engine, 1);
  for (const double end = now() + 1; now() < end;) engine.turn(50);
  const long before = rss_kb();
  Connections connections;
  Meter meter;
  meter.start();
  connections.open(engine, conns);
  for (const double end = now() + settle; now() < end;) engine.turn(50);
  meter.stop();
  const long after = rss_kb();
  print_result(
      "idle", meter,
      text("\"conns\":%zu,\"rss_before_kb\":%ld,\"rss_after_kb\":%ld,\"kib_per_conn\":%.2f", conns,
           before, after, static_cast<double>(after - before) / static_cast<double>(conns)));
  std::string line;
  while (!stdin_ready() || read_stdin(line)) engine.turn(100);
  return 0;
}

int run(Engine& engine, const std::string& scenario, const Options& options) {
  if (scenario == "upload" || scenario == "download" || scenario == "both")
    return Bulk().run(engine, scenario.c_str(), options);
  if (scenario == "request") return Requests().run(engine, options);
  if (scenario == "pingpong") return PingPong().run(engine, options);
  if (scenario == "connect") return Connects().run(engine, options);
  if (scenario == "idle") return run_idle(engine, options);
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
    engine.turn(1000);
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
