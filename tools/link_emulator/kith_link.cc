// kith-link: two network namespaces and an emulated link between them. See README.md.
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "tools/link_emulator/direction.h"
#include "tools/link_emulator/network.h"
#include "tools/link_emulator/options.h"

namespace kith::link_emulator {
namespace {

constexpr int kUnavailable = 77;  // exit code: this machine or user cannot do it
constexpr int kDefaultMtu = 1500;

constexpr char kUsage[] =
    "usage: kith-link [--mtu BYTES] [--batch-us N] [--spin-us N] "
    "[both|a-to-b|b-to-a|key=value]...\n"
    "It prints a line once the link is up, then takes lines on standard input and ends with it:\n"
    "  set [both|a-to-b|b-to-a|clear|key=value]...\n"
    "  counters\n"
    "keys: seed mtu delay_ms jitter_ms reorder rate_mbit queue_bytes queue_packets queue_ms loss "
    "loss_run\n"
    "      burst_begin burst_end burst_loss drop_first drop_last corrupt duplicate on_ms off_ms\n";

struct Arguments {
  int mtu = kDefaultMtu;
  Waiting waiting{};
  std::string words{};
};

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with("--")) {
      if (i + 1 == argc) return false;
      const int value = std::atoi(argv[++i]);
      if (word == "--mtu" && value >= 1280 && value <= 65'535) {
        out.mtu = value;
      } else if (word == "--batch-us" && value >= 0) {
        out.waiting.batch = std::chrono::microseconds(value);
      } else if (word == "--spin-us" && value >= 0) {
        out.waiting.spin = std::chrono::microseconds(value);
      } else {
        return false;
      }
    } else {
      out.words += word + " ";
    }
  }
  return true;
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

void print_end(const char* name, const End& end) {
  std::printf(",\"%s\":{\"netns\":\"/proc/%d/fd/%d\",\"ip4\":\"%s\",\"ip6\":\"%s\"}", name,
              static_cast<int>(getpid()), end.netns, end.ip4.c_str(), end.ip6.c_str());
}

void print_direction(const char* name, const Direction& direction, const End& from) {
  std::string counters = to_json(direction.counters());
  counters.pop_back();  // its brace: more follows
  const Lateness late = direction.lateness();
  std::printf(
      ",\"%s\":%s,\"device_drops\":%lu,\"late_sum_us\":%lld,\"late_max_us\":%lld,"
      "\"late_over_1ms\":%llu}",
      name, counters.c_str(), dropped_by_device(from),
      static_cast<long long>(late.sum.count() / 1000),
      static_cast<long long>(late.max.count() / 1000),
      static_cast<unsigned long long>(late.over_1ms));
}

class Program {
 public:
  // The exit code, or 0 to go on.
  int start(const Arguments& arguments) {
    std::string why = apply_words(options_, arguments.words);
    if (!why.empty()) {
      std::fprintf(stderr, "kith-link: %s\n", why.c_str());
      return 2;
    }
    why = make_end(1, arguments.mtu, a_);
    if (why.empty()) why = make_end(2, arguments.mtu, b_);
    if (!why.empty()) {
      std::fprintf(stderr, "kith-link: %s%s\n", why.c_str(),
                   geteuid() == 0 ? "" : " (it takes root)");
      return kUnavailable;
    }
    forth_ = std::make_unique<Direction>(a_.tun, b_.tun, options_.a_to_b, arguments.waiting);
    back_ = std::make_unique<Direction>(b_.tun, a_.tun, options_.b_to_a, arguments.waiting);
    std::printf("{\"event\":\"ready\",\"pid\":%d", static_cast<int>(getpid()));
    print_end("a", a_);
    print_end("b", b_);
    say("");
    return 0;
  }

  void obey(const std::string& line) {
    if (line == "counters") return print_counters();
    if (!line.starts_with("set ")) return say_error("no such command");
    LinkOptions options = options_;
    const std::string why = apply_words(options, line.substr(4));
    if (!why.empty()) return say_error(why);
    options_ = options;
    forth_->configure(options.a_to_b);
    back_->configure(options.b_to_a);
    std::printf("{\"event\":\"set\"");
    say("");
  }

  void stop() {
    forth_.reset();
    back_.reset();
    kill_processes_in(a_, b_);
  }

 private:
  void print_counters() {
    std::printf("{\"event\":\"counters\",\"cpu_s\":%.6f", cpu_seconds());
    print_direction("a_to_b", *forth_, a_);
    print_direction("b_to_a", *back_, b_);
    say("");
  }
  // Ends the line.
  void say(const char* text) {
    std::printf("%s}\n", text);
    std::fflush(stdout);
  }
  void say_error(const std::string& why) {
    std::string escaped;
    for (const char c : why) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
    }
    std::printf("{\"event\":\"error\",\"why\":\"%s\"", escaped.c_str());
    say("");
  }

  LinkOptions options_;
  End a_{};
  End b_{};
  std::unique_ptr<Direction> forth_;
  std::unique_ptr<Direction> back_;
};

// Reads commands until the end of standard input or a signal.
void serve(Program& program, int signals) {
  std::string pending;
  while (true) {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 || fds[1].revents != 0) return;
    char text[4096];
    const ssize_t n = read(STDIN_FILENO, text, sizeof text);
    if (n <= 0) return;
    pending.append(text, static_cast<size_t>(n));
    size_t end = 0;
    while ((end = pending.find('\n')) != std::string::npos) {
      program.obey(pending.substr(0, end));
      pending.erase(0, end + 1);
    }
  }
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  // Blocked before the threads start, so that only serve() sees them.
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  // Packets come in time also when the ends use all of the CPU. Nice values would not do: the scheduler may apply them
  // within a session only.
  const sched_param priority = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_RR, &priority);

  Program program;
  const int code = program.start(arguments);
  if (code != 0) return code;
  serve(program, signals);
  program.stop();
  return 0;
}

}  // namespace
}  // namespace kith::link_emulator

int main(int argc, char** argv) { return kith::link_emulator::run(argc, argv); }
