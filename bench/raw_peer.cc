// The benchmark's peer on MsQuic alone: kith's settings, execution mode and certificate checks, and nothing of its
// swarm, streams or negotiation. What kith is measured against. key=value arguments change the settings.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/result.h"
#include "bench/workload.h"
#include "crypto/x509.h"
#include "protocol/tls/certificate.h"

#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#include <msquic.h>

namespace kith::bench {
namespace {

const QUIC_API_TABLE* api = nullptr;

// As kith. MsQuic's default sends stream after stream: round_robin=0.
bool round_robin = true;
void set_scheduling(HQUIC connection) {
  if (!round_robin) return;
  const QUIC_STREAM_SCHEDULING_SCHEME scheme = QUIC_STREAM_SCHEDULING_SCHEME_ROUND_ROBIN;
  api->SetParam(connection, QUIC_PARAM_CONN_STREAM_SCHEDULING_SCHEME, sizeof scheme, &scheme);
}

// A send on its way. MsQuic needs the QUIC_BUFFER until SEND_COMPLETE.
struct Send {
  QUIC_BUFFER buffer;
  Send* next;
};
Send* free_sends = nullptr;
Send* new_send(Bytes bytes) {
  Send* s = free_sends;
  if (s) {
    free_sends = s->next;
  } else {
    s = new Send;
  }
  s->buffer = {static_cast<uint32_t>(bytes.size()), const_cast<uint8_t*>(bytes.data())};
  return s;
}
void free_send(Send* s) {
  s->next = free_sends;
  free_sends = s;
}

class RawPipe final : public Pipe {
 public:
  explicit RawPipe(PipeUser* user) : user_(user) {}
  explicit RawPipe(HQUIC stream) : handle(stream), owned_(make_responder()) {
    user_ = owned_.get();
  }

  bool write(Bytes bytes, bool fin) override {
    if (queued_ >= budget_) {
      blocked_ = true;
      return false;
    }
    const size_t piece = budget_ / 4;  // as kith
    for (; bytes.size() > piece; bytes = bytes.subspan(piece)) send(bytes.first(piece), false);
    send(bytes, fin);
    return true;
  }
  static QUIC_STATUS on_event(HQUIC, void* context, QUIC_STREAM_EVENT* event) {
    auto* self = static_cast<RawPipe*>(context);
    switch (event->Type) {
      case QUIC_STREAM_EVENT_RECEIVE:
        for (uint32_t i = 0; i < event->RECEIVE.BufferCount; ++i) {
          const QUIC_BUFFER& b = event->RECEIVE.Buffers[i];
          self->user_->on_data(*self, {b.Buffer, b.Length});
        }
        break;
      case QUIC_STREAM_EVENT_SEND_COMPLETE: {
        auto* s = static_cast<Send*>(event->SEND_COMPLETE.ClientContext);
        self->queued_ -= s->buffer.Length;
        free_send(s);
        self->unblock();
        break;
      }
      case QUIC_STREAM_EVENT_IDEAL_SEND_BUFFER_SIZE:
        self->budget_ = 2 * event->IDEAL_SEND_BUFFER_SIZE.ByteCount;
        self->unblock();
        break;
      case QUIC_STREAM_EVENT_PEER_SEND_ABORTED:
      case QUIC_STREAM_EVENT_PEER_RECEIVE_ABORTED:
        self->failed_ = true;
        api->StreamShutdown(self->handle, QUIC_STREAM_SHUTDOWN_FLAG_ABORT, 0);
        break;
      case QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE:
        api->StreamClose(self->handle);
        self->user_->on_closed(self->failed_ || event->SHUTDOWN_COMPLETE.ConnectionShutdown);
        delete self;
        break;
      default:
        break;
    }
    return QUIC_STATUS_SUCCESS;
  }
  HQUIC handle = nullptr;

 private:
  void send(Bytes bytes, bool fin) {
    Send* s = new_send(bytes);
    queued_ += bytes.size();
    const QUIC_STATUS status =
        api->StreamSend(handle, &s->buffer, 1, fin ? QUIC_SEND_FLAG_FIN : QUIC_SEND_FLAG_NONE, s);
    if (QUIC_FAILED(status)) free_send(s);
  }
  void unblock() {
    if (!blocked_ || queued_ >= budget_) return;
    blocked_ = false;
    user_->on_writable(*this);
  }
  PipeUser* user_;
  std::unique_ptr<PipeUser> owned_;
  uint64_t queued_ = 0;
  uint64_t budget_ = 2 * 128 * 1024;
  bool blocked_ = false;
  bool failed_ = false;
};

bool verify(void* certificate, void* chain) {
  if (!certificate) return false;
  size_t n = 0;
  const Result<ByteVector> der = crypto::single_certificate_der(certificate, chain, &n);
  return der.ok() && tls::verify_certificate(*der, static_cast<int64_t>(std::time(nullptr))).ok();
}

// A connection in either role; `user` is null on the listening side.
class RawSession final : public Session {
 public:
  explicit RawSession(SessionUser* u) : user(u) {}
  Pipe* open(PipeUser* pipe_user) override {
    auto* pipe = new RawPipe(pipe_user);
    QUIC_STATUS s =
        api->StreamOpen(handle, QUIC_STREAM_OPEN_FLAG_NONE, RawPipe::on_event, pipe, &pipe->handle);
    if (QUIC_SUCCEEDED(s)) s = api->StreamStart(pipe->handle, QUIC_STREAM_START_FLAG_NONE);
    return QUIC_SUCCEEDED(s) ? pipe : nullptr;
  }
  void close() override { api->ConnectionShutdown(handle, QUIC_CONNECTION_SHUTDOWN_FLAG_NONE, 0); }

  static QUIC_STATUS on_event(HQUIC, void* context, QUIC_CONNECTION_EVENT* event) {
    auto* self = static_cast<RawSession*>(context);
    switch (event->Type) {
      case QUIC_CONNECTION_EVENT_PEER_CERTIFICATE_RECEIVED:
        self->verified_ = verify(event->PEER_CERTIFICATE_RECEIVED.Certificate,
                                 event->PEER_CERTIFICATE_RECEIVED.Chain);
        return self->verified_ ? QUIC_STATUS_SUCCESS : QUIC_STATUS_BAD_CERTIFICATE;
      case QUIC_CONNECTION_EVENT_CONNECTED:
        if (!self->verified_) {
          self->close();
        } else if (self->user) {
          self->user->on_connected(*self);
        }
        break;
      case QUIC_CONNECTION_EVENT_PEER_STREAM_STARTED: {
        auto* pipe = new RawPipe(event->PEER_STREAM_STARTED.Stream);
        api->SetCallbackHandler(pipe->handle, reinterpret_cast<void*>(RawPipe::on_event), pipe);
        break;
      }
      case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_TRANSPORT:
        std::fprintf(stderr, "bench: a connection ended: %u\n",
                     event->SHUTDOWN_INITIATED_BY_TRANSPORT.Status);
        break;
      case QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE:
        api->ConnectionClose(self->handle);
        if (self->user) self->user->on_disconnected();
        delete self;
        break;
      default:
        break;
    }
    return QUIC_STATUS_SUCCESS;
  }
  HQUIC handle = nullptr;
  SessionUser* user;

 private:
  bool verified_ = false;
};

// Those of src/transport/quic/transport.cc, settings_of().
QUIC_SETTINGS settings_of(const Options& o) {
  QUIC_SETTINGS s{};
#define KITH_SET(field, value)                     \
  s.field = static_cast<decltype(s.field)>(value); \
  s.IsSet.field = TRUE
  KITH_SET(IdleTimeoutMs, 30'000);
  KITH_SET(HandshakeIdleTimeoutMs, 10'000);
  KITH_SET(KeepAliveIntervalMs, 15'000);
  KITH_SET(PeerBidiStreamCount, number(o, "peer_streams", 256));
  KITH_SET(PeerUnidiStreamCount, 0);
  KITH_SET(StreamRecvWindowDefault, number(o, "stream_window", 256 << 10));
  KITH_SET(ConnFlowControlWindow, number(o, "conn_window", 16 << 20));
  s.SendBufferingEnabled = number(o, "send_buffering", 0) != 0;
  s.IsSet.SendBufferingEnabled = TRUE;
  s.ServerResumptionLevel = QUIC_SERVER_NO_RESUME;
  s.IsSet.ServerResumptionLevel = TRUE;
  s.DatagramReceiveEnabled = FALSE;
  s.IsSet.DatagramReceiveEnabled = TRUE;
  if (o.contains("recv_buffer")) {
    KITH_SET(StreamRecvBufferDefault, number(o, "recv_buffer", 4096));
  }
  if (o.contains("min_mtu")) {
    KITH_SET(MinimumMtu, number(o, "min_mtu", 1248));
  }
  if (o.contains("max_mtu")) {
    KITH_SET(MaximumMtu, number(o, "max_mtu", 1500));
  }
  if (o.contains("pacing")) {
    s.PacingEnabled = number(o, "pacing", 1) != 0;
    s.IsSet.PacingEnabled = TRUE;
  }
  if (o.contains("bbr")) {
    KITH_SET(CongestionControlAlgorithm, QUIC_CONGESTION_CONTROL_ALGORITHM_BBR);
  }
  if (o.contains("hystart")) {
    s.HyStartEnabled = number(o, "hystart", 1) != 0;
    s.IsSet.HyStartEnabled = TRUE;
  }
  if (o.contains("initial_window")) {
    KITH_SET(InitialWindowPackets, number(o, "initial_window", 10));
  }
  if (o.contains("max_ack_delay")) {
    KITH_SET(MaxAckDelayMs, number(o, "max_ack_delay", 25));
  }
#undef KITH_SET
  return s;
}

const QUIC_BUFFER kAlpn = {sizeof tls::kAlpn - 1,
                           reinterpret_cast<uint8_t*>(const_cast<char*>(tls::kAlpn))};

class RawEngine final : public Engine {
 public:
  bool start(const Options& options) {
    round_robin = number(options, "round_robin", 1) != 0;
    shared_port_ = number(options, "shared_port", 0) != 0;
    if (QUIC_FAILED(MsQuicOpen2(&api))) return say("MsQuicOpen2", 0);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    QUIC_EXECUTION_CONFIG config = {0, &epoll_};
    QUIC_STATUS s =
        api->ExecutionCreate(QUIC_GLOBAL_EXECUTION_CONFIG_FLAG_NONE, 0, 1, &config, &execution_);
    if (QUIC_FAILED(s)) return say("ExecutionCreate", s);
    const QUIC_REGISTRATION_CONFIG registration = {"bench", QUIC_EXECUTION_PROFILE_LOW_LATENCY};
    s = api->RegistrationOpen(&registration, &registration_);
    if (QUIC_FAILED(s)) return say("RegistrationOpen", s);
    Result<crypto::PrivateKey> key = crypto::PrivateKey::generate(crypto::KeyType::kEd25519);
    if (!key.ok()) return say("generate a key", 0);
    Result<tls::Credentials> credentials =
        tls::make_credentials(*key, static_cast<int64_t>(std::time(nullptr)));
    if (!credentials.ok()) return say("make credentials", 0);
    return configure(*credentials, options, true, &server_) &&
           configure(*credentials, options, false, &client_);
  }
  std::string listen(const std::string& address) override {
    QUIC_ADDR at = parse(address.empty() ? "127.0.0.1:0" : address);
    HQUIC listener = nullptr;
    QUIC_STATUS s = api->ListenerOpen(registration_, on_listener, this, &listener);
    const uint16_t partition = 0;
    if (QUIC_SUCCEEDED(s)) {
      api->SetParam(listener, QUIC_PARAM_LISTENER_PARTITION_INDEX, sizeof partition, &partition);
      s = api->ListenerStart(listener, &kAlpn, 1, &at);
    }
    if (QUIC_FAILED(s)) {
      say("listen", s);
      return "";
    }
    uint32_t size = sizeof at;
    api->GetParam(listener, QUIC_PARAM_LISTENER_LOCAL_ADDRESS, &size, &at);
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &at.Ipv4.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(at.Ipv4.sin_port));
  }
  bool set_remote(const std::string& address) override {
    remote_ = parse(address);
    if (remote_.Ipv4.sin_port == 0) return say("an address is HOST:PORT", 0);
    if (shared_port_) source_ = parse(listen(""));
    return true;
  }
  void dial(SessionUser* user) override {
    auto* session = new RawSession(user);
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &remote_.Ipv4.sin_addr, host, sizeof host);
    QUIC_STATUS s = api->ConnectionOpenInPartition(registration_, 0, RawSession::on_event, session,
                                                   &session->handle);
    if (QUIC_SUCCEEDED(s)) {
      api->SetParam(session->handle, QUIC_PARAM_CONN_REMOTE_ADDRESS, sizeof remote_, &remote_);
      set_scheduling(session->handle);
      if (shared_port_) {
        const uint8_t share = 1;
        api->SetParam(session->handle, QUIC_PARAM_CONN_SHARE_UDP_BINDING, sizeof share, &share);
        api->SetParam(session->handle, QUIC_PARAM_CONN_LOCAL_ADDRESS, sizeof source_, &source_);
      }
      s = api->ConnectionStart(session->handle, client_, QUIC_ADDRESS_FAMILY_INET, host,
                               ntohs(remote_.Ipv4.sin_port));
    }
    if (QUIC_FAILED(s)) {
      say("dial", s);
      user->on_disconnected();
    }
  }
  void turn(int ms) override {
    const uint32_t wait = api->ExecutionPoll(execution_);
    epoll_event events[64];
    const int n = epoll_wait(
        epoll_, events, 64,
        static_cast<int>(wait < static_cast<uint32_t>(ms) ? wait : static_cast<uint32_t>(ms)));
    for (int i = 0; i < n; ++i) {
      auto* source = static_cast<QUIC_SQE*>(events[i].data.ptr);
      source->Completion(&events[i]);
    }
  }
  void wake_on(int fd) override {
    input_.fd = fd;
    input_.Completion = [](QUIC_CQE*) {};
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &input_;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

 private:
  static bool say(const char* doing, unsigned status) {
    std::fprintf(stderr, "bench: %s: %u\n", doing, status);
    return false;
  }
  static QUIC_ADDR parse(const std::string& text) {
    QUIC_ADDR a{};
    const size_t colon = text.rfind(':');
    a.Ipv4.sin_family = AF_INET;
    if (colon == std::string::npos) return a;
    inet_pton(AF_INET, text.substr(0, colon).c_str(), &a.Ipv4.sin_addr);
    a.Ipv4.sin_port =
        htons(static_cast<uint16_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10)));
    return a;
  }
  bool configure(const tls::Credentials& credentials, const Options& options, bool is_server,
                 HQUIC* out) {
    const QUIC_SETTINGS settings = settings_of(options);
    QUIC_STATUS s =
        api->ConfigurationOpen(registration_, &kAlpn, 1, &settings, sizeof settings, nullptr, out);
    if (QUIC_FAILED(s)) return say("ConfigurationOpen", s);
    QUIC_CERTIFICATE_PKCS12 pkcs12 = {credentials.pkcs12.data(),
                                      static_cast<uint32_t>(credentials.pkcs12.size()), nullptr};
    QUIC_CREDENTIAL_CONFIG config{};
    config.Type = QUIC_CREDENTIAL_TYPE_CERTIFICATE_PKCS12;
    config.CertificatePkcs12 = &pkcs12;
    config.Flags = QUIC_CREDENTIAL_FLAG_NO_CERTIFICATE_VALIDATION |
                   QUIC_CREDENTIAL_FLAG_INDICATE_CERTIFICATE_RECEIVED |
                   (is_server ? QUIC_CREDENTIAL_FLAG_REQUIRE_CLIENT_AUTHENTICATION
                              : QUIC_CREDENTIAL_FLAG_CLIENT);
    s = api->ConfigurationLoadCredential(*out, &config);
    return QUIC_SUCCEEDED(s) || say("ConfigurationLoadCredential", s);
  }
  static QUIC_STATUS on_listener(HQUIC, void* context, QUIC_LISTENER_EVENT* event) {
    if (event->Type != QUIC_LISTENER_EVENT_NEW_CONNECTION) return QUIC_STATUS_SUCCESS;
    auto* session = new RawSession(nullptr);
    session->handle = event->NEW_CONNECTION.Connection;
    api->SetCallbackHandler(session->handle, reinterpret_cast<void*>(RawSession::on_event),
                            session);
    set_scheduling(session->handle);
    return api->ConnectionSetConfiguration(session->handle,
                                           static_cast<RawEngine*>(context)->server_);
  }

  int epoll_ = -1;
  QUIC_EXECUTION* execution_ = nullptr;
  HQUIC registration_ = nullptr;
  HQUIC server_ = nullptr;
  HQUIC client_ = nullptr;
  QUIC_ADDR remote_{};
  // Dials leave from one port, as kith's do; not with an unpatched MsQuic.
  bool shared_port_ = false;
  QUIC_ADDR source_{};
  QUIC_SQE input_{};
};

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  return kith::bench::peer_main(
      argc, argv, [](const kith::bench::Options& options) -> std::unique_ptr<kith::bench::Engine> {
        auto engine = std::make_unique<kith::bench::RawEngine>();
        if (!engine->start(options)) return nullptr;
        return engine;
      });
}
