// Runs every checked-in corpus through its fuzz target, as plain tests: a finding, once fixed, stays fixed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#define KITH_FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
#include "targets.inc"
#undef KITH_FUZZ_TARGET

namespace {

void run_corpus(const char* name, int (*target)(const uint8_t*, size_t)) {
  const std::filesystem::path dir = std::filesystem::path(KITH_SOURCE_DIR) / "fuzz/corpus" / name;
  ASSERT_TRUE(std::filesystem::is_directory(dir)) << "no corpus for fuzz/" << name << ".cc";
  size_t num_inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    SCOPED_TRACE(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::vector<char> data((std::istreambuf_iterator<char>(file)), {});
    target(reinterpret_cast<const uint8_t*>(data.data()), data.size());
    ++num_inputs;
  }
  target(nullptr, 0);
  EXPECT_GT(num_inputs, 0U);
}

#define KITH_FUZZ_TARGET(name) \
  TEST(Corpus, name) { run_corpus(#name, fuzz_##name); }
#include "targets.inc"

}  // namespace
