#include "tests/support/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace kith::test {

namespace {
int64_t now_ms() {
  using namespace std::chrono;  // NOLINT
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}
}  // namespace

std::unique_ptr<ChildProcess> ChildProcess::spawn(const std::string& program,
                                                  const std::vector<std::string>& args) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return nullptr;
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]);
    close(in[1]);
    return nullptr;
  }
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& a : args) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    execvp(program.c_str(), argv.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  if (pid < 0) {
    close(in[1]);
    close(out[0]);
    return nullptr;
  }
  signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<ChildProcess> child(new ChildProcess);
  child->pid_ = pid;
  child->in_ = in[1];
  child->out_ = out[0];
  return child;
}

ChildProcess::~ChildProcess() {
  close_input();
  if (wait(2000) < 0) {
    kill(SIGKILL);
    wait(2000);
  }
  close(out_);
}

std::optional<std::string> ChildProcess::read_line(int timeout_ms) {
  const int64_t end = now_ms() + timeout_ms;
  for (;;) {
    if (const size_t at = buffer_.find('\n'); at != std::string::npos) {
      std::string line = buffer_.substr(0, at);
      buffer_.erase(0, at + 1);
      return line;
    }
    pollfd p = {out_, POLLIN, 0};
    const int64_t left = std::max<int64_t>(0, end - now_ms());
    if (poll(&p, 1, static_cast<int>(left)) <= 0) return std::nullopt;
    char chunk[4096];
    const ssize_t n = read(out_, chunk, sizeof chunk);
    if (n <= 0) return std::nullopt;
    buffer_.append(chunk, static_cast<size_t>(n));
  }
}

std::optional<nlohmann::json> ChildProcess::read_json(int timeout_ms) {
  const int64_t end = now_ms() + timeout_ms;
  while (std::optional<std::string> line =
             read_line(static_cast<int>(std::max<int64_t>(0, end - now_ms())))) {
    nlohmann::json json = nlohmann::json::parse(*line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_discarded()) return json;
  }
  return std::nullopt;
}

void ChildProcess::write(const std::string& text) {
  [[maybe_unused]] const ssize_t n = ::write(in_, text.data(), text.size());
}

void ChildProcess::close_input() {
  if (in_ >= 0) close(in_);
  in_ = -1;
}

void ChildProcess::kill(int signal) {
  if (!exited()) ::kill(pid_, signal);
}

bool ChildProcess::exited() { return wait(0) >= 0; }

int ChildProcess::wait(int timeout_ms) {
  const int64_t end = now_ms() + timeout_ms;
  for (;;) {
    if (status_) return *status_;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    if (now_ms() >= end) return -1;
    usleep(2000);
  }
}

size_t resident_bytes(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/statm";
  FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return 0;
  long total = 0, resident = 0;
  const int n = std::fscanf(file, "%ld %ld", &total, &resident);
  std::fclose(file);
  return n == 2 ? static_cast<size_t>(resident) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace kith::test
