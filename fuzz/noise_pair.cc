// Two noise::Sessions, with splits, interleaving, early muxers and tampering as the input decides.
#include <vector>

#include "fuzz/channel_pair.h"
#include "protocol/noise/session.h"

namespace kith {
namespace {

using noise::Session;

// Keys that differ from each other, and are the same whenever an input runs.
uint8_t next_random = 1;
void counting(MutableBytes out) {
  for (uint8_t& b : out) b = next_random++;
}

struct Party {
  explicit Party(uint8_t seed)
      : key(crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value()),
        context(noise::Context::make(key, counting).value()) {}
  fuzz::ChannelParty<Session> get() const {
    return {&context, identity::PeerId::from_public_key(key.public_key())};
  }
  crypto::PrivateKey key;
  noise::Context context;
};

// One session against bytes: it never opens, for it takes a static key to get that far.
void run_raw(fuzz::FuzzInput& in, const Party& party) {
  noise::Config config;
  config.context = &party.context;
  config.is_dialer = in.flag();
  fuzz::ChannelEnd<Session> end(config);
  while (!in.empty()) {
    end.receive(in.bytes(1 + in.below(1000)));
    KITH_CHECK(!end.is_open() && end.session.remote_peer().empty() && end.received.empty());
  }
}

void run(fuzz::FuzzInput in) {
  static const Party dialer(1), listener(2);
  next_random = 65;  // after the two static keys
  if (in.byte() == 0) return run_raw(in, listener);
  const ByteVector prologue = to_vector(in.bytes(in.below(8)));
  noise::Config a, b;
  a.prologue = b.prologue = prologue;
  const std::vector<ByteVector> certhashes(in.below(4), ByteVector(34, 9));
  b.certhashes = certhashes;
  fuzz::run_channel_pair<Session>(in, a, b, dialer.get(), listener.get());
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
