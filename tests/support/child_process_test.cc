// Tests of the child processes that other tests run.
#include "tests/support/child_process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace kith::support {
namespace {

constexpr Timeout kSoon{50};
constexpr Timeout kLong{20'000};

std::unique_ptr<ChildProcess> shell(const std::string& script, const SpawnOptions& options = {}) {
  return ChildProcess::spawn({"sh", "-c", script}, options);
}

TEST(ChildProcess, ReadsLinesAndTheLastOneWithoutNewline) {
  auto child = shell("printf 'one\\n\\ntwo'");
  ASSERT_TRUE(child);
  EXPECT_EQ(child->read_line(kLong), "one");
  EXPECT_EQ(child->read_line(kLong), "");
  EXPECT_EQ(child->read_line(kLong), "two");
  EXPECT_EQ(child->read_line(kLong), std::nullopt);
}

TEST(ChildProcess, GivesUpReadingAtTheDeadline) {
  auto child = shell("printf 'half a line'; sleep 60");
  ASSERT_TRUE(child);
  EXPECT_EQ(child->read_line(kSoon), std::nullopt);
}

TEST(ChildProcess, SkipsLinesUntilTheEventThatIsWaitedFor) {
  auto child = shell(
      "echo no json; echo '{\"event\":3}'; echo '{\"event\":\"other\"}'; echo "
      "'{\"event\":\"mine\",\"n\":7}'");
  ASSERT_TRUE(child);
  Json line = child->read_event("mine", kLong);
  ASSERT_TRUE(line.is_object());
  EXPECT_EQ(line.value("n", 0), 7);
  EXPECT_EQ(child->skipped().size(), 3u);
  EXPECT_TRUE(child->read_event("never", kLong).is_discarded());
}

TEST(ChildProcess, MarksLinesThatAreNoJson) {
  auto child = shell("echo '{\"a\":'");
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->read_json(kLong).is_discarded());
  EXPECT_TRUE(child->read_json(kLong).is_discarded());
}

TEST(ChildProcess, PassesStandardInputAndItsEnd) {
  auto child = shell("cat; exit 5");
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->write("hello\n"));
  EXPECT_EQ(child->read_line(kLong), "hello");
  EXPECT_EQ(child->wait(kSoon), std::nullopt);
  child->close_stdin();
  EXPECT_EQ(child->wait(kLong), (Exit{5, 0}));
  EXPECT_EQ(child->wait(kSoon), (Exit{5, 0}));
}

TEST(ChildProcess, RefusesToWriteToAProcessThatIsGone) {
  auto child = shell("exit 0");
  ASSERT_TRUE(child);
  ASSERT_EQ(child->wait(kLong), (Exit{0, 0}));
  EXPECT_FALSE(child->write("hello\n"));
}

TEST(ChildProcess, TellsTheSignalThatEndedIt) {
  auto child = shell("sleep 60");
  ASSERT_TRUE(child);
  child->kill(SIGTERM);
  EXPECT_EQ(child->wait(kLong), (Exit{-1, SIGTERM}));
}

TEST(ChildProcess, KillsTheProcessWithItself) {
  auto child = shell("exec sleep 60");
  ASSERT_TRUE(child);
  pid_t pid = child->pid();
  EXPECT_EQ(::kill(pid, 0), 0);
  child.reset();
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(ChildProcess, TakesOutputThatNobodyReadWhileItWaits) {
  auto child = shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); done");
  ASSERT_TRUE(child);
  EXPECT_EQ(child->wait(kLong), (Exit{0, 0}));
  EXPECT_EQ(child->read_line(kLong), "0123456789");
}

TEST(ChildProcess, SetsDirectoryAndEnvironment) {
  SpawnOptions options;
  options.directory = "/";
  options.environment = {"KITH_TEST_VALUE=seven", "HOME=/nowhere"};
  auto child = shell("pwd; echo $KITH_TEST_VALUE; echo $HOME", options);
  ASSERT_TRUE(child);
  EXPECT_EQ(child->read_line(kLong), "/");
  EXPECT_EQ(child->read_line(kLong), "seven");
  EXPECT_EQ(child->read_line(kLong), "/nowhere");
}

TEST(ChildProcess, IsNullForAProgramThatDoesNotExist) {
  EXPECT_FALSE(ChildProcess::spawn({"/no/such/program"}));
  EXPECT_FALSE(ChildProcess::spawn({}));
}

TEST(ChildProcess, MeasuresMemoryAndFiles) {
  auto child = shell("exec sleep 60 3</dev/null 4</dev/null");
  ASSERT_TRUE(child);
  EXPECT_GT(resident_bytes(getpid()), 1u << 20);
  EXPECT_GT(resident_bytes(child->pid()), 0u);
  EXPECT_GE(open_files(child->pid()), 3u);
  EXPECT_EQ(resident_bytes(-1), 0u);
  EXPECT_EQ(open_files(-1), 0u);
}

}  // namespace
}  // namespace kith::support
