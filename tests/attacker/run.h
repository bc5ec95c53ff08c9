// One run of one scenario: options, endpoint, the connection under attack, and the verdict.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/attacker/certificate.h"
#include "tests/attacker/options.h"
#include "tests/attacker/peer.h"
#include "tests/attacker/responder.h"

namespace kith::attacker {

// The values are the exit codes of the program.
enum class Outcome {
  kRight = 0,    // the node reacted as it should
  kWrong = 1,    // the node accepted what it must refuse, or the other way round
  kTrouble = 2,  // the attacker could not do its work
};

struct Verdict {
  Outcome outcome;
  std::string why;
};

inline Verdict right(std::string why) { return {Outcome::kRight, std::move(why)}; }
inline Verdict wrong(std::string why) { return {Outcome::kWrong, std::move(why)}; }
inline Verdict trouble(std::string why) { return {Outcome::kTrouble, std::move(why)}; }

// make_credential makes a certificate as `spec` says, for `host`.
Credential make_credential(const HostKey& host, const CertificateSpec& spec = {});

class Run {
 public:
  // `options` must outlive the run.
  explicit Run(const Options& options);

  const Options& options;
  IdentifyPlan identify;  // how identify streams of the node are answered; set before `connect`
  Endpoint endpoint;

  // The end of the whole run, and `seconds` from now but not later than that.
  Clock::time_point limit() const { return limit_; }
  Clock::time_point after(double seconds) const;
  Clock::time_point wait_deadline() const { return after(options.seconds("wait", 15)); }
  double elapsed() const;
  // What became of a flood of `sent` units on so many connections, of which the node bore `borne`.
  void report_flood(uint64_t sent, uint64_t connections, uint64_t borne) const;

  const HostKey& host_key() const { return *host_key_; }
  // Replaces the Ed25519 key of --seed; false if there is no such kind of key.
  bool set_host_key(const std::string& kind);
  Credential credential(const CertificateSpec& spec = {}) const;

  // Dials the node, or listens and waits until the node dials us. Null on failure. One connection
  // per run.
  Connection* connect(const Credential& credential, const DialOptions& dial = {});
  // connect, then waits for the end of the handshake. Null if it does not succeed.
  Connection* connect_fully(const DialOptions& dial = {});
  // Frees the connection of connect; for scenarios that need another one.
  void disconnect();

 private:
  Clock::time_point started_, limit_;
  std::unique_ptr<HostKey> host_key_;
  std::unique_ptr<Connection> dialed_;
};

// The header, the ping protocol and `payload` bytes, as an eager dialer sends them in one flight.
Bytes ping_hello(size_t payload);
// True when `state` holds the whole answer of a node to ping_hello(kPingBytes).
bool is_pong(const Stream::State& state);
// ping pings the node over a new stream; true when the right answer came before the deadline.
bool ping(Run& run, Connection& connection, Clock::time_point deadline);

// honest_dial does what a good peer with a key of its own does: handshake and one ping. Returns the
// seconds until the answer, or a negative number.
double honest_dial(Run& run);

struct HonestDials {
  std::vector<double> seconds;
  size_t failed = 0;

  void dial(Run& run);
  // Writes the line "honest" with count, failures and percentiles.
  void report(const std::string& when) const;
};

struct Scenario {
  std::string name;
  std::string help;
  std::function<Verdict(Run&)> run;
};

void add_certificate_scenarios(std::vector<Scenario>& out);
void add_handshake_scenarios(std::vector<Scenario>& out);
void add_multistream_scenarios(std::vector<Scenario>& out);
void add_identify_scenarios(std::vector<Scenario>& out);
void add_ping_scenarios(std::vector<Scenario>& out);
void add_stream_scenarios(std::vector<Scenario>& out);
void add_datagram_scenarios(std::vector<Scenario>& out);
void add_tcp_scenarios(std::vector<Scenario>& out);
void add_yamux_scenarios(std::vector<Scenario>& out);

}  // namespace kith::attacker
