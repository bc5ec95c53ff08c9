// What the commands share: how each adds itself to the command line, and how it fails.
//
// A command parses into a struct of its own and leaves what to do in Program::action; main() runs that.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace cli {

// The exit codes of every command.
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// The operation did not succeed; what() says why and what to do next. Exit code 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The command line makes no sense. Exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// Ctrl-C or SIGTERM ended a command that had not finished. Exit code 128 + signal.
struct Interrupted {
  int signal;
};

struct Program {
  CLI::App app;
  int verbosity = 0;                  // -v: 1, -vv: 2
  std::function<int()> action;        // returns the exit code
  const CLI::App* command = nullptr;  // whose action it is
  // Makes `run` the action when `chosen` is on the command line.
  void on(CLI::App* chosen, std::function<int()> run) {
    chosen->callback([this, chosen, run = std::move(run)] {
      action = run;
      command = chosen;
    });
  }
};

// Options that several commands have, with one wording.
inline void add_json(CLI::App* command, bool* json, const char* what) {
  command->add_flag("--json", *json, what);
}
inline void add_key(CLI::App* command, std::string* file) {
  command->add_option("--key", *file, "Private key file that decides our peer id ('kith key gen')")
      ->envname("KITH_KEY")
      ->type_name("FILE");
}
inline void add_insecure_wss(CLI::App* command, bool* insecure) {
  command->add_flag("--insecure-wss", *insecure,
                    "Dial /tls/ws whatever certificate the server has, such as a self-signed\n"
                    "one; who the peer is, is proven inside all the same");
}
inline void add_timeout(CLI::App* command, double* seconds, const char* what) {
  command->add_option("--timeout", *seconds, what)
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 86400.0).description(""))
      ->capture_default_str();
}

// WebSocket in TLS: files of PEM, or empty.
struct WssOptions {
  std::string certificate_file = {};
  std::string key_file = {};
  bool accept_any_certificate = false;
};

// What a node is made from.
struct NodeOptions {
  std::string key_file;               // none: a fresh key
  std::string network_key_file;       // none: no private network
  std::vector<std::string> security;  // of TCP; none: the library's choice
  std::vector<std::string> muxers;    // the same
  WssOptions wss;
};
void add_node_options(CLI::App* command, NodeOptions* options);

void add_key_commands(Program& program);
void add_id_command(Program& program);
void add_listen_command(Program& program);
void add_ping_command(Program& program);
void add_perf_command(Program& program);
void add_identify_command(Program& program);
void add_addr_command(Program& program);

}  // namespace cli
