// kith ping: round trips to a node, over one connection.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "node.h"
#include "output.h"

namespace cli {

namespace {

struct PingOptions {
  std::string address;
  NodeOptions node;
  uint32_t count = 5;
  double interval = 1;
  double timeout = 10;
  bool new_stream = false;
  bool json = false;
};

// One run of pings: prints each round trip as it comes, and sums up.
class Pings {
 public:
  Pings(Node& node, const PingOptions& options) : node_(node), options_(options) {}

  // Returns the exit code.
  int run(const Address& address) {
    const auto begin = std::chrono::steady_clock::now();
    kith_connection* c = node_.connect(address, to_milliseconds(options_.timeout));
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    print_connected(c, took.count());
    kith_ping_handler handler{};
    handler.struct_size = sizeof handler;
    handler.user = this;
    handler.on_round_trip = [](void* user, int64_t rtt_ns) {
      static_cast<Pings*>(user)->round_trip(rtt_ns);
    };
    handler.on_end = [](void* user, const kith_error* error) {
      static_cast<Pings*>(user)->end(*error);
    };
    const uint32_t count =
        options_.count != 0 ? options_.count : std::numeric_limits<uint32_t>::max();
    const kith_status status = kith_connection_ping(
        c, count, static_cast<int64_t>(options_.interval * 1000), options_.new_stream, &handler);
    if (status != KITH_OK)
      throw Failure(std::string("cannot start to ping: ") + kith_status_text(status));
    follow();
    print_summary(kith_connection_peer_id(c));
    return num_ != 0 && error_.empty() ? kOk : kFailed;
  }

 private:
  // Prints what comes until the last ping, a failure, a ping that takes too long, or Ctrl-C.
  void follow() {
    auto timeout = to_milliseconds(options_.timeout);
    for (;;) {
      const bool on_time = node_.wait([this] { return ended_ || !fresh_.empty(); }, timeout);
      for (const int64_t rtt : std::exchange(fresh_, {})) print_round_trip(rtt);
      if (ended_ || Node::signal() != 0) return;
      if (!on_time) {
        error_ = fmt::format("no answer within {} s", options_.timeout);
        return;
      }
      timeout = to_milliseconds(options_.timeout + options_.interval);
    }
  }
  void round_trip(int64_t rtt_ns) {
    fresh_.push_back(rtt_ns);
    node_.wake();
  }
  void end(const kith_error& error) {
    ended_ = true;
    if (error.status != KITH_OK) error_ = error.message;
    node_.wake();
  }

  void print_connected(kith_connection* c, double ns) const {
    if (options_.json) {
      print_event({{"event", "connected"},
                   {"peer_id", kith_connection_peer_id(c)},
                   {"remote_addr", kith_connection_remote_address(c)},
                   {"ms", milliseconds_value(ns)}});
    } else {
      print_line(fmt::format("PING {} at {}, connected in {} ms", kith_connection_peer_id(c),
                             kith_connection_remote_address(c), milliseconds_text(ns)));
    }
  }

  void print_round_trip(int64_t rtt_ns) {
    const auto ns = static_cast<double>(rtt_ns);
    ++num_;
    last_answer_ = std::chrono::steady_clock::now();
    min_ = std::min(min_, ns);
    max_ = std::max(max_, ns);
    sum_ += ns;
    sum_of_squares_ += ns * ns;
    if (options_.json) {
      print_event({{"event", "ping"}, {"seq", num_}, {"rtt_ms", milliseconds_value(ns)}});
    } else {
      print_line(fmt::format("32 bytes: seq={} time={} ms", num_, milliseconds_text(ns)));
    }
  }

  // The first ping that fails is the last; on Ctrl-C one may be under way.
  uint64_t num_sent() const {
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - last_answer_;
    const bool is_waiting = !ended_ && since.count() > options_.interval;
    return num_ + (is_waiting || !error_.empty() ? 1 : 0);
  }

  void print_summary(const char* peer_id) const {
    const double n = std::max<double>(1, static_cast<double>(num_));
    const double average = sum_ / n;
    const double deviation = std::sqrt(std::max(0.0, sum_of_squares_ / n - average * average));
    if (options_.json) {
      Json line = {{"event", "summary"}, {"sent", num_sent()}, {"received", num_}};
      if (num_ != 0) {
        line.update({{"min_ms", milliseconds_value(min_)},
                     {"avg_ms", milliseconds_value(average)},
                     {"max_ms", milliseconds_value(max_)},
                     {"stddev_ms", milliseconds_value(deviation)}});
      }
      if (!error_.empty()) line["error"] = error_;
      print_event(line);
      return;
    }
    print_line(fmt::format("--- {} ping statistics ---", peer_id));
    print_line(fmt::format("{} sent, {} received{}", num_sent(), num_,
                           error_.empty() ? "" : ": " + printable(error_)));
    if (num_ != 0) {
      print_line(fmt::format("round trip min/avg/max/stddev = {}/{}/{}/{} ms",
                             milliseconds_text(min_), milliseconds_text(average),
                             milliseconds_text(max_), milliseconds_text(deviation)));
    }
  }

  Node& node_;
  const PingOptions& options_;
  std::vector<int64_t> fresh_;  // not yet printed
  bool ended_ = false;
  std::string error_;
  uint64_t num_ = 0;  // answered
  std::chrono::steady_clock::time_point last_answer_ = std::chrono::steady_clock::now();
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

int ping(const PingOptions& o, int verbosity) {
  const Address address = parse_address_argument(o.address);
  // The pings outlive the node, whose last callbacks go to them.
  std::unique_ptr<Pings> pings;
  Node node(o.node, verbosity, nullptr);
  pings = std::make_unique<Pings>(node, o);
  return pings->run(address);
}

}  // namespace

void add_ping_command(Program& program) {
  auto o = std::make_shared<PingOptions>();
  CLI::App* ping_command = program.app.add_subcommand("ping", "Measure round trips to a node");
  ping_command
      ->add_option("MADDR", o->address, "Where the node listens; /p2p/ID at the end is optional")
      ->required()
      ->type_name("");
  ping_command->add_option("-c,--count", o->count, "How many pings; 0: until Ctrl-C")
      ->type_name("N")
      ->capture_default_str();
  ping_command->add_option("-i,--interval", o->interval, "From one ping to the next; 0: at once")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86400.0).description(""))
      ->capture_default_str();
  ping_command->add_flag("--new-stream", o->new_stream,
                         "A stream for each ping: rust-libp2p answers the second ping\n"
                         "of one stream late");
  add_node_options(ping_command, &o->node);
  add_insecure_wss(ping_command, &o->node.wss.accept_any_certificate);
  add_timeout(ping_command, &o->timeout, "Give up on connecting, and on each answer, after this");
  add_json(ping_command, &o->json, "Print JSON lines: connected, ping, summary");
  ping_command->footer(
      "Connects once and sends 32 random bytes there and back (/ipfs/ping/1.0.0), again and again. "
      "Exits\n"
      "with 1 when a ping stays without answer.\n\n"
      "Examples:\n  kith ping /ip4/127.0.0.1/udp/4001/quic-v1\n"
      "  kith ping -c 100 -i 0 /ip4/192.0.2.1/udp/4001/quic-v1/p2p/12D3KooW...");
  program.on(ping_command, [o, &program] { return ping(*o, program.verbosity); });
}

}  // namespace cli
