#include "node.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "command.h"
#include "key_file.h"
#include "output.h"

namespace cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCloseTimeout{3000};

volatile std::sig_atomic_t g_signal = 0;
std::atomic<kith_runtime*> g_runtime{nullptr};
static_assert(std::atomic<kith_runtime*>::is_always_lock_free);

void on_signal(int signal) {
  g_signal = signal;
  kith_runtime_quit(g_runtime.load());
}

// The first signal asks for an orderly end, a second one does not ask.
void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void write_log(void*, kith_log_level level, const char* area, const char* line) {
  const spdlog::level::level_enum to = level == KITH_LOG_ERROR  ? spdlog::level::err
                                       : level == KITH_LOG_WARN ? spdlog::level::warn
                                       : level == KITH_LOG_INFO ? spdlog::level::info
                                                                : spdlog::level::debug;
  spdlog::log(to, "{}: {}", area, printable(line));
}

PeerInfo read_identify(kith_connection* connection) {
  kith_identify said{};
  said.struct_size = sizeof said;
  if (kith_connection_identify(connection, &said) != KITH_OK) return {};
  return {said.agent,
          said.protocol_version,
          said.observed_address,
          {said.listen_addrs, said.listen_addrs + said.num_listen_addrs},
          {said.protocols, said.protocols + said.num_protocols}};
}

std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<const char*> out;
  for (const std::string& t : texts) out.push_back(t.c_str());
  return out;
}

// Empty if no file is named.
std::string read_text_file(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file || text.empty()) throw Failure("cannot read " + path + ", or it is empty");
  return text;
}

// What to try after a failed dial.
std::string dial_hint(kith_status status) {
  switch (status) {
    case KITH_ERR_TIMEOUT:
    case KITH_ERR_UNREACHABLE:
    case KITH_ERR_CONNECTION_REFUSED:
      return ". Is the node running there, and does every firewall between let this pass?";
    case KITH_ERR_PEER_ID_MISMATCH:
      return ". The node may have a new key: take its current address, or leave /p2p/... out to "
             "accept any peer.";
    case KITH_ERR_BAD_CERTIFICATE:
      return ". With --insecure-wss any certificate of a /tls/ws server will do.";
    case KITH_ERR_ALPN_MISMATCH:
      return ". Something else than libp2p uses QUIC on that port: check the port.";
    default:
      return "";
  }
}

}  // namespace

milliseconds to_milliseconds(double seconds) {
  return milliseconds(std::llround(std::ceil(seconds * 1000)));
}

void add_node_options(CLI::App* command, NodeOptions* options) {
  add_key(command, &options->key_file);
  command
      ->add_option("--psk", options->network_key_file,
                   "Key file of a private network (swarm.key): only who has it, too, can connect.\n"
                   "TCP only; QUIC has no private networks")
      ->envname("KITH_PSK")
      ->type_name("FILE");
  command
      ->add_option("--security", options->security,
                   "What secures TCP, best first [/tls/1.0.0,/noise]")
      ->delimiter(',')
      ->type_name("IDS");
  command
      ->add_option("--muxer", options->muxers,
                   "What multiplexes TCP, best first [/yamux/1.0.0]; there is /mplex/6.7.0, too")
      ->delimiter(',')
      ->type_name("IDS");
}

Node::Node(const NodeOptions& options, int verbosity, NodeObserver* observer, Serve serve,
           uint32_t num_loops)
    : observer_(observer) {
  kith_runtime_config config;
  kith_runtime_config_init(&config, sizeof config);
  config.num_loops = num_loops;
  kith_error error{};
  if (kith_runtime_new_with(&runtime_, &config, &error) != KITH_OK) throw Failure(error.message);
  g_runtime = runtime_;
  catch_signals();
  try {
    start_host(options, verbosity, serve);
  } catch (...) {
    g_runtime = nullptr;
    kith_runtime_free(runtime_);
    throw;
  }
}

void Node::start_host(const NodeOptions& options, int verbosity, Serve serve) {
  Key key;
  if (!options.key_file.empty()) key = read_key_file(options.key_file);
  const std::string& network_file = options.network_key_file;
  const Secret network_key = network_file.empty() ? Secret() : read_network_key_file(network_file);
  const std::vector<const char*> security = pointers_to(options.security);
  const std::vector<const char*> muxers = pointers_to(options.muxers);
  const std::string certificate = read_text_file(options.wss.certificate_file);
  const std::string certificate_key = read_text_file(options.wss.key_file);
  kith_host_config config;
  kith_host_config_init(&config, sizeof config);
  config.key = key.get();
  const kith_host_handler events = handler();
  config.handler = &events;
  if (!network_key.bytes.empty()) config.network_key = network_key.bytes.data();
  config.network_key_len = network_key.bytes.size();
  config.security = security.data();
  config.num_security = security.size();
  config.muxers = muxers.data();
  config.num_muxers = muxers.size();
  if (!certificate.empty()) config.wss_certificate_chain = certificate.c_str();
  if (!certificate_key.empty()) config.wss_private_key = certificate_key.c_str();
  config.wss_accept_any_certificate = options.wss.accept_any_certificate;
  config.serve_perf = serve == Serve::kPingAndPerf;
  config.log_level = verbosity == 0 ? 0 : verbosity == 1 ? KITH_LOG_INFO : KITH_LOG_DEBUG;
  kith_error error{};
  const kith_status status = kith_host_new(runtime_, &host_, &config, &error);
  if (status == KITH_OK) return;
  const bool is_bad_file = status == KITH_ERR_MALFORMED && !network_file.empty();
  throw Failure((is_bad_file ? network_file + ": " : "") + error.message);
}

Node::~Node() {
  kith_connection_unref(connection_);
  observer_ = nullptr;
  const auto on_closed = [](void* user) {
    auto* self = static_cast<Node*>(user);
    self->closed_ = true;
    self->wake();
  };
  if (kith_host_close(host_, on_closed, this) == KITH_OK) {
    g_signal = 0;  // it has been heard; the wait below must not end at once
    wait([this] { return closed_; }, kCloseTimeout);
  }
  g_runtime = nullptr;
  kith_runtime_free(runtime_);
}

kith_host_handler Node::handler() {
  kith_host_handler h{};
  h.struct_size = sizeof h;
  h.user = this;
  h.on_connected = [](void* user, kith_connection* c) {
    auto* self = static_cast<Node*>(user);
    if (self->observer_) self->observer_->on_connected(c);
  };
  h.on_identified = [](void* user, kith_connection* c) {
    auto* self = static_cast<Node*>(user);
    const PeerInfo info = read_identify(c);
    spdlog::info("identify: {} is {}", kith_connection_peer_id(c), printable(info.agent));
    if (self->observer_) self->observer_->on_identified(c, info);
  };
  h.on_identify_failed = [](void* user, kith_connection* c, const kith_error* error) {
    auto* self = static_cast<Node*>(user);
    if (self->observer_) self->observer_->on_identify_failed(c, *error);
  };
  h.on_disconnected = [](void* user, kith_connection* c, const kith_error* error) {
    auto* self = static_cast<Node*>(user);
    if (c == self->connection_) {
      self->is_connected_ = false;
      self->wake();
    }
    if (self->observer_) self->observer_->on_disconnected(c, *error);
  };
  h.on_log = write_log;
  return h;
}

std::vector<std::string> Node::addresses() const {
  std::vector<std::string> out;
  const size_t n = kith_host_num_addresses(host_);
  for (size_t i = 0; i < n; ++i) out.emplace_back(kith_host_address(host_, i));
  return out;
}

int Node::signal() { return g_signal; }

bool Node::wait(const std::function<bool()>& done, std::optional<milliseconds> timeout) {
  Deadline* deadline = nullptr;
  if (timeout) {
    deadline = &deadlines_.emplace_back(Deadline{*this});
    const auto on_deadline = [](void* user) {
      auto* self = static_cast<Deadline*>(user);
      self->passed = true;
      self->node.wake();
    };
    kith_runtime_after(runtime_, timeout->count(), on_deadline, deadline);
  }
  while (!done()) {
    if (g_signal != 0 || (deadline && deadline->passed)) return false;
    kith_runtime_run(runtime_);
  }
  return true;
}

kith_connection* Node::connect(const Address& address, milliseconds timeout) {
  if (const std::optional<std::string> why = why_not_dial(address)) {
    throw Failure("cannot dial " + address.text + ": " + *why);
  }
  kith_connection_unref(std::exchange(connection_, nullptr));
  kith_connect_handler handler{};
  handler.struct_size = sizeof handler;
  handler.user = this;
  handler.on_connected = [](void* user, kith_connection* c) {
    auto* self = static_cast<Node*>(user);
    self->connection_ = kith_connection_ref(c);
    self->is_connected_ = true;
    self->wake();
  };
  handler.on_failed = [](void* user, const kith_error* error) {
    auto* self = static_cast<Node*>(user);
    self->connect_error_ = *error;
    self->wake();
  };
  const char* text = address.text.c_str();
  kith_error error{};
  if (kith_host_connect(host_, &text, 1, &handler, &error) != KITH_OK) throw Failure(error.message);
  if (!wait([this] { return connection_ || connect_error_; }, timeout)) {
    if (signal() != 0) throw Interrupted{signal()};
    const double seconds = static_cast<double>(timeout.count()) / 1000;
    throw Failure(fmt::format("no connection to {} within {} s{}", address.text, seconds,
                              dial_hint(KITH_ERR_TIMEOUT)));
  }
  if (connect_error_) throw Failure(connect_error_->message + dial_hint(connect_error_->status));
  return connection_;
}

void Node::disconnect() {
  kith_connection_close(connection_);
  wait([this] { return !is_connected_; }, kCloseTimeout);
}

}  // namespace cli
