// The benchmark's peer on kith: a host with identify and ping, as an application makes one.
#include <cstdio>
#include <memory>

#include "bench/workload.h"
#include "host/host.h"

namespace kith::bench {
namespace {

using transport::Stream;

// Adapts a stream's handler to the workload's. Inbound ones own their responder.
class KithPipe final : public swarm::ProtocolStream, public Pipe {
 public:
  explicit KithPipe(PipeUser* user) : user_(user) {}
  KithPipe(std::unique_ptr<PipeUser> owned, Stream& stream)
      : user_(owned.get()), stream_(&stream), owned_(std::move(owned)) {}
  void set_stream(Stream* stream) { stream_ = stream; }

  bool write(Bytes bytes, bool fin) override {
    if (!stream_->write(Buffer::static_bytes(bytes)).ok()) return false;
    if (fin) stream_->close_write();
    return true;
  }

 private:
  void on_open(Stream&, std::string_view) override {}
  size_t on_data(Stream&, Bytes data) override {
    user_->on_data(*this, data);
    return data.size();
  }
  void on_read_closed(Stream&) override {}
  void on_reset(Stream& stream, uint64_t) override {
    if (!owned_) std::fprintf(stderr, "bench: the peer reset a stream\n");
    failed_ = true;
    stream.reset(0);
  }
  void on_stop(Stream& stream, uint64_t) override {
    if (!owned_) std::fprintf(stderr, "bench: the peer stopped reading a stream\n");
    failed_ = true;
    stream.stop_reading(0);
  }
  void on_writable(Stream&) override { user_->on_writable(*this); }
  void on_closed(Stream&, const Error& error) override {
    if (!owned_ && error.status() != KITH_OK) {
      std::fprintf(stderr, "bench: a stream: %s\n", error.to_string().c_str());
    }
    user_->on_closed(failed_ || error.status() != KITH_OK);
    delete this;
  }

  PipeUser* user_;
  Stream* stream_ = nullptr;
  std::unique_ptr<PipeUser> owned_;
  bool failed_ = false;
};

class KithSession final : public Session, public swarm::ConnectHandler {
 public:
  explicit KithSession(SessionUser* u) : user(u) {}
  Pipe* open(PipeUser* pipe_user) override {
    auto* pipe = new KithPipe(pipe_user);
    Result<Stream*> stream = connection->open_stream(std::span(&kProtocolId, 1), pipe);
    if (!stream.ok()) {
      std::fprintf(stderr, "bench: %s\n", stream.error().to_string().c_str());
      delete pipe;
      return nullptr;
    }
    pipe->set_stream(*stream);
    return pipe;
  }
  void close() override { connection->close(); }
  void on_connect(swarm::PeerConnection& c) override {
    connection = &c;
    c.user = this;
    user->on_connected(*this);
  }
  void on_connect_failed(const Error& error) override {
    std::fprintf(stderr, "bench: %s\n", error.to_string().c_str());
    user->on_disconnected();
  }

  SessionUser* user;
  swarm::PeerConnection* connection = nullptr;
  std::unique_ptr<swarm::Connect> connect;
};

class KithEngine final : public Engine, swarm::Observer, swarm::ProtocolHandler {
 public:
  explicit KithEngine(const Options& options) : options_(options) {}
  bool start(const std::string& listen) {
    Result<std::unique_ptr<host::Runtime>> runtime = host::Runtime::create();
    if (!runtime.ok()) return say(runtime.error());
    runtime_ = std::move(runtime).value();
    host::HostConfig config;
    if (!set_security(config.tcp.upgrade)) return false;
    config.inbound = {.max_connections = 100'000,
                      .max_handshakes = limits::kInboundHandshakes,
                      .max_per_address = 0,
                      .burst = 0,
                      .max_per_peer = 0};
    config.quic.max_verified_certificates =
        number(options_, "known_peers", config.quic.max_verified_certificates);
    if (!listen.empty()) {
      Result<wire::Multiaddr> address = wire::Multiaddr::parse(listen);
      if (!address.ok()) return say(address.error());
      config.listen.push_back(std::move(address).value());
    }
    Result<std::unique_ptr<host::Host>> host = host::Host::create(*runtime_, std::move(config));
    if (!host.ok()) return say(host.error());
    host_ = std::move(host).value();
    host_->swarm().add_observer(this);
    Status added = host_->swarm().protocols().add(kProtocolId, this);
    return added.ok() || say(added.error());
  }
  std::string listen(const std::string& address) override {
    if (!start(address.empty() ? "/ip4/127.0.0.1/udp/0/quic-v1" : address)) return "";
    return host_->addresses().at(0).to_string();
  }
  bool set_remote(const std::string& address) override {
    // Without /p2p every connect is a connection of its own.
    Result<wire::Multiaddr> remote =
        wire::Multiaddr::parse(address.substr(0, address.find("/p2p/")));
    if (!remote.ok()) return say(remote.error());
    remote_ = std::move(remote).value();
    return start("");
  }
  void dial(SessionUser* user) override {
    auto* session = new KithSession(user);
    Result<std::unique_ptr<swarm::Connect>> connect =
        host_->swarm().connect({}, std::span(&remote_, 1), session);
    if (!connect.ok()) return session->on_connect_failed(connect.error());
    session->connect = std::move(connect).value();
  }
  void turn(int ms) override {
    runtime_->loop().turn(runtime::EpollLoop::clock() + milliseconds(ms));
  }
  void wake_on(int fd) override {
    input_ = {fd, [](epoll_event*) {}};
    [[maybe_unused]] const Status s = runtime_->loop().watch(&input_, EPOLLIN);
  }

 private:
  // security=tls|noise: of connections over TCP.
  bool set_security(transport::upgrade::UpgradeConfig& config) const {
    const auto word = options_.find("security");
    if (word == options_.end()) return true;
    if (word->second == "tls") {
      config.security = {transport::upgrade::Security::kTls};
    } else if (word->second == "noise") {
      config.security = {transport::upgrade::Security::kNoise};
    } else {
      return say(Error(KITH_ERR_INVALID_ARGUMENT, "security", "it is tls or noise"));
    }
    return true;
  }
  static bool say(const Error& error) {
    std::fprintf(stderr, "bench: %s\n", error.to_string().c_str());
    return false;
  }
  void on_stream(swarm::PeerConnection&, Stream& stream, std::string_view) override {
    stream.set_handler(new KithPipe(make_responder(), stream));
  }
  void on_disconnected(swarm::PeerConnection& c, const Error& error) override {
    auto* session = static_cast<KithSession*>(c.user);
    if (!session) return;
    if (error.detail() != "closed here") {
      std::fprintf(stderr, "bench: %s\n", error.to_string().c_str());
    }
    session->user->on_disconnected();
    delete session;
  }

  const Options options_;
  std::unique_ptr<host::Runtime> runtime_;
  std::unique_ptr<host::Host> host_;
  wire::Multiaddr remote_;
  runtime::EpollSource input_{};
};

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  return kith::bench::peer_main(
      argc, argv, [](const kith::bench::Options& options) -> std::unique_ptr<kith::bench::Engine> {
        return std::make_unique<kith::bench::KithEngine>(options);
      });
}
