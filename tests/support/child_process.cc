// Child processes of tests. See child_process.h.
#include "tests/support/child_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

namespace kith::support {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Timeout kWriteTimeout{10'000};
constexpr Timeout kPollInterval{5};
constexpr size_t kReadBytes = 64 * 1024;

int milliseconds_left(Clock::time_point deadline) {
  auto left = std::chrono::duration_cast<Timeout>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

// A pipe with both ends closed on exec.
struct Pipe {
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) ends[0] = ends[1] = -1;
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  bool is_open() const { return ends[0] >= 0; }
  void close_end(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
  int release(int end) {
    int fd = ends[end];
    ends[end] = -1;
    return fd;
  }

  int ends[2] = {-1, -1};
};

// What the child needs after fork, where only async-signal-safe calls are allowed.
struct Plan {
  Plan(const std::vector<std::string>& words, const SpawnOptions& spawn_options)
      : options(spawn_options) {
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!is_replaced(*entry)) environment.push_back(*entry);
    }
    for (const std::string& entry : options.environment) {
      environment.push_back(const_cast<char*>(entry.c_str()));
    }
    environment.push_back(nullptr);
  }

  bool is_replaced(const char* entry) const {
    return std::any_of(options.environment.begin(), options.environment.end(),
                       [&](const std::string& own) {
                         size_t name = own.find('=') + 1;
                         return name > 0 && std::strncmp(own.c_str(), entry, name) == 0;
                       });
  }

  const SpawnOptions& options;
  std::vector<char*> arguments, environment;
};

// Runs in the child; writes errno to `failure` if the program cannot be started.
[[noreturn]] void become(const Plan& plan, pid_t parent, int input, int output, int failure) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above
  int quiet = plan.options.is_quiet ? open("/dev/null", O_WRONLY) : -1;
  bool is_ready = dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
                  (quiet < 0 || dup2(quiet, STDERR_FILENO) >= 0) &&
                  (plan.options.directory.empty() || chdir(plan.options.directory.c_str()) == 0);
  std::signal(SIGPIPE, SIG_DFL);
  if (is_ready) execvpe(plan.arguments[0], plan.arguments.data(), plan.environment.data());
  int error = errno;
  ssize_t written = ::write(failure, &error, sizeof error);
  _exit(written == sizeof error ? 127 : 126);
}

}  // namespace

std::unique_ptr<ChildProcess> ChildProcess::spawn(const std::vector<std::string>& words,
                                                  const SpawnOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // writing to a child that is gone is an error here, not a death
  Pipe input, output, failure;
  if (words.empty() || !input.is_open() || !output.is_open() || !failure.is_open()) return nullptr;
  Plan plan(words, options);
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) return nullptr;
  if (pid == 0) become(plan, parent, input.ends[0], output.ends[1], failure.ends[1]);
  failure.close_end(1);
  int error = 0;
  // The pipe closes without a word when the program starts.
  ssize_t size = read(failure.ends[0], &error, sizeof error);
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid, input.release(1), output.release(0)));
  if (size > 0) {
    std::fprintf(stderr, "cannot run %s: %s\n", words[0].c_str(), std::strerror(error));
    return nullptr;
  }
  fcntl(child->input_, F_SETFL, O_NONBLOCK);
  fcntl(child->output_, F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::~ChildProcess() {
  close_stdin();
  if (output_ >= 0) close(output_);
  if (!exit_) {
    kill(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

// Reads what the pipe has into pending_, waiting for it at most until `deadline`. False when
// nothing came.
bool ChildProcess::fill(Clock::time_point deadline) {
  if (output_ < 0) return false;
  pollfd waiting{output_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&waiting, 1, milliseconds_left(deadline));
  } while (ready < 0 && errno == EINTR);
  if (ready != 1) return false;
  std::string buffer(kReadBytes, '\0');
  ssize_t size = read(output_, buffer.data(), buffer.size());
  if (size > 0) {
    pending_.append(buffer, 0, static_cast<size_t>(size));
    return true;
  }
  close(output_);
  output_ = -1;
  return false;
}

std::optional<std::string> ChildProcess::read_line(Timeout timeout) {
  Clock::time_point deadline = Clock::now() + timeout;
  size_t end = pending_.find('\n');
  while (end == std::string::npos && fill(deadline)) end = pending_.find('\n');
  if (end == std::string::npos) {
    if (output_ >= 0 || pending_.empty()) return std::nullopt;
    return std::exchange(pending_, std::string());
  }
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end + 1);
  return line;
}

Json ChildProcess::read_json(Timeout timeout) {
  std::optional<std::string> line = read_line(timeout);
  return Json::parse(line.value_or(""), nullptr, /*allow_exceptions=*/false);
}

Json ChildProcess::read_json_where(const std::string& key, const std::string& value,
                                   Timeout timeout) {
  Clock::time_point deadline = Clock::now() + timeout;
  while (std::optional<std::string> line = read_line(Timeout(milliseconds_left(deadline)))) {
    Json json = Json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      auto found = json.find(key);
      if (found != json.end() && found->is_string() &&
          found->get_ref<const std::string&>() == value)
        return json;
    }
    skipped_.push_back(std::move(*line));
  }
  return Json(Json::value_t::discarded);
}

bool ChildProcess::write(std::string_view text) {
  Clock::time_point deadline = Clock::now() + kWriteTimeout;
  while (!text.empty() && input_ >= 0) {
    pollfd waiting{input_, POLLOUT, 0};
    if (poll(&waiting, 1, milliseconds_left(deadline)) == 0) return false;
    ssize_t size = ::write(input_, text.data(), text.size());
    if (size > 0) text.remove_prefix(static_cast<size_t>(size));
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
  }
  return text.empty();
}

void ChildProcess::close_stdin() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

std::optional<Exit> ChildProcess::wait(Timeout timeout) {
  Clock::time_point deadline = Clock::now() + timeout;
  while (!exit_) {
    int status = 0;
    pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      exit_ = Exit{WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                   WIFSIGNALED(status) ? WTERMSIG(status) : 0};
      break;
    }
    // A child that nobody reads may hang in its output.
    if (output_ >= 0 && fill(Clock::now())) continue;
    if (Clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(kPollInterval);
  }
  return exit_;
}

void ChildProcess::kill(int signal) {
  if (!exit_) ::kill(pid_, signal);
}

uint64_t resident_bytes(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/statm";
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return 0;
  unsigned long total = 0, resident = 0;
  int fields = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return fields == 2
             ? static_cast<uint64_t>(resident) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE))
             : 0;
}

size_t open_files(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/fd";
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return 0;
  size_t count = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  closedir(directory);
  return count;
}

}  // namespace kith::support
