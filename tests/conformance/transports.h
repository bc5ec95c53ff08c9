// The transports that the conformance suite runs on. A new transport is one class here and one line in kTransports.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/host.h"
#include "runtime/sim_loop.h"

namespace kith::test {

// A place for nodes: a loop, and how to make a node on it that listens at `address()`.
class Place {
 public:
  virtual ~Place() = default;
  virtual Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) = 0;
  // Runs the loop until `done()`; false if it never was.
  virtual bool run_until(const std::function<bool()>& done) = 0;
  // Lets everything that is on its way arrive.
  virtual void settle() = 0;
  virtual runtime::Loop& loop() = 0;
};

class MemoryPlace final : public Place {
 public:
  Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) override {
    network_.latency = milliseconds(2);
    if (listens) config.listen = {wire::Multiaddr::parse("/memory/0").value()};
    return host::Host::create_in_memory(loop_, network_, std::move(config));
  }
  bool run_until(const std::function<bool()>& done) override {
    return loop_.run_until(done, seconds(600));
  }
  void settle() override { loop_.run_for(seconds(1)); }
  runtime::Loop& loop() override { return loop_; }

 private:
  runtime::SimLoop loop_;
  transport::memory::MemoryNetwork network_;
};

class QuicPlace final : public Place {
 public:
  Result<std::unique_ptr<host::Host>> make_host(host::HostConfig config, bool listens) override {
    if (!runtime_) {
      KITH_ASSIGN(runtime_, host::Runtime::create());
    }
    if (listens) config.listen = {wire::Multiaddr::parse("/ip4/127.0.0.1/udp/0/quic-v1").value()};
    return host::Host::create(*runtime_, std::move(config));
  }
  bool run_until(const std::function<bool()>& done) override {
    const TimePoint end = runtime::EpollLoop::clock() + seconds(60);
    while (!done()) {
      const TimePoint now = runtime::EpollLoop::clock();
      if (now >= end) return false;
      runtime_->loop().turn(now + milliseconds(20));
    }
    return true;
  }
  void settle() override {
    const TimePoint end = runtime::EpollLoop::clock() + milliseconds(100);
    run_until([&] { return runtime::EpollLoop::clock() >= end; });
  }
  runtime::Loop& loop() override { return runtime_->loop(); }

 private:
  std::unique_ptr<host::Runtime> runtime_;
};

struct TransportKind {
  const char* name;
  std::unique_ptr<Place> (*make)();
  friend void PrintTo(const TransportKind& t, std::ostream* out) { *out << t.name; }
};

inline const TransportKind kTransports[] = {
    {"memory", [] { return std::unique_ptr<Place>(std::make_unique<MemoryPlace>()); }},
    {"quic", [] { return std::unique_ptr<Place>(std::make_unique<QuicPlace>()); }},
};

}  // namespace kith::test
