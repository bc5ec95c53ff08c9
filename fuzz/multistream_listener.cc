// Raw bytes to a Listener: whole, byte by byte and in pieces that the input decides, with one
// outcome.
#include <string>

#include "base/limits.h"
#include "fuzz/input.h"
#include "fuzz/negotiation.h"

namespace kith {
namespace {

using multistream::Listener;
using multistream::State;

struct Outcome {
  State state;
  std::string agreed, error;
  size_t taken;
  ByteVector answers;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome listen(Bytes in, const std::vector<size_t>& cuts) {
  static const fuzz::ListTable table({"/a", "/ipfs/ping/1.0.0", std::string(1023, 'x')});
  Listener listener(table);
  Outcome out;
  out.taken = fuzz::feed(listener, in, cuts);
  listener.end_of_input();
  out.state = listener.state();
  KITH_CHECK(out.state != State::kNegotiating);
  if (out.state == State::kAgreed) {
    out.agreed = listener.agreed();
    KITH_CHECK(table.supports(out.agreed));
  }
  out.error = listener.error().to_string();
  KITH_CHECK((listener.error().status() == KITH_OK) == (out.state == State::kAgreed));
  out.answers = to_vector(listener.pending());
  KITH_CHECK(out.answers.size() <= 2 * limits::kMultistreamLineBytes + limits::kMultistreamLsBytes);
  return out;
}

void run(Bytes in) {
  std::vector<size_t> every, some;
  fuzz::FuzzInput sizes(in);  // the bytes also decide where they are cut
  for (size_t i = 1; i < in.size(); ++i) {
    every.push_back(i);
    if (sizes.byte() % 4 == 0) some.push_back(i);
  }
  const Outcome whole = listen(in, {});
  KITH_CHECK(listen(in, every) == whole);
  KITH_CHECK(listen(in, some) == whole);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
