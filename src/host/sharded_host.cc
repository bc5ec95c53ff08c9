#include "host/sharded_host.h"

#include <cstdlib>
#include <string>

#include "protocol/tls/certificate.h"
#include "transport/quic/port_steering.h"

namespace kith::host {

ShardedHost::ShardedHost(std::vector<Runtime*> runtimes, ShardOwner* owner)
    : runtimes_(std::move(runtimes)),
      placement_(runtimes_.size()),
      shards_(runtimes_.size()),
      owner_(owner) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].node = this;
    shards_[i].index = i;
  }
}

ShardedHost::~ShardedHost() { KITH_CHECK(num_running_ == 0); }

void ShardedHost::run_on(size_t index, const std::function<void()>& fn) {
  // A loop that nobody runs yet is everybody's.
  if (loop(index).on_loop()) return fn();
  const Status status = runtimes_[index]->call(fn);
  KITH_CHECK(status.ok());
}

Result<std::unique_ptr<ShardedHost>> ShardedHost::create(std::vector<Runtime*> runtimes,
                                                         HostConfig config, ShardOwner* owner) {
  if (!config.key) {
    KITH_ASSIGN(config.key, crypto::PrivateKey::generate(crypto::KeyType::kEd25519));
  }
  KITH_ASSIGN(const tls::Credentials credentials,
              tls::make_credentials(*config.key, runtimes[0]->loop().unix_seconds()));
  config.credentials = &credentials;
  config.admission = std::make_shared<transport::Admission>(config.inbound);
  std::unique_ptr<ShardedHost> node(new ShardedHost(std::move(runtimes), owner));
  node->id_ = identity::PeerId::from_public_key(config.key->public_key());
  const std::vector<wire::Multiaddr> listen = std::move(config.listen);
  config.listen.clear();
  Status status;
  for (size_t i = 0; status.ok() && i < node->size(); ++i) {
    node->run_on(i, [&] { status = node->make_shard(i, config); });
  }
  for (size_t i = 0; status.ok() && i < listen.size(); ++i) status = node->listen(listen[i]);
  if (status.ok()) return node;
  discard(std::move(node));
  return status.error();
}

Status ShardedHost::make_shard(size_t index, HostConfig config) {
  config.joins_ports = index != 0;
  config.log = owner_->log_of(index);
  KITH_ASSIGN(shards_[index].host, Host::create(*runtimes_[index], std::move(config)));
  ++num_running_;
  Host& host = shard(index);
  if (size() > 1) host.swarm().add_observer(&shards_[index]);
  owner_->on_shard(index, host);
  return {};
}

Status ShardedHost::listen_with(size_t index, const wire::Multiaddr& address,
                                wire::Multiaddr* bound) {
  Status status;
  run_on(index, [&] {
    Result<wire::Multiaddr> at = shard(index).swarm().listen(address);
    if (at.ok()) {
      *bound = std::move(at).value();
    } else {
      status = at.error();
    }
  });
  return status;
}

Status ShardedHost::listen(const wire::Multiaddr& address) {
  wire::Multiaddr bound;
  KITH_TRY(listen_with(0, address, &bound));
  if (size() == 1) return {};
  for (size_t i = 1; i < size(); ++i) {
    wire::Multiaddr same;
    if (Status s = listen_with(i, bound, &same); !s.ok()) {
      stop_listening(i, bound);
      return s;
    }
  }
  Status steered = steer(bound);
  if (!steered.ok()) stop_listening(size(), bound);
  return steered;
}

Status ShardedHost::steer(const wire::Multiaddr& bound) {
  const std::optional<wire::Component> udp = bound.find(wire::proto::kUdp);
  if (!udp) return {};  // the kernel spreads TCP connections by itself
  std::vector<uint16_t> partitions;
  for (Runtime* r : runtimes_) partitions.push_back(r->slot().partition());
  const int port = std::atoi(udp->value_text().c_str());
  return transport::quic::steer_port(static_cast<uint16_t>(port), partitions);
}

void ShardedHost::stop_listening(size_t num_shards, const wire::Multiaddr& bound) {
  for (size_t i = 0; i < num_shards; ++i) {
    run_on(i, [&] { shard(i).swarm().stop_listening(bound); });
  }
}

void ShardedHost::on_each(const std::function<void(size_t, Host&)>& fn) {
  for (size_t i = 0; i < size(); ++i) {
    run_on(i, [&] { fn(i, shard(i)); });
  }
}

void ShardedHost::discard(std::unique_ptr<ShardedHost> node) {
  ShardedHost* n = node.release();
  for (Shard& s : n->shards_) {
    if (!s.host) continue;
    n->run_on(s.index, [&] {
      s.host->swarm().stop_logging();  // the owner is going, too
      n->owner_->on_shard_end(s.index);
    });
  }
  n->owner_ = nullptr;
  if (n->num_running_ == 0) {
    delete n;
    return;
  }
  [[maybe_unused]] const Status s =
      n->stop([](void* ctx) { delete static_cast<ShardedHost*>(ctx); }, n);
}

Status ShardedHost::stop(void (*done)(void* ctx), void* ctx) {
  if (stopping_) return Error(KITH_ERR_INVALID_STATE, "host", "it is stopping already");
  stopping_ = true;
  stop_done_ = done;
  stop_ctx_ = ctx;
  for (Shard& s : shards_) {
    if (!s.host) continue;
    loop(s.index).post([&s] {
      const auto on_stopped = [](void* shard) {
        auto* self = static_cast<Shard*>(shard);
        self->node->on_shard_stopped(*self);
      };
      [[maybe_unused]] const Status status = s.host->stop(on_stopped, &s);
    });
  }
  return {};
}

void ShardedHost::on_shard_stopped(Shard& s) {
  if (owner_) owner_->on_shard_end(s.index);
  s.host->swarm().remove_observer(&s);
  s.host.reset();
  if (--num_running_ == 0) finish_stop(size() - 1);
}

// By way of every loop, the main loop last: what the shards had posted to each other has run then.
void ShardedHost::finish_stop(size_t index) {
  loop(index).post([this, index] {
    if (index != 0) return finish_stop(index - 1);
    if (stop_done_) stop_done_(stop_ctx_);
  });
}

}  // namespace kith::host
