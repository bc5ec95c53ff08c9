// kith perf: how much goes through to a node that serves /perf/1.0.0.
// Spec: libp2p/specs perf/perf.md. With --json the lines of progress and of runs have the fields of the libp2p test
// plans' perf apps (type, timeSeconds, uploadBytes, downloadBytes), and more.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "command.h"
#include "node.h"
#include "output.h"
#include "units.h"

namespace cli {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kDefaultDuration = 10;
constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
// The library reports progress this often.
constexpr std::chrono::seconds kProgressInterval{1};

struct PerfOptions {
  std::string address;
  NodeOptions node;
  std::optional<std::string> upload;
  std::optional<std::string> download;
  std::optional<double> duration;
  uint32_t runs = 1;
  double timeout = 30;
  bool json = false;
};

// What each run does. A direction with 0 bytes is left out.
struct Plan {
  uint64_t upload = 0;
  uint64_t download = 0;
  std::optional<double> duration;  // of each direction, in seconds
};

Plan plan_of(const PerfOptions& o) {
  if (!o.upload && !o.download) {
    return {kNoLimit, kNoLimit, o.duration.value_or(kDefaultDuration)};
  }
  Plan plan;
  if (o.upload) plan.upload = parse_size("--upload", *o.upload);
  if (o.download) plan.download = parse_size("--download", *o.download);
  plan.duration = o.duration;
  if (plan.upload == 0 && plan.download == 0) {
    throw UsageError("nothing to move: --upload or --download must be more than 0");
  }
  return plan;
}

enum class Direction { kUpload, kDownload };

// What went through in one direction, from the request for a stream to the peer's last byte.
struct Transfer {
  uint64_t bytes = 0;
  double seconds = 0;
  double bps() const { return seconds > 0 ? 8 * static_cast<double>(bytes) / seconds : 0; }
};

struct Run {
  uint32_t number = 0;
  double connect_seconds = 0;
  std::optional<Transfer> upload;
  std::optional<Transfer> download;
  std::optional<Transfer>& at(Direction d) { return d == Direction::kUpload ? upload : download; }
};

// Five numbers about a sample; quartiles between two values are interpolated.
struct Spread {
  explicit Spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    for (size_t i = 0; i < 5; ++i) {
      const double at = 0.25 * static_cast<double>(i) * static_cast<double>(values.size() - 1);
      const auto below = static_cast<size_t>(at);
      const size_t above = std::min(below + 1, values.size() - 1);
      number[i] = values[below] + (values[above] - values[below]) * (at - std::floor(at));
    }
  }
  std::string text(double unit, const char* name, int digits) const {
    return fmt::format("{:.{}f}/{:.{}f}/{:.{}f}/{:.{}f}/{:.{}f} {}", number[0] / unit, digits,
                       number[1] / unit, digits, number[2] / unit, digits, number[3] / unit, digits,
                       number[4] / unit, digits, name);
  }
  Json json(double unit) const {
    return {{"min", number[0] / unit},
            {"q1", number[1] / unit},
            {"median", number[2] / unit},
            {"q3", number[3] / unit},
            {"max", number[4] / unit}};
  }
  double median() const { return number[2]; }
  double number[5] = {};
};

// Prints what happens: progress in place to a terminal, runs and the summary to stdout.
class Report {
 public:
  explicit Report(const PerfOptions& o)
      : json_(o.json),
        num_runs_(o.runs),
        shows_progress_(isatty(STDERR_FILENO) && !(o.json && isatty(STDOUT_FILENO))) {}

  void connected(kith_connection* c, const Run& run) {
    if (json_) {
      print_event({{"event", "connected"},
                   {"run", run.number},
                   {"peer_id", kith_connection_peer_id(c)},
                   {"remote_addr", kith_connection_remote_address(c)},
                   {"ms", milliseconds_value(run.connect_seconds * 1e9)}});
    } else if (run.number == 1) {
      print_line(fmt::format("PERF {} at {}", kith_connection_peer_id(c),
                             kith_connection_remote_address(c)));
    }
  }

  // `step` is what went through since the last report, `total` since the beginning of the transfer.
  void progress(const Run& run, Direction d, const Transfer& step, const Transfer& total) {
    const bool up = d == Direction::kUpload;
    if (json_) {
      print_event({{"event", "progress"},
                   {"type", "intermediary"},
                   {"run", run.number},
                   {"timeSeconds", step.seconds},
                   {"uploadBytes", up ? step.bytes : 0},
                   {"downloadBytes", up ? 0 : step.bytes}});
    }
    if (!shows_progress_) return;
    std::fprintf(stderr, "\r%s\x1b[K",
                 fmt::format("run {}/{}: {} {} in {:.0f} s, now {}", run.number, num_runs_,
                             up ? "up" : "down", size_text(total.bytes), total.seconds,
                             rate_text(step.bps()))
                     .c_str());
    is_line_open_ = true;
  }

  // Erases the progress; to be called before anything else is printed.
  void end_progress() {
    if (std::exchange(is_line_open_, false)) std::fputs("\r\x1b[K", stderr);
  }

  void run(const Run& run, bool finished) const {
    if (json_) return run_json(run, finished);
    std::string line =
        fmt::format("run {}: connected in {}", run.number, time_text(run.connect_seconds));
    if (run.upload) line += "; up " + text(*run.upload);
    if (run.download) line += "; down " + text(*run.download);
    print_line(line + (finished ? "" : " (unfinished)"));
  }

  // `error` is empty if all went well.
  void summary(const std::vector<Run>& runs, const std::string& error) const {
    std::vector<double> connect, upload, download;
    for (const Run& r : runs) {
      connect.push_back(r.connect_seconds);
      if (r.upload) upload.push_back(r.upload->bps());
      if (r.download) download.push_back(r.download->bps());
    }
    if (json_) {
      Json line = {{"event", "summary"}, {"runs", runs.size()}};
      if (!connect.empty()) line["connect_ms"] = Spread(connect).json(1e-3);
      if (!upload.empty()) line["upload_bps"] = Spread(upload).json(1);
      if (!download.empty()) line["download_bps"] = Spread(download).json(1);
      if (!error.empty()) line["error"] = error;
      return print_event(line);
    }
    if (runs.size() < 2) return;  // the run's line says it all
    print_line(fmt::format("--- {} runs, min/q1/median/q3/max ---", runs.size()));
    if (!upload.empty()) print_line("up       " + rates(upload));
    if (!download.empty()) print_line("down     " + rates(download));
    print_line("connect  " + Spread(connect).text(1e-3, "ms", 3));
  }

 private:
  static std::string text(const Transfer& t) {
    return fmt::format("{} in {}, {}", size_text(t.bytes), time_text(t.seconds),
                       rate_text(t.bps()));
  }
  static std::string rates(const std::vector<double>& bps) {
    const Spread spread(bps);
    const RateUnit unit = rate_unit(spread.median());
    return spread.text(unit.bps, unit.name, 2);
  }
  static void run_json(const Run& run, bool finished) {
    const Transfer up = run.upload.value_or(Transfer{});
    const Transfer down = run.download.value_or(Transfer{});
    Json line = {{"event", "run"},
                 {"type", "final"},
                 {"run", run.number},
                 {"timeSeconds", run.connect_seconds + up.seconds + down.seconds},
                 {"uploadBytes", up.bytes},
                 {"downloadBytes", down.bytes},
                 {"connect_ms", milliseconds_value(run.connect_seconds * 1e9)}};
    if (run.upload) {
      line["upload_ms"] = milliseconds_value(up.seconds * 1e9);
      line["upload_bps"] = std::round(up.bps());
    }
    if (run.download) {
      line["download_ms"] = milliseconds_value(down.seconds * 1e9);
      line["download_bps"] = std::round(down.bps());
    }
    if (!finished) line["unfinished"] = true;
    print_event(line);
  }

  const bool json_;
  const uint32_t num_runs_;
  const bool shows_progress_;
  bool is_line_open_ = false;
};

class Perf {
 public:
  Perf(Node& node, const PerfOptions& options, const Plan& plan)
      : node_(node), options_(options), plan_(plan), report_(options) {}

  // Throws Failure or Interrupted, after the summary of the runs before.
  void run(const Address& address) {
    std::vector<Run> runs;
    try {
      while (runs.size() < options_.runs) {
        run_ = {};
        run_.number = static_cast<uint32_t>(runs.size()) + 1;
        run_once(address);
        runs.push_back(run_);
      }
    } catch (const Failure& f) {
      give_up(runs, f.what());
      throw;
    } catch (const Interrupted&) {
      give_up(runs, "interrupted");
      throw;
    }
    report_.summary(runs, "");
  }

 private:
  // Every run has a connection of its own: none starts with what the one before learned of the path.
  void run_once(const Address& address) {
    const Clock::time_point begin = Clock::now();
    kith_connection* c = node_.connect(address, to_milliseconds(options_.timeout));
    run_.connect_seconds = Seconds(Clock::now() - begin).count();
    report_.connected(c, run_);
    if (plan_.upload != 0) transfer(c, Direction::kUpload, plan_.upload);
    if (plan_.download != 0) transfer(c, Direction::kDownload, plan_.download);
    report_.run(run_, /*finished=*/true);
    node_.disconnect();
  }

  void give_up(const std::vector<Run>& runs, const std::string& error) {
    report_.end_progress();
    const auto has_moved = [](const std::optional<Transfer>& t) { return t && t->bytes != 0; };
    if (runs.size() < run_.number && (has_moved(run_.upload) || has_moved(run_.download))) {
      report_.run(run_, /*finished=*/false);
    }
    report_.summary(runs, error);
  }

  // Moves `bytes`, or less if there is a duration. What has gone through is always in run_.
  void transfer(kith_connection* c, Direction d, uint64_t bytes) {
    direction_ = d;
    run_.at(d) = Transfer{};
    fresh_.clear();
    end_.reset();
    kith_perf_handler handler{};
    handler.struct_size = sizeof handler;
    handler.user = this;
    handler.on_progress = [](void* user, const kith_perf_result* r) {
      auto* self = static_cast<Perf*>(user);
      self->fresh_.push_back(self->to_transfer(*r));
      self->node_.wake();
    };
    handler.on_end = [](void* user, const kith_perf_result* r, const kith_error* error) {
      auto* self = static_cast<Perf*>(user);
      self->fresh_.push_back(self->to_transfer(*r));
      self->end_ = *error;
      self->node_.wake();
    };
    const bool up = d == Direction::kUpload;
    const kith_status status = kith_connection_perf(c, up ? bytes : 0, up ? 0 : bytes, &handler);
    if (status != KITH_OK) {
      throw Failure(std::string("cannot start to measure: ") + kith_status_text(status));
    }
    follow(c);
    report_.end_progress();
    if (end_->status != KITH_OK) throw Failure(explain(c, *end_));
  }

  // Runs the loop until the transfer has ended, and stops it when its time is up.
  void follow(kith_connection* c) {
    const Clock::time_point never = Clock::time_point::max();
    const auto stall = to_milliseconds(options_.timeout) + kProgressInterval;
    Clock::time_point stall_at = Clock::now() + stall;
    Clock::time_point stop_at =
        plan_.duration ? Clock::now() + to_milliseconds(*plan_.duration) : never;
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(std::min(stop_at, stall_at) - Clock::now());
      node_.wait([this] { return end_ || !fresh_.empty(); },
                 std::max(left, std::chrono::milliseconds(0)));
      if (Node::signal() != 0) throw Interrupted{Node::signal()};
      if (take_progress()) stall_at = Clock::now() + stall;
      if (end_) return;
      if (Clock::now() >= stop_at) {
        stop_at = never;
        kith_connection_stop_perf(c);
      }
      if (Clock::now() >= stall_at) {
        throw Failure(fmt::format("nothing went through for {} s{}", options_.timeout, so_far()));
      }
    }
  }

  // Reports what came from the loop. Returns whether anything has moved.
  bool take_progress() {
    bool moved = false;
    for (const Transfer& now : std::exchange(fresh_, {})) {
      Transfer& before = *run_.at(direction_);
      const Transfer step{now.bytes - before.bytes, now.seconds - before.seconds};
      moved = moved || step.bytes != 0;
      before = now;
      if (!end_) report_.progress(run_, direction_, step, now);
    }
    return moved;
  }

  Transfer to_transfer(const kith_perf_result& r) const {
    const auto nanoseconds = static_cast<double>(r.upload_ns + r.download_ns);
    return {direction_ == Direction::kUpload ? r.uploaded : r.downloaded, nanoseconds / 1e9};
  }

  std::string so_far() {
    return fmt::format(", after {} of the {} in run {}", size_text(run_.at(direction_)->bytes),
                       direction_ == Direction::kUpload ? "upload" : "download", run_.number);
  }

  std::string explain(kith_connection* c, const kith_error& error) {
    if (error.status == KITH_ERR_PROTOCOL_NOT_SUPPORTED) {
      return fmt::format(
          "{} does not serve /perf/1.0.0. A kith node does when started with 'kith listen "
          "--perf'.",
          kith_connection_peer_id(c));
    }
    return error.message + so_far();
  }

  Node& node_;
  const PerfOptions& options_;
  const Plan plan_;
  Report report_;
  Run run_;  // under way
  Direction direction_ = Direction::kUpload;
  std::vector<Transfer> fresh_;  // not yet reported
  std::optional<kith_error> end_;
};

int perf(const PerfOptions& o, int verbosity) {
  const Address address = parse_address_argument(o.address);
  const Plan plan = plan_of(o);
  // The measurement outlives the node, whose last callbacks go to it.
  std::unique_ptr<Perf> measurement;
  Node node(o.node, verbosity, nullptr);
  measurement = std::make_unique<Perf>(node, o, plan);
  measurement->run(address);
  return kOk;
}

}  // namespace

void add_perf_command(Program& program) {
  auto o = std::make_shared<PerfOptions>();
  CLI::App* command = program.app.add_subcommand("perf", "Measure how much goes through to a node");
  command->add_option("MADDR", o->address, "Where the node listens; /p2p/ID at the end is optional")
      ->required()
      ->type_name("");
  command->add_option("--upload", o->upload, "Send this much: 100MB, 1GiB; see below")
      ->type_name("SIZE");
  command->add_option("--download", o->download, "Then fetch this much")->type_name("SIZE");
  command
      ->add_option("-d,--duration", o->duration,
                   "End each upload and each download after this, even if some\n"
                   "is left. [10 without a size, else no limit]")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 86400.0).description(""));
  command->add_option("-n,--runs", o->runs, "How often, each time on a new connection")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U).description(""))
      ->capture_default_str();
  add_node_options(command, &o->node);
  add_insecure_wss(command, &o->node.wss.accept_any_certificate);
  add_timeout(command, &o->timeout, "Give up on connecting, and when nothing moves, after this");
  add_json(command, &o->json, "Print JSON lines: connected, progress, run, summary");
  command->footer(
      "Without a size, sends for 10 seconds and then fetches for 10 seconds. With one or both, "
      "moves just\n"
      "that. Units: B, kB, MB, GB (powers of 1000); KiB, MiB, GiB (of 1024). Rates are in bits "
      "per second,\n"
      "of payload, from the request for a stream until the peer has confirmed the last byte.\n"
      "The node must serve /perf/1.0.0; a kith node does with 'kith listen --perf'.\n\n"
      "With --json, the lines 'progress' (each second) and 'run' have the fields type, "
      "timeSeconds,\n"
      "uploadBytes and downloadBytes of the libp2p test plans' perf apps.\n\n"
      "Examples:\n  kith perf /ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooW...\n"
      "  kith perf --upload 1GiB --download 1GiB --runs 5 /ip4/192.0.2.1/udp/4001/quic-v1\n"
      "  kith perf --download 10GB --duration 5 --json /ip4/192.0.2.1/udp/4001/quic-v1");
  program.on(command, [o, &program] { return perf(*o, program.verbosity); });
}

}  // namespace cli
