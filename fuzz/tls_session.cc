// A tls::Session against bytes, or two of them, with splits, interleaving, early muxers and
// tampering as the input decides. OpenSSL's own randomness makes the ciphertexts differ from run to
// run.
#include "fuzz/channel_pair.h"
#include "protocol/tls/session.h"

namespace kith {
namespace {

using tls::Session;

constexpr int64_t kNow = 1767225600;  // 2026-01-01

struct Party {
  explicit Party(uint8_t seed)
      : key(crypto::PrivateKey::ed25519_from_seed(ByteVector(32, seed)).value()),
        context(tls::Context::make(tls::make_credentials(key, kNow).value()).value()) {}
  fuzz::ChannelParty<Session> get() const {
    return {&context, identity::PeerId::from_public_key(key.public_key())};
  }
  crypto::PrivateKey key;
  tls::Context context;
};

// One session against bytes: it never opens, for it takes a key exchange to get that far.
void run_raw(fuzz::FuzzInput& in, const Party& party) {
  tls::Config config;
  config.context = &party.context;
  config.is_dialer = in.flag();
  config.now_unix_s = kNow;
  fuzz::ChannelEnd<Session> end(config);
  while (!in.empty()) {
    end.receive(in.bytes(1 + in.below(1000)));
    KITH_CHECK(!end.is_open() && end.session.remote_peer().empty() && end.received.empty());
  }
}

void run(fuzz::FuzzInput in) {
  static const Party dialer(1), listener(2);
  if (in.byte() == 0) return run_raw(in, listener);
  tls::Config a, b;
  a.now_unix_s = b.now_unix_s = kNow;
  fuzz::run_channel_pair<Session>(in, a, b, dialer.get(), listener.get());
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
