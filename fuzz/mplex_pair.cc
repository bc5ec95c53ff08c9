// Two mplex sessions, or one against raw bytes.
#include "fuzz/muxer_pair.h"
#include "protocol/mplex/session.h"

namespace kith {
namespace {

struct Mplex {
  using Session = mplex::Session;

  static Session::Config config() {
    Session::Config config;
    config.max_inbound_streams = 16;
    config.max_outbound_streams = 12;
    config.send_budget = 300 * 1024;
    return config;
  }
  static size_t max_held(size_t num_streams) {
    return std::min(num_streams * limits::kMplexHeldBytes, limits::kMplexHeldTotal);
  }
};

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::fuzz::MuxerFuzz<kith::Mplex>(kith::fuzz::FuzzInput({data, size})).run();
  return 0;
}
