// kith.hpp adds no allocations to the data path. Not in sanitizer builds, which have an operator new of their own.
#include <cstdlib>
#include <new>

#include "tests/cpp_api/node.h"

namespace {
size_t num_allocations = 0;
}  // namespace

__attribute__((noinline)) void* operator new(size_t size) {
  ++num_allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace {

using kith_test::CppApi;
using kith_test::kEcho;

TEST_F(CppApi, ReadingAndWritingAllocateNothing) {
  run([&]() -> kith::Task<> {
    auto connection = co_await client.connect(address());
    CO_ASSERT_OK(connection);
    auto stream = co_await connection->open_stream(kEcho);
    CO_ASSERT_OK(stream);
    uint8_t message[1000] = {};
    size_t before = 0;
    for (int i = 0; i < 400; ++i) {
      if (i == 200) before = num_allocations;
      EXPECT_TRUE((co_await stream->write(message)).ok());
      CO_ASSERT_OK(co_await stream->read_exactly(message));
    }
    EXPECT_EQ(num_allocations - before, 0U);
  });
}

}  // namespace
