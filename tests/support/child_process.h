// A program run by a test: JSON lines from its standard output, its standard input to close, its memory to watch.
#pragma once

#include <sys/types.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace kith::test {

class ChildProcess {
 public:
  // Starts `program` with `args`; its standard error goes to ours. Null when it cannot be started.
  static std::unique_ptr<ChildProcess> spawn(const std::string& program, const std::vector<std::string>& args);
  // Closes its standard input, waits two seconds, then kills it.
  ~ChildProcess();

  // The next line of standard output, waiting at most `timeout_ms`; nothing at the limit or the end.
  std::optional<std::string> read_line(int timeout_ms);
  // The next line that is JSON; other lines are skipped.
  std::optional<nlohmann::json> read_json(int timeout_ms);
  void write(const std::string& text);
  void close_input();
  void kill(int signal);
  bool exited();
  // Its exit status (128 + signal when killed), or -1 if it still runs after `timeout_ms`.
  int wait(int timeout_ms);
  pid_t pid() const { return pid_; }

 private:
  ChildProcess() = default;
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string buffer_;
  std::optional<int> status_;
};

// Resident memory of a process, in bytes; 0 if it is gone.
size_t resident_bytes(pid_t pid);

}  // namespace kith::test
