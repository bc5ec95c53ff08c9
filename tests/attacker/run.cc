// What all scenarios share. See run.h.
#include "tests/attacker/run.h"

#include <algorithm>

#include "tests/attacker/report.h"

namespace kith::attacker {
namespace {

constexpr double kDefaultLimitSeconds = 60;
constexpr double kMaxLimitSeconds = 600;
constexpr double kHonestSeconds = 10;

std::chrono::nanoseconds duration(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  auto index = static_cast<size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
  return sorted[index];
}

// Honest dials use keys of their own, apart from the attacker's seeds.
uint64_t next_honest_seed() {
  static uint64_t seed = 1'000'000;
  return ++seed;
}

}  // namespace

Run::Run(const Options& run_options)
    : options(run_options),
      endpoint(
          [this](Stream& stream, const Bytes& public_key) {
            IdentifyPlan plan = identify;
            plan.public_key = public_key;
            return std::make_unique<Responder>(stream, plan);
          },
          options.number("quiet", 0) != 0),
      started_(Clock::now()),
      limit_(started_ +
             duration(std::min(options.seconds("limit", kDefaultLimitSeconds), kMaxLimitSeconds))) {
  set_host_key("ed25519");
}

Clock::time_point Run::after(double seconds) const {
  return std::min(limit_, Clock::now() + duration(seconds));
}

double Run::elapsed() const {
  return std::chrono::duration<double>(Clock::now() - started_).count();
}

void Run::report_flood(uint64_t sent, uint64_t connections, uint64_t borne) const {
  Line("reaction")
      .number("sent", sent)
      .number("connections", connections)
      .number("borne", borne)
      .seconds("seconds", elapsed())
      .print();
}

bool Run::set_host_key(const std::string& kind) {
  std::unique_ptr<HostKey> key = make_host_key(kind, options.number("seed", 1));
  if (!key) return false;
  host_key_ = std::move(key);
  identify.public_key = host_key_->public_key();  // for pushes; answers take the connection's own
  return true;
}

Credential Run::credential(const CertificateSpec& spec) const {
  return make_credential(*host_key_, spec);
}

Credential make_credential(const HostKey& host, const CertificateSpec& spec) {
  Credential out;
  out.public_key = host.public_key();
  out.pkcs12 = make_pkcs12(host, spec);
  return out;
}

Connection* Run::connect(const Credential& credential, const DialOptions& dial) {
  if (!options.is_server) {
    dialed_ = endpoint.dial(options.host, options.port, credential, dial);
    return dialed_.get();
  }
  uint16_t port = endpoint.listen(options.host, options.port, credential);
  if (port == 0) return nullptr;
  Line("listening").number("port", port).text("peer_id_text", host_key_->peer_id_text()).print();
  if (!endpoint.wait_until(limit_, [&] { return !endpoint.accepted().empty(); })) return nullptr;
  auto lock = endpoint.lock();
  return endpoint.accepted().front().get();
}

Connection* Run::connect_fully(const DialOptions& dial) {
  Connection* connection = connect(credential(), dial);
  if (connection == nullptr) return nullptr;
  endpoint.wait_until(wait_deadline(),
                      [&] { return connection->state.is_connected || connection->state.is_ended; });
  auto lock = endpoint.lock();
  return connection->state.is_connected && !connection->state.is_ended ? connection : nullptr;
}

void Run::disconnect() { dialed_.reset(); }

Bytes ping_hello(size_t payload) {
  Bytes out;
  append_line(out, kMultistream);
  append_line(out, kPing);
  out.resize(out.size() + payload, 'k');
  return out;
}

bool is_pong(const Stream::State& state) { return state.received == ping_hello(kPingBytes); }

bool ping(Run& run, Connection& connection, Clock::time_point deadline) {
  Stream* stream = connection.open_stream();
  if (stream == nullptr || !stream->send(ping_hello(kPingBytes))) return false;
  run.endpoint.wait_until(deadline, [&] {
    return is_pong(stream->state) || stream->state.is_ended() || connection.state.is_ended;
  });
  stream->send({}, true);
  auto lock = run.endpoint.lock();
  return is_pong(stream->state);
}

double honest_dial(Run& run) {
  auto start = Clock::now();
  std::unique_ptr<HostKey> key = make_host_key("ed25519", next_honest_seed());
  std::unique_ptr<Connection> connection = run.endpoint.dial(
      run.options.host, run.options.port, make_credential(*key), {.is_quiet = true});
  if (!connection || !ping(run, *connection, run.after(kHonestSeconds))) return -1;
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void HonestDials::dial(Run& run) {
  double time = honest_dial(run);
  if (time < 0) {
    ++failed;
  } else {
    seconds.push_back(time);
  }
}

void HonestDials::report(const std::string& when) const {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  Line("honest")
      .text("when", when)
      .number("count", seconds.size() + failed)
      .number("failed", failed)
      .seconds("p50_seconds", percentile(sorted, 0.5))
      .seconds("p99_seconds", percentile(sorted, 0.99))
      .print();
}

}  // namespace kith::attacker
