// kith_attacker: a hostile libp2p peer for live tests. It verifies nothing, speaks raw MsQuic, and raw
// TCP, on loopback in its own process, and writes what it sees as JSON lines. See usage() for the command
// line; every scenario is a row of a table in one of the attack_*.cc files.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

constexpr double kWatchdogSeconds = 10;

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> out;
  add_certificate_scenarios(out);
  add_handshake_scenarios(out);
  add_multistream_scenarios(out);
  add_identify_scenarios(out);
  add_ping_scenarios(out);
  add_stream_scenarios(out);
  add_datagram_scenarios(out);
  add_tcp_scenarios(out);
  add_yamux_scenarios(out);
  return out;
}

void usage(const std::vector<Scenario>& scenarios) {
  std::printf(
      "usage: kith_attacker client HOST PORT SCENARIO [COUNT] [--key value ...]\n"
      "       kith_attacker server PORT SCENARIO [COUNT] [--key value ...]\n\n"
      "client dials the node under test; server listens (PORT 0: any) and waits for the node to "
      "dial.\n"
      "Only loopback addresses are attacked. Every line on stdout is a JSON object with \"event\"; "
      "the last\n"
      "is {\"event\":\"done\",\"ok\":...,\"why\":...}.\n"
      "exit code: 0 the node reacted as it should, 1 it did not, 2 the attacker itself failed\n\n"
      "scenarios:\n");
  for (const Scenario& scenario : scenarios) {
    std::printf("  %-30s %s\n", scenario.name.c_str(), scenario.help.c_str());
  }
  std::printf("\noptions:\n%s", options_help().c_str());
}

int finish(const Verdict& verdict, double elapsed) {
  Line("done")
      .flag("ok", verdict.outcome == Outcome::kRight)
      .text("why", verdict.why)
      .seconds("seconds", elapsed)
      .print();
  return static_cast<int>(verdict.outcome);
}

// Should a scenario hang in spite of its deadlines, the process still ends.
void watch(const Options& options) {
  std::signal(SIGALRM, [](int) {
    static constexpr char kLine[] =
        "{\"event\":\"done\",\"ok\":false,\"why\":\"the attacker hung\"}\n";
    ssize_t written = write(STDOUT_FILENO, kLine, sizeof kLine - 1);
    _exit(written < 0 ? 2 : static_cast<int>(Outcome::kTrouble));
  });
  alarm(static_cast<unsigned>(std::min(options.seconds("limit", 60), 600.0) + kWatchdogSeconds));
}

int main_with(const std::vector<std::string>& words) {
  std::vector<Scenario> scenarios = all_scenarios();
  if (words.empty() || words[0] == "--help") {
    usage(scenarios);
    return words.empty() ? 2 : 0;
  }
  Options options;
  std::string problem = options.parse(words);
  if (!problem.empty()) return finish(trouble(problem), 0);
  auto found = std::find_if(scenarios.begin(), scenarios.end(), [&](const Scenario& scenario) {
    return scenario.name == options.scenario;
  });
  if (found == scenarios.end()) return finish(trouble("no scenario " + options.scenario), 0);
  watch(options);
  Run run(options);
  if (!run.endpoint.is_open()) return finish(trouble("MsQuic did not start"), 0);
  Verdict verdict = found->run(run);
  return finish(verdict, run.elapsed());
}

}  // namespace
}  // namespace kith::attacker

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return kith::attacker::main_with(std::vector<std::string>(argv + 1, argv + argc));
}
