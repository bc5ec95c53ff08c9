// Dialer and Listener against each other: seeded simulation, and the count of allocations.
#include "fuzz/negotiation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "fuzz/input.h"
#include "fuzz/pair.h"
#include "protocol/multistream/dialer.h"
#include "protocol/multistream/listener.h"

namespace {
size_t num_allocations = 0;
}  // namespace

// The whole test program counts: only differences mean anything. Every form is replaced, so that no
// sanitizer sees one form's memory go to another's.
void* operator new(size_t size) {
  ++num_allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return operator new(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

namespace kith::multistream {
namespace {

using DialerEnd = fuzz::StreamEnd<Dialer>;
using ListenerEnd = fuzz::StreamEnd<Listener>;

constexpr std::string_view kIds[] = {"/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/meshsub/1.2.0"};

TEST(Negotiation, AgreesOnTheDialersFirstChoiceInEveryInterleaving) {
  const fuzz::ListTable table({"/meshsub/1.2.0", "/ipfs/id/1.0.0"});
  const ByteVector hello = to_vector(as_bytes("hello from the dialer"));
  const ByteVector reply = to_vector(as_bytes("and one from the listener"));
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    DialerEnd dialer(kIds, hello);
    ListenerEnd listener(table, reply);
    dialer.allow_early();
    fuzz::Pair pair(dialer, listener);
    const ByteVector decisions = fuzz::random_bytes(seed, 200);
    fuzz::FuzzInput in(decisions);
    pair.run(in);
    ASSERT_EQ(dialer.state(), State::kAgreed);
    ASSERT_EQ(listener.state(), State::kAgreed);
    EXPECT_EQ(dialer.negotiator().agreed(), kIds[1]);
    EXPECT_EQ(listener.negotiator().agreed(), kIds[1]);
    EXPECT_EQ(dialer.received(), reply);
    EXPECT_EQ(listener.received(), hello);
  }
}

TEST(Negotiation, DeliversAnEarlyPayloadToTheProtocol) {
  const fuzz::ListTable table({std::string(kIds[0])});
  const ByteVector hello = to_vector(as_bytes("early"));
  for (uint64_t seed = 0; seed < 500; ++seed) {
    DialerEnd dialer(std::span<const std::string_view>(kIds).first(1), hello);
    ListenerEnd listener(table, {});
    dialer.allow_early();
    // All of the dialer's bytes leave before the first answer is there.
    fuzz::Pair pair(dialer, listener);
    while (!dialer.pending().empty()) {
      append(pair.to_b(), dialer.pending());
      dialer.sent(dialer.pending().size());
    }
    EXPECT_EQ(dialer.num_payload_sent(), hello.size());
    const ByteVector decisions = fuzz::random_bytes(seed, 100);
    fuzz::FuzzInput in(decisions);
    pair.run(in);
    EXPECT_EQ(dialer.state(), State::kAgreed);
    EXPECT_EQ(listener.received(), hello);
  }
}

TEST(Negotiation, FailsOnBothSidesWithoutACommonProtocol) {
  const fuzz::ListTable table({"/other/1"});
  for (uint64_t seed = 0; seed < 500; ++seed) {
    DialerEnd dialer(kIds, to_vector(as_bytes("x")));
    ListenerEnd listener(table, {});
    fuzz::Pair pair(dialer, listener);
    const ByteVector decisions = fuzz::random_bytes(seed, 100);
    fuzz::FuzzInput in(decisions);
    pair.run(in);
    EXPECT_EQ(dialer.negotiator().error().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
    EXPECT_EQ(listener.state(), State::kNegotiating);
    listener.negotiator().end_of_input();
    EXPECT_EQ(listener.negotiator().error().status(), KITH_ERR_PROTOCOL_NOT_SUPPORTED);
  }
}

// One negotiation of `ids`, in pieces of `piece` bytes; returns the allocations made.
size_t allocations_of(std::span<const std::string_view> ids, const ProtocolTable& table,
                      size_t piece) {
  auto deliver = [piece](auto& from, auto& to) {
    while (!from.pending().empty()) {
      const Bytes part = from.pending().first(std::min(piece, from.pending().size()));
      to.receive(part);
      from.sent(part.size());
    }
  };
  const size_t before = num_allocations;
  Dialer dialer(ids);
  Listener listener(table);
  while (dialer.state() == State::kNegotiating) {
    deliver(dialer, listener);
    deliver(listener, dialer);
  }
  const size_t allocations = num_allocations - before;
  EXPECT_EQ(dialer.state(), State::kAgreed);
  EXPECT_EQ(listener.agreed(), dialer.agreed());
  return allocations;
}

TEST(Negotiation, AllocatesNothingForCommonProtocolIds) {
  const std::string id63(63, 'p');
  const fuzz::ListTable table({"/ipfs/id/1.0.0", "/meshsub/1.2.0", id63});
  const std::string_view longest[] = {id63};
  for (size_t piece : {size_t{1}, size_t{7}, size_t{1000}}) {
    EXPECT_EQ(allocations_of(std::span<const std::string_view>(kIds).subspan(1, 1), table, piece),
              0U);
    EXPECT_EQ(allocations_of(kIds, table, piece), 0U);  // one `na`
    EXPECT_EQ(allocations_of(longest, table, piece), 0U);
  }
}

TEST(Negotiation, CountsAllocationsAtAll) {
  const std::string id(500, 'p');
  const fuzz::ListTable table({id});
  const std::string_view ids[] = {id};
  EXPECT_GT(allocations_of(ids, table, 100), 0U);
}

}  // namespace
}  // namespace kith::multistream
