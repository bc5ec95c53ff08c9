// Upgrade: one pipe on its way to a connection: open, a secure channel agreed on, its handshake, a muxer agreed on. Which
// part this end plays in all that is its role, not its direction.
// Spec: libp2p/specs connections/README.md; connections/inlined-muxer-negotiation.md.
#pragma once

#include <memory>

#include "runtime/task.h"
#include "runtime/timer.h"
#include "transport/upgrade/upgrader.h"

namespace kith::transport::upgrade {

class UpgradeDial;

class Upgrade final : PipeHandler {
 public:
  Upgrade(Upgrader& upgrader, std::unique_ptr<Pipe> pipe, Direction direction,
          const DialOptions& options);
  ~Upgrade();
  // Who hears of the outcome: one of the two.
  void set_dial(UpgradeDial* dial) { dial_ = dial; }
  void set_listener(Admission::Ticket ticket, const Listener* listener, ListenerHandler* handler) {
    ticket_ = std::move(ticket);
    listener_ = listener;
    listener_handler_ = handler;
  }

  // The outcome comes in a later turn.
  void start();
  // Ends it without an outcome for anybody.
  void cancel();
  // Ends it with an error.
  void fail(Error error);

  Direction direction() const { return direction_; }
  const Listener* listener() const { return listener_; }
  void forget_listener() {
    listener_ = nullptr;
    listener_handler_ = nullptr;
  }
  size_t position = 0;  // in the upgrader's list

 private:
  class RawChannel;
  template <typename Session>
  class SecureChannel;

  void on_pipe_open() override;
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override;
  void on_pipe_writable() override {}
  void on_pipe_end(const Error& error) override;

  // The whole story, from top to bottom.
  runtime::Task<Status> run();
  template <typename Session>
  runtime::Task<Status> secure(typename Session::Config config);
  template <typename Channel>
  runtime::Task<Result<size_t>> agree(Channel& channel, std::span<const std::string_view> ids);
  template <typename Session>
  std::unique_ptr<UpgradedConnection> make_connection(std::unique_ptr<Session> session,
                                                      Muxer muxer);
  template <typename Config>
  Config security_config() const;
  // run(), and then the outcome.
  runtime::Task<> drive();
  void deliver();
  Error at_step(const Error& error) const;
  void on_deadline();
  bool is_dialer() const { return options_.role == Role::kDialer; }
  const char* where() const { return direction_ == Direction::kOutbound ? "dial" : "accept"; }

  Upgrader& upgrader_;
  std::unique_ptr<Pipe> pipe_;
  const Direction direction_;
  const DialOptions options_;
  UpgradeDial* dial_ = nullptr;
  const Listener* listener_ = nullptr;
  ListenerHandler* listener_handler_ = nullptr;
  Admission::Ticket ticket_;
  runtime::Timer deadline_;

  const char* step_ = "connect";  // what run() is doing, for errors
  ByteVector input_;              // received and not taken yet
  bool has_ended_ = false;        // the pipe
  Error end_{KITH_OK, "pipe"};    // why
  bool is_over_ = false;
  runtime::Waiter event_;  // something of the above has changed
  std::unique_ptr<UpgradedConnection> connection_;
  ByteVector early_;  // decrypted, for the muxer
  Status outcome_;
  runtime::Task<> task_;
};

class UpgradeDial final : public Dial {
 public:
  explicit UpgradeDial(DialHandler* h) : handler(h) {}
  ~UpgradeDial() override {
    if (upgrade) upgrade->cancel();
  }
  DialHandler* handler;
  Upgrade* upgrade = nullptr;  // until the outcome
};

}  // namespace kith::transport::upgrade
