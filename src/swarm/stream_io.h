// StreamIo: a stream as a sequential flow sees it: co_await read, write, and the end. One per stream.
#pragma once

#include "runtime/task.h"
#include "swarm/protocols.h"

namespace kith::swarm {

// StreamIo handles one stream, opened by us or by the peer, until it is destroyed; a side that has not ended by then is
// aborted. One coroutine may read while another writes.
class StreamIo final : public ProtocolStream {
 public:
  StreamIo() = default;
  StreamIo(const StreamIo&) = delete;
  StreamIo& operator=(const StreamIo&) = delete;
  ~StreamIo();

  // Opens a stream on `connection`; what is written before the peer agrees travels with the proposal if there is one.
  Status open(PeerConnection& connection, std::span<const std::string_view> protocols);
  // Takes over a stream that a peer opened.
  void attach(transport::Stream& stream);

  // co_await read(): the next bytes, borrowed until consume(); empty at the end of the peer's side, also when the stream
  // or its connection has ended since.
  auto read() {
    struct Awaiter : runtime::Waiter::Awaiter {
      explicit Awaiter(StreamIo& s) : runtime::Waiter::Awaiter(s.readable_), io(s) {}
      bool await_ready() const noexcept { return io.read_ready(); }
      Result<Bytes> await_resume() const { return io.take_read(); }
      StreamIo& io;
    };
    return Awaiter(*this);
  }
  // The first `n` bytes of what read() gave are done with.
  void consume(size_t n);

  // Writes now if there is room (KITH_ERR_WOULD_BLOCK if not); co_await writable() waits for room or the end.
  Status write(Buffer data);
  runtime::Waiter::Awaiter writable() { return writable_.operator co_await(); }
  void close_write();
  // Ends both sides at once; pending reads fail with `error`.
  void fail(Error error);

 private:
  void on_open(transport::Stream&, std::string_view) override {}
  size_t on_data(transport::Stream& stream, Bytes data) override;
  void on_read_closed(transport::Stream& stream) override;
  void on_reset(transport::Stream& stream, uint64_t code) override;
  void on_stop(transport::Stream& stream, uint64_t code) override;
  void on_writable(transport::Stream&) override { writable_.resume(); }
  void on_closed(transport::Stream& stream, const Error& error) override;

  // Resumes who reads and who waits to write; the first may destroy this.
  void wake_both();
  bool read_ready() const { return !view_.empty() || read_closed_ || error_.status() != KITH_OK; }
  Result<Bytes> take_read() const;

  transport::Stream* stream_ = nullptr;
  Bytes view_;                   // delivered and not consumed
  size_t consumed_in_call_ = 0;  // while on_data runs
  bool in_call_ = false;
  bool read_closed_ = false;
  bool write_closed_ = false;
  Error error_{KITH_OK, "stream"};
  runtime::Waiter readable_;
  runtime::Waiter writable_;
  bool* destroyed_ = nullptr;  // tells who resumes a coroutine that it destroyed this
};

}  // namespace kith::swarm
