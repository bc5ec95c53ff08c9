// The MsQuic library, its settings and credentials, dialing and listening. See peer.h.
#include <arpa/inet.h>

#include <cstdio>

#include "tests/attacker/peer.h"
#include "tests/attacker/quic_api.h"
#include "tests/attacker/report.h"
#include "tests/attacker/responder.h"

namespace kith::attacker {
namespace {

// Long enough that no limit of the attacker's own ends a connection before the node does.
constexpr uint64_t kIdleMs = 700'000;
constexpr uint32_t kDisconnectMs = 600'000;
constexpr uint32_t kKeepAliveMs = 3'000;
constexpr uint16_t kNodeStreams = 256;

const QUIC_API_TABLE* api_table = nullptr;

QUIC_SETTINGS settings() {
  QUIC_SETTINGS out{};
  out.IdleTimeoutMs = kIdleMs;
  out.IsSet.IdleTimeoutMs = 1;
  out.HandshakeIdleTimeoutMs = kIdleMs;
  out.IsSet.HandshakeIdleTimeoutMs = 1;
  out.DisconnectTimeoutMs = kDisconnectMs;
  out.IsSet.DisconnectTimeoutMs = 1;
  out.KeepAliveIntervalMs = kKeepAliveMs;
  out.IsSet.KeepAliveIntervalMs = 1;
  out.PeerBidiStreamCount = kNodeStreams;
  out.IsSet.PeerBidiStreamCount = 1;
  // Without MsQuic's own buffering a send completes when the node has acknowledged it.
  out.SendBufferingEnabled = 0;
  out.IsSet.SendBufferingEnabled = 1;
  return out;
}

bool fill_address(QUIC_ADDR& out, const std::string& host, uint16_t port) {
  if (inet_pton(AF_INET, host.c_str(), &out.Ipv4.sin_addr) == 1) {
    out.Ipv4.sin_family = AF_INET;
    out.Ipv4.sin_port = htons(port);
    return true;
  }
  if (inet_pton(AF_INET6, host.c_str(), &out.Ipv6.sin6_addr) != 1) return false;
  out.Ipv6.sin6_family = AF_INET6;
  out.Ipv6.sin6_port = htons(port);
  return true;
}

bool report_failure(const char* call, QUIC_STATUS status) {
  char hex[16];
  std::snprintf(hex, sizeof hex, "0x%x", status);
  Line("trouble").text("call", call).text("status", hex).print();
  return false;
}

}  // namespace

const QUIC_API_TABLE* quic_api() { return api_table; }

Endpoint::Endpoint(ResponderFactory responders, bool is_quiet)
    : responders_(std::move(responders)), is_quiet_(is_quiet) {
  QUIC_STATUS status = MsQuicOpen2(&api_table);
  if (QUIC_FAILED(status)) {
    report_failure("MsQuicOpen2", status);
    return;
  }
  QUIC_REGISTRATION_CONFIG config{"kith attacker", QUIC_EXECUTION_PROFILE_LOW_LATENCY};
  status = api_table->RegistrationOpen(&config, &registration_);
  if (QUIC_FAILED(status)) report_failure("RegistrationOpen", status);
}

Endpoint::~Endpoint() {
  if (api_table == nullptr) return;
  if (listener_ != nullptr) api_table->ListenerClose(listener_);
  accepted_.clear();
  for (HQUIC configuration : configurations_) api_table->ConfigurationClose(configuration);
  if (registration_ != nullptr) api_table->RegistrationClose(registration_);
  MsQuicClose(api_table);
  api_table = nullptr;
}

HQUIC Endpoint::configure(const Credential& credential, bool is_client) {
  QUIC_SETTINGS values = settings();
  Bytes name = bytes_of(credential.alpn);
  QUIC_BUFFER alpn{static_cast<uint32_t>(name.size()), name.data()};
  HQUIC configuration = nullptr;
  QUIC_STATUS status = api_table->ConfigurationOpen(registration_, &alpn, 1, &values, sizeof values,
                                                    nullptr, &configuration);
  if (QUIC_FAILED(status)) {
    report_failure("ConfigurationOpen", status);
    return nullptr;
  }
  QUIC_CERTIFICATE_PKCS12 store{credential.pkcs12.data(),
                                static_cast<uint32_t>(credential.pkcs12.size()), ""};
  QUIC_CREDENTIAL_CONFIG config{};
  config.Type = QUIC_CREDENTIAL_TYPE_NONE;
  if (!credential.pkcs12.empty()) {
    config.Type = QUIC_CREDENTIAL_TYPE_CERTIFICATE_PKCS12;
    config.CertificatePkcs12 = &store;
  }
  config.Flags = QUIC_CREDENTIAL_FLAG_NO_CERTIFICATE_VALIDATION |
                 (is_client ? QUIC_CREDENTIAL_FLAG_CLIENT
                            : QUIC_CREDENTIAL_FLAG_REQUIRE_CLIENT_AUTHENTICATION);
  status = api_table->ConfigurationLoadCredential(configuration, &config);
  if (QUIC_FAILED(status)) {
    report_failure("ConfigurationLoadCredential", status);
    api_table->ConfigurationClose(configuration);
    return nullptr;
  }
  configurations_.push_back(configuration);
  return configuration;
}

std::unique_ptr<Connection> Endpoint::dial(const std::string& host, uint16_t port,
                                           const Credential& credential,
                                           const DialOptions& options) {
  HQUIC configuration = configure(credential, true);
  QUIC_ADDR address{};
  if (configuration == nullptr || !fill_address(address, host, port)) return nullptr;
  std::unique_ptr<Connection> connection(
      new Connection(*this, credential.public_key, is_quiet_ || options.is_quiet));
  QUIC_STATUS status = api_table->ConnectionOpen(registration_, Connection::callback,
                                                 connection.get(), &connection->handle_);
  if (QUIC_FAILED(status)) {
    report_failure("ConnectionOpen", status);
    return nullptr;
  }
  api_table->SetParam(connection->handle_, QUIC_PARAM_CONN_REMOTE_ADDRESS, sizeof address,
                      &address);
  if (!options.ticket.empty()) {
    api_table->SetParam(connection->handle_, QUIC_PARAM_CONN_RESUMPTION_TICKET,
                        static_cast<uint32_t>(options.ticket.size()), options.ticket.data());
  }
  {
    auto lock = this->lock();
    connection->state.started = Clock::now();
  }
  const char* name = options.server_name.empty() ? nullptr : options.server_name.c_str();
  status = api_table->ConnectionStart(connection->handle_, configuration,
                                      QUIC_ADDRESS_FAMILY_UNSPEC, name, port);
  if (QUIC_SUCCEEDED(status)) return connection;
  report_failure("ConnectionStart", status);
  return nullptr;
}

uint16_t Endpoint::listen(const std::string& host, uint16_t port, const Credential& credential) {
  listener_public_key_ = credential.public_key;
  listener_configuration_ = configure(credential, false);
  QUIC_ADDR address{};
  if (listener_configuration_ == nullptr || !fill_address(address, host, port)) return 0;
  Bytes name = bytes_of(credential.alpn);
  QUIC_BUFFER alpn{static_cast<uint32_t>(name.size()), name.data()};
  QUIC_STATUS status = api_table->ListenerOpen(registration_, listener_callback, this, &listener_);
  if (QUIC_SUCCEEDED(status)) status = api_table->ListenerStart(listener_, &alpn, 1, &address);
  if (QUIC_FAILED(status)) {
    report_failure("ListenerStart", status);
    return 0;
  }
  uint32_t size = sizeof address;
  api_table->GetParam(listener_, QUIC_PARAM_LISTENER_LOCAL_ADDRESS, &size, &address);
  return ntohs(address.Ipv4.sin_port);
}

QUIC_STATUS Endpoint::listener_callback(HQUIC, void* self, QUIC_LISTENER_EVENT* event) {
  if (event->Type != QUIC_LISTENER_EVENT_NEW_CONNECTION) return QUIC_STATUS_SUCCESS;
  auto& endpoint = *static_cast<Endpoint*>(self);
  HQUIC handle = event->NEW_CONNECTION.Connection;
  QUIC_STATUS status =
      api_table->ConnectionSetConfiguration(handle, endpoint.listener_configuration_);
  if (QUIC_FAILED(status)) return status;
  {
    auto lock = endpoint.lock();
    std::unique_ptr<Connection> connection(
        new Connection(endpoint, endpoint.listener_public_key_, endpoint.is_quiet_));
    connection->handle_ = handle;
    connection->state.started = Clock::now();
    api_table->SetCallbackHandler(handle, reinterpret_cast<void*>(&Connection::callback),
                                  connection.get());
    endpoint.accepted_.push_back(std::move(connection));
    if (!endpoint.is_quiet_) Line("accepting").print();
  }
  endpoint.changed_.notify_all();
  return QUIC_STATUS_SUCCESS;
}

bool Endpoint::wait_until(Clock::time_point deadline, const std::function<bool()>& condition) {
  auto lock = this->lock();
  return changed_.wait_until(lock, deadline, condition);
}

}  // namespace kith::attacker
