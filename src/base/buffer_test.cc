// Refcounted buffers, their pool, and the pool of objects.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "base/pool.h"

namespace kith {
namespace {

struct Releases {
  int count = 0;
  const uint8_t* data = nullptr;
  size_t size = 0;
  static void on_release(void* ctx, const uint8_t* d, size_t n) {
    auto* self = static_cast<Releases*>(ctx);
    ++self->count;
    self->data = d;
    self->size = n;
  }
};

TEST(Buffer, EmptyOnesHaveNothing) {
  const Buffer b;
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(b.size(), 0U);
  const Buffer copy = b;  // NOLINT: the copy is the point
  EXPECT_TRUE(copy.bytes().empty());
}

TEST(Buffer, CopiesShareTheBytes) {
  BufferPool pool;
  const Buffer a = pool.copy(as_bytes("hello"));
  const Buffer b = a;  // NOLINT
  EXPECT_EQ(a.data(), b.data());
  EXPECT_EQ(as_text(b.bytes()), "hello");
}

TEST(Buffer, MovesLeaveNothingBehind) {
  BufferPool pool;
  Buffer a = pool.copy(as_bytes("hello"));
  const uint8_t* data = a.data();
  Buffer b = std::move(a);
  EXPECT_EQ(b.data(), data);
  EXPECT_TRUE(a.empty());  // NOLINT: defined
  EXPECT_EQ(a.data(), nullptr);
}

TEST(Buffer, AssignmentReleasesWhatWasThereAndSurvivesItself) {
  Releases r;
  const ByteVector memory(3);
  Buffer a = Buffer::wrap(memory, Releases::on_release, &r);
  Buffer& same = a;
  a = same;
  EXPECT_EQ(r.count, 0);
  EXPECT_EQ(a.size(), 3U);
  a = Buffer();
  EXPECT_EQ(r.count, 1);
}

TEST(Buffer, WrappedMemoryIsReleasedOnceAfterTheLastView) {
  Releases r;
  const ByteVector memory = {1, 2, 3, 4};
  {
    Buffer slice;
    {
      const Buffer b = Buffer::wrap(memory, Releases::on_release, &r);
      EXPECT_EQ(b.data(), memory.data());
      slice = b.slice(1, 2);
    }
    EXPECT_EQ(r.count, 0);
    EXPECT_EQ(slice.bytes()[0], 2);
    EXPECT_EQ(slice.size(), 2U);
  }
  EXPECT_EQ(r.count, 1);
  // What was lent comes back whole, also through a slice.
  EXPECT_EQ(r.data, memory.data());
  EXPECT_EQ(r.size, memory.size());
}

TEST(Buffer, PooledWrapsReleaseLikeOthers) {
  Releases r;
  const ByteVector memory(100, 7);
  BufferPool pool;
  for (int i = 1; i <= 3; ++i) {
    { const Buffer b = pool.wrap(memory, Releases::on_release, &r); }
    EXPECT_EQ(r.count, i);
    EXPECT_EQ(r.size, 100U);
    // The block that stood for it holds bytes of its own now, which are nobody's to release.
    { const Buffer b = pool.copy(as_bytes("x")); }
    EXPECT_EQ(r.count, i);
  }
}

TEST(Buffer, CancelingAWrapGivesTheMemoryBackSilently) {
  Releases r;
  const ByteVector memory(5);
  BufferPool pool;
  for (const bool pooled : {false, true}) {
    Buffer a = pooled ? pool.wrap(memory, Releases::on_release, &r)
                      : Buffer::wrap(memory, Releases::on_release, &r);
    Buffer keep = a;
    a = Buffer();
    keep.cancel_release();
    keep = Buffer();
    EXPECT_EQ(r.count, 0);
  }
  Buffer().cancel_release();
}

TEST(Buffer, AReleaseMayUseThePool) {
  struct Reentrant {
    BufferPool* pool;
    Buffer other;
    static void on_release(void* ctx, const uint8_t*, size_t) {
      auto* self = static_cast<Reentrant*>(ctx);
      self->other = self->pool->copy(as_bytes("again"));
    }
  };
  BufferPool pool;
  Reentrant r{&pool, {}};
  const ByteVector memory(5);
  { const Buffer b = pool.wrap(memory, Reentrant::on_release, &r); }
  EXPECT_EQ(as_text(r.other.bytes()), "again");
}

TEST(Buffer, TakesAVector) {
  ByteVector v = {9, 8, 7};
  const uint8_t* data = v.data();
  const Buffer b = Buffer::take(std::move(v));
  EXPECT_EQ(b.data(), data);
  EXPECT_TRUE(equal(b.bytes(), ByteVector{9, 8, 7}));
}

TEST(Buffer, StaticBytesAreNeverReleased) {
  const Buffer b = Buffer::static_bytes(as_bytes("literal"));
  const Buffer c = b.slice(0, 3);
  EXPECT_EQ(as_text(c.bytes()), "lit");
}

TEST(BufferDeathTest, ASliceBeyondTheEndAborts) {
  BufferPool pool;
  const Buffer b = pool.copy(as_bytes("abc"));
  EXPECT_EQ(b.slice(3, 0).size(), 0U);
  EXPECT_DEATH((void)b.slice(2, 2), "invariant");
  EXPECT_DEATH((void)b.slice(4, 0), "invariant");
  EXPECT_DEATH((void)b.slice(1, SIZE_MAX), "invariant");
}

TEST(BufferPool, UsesFreedBlocksAgain) {
  BufferPool pool;
  std::set<const uint8_t*> seen;
  for (int i = 0; i < 100; ++i) seen.insert(pool.copy(ByteVector(100)).data());
  EXPECT_EQ(seen.size(), 1U);
}

TEST(BufferPool, HoldsEverySizeAroundTheClasses) {
  BufferPool pool;
  for (const size_t base : {size_t{0}, size_t{64}, size_t{128}, size_t{4096}, size_t{65536},
                            size_t{131072}, size_t{1000000}}) {
    for (const int delta : {-1, 0, 1}) {
      const size_t size = base + static_cast<size_t>(delta);
      if (size > 2000000) continue;  // 0 - 1
      for (int again = 0; again < 2; ++again) {
        uint8_t* out = nullptr;
        const Buffer b = pool.allocate(size, &out);
        ASSERT_EQ(b.size(), size);
        ASSERT_EQ(b.data(), out);
        for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i);  // ASan watches the end
        if (size != 0) {
          EXPECT_EQ(b.bytes()[size - 1], static_cast<uint8_t>(size - 1));
        }
      }
    }
  }
}

TEST(BufferPool, KeepsNoMoreThanItsLimit) {
  BufferPool pool;
  std::vector<Buffer> many;
  for (size_t i = 0; i < 100; ++i) many.push_back(pool.copy(ByteVector(64 * 1024)));
  many.clear();  // 6.4 MB come back; what is beyond the limit is freed, which LeakSanitizer checks
  EXPECT_EQ(pool.copy(ByteVector(64 * 1024)).size(), 65536U);
}

TEST(BufferPool, BuffersOutliveIt) {
  Releases r;
  const ByteVector memory(10);
  Buffer a, b, lent;
  {
    BufferPool pool;
    a = pool.copy(as_bytes("first"));
    b = pool.copy(ByteVector(200 * 1024, 3));
    lent = pool.wrap(memory, Releases::on_release, &r);
  }
  EXPECT_EQ(as_text(a.bytes()), "first");
  EXPECT_EQ(b.bytes()[200 * 1024 - 1], 3);
  a = Buffer();
  lent = Buffer();
  EXPECT_EQ(r.count, 1);
}

TEST(BufferPool, RandomUseKeepsEveryContent) {
  BufferPool pool;
  std::mt19937 random(7);
  struct Entry {
    Buffer buffer;
    uint8_t fill;
  };
  std::vector<Entry> live;
  for (int step = 0; step < 20000; ++step) {
    if (live.empty() || random() % 5 < 3) {
      const size_t size = random() % 7 == 0 ? random() % 100000 : random() % 500;
      const auto fill = static_cast<uint8_t>(random());
      live.push_back({pool.copy(ByteVector(size, fill)), fill});
    } else {
      const size_t i = random() % live.size();
      const Bytes bytes = live[i].buffer.bytes();
      if (!bytes.empty()) {
        ASSERT_EQ(bytes.front(), live[i].fill);
        ASSERT_EQ(bytes.back(), live[i].fill);
      }
      if (random() % 4 == 0) live.push_back(live[i]);
      std::swap(live[i], live.back());
      live.pop_back();
    }
    if (live.size() > 300) live.resize(100);
  }
}

struct Tracked {
  explicit Tracked(int* c) : count(c) { ++*count; }
  ~Tracked() { --*count; }
  Tracked(const Tracked&) = delete;
  int* count;
  alignas(64) uint8_t bytes[100] = {};
};

TEST(ObjectPool, ConstructsAndDestroysInTheSameMemory) {
  int count = 0;
  ObjectPool<Tracked> pool;
  Tracked* first = pool.create(&count);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
  EXPECT_EQ(count, 1);
  pool.destroy(first);
  EXPECT_EQ(count, 0);
  Tracked* second = pool.create(&count);
  EXPECT_EQ(second, first);
  pool.destroy(second);
}

TEST(ObjectPool, KeepsABoundedNumber) {
  int count = 0;
  ObjectPool<Tracked, 4> pool;
  std::vector<Tracked*> live;
  for (int i = 0; i < 100; ++i) live.push_back(pool.create(&count));
  for (Tracked* t : live) pool.destroy(t);
  EXPECT_EQ(count, 0);
  live.clear();
  for (int i = 0; i < 10; ++i) live.push_back(pool.create(&count));
  EXPECT_EQ(count, 10);
  for (Tracked* t : live) pool.destroy(t);
}

}  // namespace
}  // namespace kith
