// The queues that the muxers are made of, and what they do at their edges.
#include <gtest/gtest.h>

#include <string>

#include "base/churn_budget.h"
#include "base/held_bytes.h"
#include "base/intrusive_list.h"
#include "base/send_queue.h"

namespace kith {
namespace {

struct Element {
  int value;
  ListHook<Element> hook;
};
using List = IntrusiveList<Element, &Element::hook>;

TEST(IntrusiveList, KeepsOrderAndLetsAnyElementLeave) {
  List list;
  Element a{1, {}}, b{2, {}}, c{3, {}};
  for (Element* e : {&a, &b, &c}) list.push_back(*e);
  list.push_back(a);  // harmless
  list.remove(b);
  list.remove(b);
  EXPECT_FALSE(List::has(b));
  EXPECT_TRUE(List::has(c));
  List other;
  other.take(list);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(other.pop_front(), &a);
  EXPECT_EQ(other.pop_front(), &c);
  EXPECT_EQ(other.pop_front(), nullptr);
  list.push_back(c);
  EXPECT_EQ(list.front(), &c);
  list.remove(c);
  EXPECT_TRUE(list.empty());
}

TEST(HeldBytes, ArePinnedOrCopiedAndConsumedInAnyPieces) {
  for (const size_t step : {1U, 7U, 4079U, 4080U, 4081U, 20000U}) {
    HeldBytes::Pool pool;
    HeldBytes held;
    ByteVector expected;
    held.pin(Buffer::static_bytes(as_bytes("pinned")));
    append(expected, "pinned");
    for (size_t i = 0; i < 3; ++i) {
      const ByteVector piece(5000, static_cast<uint8_t>(i));
      held.append(piece, pool);
      append(expected, piece);
    }
    EXPECT_EQ(as_text(held.front()), "pinned");
    ByteVector out;
    while (!held.empty()) {
      const Bytes part = held.front().first(std::min(step, held.front().size()));
      ASSERT_FALSE(part.empty());
      append(out, part);
      held.consume(part.size(), pool);
    }
    EXPECT_EQ(out, expected);
    EXPECT_TRUE(held.front().empty());
    held.append(as_bytes("more"), pool);
    held.append({}, pool);
    held.clear(pool);
  }
}

TEST(SendQueue, GivesViewsAndKeepsWhatTheyNeed) {
  SendQueue::Pool pool;
  SendQueue queue, done;
  int num_released = 0;
  const std::string text = "abcdefghij";
  const auto lend = [&](size_t at, size_t n) {
    return Buffer::wrap(
        as_bytes(text).subspan(at, n),
        [](void* ctx, const uint8_t*, size_t) { ++*static_cast<int*>(ctx); }, &num_released);
  };
  queue.push(lend(0, 4), pool);
  queue.push(lend(4, 6), pool);
  EXPECT_EQ(queue.size(), 10U);
  std::vector<Bytes> views;
  queue.take(3, views, done);
  queue.take(4, views, done);
  ASSERT_EQ(views.size(), 3U);
  EXPECT_EQ(as_text(views[0]), "abc");
  EXPECT_EQ(as_text(views[1]), "d");
  EXPECT_EQ(as_text(views[2]), "efg");
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(num_released, 0);
  done.clear(pool);
  EXPECT_EQ(num_released, 1);
  queue.move_to(done);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(done.size(), 3U);
  done.clear(pool);
  EXPECT_EQ(num_released, 2);
}

TEST(ChurnBudget, RefillsWithTimeAndByStreamsThatDidTheirWork) {
  ChurnBudget budget;
  TimePoint now = seconds(5);
  for (size_t i = 0; i < limits::kMuxerChurnBurst; ++i) budget.spend(now);
  EXPECT_FALSE(budget.is_overspent(now));
  budget.spend(now);
  EXPECT_TRUE(budget.is_overspent(now));
  budget.earn();
  EXPECT_FALSE(budget.is_overspent(now));
  for (size_t i = 0; i < ChurnBudget::kEarnedPerStream; ++i) budget.spend(now);
  EXPECT_TRUE(budget.is_overspent(now));
  now += seconds(1);
  EXPECT_FALSE(budget.is_overspent(now));
  // What is earned or refilled beyond the burst is not kept.
  for (int i = 0; i < 100000; ++i) budget.earn();
  now += seconds(100);
  for (size_t i = 0; i <= limits::kMuxerChurnBurst; ++i) budget.spend(now);
  EXPECT_TRUE(budget.is_overspent(now));
}

}  // namespace
}  // namespace kith
