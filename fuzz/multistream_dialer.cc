// Raw bytes to a Dialer: whole, byte by byte and in pieces that the input decides, with one
// outcome.
#include <string>

#include "fuzz/input.h"
#include "protocol/multistream/dialer.h"

namespace kith {
namespace {

using multistream::Dialer;
using multistream::State;

struct Outcome {
  State state;
  std::string agreed, error;
  size_t taken;
  ByteVector proposals;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome dial(Bytes in, const std::vector<size_t>& cuts) {
  static constexpr std::string_view kIds[] = {"/a", "/ipfs/ping/1.0.0", "/b"};
  Dialer dialer(kIds);
  Outcome out;
  out.taken = fuzz::feed(dialer, in, cuts);
  dialer.end_of_input();
  out.state = dialer.state();
  KITH_CHECK(out.state != State::kNegotiating);
  if (out.state == State::kAgreed) {
    out.agreed = dialer.agreed();
    KITH_CHECK(std::find(std::begin(kIds), std::end(kIds), out.agreed) != std::end(kIds));
  }
  out.error = dialer.error().to_string();
  KITH_CHECK((dialer.error().status() == KITH_OK) == (out.state == State::kAgreed));
  out.proposals = to_vector(dialer.pending());
  return out;
}

void run(Bytes in) {
  std::vector<size_t> every, some;
  fuzz::FuzzInput sizes(in);  // the bytes also decide where they are cut
  for (size_t i = 1; i < in.size(); ++i) {
    every.push_back(i);
    if (sizes.byte() % 4 == 0) some.push_back(i);
  }
  const Outcome whole = dial(in, {});
  KITH_CHECK(dial(in, every) == whole);
  KITH_CHECK(dial(in, some) == whole);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
