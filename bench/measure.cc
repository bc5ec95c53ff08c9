#include "bench/measure.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kith::bench {

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

namespace {

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

// Of sorted values.
double percentile(const std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  return values[static_cast<size_t>(p * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

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

ByteVector whole_message(uint64_t size, uint64_t down, bool last) {
  const uint64_t up = size > kHeaderBytes ? size - kHeaderBytes : 0;
  ByteVector out(kHeaderBytes + up);
  put_u64(out.data(), up | (last ? kLast : 0));
  put_u64(out.data() + 8, down);
  return out;
}

void fail(const char* why) {
  std::fprintf(stderr, "bench: %s\n", why);
  std::exit(1);
}

std::string text(const char* format, ...) {
  char out[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(out, sizeof out, format, args);
  va_end(args);
  return out;
}

std::string latency(std::vector<double>& values, double unit, const char* name) {
  std::sort(values.begin(), values.end());
  std::string out;
  for (const auto& [word, p] :
       {std::pair("p50", 0.5), {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}}) {
    out +=
        text("%s\"%s_%s\":%.3f", out.empty() ? "" : ",", word, name, percentile(values, p) * unit);
  }
  return out;
}

bool stdin_ready() {
  pollfd p{0, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

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

void print_result(const char* scenario, const Meter& meter, const std::string& metrics) {
  std::printf("{\"scenario\":\"%s\",\"seconds\":%.6f,%s,\"cpu_s\":%.6f,\"peak_rss_kb\":%ld}\n",
              scenario, meter.seconds, metrics.c_str(), meter.cpu, peak_rss_kb());
  std::fflush(stdout);
}

void idle_for(Engine& engine, double seconds) {
  for (const double end = now() + seconds; now() < end;) engine.turn(50);
}

void Exchange::start(Session& session, Bytes whole) {
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

void Exchange::on_data(Pipe&, Bytes data) {
  received_ += data.size();
  if (received_ == down_) {
    finished = now();
    owner_.answered(*this);
  }
}

void Exchange::on_writable(Pipe& pipe) {
  while (up_ != 0) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(up_, kChunkBytes));
    if (!pipe.write({kZeros, n}, n == up_)) return;
    up_ -= n;
  }
}

std::vector<Session*> Connections::open(Engine& engine, size_t count) {
  while (sessions_.size() < count) {
    while (dialing_ < 32 && sessions_.size() + dialing_ < count) {
      ++dialing_;
      engine.dial(this);
    }
    engine.turn(100);
  }
  return sessions_;
}

Pinger::Pinger(Session& session, uint64_t size)
    : size_(size), message_(whole_message(size, size, false)), pipe_(session.open(this)) {
  if (!pipe_) fail("no stream");
}

void Pinger::run(Engine& engine, uint64_t n, double seconds) {
  left_ = n;
  end_ = now() + seconds;
  send();
  while (left_ != 0) engine.turn(1000);
}

void Pinger::send() {
  received_ = 0;
  sent_at_ = now();
  if (!pipe_->write(message_, false)) fail("no room for a small message");
}

void Pinger::on_data(Pipe&, Bytes data) {
  received_ += data.size();
  if (received_ != size_) return;
  const double at = now();
  latencies.push_back(at - sent_at_);
  if (--left_ == 0) return;
  if (at < end_) return send();
  left_ = 0;
}

}  // namespace kith::bench
