// A Pinger and a Responder. The input decides payloads, the clock, splits and interleaving, and
// whether a bit of the echo flips on its way.
#include "fuzz/input.h"
#include "fuzz/pair.h"
#include "protocol/ping/ping.h"

namespace kith {
namespace {

using ping::Pinger;

struct ClockedPinger {
  Pinger pinger;
  TimePoint now = 0;
  size_t receive(Bytes in) { return pinger.receive(in, now); }
  Bytes pending() const { return pinger.pending(); }
  void sent(size_t n) { pinger.sent(n); }
};

void run(fuzz::FuzzInput in) {
  ClockedPinger dialer;
  ping::Responder listener;
  fuzz::Pair pair(dialer, listener);
  while (!in.empty()) {
    const TimePoint begin = dialer.now;
    ByteVector payload = to_vector(in.bytes(limits::kPingBytes));
    payload.resize(limits::kPingBytes);
    KITH_CHECK(dialer.pinger.start(payload, begin).ok());
    bool is_tampered = false;
    for (size_t steps = in.below(64); steps > 0; --steps) {
      dialer.now += static_cast<TimePoint>(in.byte());
      pair.step(in);
      if (in.byte() == 0xff && !pair.to_a().empty()) {
        pair.to_a()[in.below(pair.to_a().size())] ^= 0x10;
        is_tampered = true;
      }
    }
    pair.settle();
    if (is_tampered && dialer.pinger.state() == Pinger::State::kFailed) {
      KITH_CHECK(dialer.pinger.error().status() == KITH_ERR_PROTOCOL_VIOLATION);
      return;
    }
    KITH_CHECK(dialer.pinger.state() == Pinger::State::kIdle);
    KITH_CHECK(dialer.pinger.rtt() >= 0 && dialer.pinger.rtt() <= dialer.now - begin);
    KITH_CHECK(listener.end_of_input().ok() && listener.pending().empty());
  }
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
