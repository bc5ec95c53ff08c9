#include "tests/support/test_node.h"

namespace kith::test {

std::unique_ptr<TestNode> TestNode::create(host::HostConfig config, std::vector<std::string> listen,
                                           host::Runtime* runtime) {
  std::unique_ptr<TestNode> node(new TestNode);
  if (!runtime) {
    Result<std::unique_ptr<host::Runtime>> own = host::Runtime::create();
    if (!own.ok()) return nullptr;
    node->own_runtime_ = std::move(own).value();
  }
  node->runtime_ = runtime ? runtime : node->own_runtime_.get();
  for (const std::string& a : listen) config.listen.push_back(wire::Multiaddr::parse(a).value());
  Result<std::unique_ptr<host::Host>> host = host::Host::create(*node->runtime_, std::move(config));
  if (!host.ok()) {
    std::fprintf(stderr, "TestNode: %s\n", host.error().to_string().c_str());
    return nullptr;
  }
  node->host_ = std::move(host).value();
  swarm::Swarm& swarm = node->host_->swarm();
  swarm.add_observer(node.get());
  KITH_CHECK(swarm.protocols().add(kEchoId, &node->echo_).ok());
  KITH_CHECK(swarm.protocols().add(kResetId, &node->reset_).ok());
  return node;
}

TestNode::~TestNode() {
  if (!host_) return;
  bool stopped = false;
  KITH_CHECK(host_->stop([](void* flag) { *static_cast<bool*>(flag) = true; }, &stopped).ok());
  run_until([&] { return stopped; });
  host_->swarm().remove_observer(this);
  host_.reset();
}

bool TestNode::run_until(const std::function<bool()>& done, Duration limit) {
  const TimePoint end = runtime::EpollLoop::clock() + limit;
  while (!done()) {
    if (runtime::EpollLoop::clock() >= end) return false;
    runtime_->loop().turn(std::min(end, runtime::EpollLoop::clock() + milliseconds(50)));
  }
  return true;
}

swarm::PeerConnection* TestNode::connect(const std::string& address, transport::Role role) {
  failure.clear();
  connected_ = nullptr;
  const wire::Multiaddr addresses[] = {wire::Multiaddr::parse(address).value()};
  Result<std::unique_ptr<swarm::Connect>> connect =
      host_->swarm().connect({}, addresses, this, role);
  if (!connect.ok()) {
    failure = connect.error().to_string();
    return nullptr;
  }
  run_until([&] { return connected_ || !failure.empty(); });
  return connected_;
}

std::string TestNode::echo(swarm::PeerConnection& connection, uint64_t size, uint32_t seed) {
  auto client = std::make_unique<EchoClient>(size, seed);
  if (Status s = client->open(connection); !s.ok()) return s.error().to_string();
  if (!run_until([&] { return client->done(); }, seconds(120))) {
    client.release();  // the stream still knows it
    return "no end within 120 s";
  }
  return client->failure();
}

namespace {
struct Pings final : service::PingHandler {
  std::vector<Duration> round_trips;
  bool done = false;
  void on_round_trip(Duration rtt) override { round_trips.push_back(rtt); }
  void on_ping_end(const Error&) override { done = true; }
};
}  // namespace

std::vector<Duration> TestNode::ping(swarm::PeerConnection& connection, uint32_t count,
                                     bool new_stream) {
  Pings pings;
  service::PingOptions options;
  options.count = count;
  options.new_stream = new_stream;
  Result<std::unique_ptr<service::PingSession>> session =
      host_->ping().start(connection, options, &pings);
  if (!session.ok()) return {};
  run_until([&] { return pings.done; });
  return pings.round_trips;
}

}  // namespace kith::test
