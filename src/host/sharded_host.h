// ShardedHost: one node on one loop or several.
//
// Each loop has a Host of its own, a shard, with the node's one identity, and all shards listen at the same ports: the kernel
// gives each inbound connection to one of them, and Placement each dial. A connection lives on one loop for life. Nothing
// else is shared, so that the code of a shard is that of a node on one loop, without locks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "host/host.h"
#include "host/placement.h"
#include "host/runtime.h"

namespace kith::host {

// A ShardOwner is what stands above the shards. Each call is on the loop of the shard that it names.
class ShardOwner {
 public:
  // Where the shard logs, borrowed for its life; may be null.
  virtual LogSink* log_of(size_t shard) = 0;
  // The shard is made, and has no connection yet.
  virtual void on_shard(size_t shard, Host& host) = 0;
  // Every connection of the shard is gone, or it was made in vain; it is destroyed after this.
  virtual void on_shard_end(size_t shard) = 0;

 protected:
  ~ShardOwner() = default;
};

class ShardedHost {
 public:
  // Starts a node on `runtimes` (borrowed for its life), the first of which is the main loop: on that, while each of the
  // others runs a thread of its own or none of them does. Errors name the address that failed. `owner` is borrowed until its
  // last on_shard_end.
  static Result<std::unique_ptr<ShardedHost>> create(std::vector<Runtime*> runtimes,
                                                     HostConfig config, ShardOwner* owner);
  // Only after stop() is done.
  ~ShardedHost();

  size_t size() const { return shards_.size(); }
  // To be used on its loop, and until stop().
  Host& shard(size_t index) { return *shards_[index].host; }
  // Any thread.
  runtime::EpollLoop& loop(size_t index) { return runtimes_[index]->loop(); }
  Placement& placement() { return placement_; }
  const identity::PeerId& id() const { return id_; }

  // Listens with every shard, at one port. On the main loop; waits for the others.
  Status listen(const wire::Multiaddr& address);
  // Runs `fn` on each shard's loop, one after the other, and waits. On the main loop.
  void on_each(const std::function<void(size_t shard, Host& host)>& fn);
  // Stops every shard. `done(ctx)` runs once, on the main loop in a later turn; nothing is delivered after it, and this may
  // be destroyed from it. On the main loop; a second call is KITH_ERR_INVALID_STATE.
  Status stop(void (*done)(void* ctx), void* ctx);

 private:
  // One shard, and what tells Placement of its connections.
  struct Shard final : swarm::Observer {
    ShardedHost* node = nullptr;
    size_t index = 0;
    std::unique_ptr<Host> host;
    void on_connected(swarm::PeerConnection& c) override { node->placement_.add(c.peer(), index); }
    void on_disconnected(swarm::PeerConnection& c, const Error&) override {
      node->placement_.remove(c.peer(), index);
    }
  };
  ShardedHost(std::vector<Runtime*> runtimes, ShardOwner* owner);
  void run_on(size_t index, const std::function<void()>& fn);
  Status make_shard(size_t index, HostConfig config);
  Status listen_with(size_t index, const wire::Multiaddr& address, wire::Multiaddr* bound);
  Status steer(const wire::Multiaddr& bound);
  void stop_listening(size_t num_shards, const wire::Multiaddr& bound);
  void on_shard_stopped(Shard& shard);
  void finish_stop(size_t index);
  // Undoes a half-made node without a callback.
  static void discard(std::unique_ptr<ShardedHost> node);

  // Constant after create().
  const std::vector<Runtime*> runtimes_;
  identity::PeerId id_;
  Placement placement_;
  // Each its loop's.
  std::vector<Shard> shards_;
  // The main loop's, but for the count.
  ShardOwner* owner_;
  bool stopping_ = false;
  std::atomic<size_t> num_running_{0};
  void (*stop_done_)(void* ctx) = nullptr;
  void* stop_ctx_ = nullptr;
};

}  // namespace kith::host
