#include "transport/upgrade/upgrader.h"

#include <array>
#include <string>
#include <utility>

#include "crypto/random.h"
#include "transport/upgrade/muxed_connection.h"
#include "transport/upgrade/private_pipe.h"
#include "transport/upgrade/upgrade.h"

namespace kith::transport::upgrade {

namespace {

void fill_random(MutableBytes out) {
  const Status s = crypto::random_bytes(out);
  KITH_CHECK(s.ok());  // the system's generator was seeded when the first key was made
}

}  // namespace

Result<std::unique_ptr<Upgrader>> Upgrader::create(runtime::Loop& loop,
                                                   const crypto::PrivateKey& key,
                                                   const tls::Credentials& credentials,
                                                   UpgradeConfig config) {
  if (config.security.empty() || config.muxers.empty()) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "upgrade", "no secure channel or no muxer to offer");
  }
  if (!config.network_key.empty() && config.network_key.size() != pnet::kKeyBytes) {
    return Error(KITH_ERR_INVALID_ARGUMENT, "upgrade",
                 "the key of a private network has 32 bytes, not " +
                     std::to_string(config.network_key.size()));
  }
  KITH_ASSIGN(noise::Context noise, noise::Context::make(key, fill_random));
  KITH_ASSIGN(tls::Context tls, tls::Context::make(credentials));
  return std::unique_ptr<Upgrader>(
      new Upgrader(loop, std::move(noise), std::move(tls), std::move(config)));
}

Upgrader::Upgrader(runtime::Loop& loop, noise::Context noise, tls::Context tls,
                   UpgradeConfig config)
    : loop_(loop),
      noise_(std::move(noise)),
      tls_(std::move(tls)),
      config_(std::move(config)),
      pools_(std::make_unique<Pools>()),
      clean_up_(runtime::Deferred::of<&Upgrader::clean_up>(loop, this)),
      begin_shutdown_(runtime::Deferred::of<&Upgrader::begin_shutdown>(loop, this)) {
  for (const Security s : config_.security) security_ids_.push_back(id_of(s));
  for (const Muxer m : config_.muxers) muxer_ids_.push_back(id_of(m));
}

Upgrader::~Upgrader() { KITH_CHECK(is_empty()); }

void Upgrader::add(std::unique_ptr<Upgrade> upgrade) {
  Upgrade& u = *upgrade;
  u.position = upgrades_.size();
  upgrades_.push_back(std::move(upgrade));
  u.start();
}

std::unique_ptr<Pipe> Upgrader::guard(std::unique_ptr<Pipe> pipe) const {
  if (config_.network_key.empty()) return pipe;
  std::array<uint8_t, pnet::kNonceBytes> nonce;
  fill_random(nonce);
  return std::make_unique<PrivatePipe>(std::move(pipe), config_.network_key, nonce);
}

std::unique_ptr<Dial> Upgrader::dial(std::unique_ptr<Pipe> pipe, const DialOptions& options,
                                     DialHandler* handler) {
  auto upgrade =
      std::make_unique<Upgrade>(*this, guard(std::move(pipe)), Direction::kOutbound, options);
  auto dial = std::make_unique<UpgradeDial>(handler);
  dial->upgrade = upgrade.get();
  upgrade->set_dial(dial.get());
  add(std::move(upgrade));
  return dial;
}

Admission::Ticket Upgrader::admit(const Endpoint& remote, Status* refusal) {
  *refusal = {};
  if (shutting_down_) return {};
  return config_.admission->admit(remote, loop_.now(), refusal);
}

void Upgrader::accept(std::unique_ptr<Pipe> pipe, Admission::Ticket ticket,
                      const Listener* listener, ListenerHandler* handler) {
  auto upgrade = std::make_unique<Upgrade>(*this, guard(std::move(pipe)), Direction::kInbound,
                                           DialOptions{.role = Role::kListener});
  upgrade->set_listener(std::move(ticket), listener, handler);
  add(std::move(upgrade));
}

void Upgrader::forget(const Listener* listener) {
  for (auto& u : upgrades_) {
    if (u->listener() == listener) u->forget_listener();
  }
}

void Upgrader::remove(Upgrade* upgrade) {
  const size_t position = upgrade->position;
  over_.push_back(std::move(upgrades_[position]));
  if (position + 1 != upgrades_.size()) {
    upgrades_[position] = std::move(upgrades_.back());
    upgrades_[position]->position = position;
  }
  upgrades_.pop_back();
  clean_up_.schedule();
}

void Upgrader::add_connection(std::unique_ptr<UpgradedConnection> connection) {
  connections_.push_back(*connection.release());
}

void Upgrader::remove(UpgradedConnection* connection) {
  connections_.remove(*connection);
  delete connection;
  if (shutting_down_) clean_up_.schedule();
}

void Upgrader::clean_up() {
  over_.clear();
  if (on_empty_ && is_empty()) on_empty_(on_empty_ctx_);
}

void Upgrader::shutdown(void (*on_empty)(void* ctx), void* ctx) {
  KITH_CHECK(!shutting_down_);
  shutting_down_ = true;
  on_empty_ = on_empty;
  on_empty_ctx_ = ctx;
  begin_shutdown_.schedule();
}

void Upgrader::begin_shutdown() {
  while (!upgrades_.empty()) {
    upgrades_.back()->fail(Error(KITH_ERR_CANCELED, "upgrade", "the node is stopping"));
  }
  for (UpgradedConnection* c = connections_.front(); c; c = c->hook.next) c->close(0);
  clean_up_.schedule();
}

}  // namespace kith::transport::upgrade
