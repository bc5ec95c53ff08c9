// Counts allocations in steady state, on each side of a QUIC connection: per ping on a kept stream, per new stream with a
// ping, per streamed MiB. The bar: none of kith's own.
//
//   bench_allocations [--trace]      --trace prints where kith's own come from
//
// Exits with 1 if kith allocates for more than one operation in a hundred.
// The program defines malloc and operator new for everything in it: an allocation through operator new is kith's (its
// pools use it, too), any other is MsQuic's or OpenSSL's, which are C. Each side runs on a thread of its own and counts
// for itself.
#include <execinfo.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "host/host.h"

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t num, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

struct Counts {
  uint64_t ours = 0;
  uint64_t ours_bytes = 0;
  uint64_t others = 0;
  uint64_t others_bytes = 0;
};
thread_local Counts counts;
thread_local bool tracing = false;
bool trace_wanted = false;

void count_ours(size_t size) {
  ++counts.ours;
  counts.ours_bytes += size;
  if (!tracing) return;
  tracing = false;  // what follows allocates
  void* frames[16];
  const int n = backtrace(frames, 16);
  std::fprintf(stderr, "-- %zu bytes\n", size);
  backtrace_symbols_fd(frames + 2, n - 2, 2);
  tracing = true;
}

void count_others(size_t size) {
  ++counts.others;
  counts.others_bytes += size;
}

void* checked(void* memory) {
  if (!memory) std::abort();
  return memory;
}

}  // namespace

extern "C" {
void* malloc(size_t size) {
  count_others(size);
  return __libc_malloc(size);
}
void* calloc(size_t num, size_t size) {
  count_others(num * size);
  return __libc_calloc(num, size);
}
void* realloc(void* memory, size_t size) {
  count_others(size);
  return __libc_realloc(memory, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  count_others(size);
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : 12;  // ENOMEM
}
void* aligned_alloc(size_t alignment, size_t size) {
  count_others(size);
  return __libc_memalign(alignment, size);
}
}

void* operator new(size_t size) {
  count_ours(size);
  return checked(__libc_malloc(size));
}
void* operator new(size_t size, std::align_val_t alignment) {
  count_ours(size);
  return checked(__libc_memalign(static_cast<size_t>(alignment), size));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace kith::bench {
namespace {

constexpr std::string_view kSinkId = "/kith-bench/sink/1";
constexpr size_t kMiB = size_t{1} << 20;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench_allocations: %s\n", why.c_str());
  std::exit(1);
}

// Drops what it reads.
class Sink final : public swarm::ProtocolHandler, transport::StreamHandler {
  void on_stream(swarm::PeerConnection&, transport::Stream& stream, std::string_view) override {
    stream.set_handler(this);
  }
  size_t on_data(transport::Stream&, Bytes data) override { return data.size(); }
  void on_read_closed(transport::Stream& stream) override { stream.close_write(); }
  void on_reset(transport::Stream& stream, uint64_t) override { stream.reset(0); }
  void on_stop(transport::Stream& stream, uint64_t) override { stream.stop_reading(0); }
  void on_writable(transport::Stream&) override {}
  void on_closed(transport::Stream&, const Error&) override {}
};

// Writes blocks from the loop's pool without end; counts what the transport took.
class Source final : public swarm::ProtocolStream {
 public:
  explicit Source(runtime::Loop& loop) : loop_(loop), block_(64 * 1024, 0x5a) {}
  void pump(transport::Stream& stream) {
    while (!stopped && stream.write(loop_.buffers().copy(block_)).ok()) written += block_.size();
  }
  uint64_t written = 0;
  bool stopped = false;
  bool is_closed = false;

 private:
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream&, Bytes data) override { return data.size(); }
  void on_read_closed(transport::Stream&) override {}
  void on_reset(transport::Stream&, uint64_t) override {}
  void on_stop(transport::Stream&, uint64_t) override {}
  void on_writable(transport::Stream& stream) override { pump(stream); }
  void on_closed(transport::Stream&, const Error&) override { is_closed = true; }
  runtime::Loop& loop_;
  const ByteVector block_;
};

// The dialing side, driven by main; the listening side has a thread of its own.
class Bench final : public swarm::ConnectHandler, service::PingHandler {
 public:
  Bench() {
    server_runtime_ = host::Runtime::create().value();
    client_runtime_ = host::Runtime::create().value();
    host::HostConfig config;
    config.listen = {wire::Multiaddr::parse("/ip4/127.0.0.1/udp/0/quic-v1").value()};
    server_ = host::Host::create(*server_runtime_, config).value();
    if (!server_->swarm().protocols().add(kSinkId, &sink_).ok()) die("cannot serve");
    client_ = host::Host::create(*client_runtime_, {}).value();
    const std::vector<wire::Multiaddr> addresses = server_->addresses();
    if (!server_runtime_->start_thread().ok()) die("no thread");
    const auto claim = client_->swarm().connect({}, addresses, this).value();
    run_until([&] { return connection_ && connection_->identified(); });
  }
  ~Bench() {
    bool done = false;
    const auto set = [](void* d) { *static_cast<bool*>(d) = true; };
    if (!client_->stop(set, &done).ok()) die("cannot stop");
    run_until([&] { return done; });
    std::atomic<bool> server_done{false};
    const auto set_atomic = [](void* d) { *static_cast<std::atomic<bool>*>(d) = true; };
    const Status s =
        server_runtime_->call([&] { static_cast<void>(server_->stop(set_atomic, &server_done)); });
    if (!s.ok()) die("cannot stop");
    while (!server_done)
      client_runtime_->loop().turn(runtime::EpollLoop::clock() + milliseconds(1));
    server_runtime_->join_thread();
    client_.reset();
    server_.reset();
  }

  void ping(const char* name, uint32_t num, bool new_stream) {
    measure(name, "round trip", num, [&](uint64_t n) {
      ended_ = false;
      service::PingOptions options;
      options.count = static_cast<uint32_t>(n);
      options.new_stream = new_stream;
      const auto session = client_->ping().start(*connection_, options, this).value();
      run_until([&] { return ended_; });
    });
  }

  bool is_clean() const { return is_clean_; }

  void stream(const char* name, uint64_t num_mib) {
    Source source(client_runtime_->loop());
    transport::Stream* s = connection_->open_stream(std::span(&kSinkId, 1), &source).value();
    measure(name, "MiB", num_mib, [&](uint64_t n) {
      const uint64_t target = source.written + n * kMiB;
      source.pump(*s);
      run_until([&] { return source.written >= target; });
    });
    source.stopped = true;
    s->close_write();
    run_until([&] { return source.is_closed; });
  }

 private:
  // Runs `work` to warm up, then counted, and prints a row for each side.
  template <typename Work>
  void measure(const char* name, const char* unit, uint64_t num, const Work& work) {
    work(std::max<uint64_t>(num / 10, 300));
    Counts server_before, server_after;
    at_server([&] {
      server_before = counts;
      tracing = trace_wanted;
    });
    const Counts before = counts;
    tracing = trace_wanted;
    work(num);
    tracing = false;
    const Counts after = counts;
    at_server([&] {
      tracing = false;
      server_after = counts;
    });
    print(name, "dialer", unit, num, before, after);
    print(name, "listener", unit, num, server_before, server_after);
  }
  void print(const char* name, const char* side, const char* unit, uint64_t num, const Counts& a,
             const Counts& b) {
    const auto per = [&](uint64_t from, uint64_t to) {
      return static_cast<double>(to - from) / static_cast<double>(num);
    };
    is_clean_ = is_clean_ && per(a.ours, b.ours) < 0.01;
    std::printf("%-28s %-9s %10.4f %12.1f %12.4f %12.1f   per %s of %llu\n", name, side,
                per(a.ours, b.ours), per(a.ours_bytes, b.ours_bytes), per(a.others, b.others),
                per(a.others_bytes, b.others_bytes), unit, static_cast<unsigned long long>(num));
  }
  void at_server(const std::function<void()>& fn) {
    if (!server_runtime_->call(fn).ok()) die("the server's thread is gone");
  }
  template <typename Done>
  void run_until(const Done& done) {
    const TimePoint limit = runtime::EpollLoop::clock() + seconds(60);
    while (!done()) {
      const TimePoint now = runtime::EpollLoop::clock();
      if (now > limit) die("nothing happens");
      client_runtime_->loop().turn(now + milliseconds(100));
    }
  }
  void on_connect(swarm::PeerConnection& c) override { connection_ = &c; }
  void on_connect_failed(const Error& error) override { die(error.to_string()); }
  void on_round_trip(Duration) override {}
  void on_ping_end(const Error& error) override {
    if (error.status() != KITH_OK) die(error.to_string());
    ended_ = true;
  }

  std::unique_ptr<host::Runtime> server_runtime_, client_runtime_;
  Sink sink_;
  std::unique_ptr<host::Host> server_, client_;
  swarm::PeerConnection* connection_ = nullptr;
  bool ended_ = false;
  bool is_clean_ = true;
};

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  trace_wanted = argc > 1 && std::strcmp(argv[1], "--trace") == 0;
  std::printf("%-28s %-9s %10s %12s %12s %12s\n", "allocations", "side", "kith", "bytes", "MsQuic",
              "bytes");
  kith::bench::Bench bench;
  bench.ping("ping, kept stream", 20000, /*new_stream=*/false);
  bench.ping("ping, stream for each", 20000, /*new_stream=*/true);
  bench.stream("stream one way", 1024);
  return bench.is_clean() ? 0 : 1;
}
