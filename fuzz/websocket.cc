// A websocket::Session against bytes, or two of them that send, ping and close, with splits, interleaving and tampering as
// the input decides.
#include "fuzz/channel.h"
#include "fuzz/pair.h"
#include "protocol/websocket/session.h"

namespace kith {
namespace {

using websocket::Session;

uint8_t next_random = 1;
void counting(MutableBytes out) {
  for (uint8_t& b : out) b = next_random++;
}

// One end, with all that came out of it.
struct End {
  explicit End(bool is_dialer)
      : session(is_dialer ? Session::dial("example.com:4001", counting, out)
                          : Session::listen(counting)) {}
  size_t receive(Bytes in) {
    ByteVector chunk = to_vector(in);
    const bool was_over = is_over();
    const size_t before = out.size();
    const Result<MutableBytes> data = session.receive(chunk, out);
    KITH_CHECK(data.ok() == (session.state() != Session::State::kFailed) || was_over);
    if (!data.ok()) return in.size();
    // What came is in the chunk, and nothing comes after the end.
    KITH_CHECK(data->empty() || (data->data() >= chunk.data() && data->size() <= chunk.size()));
    KITH_CHECK(!was_over || (data->empty() && out.size() == before));
    append(received, *data);
    return in.size();
  }
  bool is_over() const {
    return session.state() == Session::State::kClosed || session.state() == Session::State::kFailed;
  }
  Bytes pending() const { return out.bytes(); }
  void sent(size_t n) { out.consume(n); }

  OutputBytes out;
  Session session;
  ByteVector said;
  ByteVector received;
};

// What one end does besides moving bytes.
void act(End& end, fuzz::FuzzInput& in) {
  switch (in.below(8)) {
    case 0:
    case 1:
    case 2: {
      // Sometimes more than a frame carries.
      const ByteVector text(in.flag() ? in.below(300) : in.below(70'000), in.byte());
      if (end.session.state() == Session::State::kOpen) append(end.said, text);
      end.session.send(text, end.out);
      break;
    }
    case 3:
      end.session.answer_ping(end.out);
      break;
    case 4:
      if (in.byte() == 0) end.session.close(end.out);
      break;
    default:
      break;
  }
}

void run_pair(fuzz::FuzzInput& in) {
  End dialer(/*is_dialer=*/true), listener(/*is_dialer=*/false);
  fuzz::Pair<End, End> pair(dialer, listener);
  const bool tampers = in.flag();
  bool was_tampered = false;
  while (!in.empty()) {
    act(dialer, in);
    act(listener, in);
    pair.step(in);
    ByteVector& pipe = in.flag() ? pair.to_a() : pair.to_b();
    if (!tampers || in.byte() > 8 || pipe.empty()) continue;
    pipe[in.below(pipe.size())] ^= static_cast<uint8_t>(1 + in.below(255));
    was_tampered = true;
  }
  pair.settle();
  if (was_tampered) return;
  KITH_CHECK(dialer.session.state() != Session::State::kFailed);
  KITH_CHECK(listener.session.state() != Session::State::kFailed);
  KITH_CHECK(dialer.is_over() == listener.is_over());
  KITH_CHECK(fuzz::is_beginning(listener.received, dialer.said));
  KITH_CHECK(fuzz::is_beginning(dialer.received, listener.said));
  if (dialer.is_over()) return;
  KITH_CHECK(listener.received.size() == dialer.said.size());
  KITH_CHECK(dialer.received.size() == listener.said.size());
}

constexpr size_t kMaxAnswer = 512;

// One end, past a good handshake or before, against bytes in pieces.
void run_raw(fuzz::FuzzInput& in) {
  End end(/*is_dialer=*/in.flag());
  if (in.flag()) {
    End other(/*is_dialer=*/end.out.empty());
    fuzz::Pair<End, End>(end, other).settle();
    KITH_CHECK(end.session.state() == Session::State::kOpen);
  }
  while (!in.empty()) {
    end.out.clear();
    end.receive(in.bytes(1 + in.below(1000)));
    end.session.answer_ping(end.out);
    KITH_CHECK(end.out.size() < kMaxAnswer);  // a refusal, or a pong and a close
  }
}

void run(fuzz::FuzzInput in) {
  next_random = 1;
  in.flag() ? run_pair(in) : run_raw(in);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
