// The benchmark's peer on kith: a host with identify and ping, as an application makes one.
#include <cstdio>
#include <memory>

#include "bench/workload.h"
#include "host/sharded_host.h"

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

class KithEngine final : public Engine, host::ShardOwner, swarm::Observer, swarm::ProtocolHandler {
 public:
  explicit KithEngine(const Options& options) : options_(options) {}
  // loops=N is the listener's; a dialer has one.
  bool start(const std::string& listen) {
    const size_t num_loops = listen.empty() ? 1 : number(options_, "loops", 1);
    std::vector<host::Runtime*> loops;
    for (size_t i = 0; i < num_loops; ++i) {
      Result<std::unique_ptr<host::Runtime>> runtime = host::Runtime::create();
      if (!runtime.ok()) return say(runtime.error());
      loops.push_back(runtimes_.emplace_back(std::move(runtime).value()).get());
    }
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
    Result<std::unique_ptr<host::ShardedHost>> host =
        host::ShardedHost::create(std::move(loops), std::move(config), this);
    if (!host.ok()) return say(host.error());
    host_ = std::move(host).value();
    for (size_t i = 1; i < num_loops; ++i) {
      if (Status s = runtimes_[i]->start_thread(); !s.ok()) return say(s.error());
    }
    return true;
  }
  std::string listen(const std::string& address) override {
    if (!start(address.empty() ? "/ip4/127.0.0.1/udp/0/quic-v1" : address)) return "";
    return host_->shard(0).addresses().at(0).to_string();
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
        host_->shard(0).swarm().connect({}, std::span(&remote_, 1), session);
    if (!connect.ok()) return session->on_connect_failed(connect.error());
    session->connect = std::move(connect).value();
  }
  void turn(int ms) override {
    runtimes_[0]->loop().turn(runtime::EpollLoop::clock() + milliseconds(ms));
  }
  void wake_on(int fd) override {
    input_ = {fd, [](epoll_event*) {}};
    [[maybe_unused]] const Status s = runtimes_[0]->loop().watch(&input_, EPOLLIN);
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
  LogSink* log_of(size_t) override { return nullptr; }
  void on_shard(size_t, host::Host& host) override {
    host.swarm().add_observer(this);
    const Status added = host.swarm().protocols().add(kProtocolId, this);
    KITH_CHECK(added.ok());
  }
  void on_shard_end(size_t) override {}  // the process ends first
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
  std::vector<std::unique_ptr<host::Runtime>> runtimes_;  // the first is the main loop
  std::unique_ptr<host::ShardedHost> host_;
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
