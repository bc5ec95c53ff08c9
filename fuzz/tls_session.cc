// A tls::Session against bytes, or two of them, with splits, interleaving, early muxers and
// tampering as the input decides. OpenSSL's own randomness makes the ciphertexts differ from run to
// run.
#include "fuzz/channel_pair.h"
#include "protocol/tls/test_party.h"

namespace kith {
namespace {

void run(fuzz::FuzzInput in) {
  static const tls::Party dialer(1), listener(2);
  if (in.byte() == 0) return fuzz::run_raw_channel(in, listener);
  fuzz::run_channel_pair(in, dialer, listener, dialer.config(true), listener.config(false));
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
