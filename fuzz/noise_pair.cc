// Two noise::Sessions, with splits, interleaving, early muxers and tampering as the input decides.
#include <vector>

#include "fuzz/channel_pair.h"
#include "protocol/noise/test_party.h"

namespace kith {
namespace {

using noise::Party;

void run(fuzz::FuzzInput in) {
  static const Party dialer(1), listener(2);
  Party::next_random = 65;  // after the two static keys
  if (in.byte() == 0) return fuzz::run_raw_channel(in, listener);
  const ByteVector prologue = to_vector(in.bytes(in.below(8)));
  noise::Config a = dialer.config(true), b = listener.config(false);
  a.prologue = b.prologue = prologue;
  const std::vector<ByteVector> certhashes(in.below(4), ByteVector(34, 9));
  b.certhashes = certhashes;
  fuzz::run_channel_pair(in, dialer, listener, a, b);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
