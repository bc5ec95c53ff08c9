// MuxedConnection: a connection made of a pipe, a secure channel on it, and a muxer on that.
//
//   in:  Pipe -> decrypted in place -> Muxer::receive -> StreamHandler::on_data, a view of the pipe's buffer
//   out: Stream::write -> the muxer's queues -> once per turn: Muxer::fill -> encrypted (the one copy) -> Pipe::send
//
// Session is noise::Session or tls::Session, Muxer is yamux::Session or mplex::Session.
#pragma once

#include <memory>

#include "runtime/timer.h"
#include "transport/upgrade/muxed_stream.h"
#include "transport/upgrade/upgrader.h"

namespace kith::transport::upgrade {

template <typename Session, typename Muxer>
class MuxedConnection final : public UpgradedConnection, PipeHandler, muxer::SessionHandler {
 public:
  // `session` is open, `pipe` too.
  MuxedConnection(Upgrader& upgrader, std::unique_ptr<Pipe> pipe, std::unique_ptr<Session> session,
                  Direction direction, Role role);
  ~MuxedConnection() override;

  void start(Bytes early) override;

  const identity::PeerId& remote_peer() const override { return session_->remote_peer(); }
  wire::Multiaddr local_address() const override { return local_address_; }
  wire::Multiaddr remote_address() const override { return remote_address_; }
  Direction direction() const override { return direction_; }
  bool is_open() const override { return is_open_ && !muxer_.going_away(); }
  Result<Stream*> open_stream(StreamHandler* handler) override;
  void close(uint64_t code) override;

 private:
  using RawStream = muxer::Stream;

  static typename Muxer::Config muxer_config(Upgrader& upgrader);
  static MuxedStream& of(RawStream& raw) { return *static_cast<MuxedStream*>(raw.user); }

  void on_pipe_open() override {}
  void on_pipe_data(MutableBytes bytes, const Buffer& backing) override;
  void on_pipe_writable() override { flush(); }
  void on_pipe_end(const Error& error) override;

  void on_stream(RawStream& raw) override;
  size_t on_data(RawStream& raw, Bytes data) override;
  void on_read_closed(RawStream& raw) override;
  void on_reset(RawStream& raw, uint64_t code) override;
  void on_writable(RawStream& raw) override;
  void on_closed(RawStream& raw) override;
  void on_output() override {
    if (is_open_) flush_.schedule();
  }

  // Decrypted bytes, a part of `backing` or not.
  void on_plaintext(MutableBytes piece, const Buffer& backing);
  // Sends what there is to send, as far as there is room, and makes the muxer's callbacks.
  void flush();
  // Encrypts up to a few frames. Returns how many bytes they were.
  size_t encrypt_next(OutputBytes& out);
  // Records why the connection ends; the first reason stays. The rest follows in a later turn.
  void end(Error reason);
  void finish();
  void on_timer();
  void set_timer();
  void check_idle_end();

  Upgrader& upgrader_;
  runtime::Deferred flush_;
  runtime::Deferred finish_;
  runtime::Timer timer_;  // the muxer's
  std::unique_ptr<Pipe> pipe_;
  std::unique_ptr<Session> session_;
  Muxer muxer_;
  const wire::Multiaddr local_address_;
  const wire::Multiaddr remote_address_;
  IntrusiveList<MuxedStream, &MuxedStream::hook> streams_;
  Error end_{KITH_OK, "connection"};
  const Error clean_{KITH_OK, "stream"};
  const Direction direction_;
  bool is_open_ = true;
  bool pipe_ended_ = false;
};

extern template class MuxedConnection<noise::Session, yamux::Session>;
extern template class MuxedConnection<noise::Session, mplex::Session>;
extern template class MuxedConnection<tls::Session, yamux::Session>;
extern template class MuxedConnection<tls::Session, mplex::Session>;

}  // namespace kith::transport::upgrade
