// kith listen: a node that serves ping, identify and, if asked to, perf until it is told to stop.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "command.h"
#include "node.h"
#include "output.h"

namespace cli {

namespace {

struct ListenOptions {
  std::vector<std::string> listen;
  NodeOptions node;
  uint32_t loops = 1;
  bool perf = false;
  bool json = false;
};

// With --json, what happens to connections goes to stdout, too, from whichever loop it happens on. A callback may not throw: a
// reader that has gone away ends the program by SIGPIPE, and a full disk costs the event.
class Events final : public NodeObserver {
 public:
  void on_connected(kith_connection* c) override { print("connected", c, Json::object()); }
  void on_identified(kith_connection* c, const PeerInfo& info) override {
    print("identified", c, {{"agent", info.agent}, {"protocols", info.protocols}});
  }
  void on_disconnected(kith_connection* c, const kith_error& error) override {
    print("disconnected", c, {{"reason", error.message}});
  }

 private:
  void print(const char* event, kith_connection* c, const Json& more) {
    Json line = {{"event", event},
                 {"peer_id", kith_connection_peer_id(c)},
                 {"remote_addr", kith_connection_remote_address(c)}};
    line.update(more);
    std::lock_guard lock(mutex_);
    try {
      print_event(line);
    } catch (const Failure& f) {
      spdlog::error("{}", f.what());
    }
  }
  std::mutex mutex_;  // of the output
};

void listen_on(const Node& node, const std::string& text) {
  kith_error error{};
  const kith_status status = kith_host_listen(node.host(), text.c_str(), &error);
  if (status == KITH_OK) return;
  std::string hint;
  if (status == KITH_ERR_ADDRESS_IN_USE) hint = ". Take another port, or 0 for any that is free.";
  throw Failure(error.message + hint);
}

// Every IPv4 address of the machine on a free UDP port, and its IPv6 addresses on the same one; TCP in a private network.
void listen_everywhere(const Node& node, bool is_private) {
  const std::string kind = is_private ? "tcp" : "udp";
  const std::string rest = is_private ? "" : "/quic-v1";
  listen_on(node, "/ip4/0.0.0.0/" + kind + "/0" + rest);
  const std::vector<std::string> v4 = node.addresses();
  const std::string port = v4.empty() ? "0" : parse_address(v4.front()).value_of(kind);
  try {
    listen_on(node, "/ip6/::/" + kind + "/" + port + rest);
  } catch (const Failure& f) {
    spdlog::info("not on IPv6: {}", f.what());
  }
}

int serve(const ListenOptions& o, int verbosity) {
  for (const std::string& text : o.listen) {
    if (const auto why = why_not_listen(parse_address_argument(text))) {
      throw Failure("cannot listen on " + text + ": " + *why);
    }
  }
  Events events;
  Node node(o.node, verbosity, o.json ? &events : nullptr,
            o.perf ? Serve::kPingAndPerf : Serve::kPing, o.loops);
  for (const std::string& text : o.listen) listen_on(node, text);
  if (o.listen.empty()) listen_everywhere(node, !o.node.network_key_file.empty());
  const std::vector<std::string> addresses = node.addresses();
  if (o.json) {
    print_event({{"event", "listening"}, {"peer_id", node.peer_id()}, {"addrs", addresses}});
  } else {
    for (const std::string& a : addresses) print_line(a);
  }
  if (isatty(STDERR_FILENO) && !o.json) {
    std::fprintf(stderr, "Serving ping%s identify. Ctrl-C stops.\n",
                 o.perf ? ", perf and" : " and");
  }
  node.wait([] { return false; });
  spdlog::info("stopping");
  return kOk;
}

}  // namespace

void add_listen_command(Program& program) {
  auto o = std::make_shared<ListenOptions>();
  CLI::App* listen =
      program.app.add_subcommand("listen", "Run a node that answers ping and identify");
  listen
      ->add_option("--listen", o->listen,
                   "Where to listen; may come more than once. Port 0: any free one.\n"
                   "[all addresses of the machine, one free UDP port; TCP with --psk]")
      ->type_name("MADDR");
  CLI::Option* certificate =
      listen
          ->add_option("--tls-certificate", o->node.wss.certificate_file,
                       "Certificate for /tls/ws, in PEM, and after it those that lead to a root")
          ->type_name("FILE");
  CLI::Option* key =
      listen->add_option("--tls-key", o->node.wss.key_file, "Its private key, in PEM")
          ->type_name("FILE")
          ->needs(certificate);
  certificate->needs(key);
  listen->add_flag("--perf", o->perf,
                   "Serve /perf/1.0.0 for 'kith perf', too: whoever can reach the node may then\n"
                   "make it send and receive as much as the link carries");
  listen
      ->add_option("--loops", o->loops,
                   "Event loops to spread connections over, each on a thread [1]")
      ->check(CLI::Range(1, 8))
      ->type_name("N");
  add_node_options(listen, &o->node);
  add_json(listen, &o->json, "Print JSON lines: listening, connected, identified, disconnected");
  listen->footer(
      "Prints the multiaddrs that reach the node, one per line, and serves until Ctrl-C or "
      "SIGTERM, which\n"
      "end it in good order. Without --key it has a new peer id each time.\n\n"
      "Examples:\n  kith listen\n  kith listen --key node.key --listen "
      "/ip4/0.0.0.0/udp/4001/quic-v1\n"
      "  kith listen -v --listen /ip6/::1/udp/0/quic-v1\n"
      "  kith listen --listen /ip4/0.0.0.0/tcp/443/tls/ws --tls-certificate fullchain.pem "
      "--tls-key key.pem\n"
      "  kith listen --perf                       (the other end of 'kith perf')");
  program.on(listen, [o, &program] { return serve(*o, program.verbosity); });
}

}  // namespace cli
