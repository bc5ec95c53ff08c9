// kith: libp2p from the command line. Results go to stdout; errors and the log go to stderr.
// Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + signal when a signal ended an unfinished command.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>

#include "command.h"
#include "kith/kith.h"
#include "output.h"

namespace cli {

namespace {

void set_up(Program& program) {
  CLI::App& app = program.app;
  app.name("kith");
  app.description("libp2p from the command line: keys, addresses, and a node on QUIC.");
  app.set_version_flag("--version", std::string("kith ") + kith_version(),
                       "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.add_flag("-v,--verbose", program.verbosity, "Log what happens to stderr; -vv: more");
  app.require_subcommand(1);
  app.get_formatter()->column_width(30);
  app.get_formatter()->label("REQUIRED", "");
  app.fallthrough();  // -v counts behind the command, too
  app.footer(
      "Try it in two terminals:\n"
      "  kith listen\n"
      "  kith ping /ip4/127.0.0.1/udp/PORT/quic-v1/p2p/ID   (a line that kith listen printed)\n"
      "'kith COMMAND --help' says more, with examples. Exit codes: 0 done, 1 failed, 2 wrong "
      "usage.");
  add_listen_command(program);
  add_ping_command(program);
  add_perf_command(program);
  add_identify_command(program);
  add_addr_command(program);
  add_id_command(program);
  add_key_commands(program);
}

void set_up_log(int verbosity) {
  auto logger = spdlog::stderr_color_mt("kith");
  logger->set_pattern(verbosity == 0 ? "kith: %^%l%$: %v" : "%H:%M:%S.%e %^%-7l%$ %v");
  logger->set_level(verbosity == 0   ? spdlog::level::warn
                    : verbosity == 1 ? spdlog::level::info
                                     : spdlog::level::debug);
  spdlog::set_default_logger(logger);
}

// "kith ping", for error messages.
std::string name_of(const CLI::App* command) {
  std::string name = command->get_name();
  for (const CLI::App* up = command->get_parent(); up; up = up->get_parent()) {
    name = up->get_name() + " " + name;
  }
  return name;
}

int complain(const std::string& who, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", who.c_str(), printable(what).c_str());
  return kFailed;
}

int complain_usage(const std::string& who, const std::string& what) {
  complain(who, what);
  std::fprintf(stderr, "Try '%s --help'.\n", who.c_str());
  return kUsage;
}

// The deepest command on the line, which a parse error is about.
const CLI::App* deepest(const CLI::App& app) {
  const std::vector<const CLI::App*> chosen =
      app.get_subcommands([](const CLI::App* sub) { return sub->parsed(); });
  return chosen.empty() ? &app : deepest(*chosen.back());
}

int run(int argc, char** argv) {
  Program program;
  set_up(program);
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return program.app.exit(e);  // --help, --version
    const CLI::App* about = deepest(program.app);
    std::string what = e.what();
    if (dynamic_cast<const CLI::RequiredError*>(&e) && !about->get_subcommands({}).empty()) {
      const std::vector<std::string> words = about->remaining();
      what = words.empty() ? "which command?" : "no such command: " + words.front();
    }
    return complain_usage(name_of(about), what);
  }
  const std::string who = name_of(program.command);
  set_up_log(program.verbosity);
  try {
    return program.action();
  } catch (const UsageError& e) {
    return complain_usage(who, e.what());
  } catch (const Interrupted& i) {
    return 128 + i.signal;
  } catch (const std::exception& e) {
    return complain(who, e.what());
  }
}

}  // namespace

}  // namespace cli

int main(int argc, char** argv) { return cli::run(argc, argv); }
