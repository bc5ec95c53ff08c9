#include "transport/upgrade/upgrade.h"

#include <algorithm>
#include <string>

#include "protocol/multistream/dialer.h"
#include "protocol/multistream/listener.h"
#include "transport/upgrade/muxed_connection.h"

namespace kith::transport::upgrade {

using runtime::Task;

namespace {

// What a multistream listener may agree to.
class IdTable final : public multistream::ProtocolTable {
 public:
  explicit IdTable(std::span<const std::string_view> ids) : ids_(ids) {}
  bool supports(std::string_view id) const override {
    return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }
  std::vector<std::string_view> list() const override { return {ids_.begin(), ids_.end()}; }

 private:
  std::span<const std::string_view> ids_;
};

size_t index_of(std::span<const std::string_view> ids, std::string_view id) {
  return static_cast<size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
}

}  // namespace

// The pipe as it is.
class Upgrade::RawChannel {
 public:
  explicit RawChannel(Upgrade& upgrade) : upgrade_(upgrade) {}
  ByteVector& input() { return upgrade_.input_; }
  Status send(Bytes bytes) {
    out_.append(bytes);
    flush();
    return {};
  }
  // Sends what was appended to output().
  void flush() {
    if (!out_.empty()) upgrade_.pipe_->send(out_);
  }
  OutputBytes& output() { return out_; }
  // Waits until there is input.
  Task<Status> wait() {
    while (upgrade_.input_.empty()) {
      if (upgrade_.has_ended_) co_return upgrade_.end_;
      co_await upgrade_.event_;
    }
    co_return Status();
  }

 private:
  Upgrade& upgrade_;
  OutputBytes out_;
};

// What `session` makes of it.
template <typename Session>
class Upgrade::SecureChannel {
 public:
  SecureChannel(Upgrade& upgrade, Session& session)
      : upgrade_(upgrade), session_(session), raw_(upgrade) {}
  ByteVector& input() { return upgrade_.early_; }
  Status start() {
    Status s = session_.start(raw_.output());
    raw_.flush();
    return s;
  }
  Status send(Bytes bytes) {
    Status s = session_.encrypt(bytes, raw_.output());
    raw_.flush();
    return s;
  }
  Task<Status> wait() {
    while (upgrade_.early_.empty()) {
      Status s = co_await step();
      if (!s.ok()) co_return s;
    }
    co_return Status();
  }
  // Takes in what the peer sends next.
  Task<Status> step() {
    Status s = co_await raw_.wait();
    if (!s.ok()) co_return s;
    auto plaintext = [this](MutableBytes piece) { append(upgrade_.early_, piece); };
    s = session_.receive(upgrade_.input_, plaintext, raw_.output());
    upgrade_.input_.clear();
    raw_.flush();
    co_return s;
  }

 private:
  Upgrade& upgrade_;
  Session& session_;
  RawChannel raw_;
};

Upgrade::Upgrade(Upgrader& upgrader, std::unique_ptr<Pipe> pipe, Direction direction,
                 const DialOptions& options)
    : upgrader_(upgrader),
      pipe_(std::move(pipe)),
      direction_(direction),
      options_(options),
      deadline_(runtime::Timer::of<&Upgrade::on_deadline>(upgrader.loop().timers(), this)) {
  pipe_->set_handler(this);
}

Upgrade::~Upgrade() {
  if (dial_) dial_->upgrade = nullptr;
}

void Upgrade::start() {
  deadline_.set(upgrader_.loop().now() + upgrader_.config().timeout);
  task_ = drive();
  task_.start([](void* self) { static_cast<Upgrade*>(self)->deliver(); }, this);
}

Task<> Upgrade::drive() { outcome_ = co_await run(); }

Task<Status> Upgrade::run() {
  while (!pipe_->is_open()) {
    if (has_ended_) co_return end_;
    co_await event_;
  }
  step_ = "agree on a secure channel";
  RawChannel raw(*this);
  Result<size_t> choice = co_await agree(raw, upgrader_.security_ids());
  if (!choice.ok()) co_return choice.error();
  if (upgrader_.config().security[*choice] == Security::kNoise) {
    step_ = "noise handshake";
    co_return co_await secure<noise::Session>(security_config<noise::Config>());
  }
  step_ = "tls handshake";
  tls::Config config = security_config<tls::Config>();
  config.now_unix_s = upgrader_.loop().unix_seconds();
  co_return co_await secure<tls::Session>(config);
}

template <typename Config>
Config Upgrade::security_config() const {
  Config config;
  if constexpr (std::is_same_v<Config, noise::Config>) {
    config.context = &upgrader_.noise_context();
  } else {
    config.context = &upgrader_.tls_context();
  }
  config.is_dialer = is_dialer();
  config.expected_peer = options_.expected;
  if (upgrader_.config().early_muxer) config.muxers = upgrader_.muxer_ids();
  return config;
}

template <typename Session>
Task<Status> Upgrade::secure(typename Session::Config config) {
  auto session = std::make_unique<Session>(config);
  SecureChannel<Session> channel(*this, *session);
  Status s = channel.start();
  while (s.ok() && session->state() == Session::State::kHandshaking) s = co_await channel.step();
  if (!s.ok()) co_return s;
  if (session->remote_peer().empty()) {  // identity never fails open, whatever the session says
    co_return Error(KITH_ERR_HANDSHAKE, where(), "the peer was not identified");
  }
  step_ = "agree on a muxer";
  size_t muxer = index_of(upgrader_.muxer_ids(), session->muxer());
  if (muxer == upgrader_.muxer_ids().size()) {
    Result<size_t> choice = co_await agree(channel, upgrader_.muxer_ids());
    if (!choice.ok()) co_return choice.error();
    muxer = *choice;
  }
  if (ticket_) {
    step_ = "admit the peer";
    s = ticket_.identify(session->remote_peer());
    if (!s.ok()) co_return s;
  }
  connection_ = make_connection(std::move(session), upgrader_.config().muxers[muxer]);
  connection_->ticket = std::move(ticket_);
  co_return Status();
}

template <typename Channel>
Task<Result<size_t>> Upgrade::agree(Channel& channel, std::span<const std::string_view> ids) {
  multistream::Dialer dialer(ids);
  const IdTable table(ids);
  multistream::Listener listener(table);
  // Whichever of the two machines is ours.
  const auto pending = [&] { return is_dialer() ? dialer.pending() : listener.pending(); };
  const auto state = [&] { return is_dialer() ? dialer.state() : listener.state(); };
  for (;;) {
    if (const Bytes out = pending(); !out.empty()) {
      Status s = channel.send(out);
      if (!s.ok()) co_return s.error();
      is_dialer() ? dialer.sent(out.size()) : listener.sent(out.size());
    }
    if (state() == multistream::State::kAgreed) {
      co_return index_of(ids, is_dialer() ? dialer.agreed() : listener.agreed());
    }
    if (state() == multistream::State::kFailed) {
      co_return is_dialer() ? dialer.error() : listener.error();
    }
    Status s = co_await channel.wait();
    if (!s.ok()) co_return s.error();
    ByteVector& input = channel.input();
    const size_t n = is_dialer() ? dialer.receive(input) : listener.receive(input);
    input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(n));
  }
}

template <typename Session>
std::unique_ptr<UpgradedConnection> Upgrade::make_connection(std::unique_ptr<Session> session,
                                                             Muxer muxer) {
  if (muxer == Muxer::kMplex) {
    return std::make_unique<MuxedConnection<Session, mplex::Session>>(
        upgrader_, std::move(pipe_), std::move(session), direction_, options_.role);
  }
  return std::make_unique<MuxedConnection<Session, yamux::Session>>(
      upgrader_, std::move(pipe_), std::move(session), direction_, options_.role);
}

void Upgrade::on_pipe_open() {
  if (dial_) dial_->handler->on_handshake();
  event_.resume();
}

void Upgrade::on_pipe_data(MutableBytes bytes, const Buffer&) {
  if (is_over_) return;
  append(input_, bytes);
  event_.resume();
}

void Upgrade::on_pipe_end(const Error& error) {
  if (is_over_) return;
  has_ended_ = true;
  end_ = error.status() == KITH_OK ? Error(KITH_ERR_CONNECTION_LOST, where(), "the peer hung up")
                                   : error;
  event_.resume();
}

void Upgrade::on_deadline() {
  fail(Error(KITH_ERR_TIMEOUT, where(),
             "not done within " + std::to_string(upgrader_.config().timeout / seconds(1)) + " s"));
}

void Upgrade::fail(Error error) {
  if (is_over_) return;
  outcome_ = std::move(error);
  deliver();
}

void Upgrade::cancel() {
  dial_ = nullptr;
  forget_listener();
  if (is_over_) return;
  is_over_ = true;
  deadline_.cancel();
  upgrader_.remove(this);
}

Error Upgrade::at_step(const Error& error) const {
  std::string text = std::string(step_) + ": ";
  text +=
      error.detail().empty() ? std::string_view(kith_status_text(error.status())) : error.detail();
  return Error(error.status(), where(), std::move(text));
}

void Upgrade::deliver() {
  is_over_ = true;
  deadline_.cancel();
  upgrader_.remove(this);  // later
  UpgradeDial* dial = std::exchange(dial_, nullptr);
  if (dial) dial->upgrade = nullptr;
  ListenerHandler* listener = std::exchange(listener_handler_, nullptr);
  if (!outcome_.ok()) {
    const Error error = at_step(outcome_.error());
    const wire::Multiaddr from = pipe_->remote_address();
    // A layer of the pipe may have told the peer why it does not open.
    if (error.status() != KITH_ERR_TIMEOUT) pipe_.release()->finish();
    if (dial) dial->handler->on_failed(error);
    if (listener) listener->on_inbound_failed(from, error);
    return;
  }
  UpgradedConnection& connection = *connection_;
  upgrader_.add_connection(std::move(connection_));
  if (dial) {
    dial->handler->on_connected(connection);
  } else if (listener) {
    listener->on_connection(connection);
  } else {
    connection.close(0);  // the listener was closed meanwhile
  }
  connection.start(early_);
}

}  // namespace kith::transport::upgrade
