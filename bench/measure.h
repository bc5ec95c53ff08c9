// What the benchmark's scenarios are made of: clocks, figures of this process, connections, one exchange of a message
// for an answer, and the line that is printed at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/workload.h"

namespace kith::bench {

extern const uint8_t kZeros[kChunkBytes];

double now();  // seconds
double cpu_seconds();
long rss_kb();
long peak_rss_kb();

void put_u64(uint8_t* to, uint64_t v);
uint64_t get_u64(const uint8_t* from);
// A header and its bytes; `size` counts both.
ByteVector whole_message(uint64_t size, uint64_t down, bool last);

[[noreturn]] void fail(const char* why);
__attribute__((format(printf, 1, 2))) std::string text(const char* format, ...);
// Percentiles of `values`, which it sorts; `unit` of them make a second.
std::string latency(std::vector<double>& values, double unit, const char* name);

// Stdin without blocking: whether there is something to read, and a line. False at its end.
bool stdin_ready();
bool read_stdin(std::string& line);

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
void print_result(const char* scenario, const Meter& meter, const std::string& metrics);

// Runs the loop for some time.
void idle_for(Engine& engine, double seconds);

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
  void start(Session& session, Bytes whole = {});
  void on_data(Pipe&, Bytes data) override;
  void on_writable(Pipe& pipe) override;
  void on_closed(bool failed) override { owner_.exchange_closed(*this, failed || finished == 0); }
  double seconds() const { return finished - started; }
  uint64_t bytes_left() const { return up_; }

  double started = 0;
  double finished = 0;

 private:
  Owner& owner_;
  uint64_t up_;
  uint64_t down_;
  uint64_t received_ = 0;
  uint8_t head_[kHeaderBytes];
};

// Connections keeps `count` of them open at once.
class Connections final : public SessionUser {
 public:
  std::vector<Session*> open(Engine& engine, size_t count);

 private:
  void on_connected(Session& session) override {
    --dialing_;
    sessions_.push_back(&session);
  }
  void on_disconnected() override { fail("a connection failed or was lost"); }
  std::vector<Session*> sessions_;
  size_t dialing_ = 0;
};

// Pinger exchanges messages on one stream, one at a time.
class Pinger final : public PipeUser {
 public:
  Pinger(Session& session, uint64_t size);
  // One round trip after the other until `n` are done or `seconds` have passed.
  void run(Engine& engine, uint64_t n, double seconds = 1e9);

  std::vector<double> latencies;

 private:
  void send();
  void on_data(Pipe& pipe, Bytes data) override;
  void on_writable(Pipe&) override {}
  void on_closed(bool) override { fail("the stream ended"); }
  const uint64_t size_;
  const ByteVector message_;
  Pipe* pipe_;
  uint64_t left_ = 0;
  double end_ = 0;
  uint64_t received_ = 0;
  double sent_at_ = 0;
};

// Scenarios of idle.cc.
int run_idle(Engine& engine, const Options& options);
int run_idle_streams(Engine& engine, const Options& options);

}  // namespace kith::bench
