// Two yamux sessions, or one against raw bytes.
#include "fuzz/muxer_pair.h"
#include "protocol/yamux/session.h"

namespace kith {
namespace {

struct Yamux {
  using Session = yamux::Session;

  static Session::Config config() {
    Session::Config config;
    config.max_inbound_streams = 16;
    config.max_outbound_streams = 12;
    config.max_window_growth = 1024 * 1024;
    config.send_budget = 300 * 1024;
    return config;
  }
  static size_t max_held(size_t num_streams) {
    return num_streams * yamux::kInitialWindow + config().max_window_growth;
  }
};

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::fuzz::MuxerFuzz<kith::Yamux>(kith::fuzz::FuzzInput({data, size})).run();
  return 0;
}
