// Upgrader: makes connections of pipes, for the transports that have only those, and owns them until their end.
// Spec: libp2p/specs connections/README.md.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/intrusive_list.h"
#include "base/output_bytes.h"
#include "crypto/keys.h"
#include "protocol/noise/session.h"
#include "protocol/tls/session.h"
#include "runtime/loop.h"
#include "transport/transport.h"
#include "transport/upgrade/config.h"
#include "transport/upgrade/pipe.h"

namespace kith::transport::upgrade {

class Upgrade;
struct Pools;

// UpgradedConnection is what the owner of a connection needs of it, whatever it is made of.
class UpgradedConnection : public Connection {
 public:
  virtual ~UpgradedConnection() = default;
  // Begins, after the handler is set: `early` is what the peer sent so far. Once.
  virtual void start(Bytes early) = 0;
  bool has_handler() const { return handler_ != nullptr; }

  ListHook<UpgradedConnection> hook;
  Admission::Ticket ticket;  // of an inbound connection
};

class Upgrader {
 public:
  // Keeps nothing of `key` and `credentials`. `loop` must outlive the upgrader. KITH_ERR_INVALID_ARGUMENT for a config
  // without a secure channel or a muxer, or with a network key of another size; KITH_ERR_CRYPTO.
  static Result<std::unique_ptr<Upgrader>> create(runtime::Loop& loop,
                                                  const crypto::PrivateKey& key,
                                                  const tls::Credentials& credentials,
                                                  UpgradeConfig config);
  // Only when it is_empty().
  ~Upgrader();

  // Upgrades a pipe of ours, open or being opened.
  std::unique_ptr<Dial> dial(std::unique_ptr<Pipe> pipe, const DialOptions& options,
                             DialHandler* handler);
  // Asks for a place for an inbound pipe from `remote`; see Admission::admit.
  Admission::Ticket admit(const Endpoint& remote, Status* refusal);
  // Upgrades a pipe that `listener` accepted and that was admitted. `handler` hears of it unless forget(listener) comes
  // before.
  void accept(std::unique_ptr<Pipe> pipe, Admission::Ticket ticket, const Listener* listener,
              ListenerHandler* handler);
  // What `listener` accepted and is not upgraded yet will be closed.
  void forget(const Listener* listener);

  // Closes everything, in later turns. on_empty(ctx) runs each time that nothing is left, from then on.
  void shutdown(void (*on_empty)(void* ctx), void* ctx);
  bool is_empty() const { return upgrades_.empty() && connections_.empty() && over_.empty(); }

  // For the parts of this folder.
  runtime::Loop& loop() { return loop_; }
  const UpgradeConfig& config() const { return config_; }
  const noise::Context& noise_context() const { return noise_; }
  const tls::Context& tls_context() const { return tls_; }
  std::span<const std::string_view> security_ids() const { return security_ids_; }
  std::span<const std::string_view> muxer_ids() const { return muxer_ids_; }
  Pools& pools() { return *pools_; }
  // For the bytes of one call to Pipe::send. Empty between calls.
  OutputBytes& output() { return output_; }
  std::vector<Bytes>& views() { return views_; }
  // `upgrade` has its outcome, delivers it to nobody else, and is destroyed in a later turn.
  void add_connection(std::unique_ptr<UpgradedConnection> connection);
  void remove(Upgrade* upgrade);
  // Destroys `connection`.
  void remove(UpgradedConnection* connection);

 private:
  Upgrader(runtime::Loop& loop, noise::Context noise, tls::Context tls, UpgradeConfig config);
  void add(std::unique_ptr<Upgrade> upgrade);
  // Puts the layer of the private network, if there is one, on top of `pipe`.
  std::unique_ptr<Pipe> guard(std::unique_ptr<Pipe> pipe) const;
  void clean_up();
  void begin_shutdown();

  runtime::Loop& loop_;
  const noise::Context noise_;
  const tls::Context tls_;
  const UpgradeConfig config_;
  std::vector<std::string_view> security_ids_;
  std::vector<std::string_view> muxer_ids_;
  std::unique_ptr<Pools> pools_;
  OutputBytes output_;
  std::vector<Bytes> views_;
  std::vector<std::unique_ptr<Upgrade>> upgrades_;
  std::vector<std::unique_ptr<Upgrade>> over_;
  IntrusiveList<UpgradedConnection, &UpgradedConnection::hook> connections_;
  bool shutting_down_ = false;
  void (*on_empty_)(void* ctx) = nullptr;
  void* on_empty_ctx_ = nullptr;
  runtime::Deferred clean_up_;
  runtime::Deferred begin_shutdown_;
};

}  // namespace kith::transport::upgrade
