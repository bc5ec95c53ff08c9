// MuxedStream: transport::Stream on one stream of a muxer.
//
// The muxers of libp2p over a byte pipe have one reset for both directions: a reset here ends reading too, and the peer's
// reset is told as both on_reset and on_stop. A stop alone is not heard by the peer before our own side has ended.
#pragma once

#include <type_traits>
#include <utility>

#include "base/intrusive_list.h"
#include "base/pool.h"
#include "protocol/mplex/session.h"
#include "protocol/muxer/session.h"
#include "protocol/yamux/session.h"
#include "transport/transport.h"

namespace kith::transport::upgrade {

class MuxedStream final : public Stream {
 public:
  MuxedStream(Connection& connection, muxer::Session& muxer, Direction direction)
      : connection_(connection), muxer_(muxer), direction_(direction) {}
  ~MuxedStream() = default;
  void set_raw(muxer::Stream* raw) { raw_ = raw; }

  void consume(size_t n) override {
    if (!read_over_) muxer_.consume(*raw_, n);
  }
  void resume() override {
    if (!read_over_) muxer_.resume(*raw_);
  }
  Connection& connection() override { return connection_; }
  uint64_t id() const override { return raw_->id(); }
  Direction direction() const override { return direction_; }

  // What the muxer has to say.
  size_t on_data(Bytes data) {
    size_t consumed = 0;
    while (handler_ && consumed < data.size()) {
      StreamHandler* const handler = handler_;
      const size_t n = handler->on_data(*this, data.subspan(consumed));
      KITH_CHECK(n <= data.size() - consumed);
      consumed += n;
      if (read_over_) return data.size();
      // A handler that hands the stream to another one leaves it the rest of the bytes.
      if (handler_ == handler) return consumed;
    }
    return data.size();  // nobody listens
  }
  void on_read_closed() {
    if (std::exchange(read_over_, true)) return;
    if (handler_) handler_->on_read_closed(*this);
  }
  void on_reset(uint64_t code) {
    const bool was_reading = !std::exchange(read_over_, true);
    const bool was_writing = !std::exchange(write_over_, true);
    if (was_reading && handler_) handler_->on_reset(*this, code);
    if (was_writing && handler_) handler_->on_stop(*this, code);
  }
  void on_writable() {
    if (handler_ && !write_over_) handler_->on_writable(*this);
  }
  // The last one: the handler's pointer is dead after this.
  void on_closed(const Error& error) {
    read_over_ = write_over_ = true;
    if (StreamHandler* handler = std::exchange(handler_, nullptr)) handler->on_closed(*this, error);
  }

  ListHook<MuxedStream> hook;

 protected:
  Status do_write(Buffer data, bool) override {
    if (write_over_) return Error(KITH_ERR_CLOSED, "stream");
    return muxer_.write(*raw_, std::move(data));
  }
  void do_close_write() override {
    if (std::exchange(write_over_, true)) return;
    muxer_.close_write(*raw_);
  }
  void do_reset(uint64_t code) override {
    if (std::exchange(was_reset_, true)) return;
    read_over_ = write_over_ = true;
    muxer_.reset(*raw_, code);
  }
  void do_stop_reading(uint64_t code) override {
    if (std::exchange(read_over_, true)) return;
    muxer_.stop_reading(*raw_, code);
  }

 private:
  Connection& connection_;
  muxer::Session& muxer_;
  muxer::Stream* raw_ = nullptr;  // lives until the muxer's on_closed
  const Direction direction_;
  bool read_over_ = false;   // no more on_data
  bool write_over_ = false;  // by us, or by the peer's reset
  bool was_reset_ = false;   // by us
};

// What the connections of a node share.
struct Pools {
  yamux::Pools yamux;
  mplex::Pools mplex;
  ObjectPool<MuxedStream> streams;
  template <typename Muxer>
  typename Muxer::Pools& of() {
    if constexpr (std::is_same_v<Muxer, yamux::Session>) {
      return yamux;
    } else {
      return mplex;
    }
  }
};

}  // namespace kith::transport::upgrade
