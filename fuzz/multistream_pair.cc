// A Dialer and a Listener negotiate. The input decides the protocols of both, their payloads,
// whether the dialer's leaves early, every split and the interleaving, and what garbage comes in
// between.
//
// Without garbage: both agree on the dialer's first supported choice and the payloads arrive whole,
// or the dialer learns that there is none. With it: nothing but an end.
#include <string>

#include "fuzz/input.h"
#include "fuzz/negotiation.h"
#include "fuzz/pair.h"

namespace kith {
namespace {

using fuzz::FuzzInput;
using multistream::Dialer;
using multistream::Listener;
using multistream::State;

using Ids = std::vector<std::string>;

Ids take_ids(FuzzInput& in, size_t max_ids) {
  Ids ids;
  for (size_t n = in.below(max_ids + 1); n > 0; --n) {
    std::string id = "/p/" + std::to_string(in.below(24));
    // Some are longer than the inline buffers; the length belongs to the name.
    if (id.size() % 2 == 0) id += std::string(1 + static_cast<size_t>(id.back()) * 17, 'x');
    ids.push_back(id);
  }
  return ids;
}

// Not readable as a line, so that it can never pass for a proposal.
ByteVector take_payload(FuzzInput& in) {
  ByteVector payload;
  if (const size_t size = in.below(64); size != 0) {
    payload.push_back(0);
    append(payload, in.bytes(size));
  }
  return payload;
}

void check_outcome(const Ids& proposed, const fuzz::ListTable& table,
                   fuzz::StreamEnd<Dialer>& dialer, const ByteVector& hello,
                   fuzz::StreamEnd<Listener>& listener, const ByteVector& reply) {
  auto common = std::find_if(proposed.begin(), proposed.end(),
                             [&](const std::string& id) { return table.supports(id); });
  if (common != proposed.end()) {
    KITH_CHECK(dialer.state() == State::kAgreed && listener.state() == State::kAgreed);
    KITH_CHECK(dialer.negotiator().agreed() == *common);
    KITH_CHECK(listener.negotiator().agreed() == *common);
    KITH_CHECK(listener.received() == hello && dialer.received() == reply);
    return;
  }
  KITH_CHECK(dialer.negotiator().error().status() == KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  listener.negotiator().end_of_input();
  KITH_CHECK(listener.negotiator().error().status() == KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  KITH_CHECK(listener.received().empty() && dialer.received().empty());
}

void run(FuzzInput in) {
  Ids proposed = take_ids(in, Dialer::kMaxProtocols - 1);
  proposed.push_back("/last");
  const fuzz::ListTable table(take_ids(in, 24));
  const ByteVector hello = take_payload(in), reply = take_payload(in);
  const std::vector<std::string_view> views(proposed.begin(), proposed.end());

  fuzz::StreamEnd<Dialer> dialer(views, hello);
  fuzz::StreamEnd<Listener> listener(table, reply);
  if (in.flag()) dialer.allow_early();
  const bool has_garbage = in.below(4) == 3;
  fuzz::Pair pair(dialer, listener);
  while (!in.empty()) {
    pair.step(in);
    if (has_garbage && in.below(16) == 0) {
      ByteVector& pipe = in.flag() ? pair.to_a() : pair.to_b();
      append(pipe, in.bytes(in.below(8)));
    }
  }
  pair.settle();
  if (!has_garbage) check_outcome(proposed, table, dialer, hello, listener, reply);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run(kith::fuzz::FuzzInput({data, size}));
  return 0;
}
