// Runs another program from a test: its standard input and output are pipes, its lines are read
// with a deadline, and it never outlives the test. For the live and interoperability tests.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The tests are compiled without exceptions.
#ifndef JSON_NOEXCEPTION
#define JSON_NOEXCEPTION
#endif
#include <nlohmann/json.hpp>

namespace kith::support {

using Json = nlohmann::json;
using Timeout = std::chrono::milliseconds;

struct SpawnOptions {
  std::string directory{};                 // working directory, if not empty
  std::vector<std::string> environment{};  // NAME=VALUE, on top of our own
  bool is_quiet = false;  // standard error goes to /dev/null, not to the test's own
};

// How a process ended.
struct Exit {
  int code = -1;  // exit code, -1 if a signal ended it
  int signal = 0;

  bool operator==(const Exit&) const = default;
};

// One child process. Not thread-safe.
class ChildProcess {
 public:
  // spawn starts `words[0]`, looked up in PATH if it has no slash, with the other words as its
  // arguments. Null if it could not be started.
  static std::unique_ptr<ChildProcess> spawn(const std::vector<std::string>& words,
                                             const SpawnOptions& options = {});
  // Kills the process if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  // read_line returns the next line of standard output without its newline; nothing at the end of
  // the output or after `timeout`. A last line without newline counts.
  std::optional<std::string> read_line(Timeout timeout);

  // read_json returns the next line as JSON; a discarded value (is_discarded()) if there is none in
  // time or it is no JSON.
  Json read_json(Timeout timeout);

  // read_json_where skips lines until one is an object whose `key` is the string `value`; discarded
  // if none comes in time. The skipped lines are kept in `skipped`.
  Json read_json_where(const std::string& key, const std::string& value, Timeout timeout);
  // read_event is read_json_where with the key "event".
  Json read_event(const std::string& name, Timeout timeout) {
    return read_json_where("event", name, timeout);
  }
  // The lines that read_json_where passed over, oldest first; for messages of failed tests.
  const std::vector<std::string>& skipped() const { return skipped_; }

  // write writes all of `text` to standard input; false if the process does not take it within 10 s
  // or has closed it.
  bool write(std::string_view text);
  void close_stdin();

  // wait returns how the process ended; nothing if it still runs after `timeout`. May be called
  // again.
  std::optional<Exit> wait(Timeout timeout);
  // Sends `signal`; does not wait.
  void kill(int signal);

 private:
  ChildProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}
  bool fill(std::chrono::steady_clock::time_point deadline);

  const pid_t pid_;
  int input_;   // we write; -1 when closed
  int output_;  // we read; -1 at its end
  std::string pending_;
  std::vector<std::string> skipped_;
  std::optional<Exit> exit_;
};

// resident_bytes returns the memory of process `pid` that is in RAM (RSS); 0 if there is no such
// process.
uint64_t resident_bytes(pid_t pid);

// open_files returns how many file descriptors process `pid` has open; 0 if there is no such
// process.
size_t open_files(pid_t pid);

}  // namespace kith::support
