#include "tools/link_emulator/emulated_link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace kith::link_emulator {
namespace {

using support::Json;

constexpr support::Timeout kAnswerTimeout{10'000};

EmulatedLink::End end_of(const Json& ready, const char* name) {
  const Json& end = ready.at(name);
  return {end.value("netns", ""), end.value("ip4", ""), end.value("ip6", "")};
}

int bound_socket(const EmulatedLink::End& end, bool is_v6) {
  const int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  inet_pton(AF_INET, end.ip4.c_str(), &v4.sin_addr);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, end.ip6.c_str(), &v6.sin6_addr);
  const int result = is_v6 ? bind(fd, reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                           : bind(fd, reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

std::unique_ptr<EmulatedLink> EmulatedLink::start(const std::string& program,
                                                  const std::vector<std::string>& words,
                                                  std::string* why) {
  std::vector<std::string> line = {program};
  line.insert(line.end(), words.begin(), words.end());
  std::unique_ptr<EmulatedLink> link(new EmulatedLink);
  link->process_ = support::ChildProcess::spawn(line);
  const Json ready = link->process_ ? link->process_->read_event("ready", kAnswerTimeout) : Json();
  if (!ready.is_object()) {
    *why = "kith-link did not start: it takes root and /dev/net/tun";
    return nullptr;
  }
  link->a_ = end_of(ready, "a");
  link->b_ = end_of(ready, "b");
  return link;
}

// Gives kith-link the time to end what runs at its ends.
EmulatedLink::~EmulatedLink() {
  if (!process_) return;
  process_->close_stdin();
  process_->wait(kAnswerTimeout);
}

bool EmulatedLink::set(const std::string& words) {
  if (!process_->write("set " + words + "\n")) return false;
  return process_->read_json(kAnswerTimeout).value("event", "") == "set";
}

support::Json EmulatedLink::counters() {
  process_->write("counters\n");
  return process_->read_event("counters", kAnswerTimeout);
}

std::vector<std::string> EmulatedLink::command(const End& end,
                                               const std::vector<std::string>& words) {
  std::vector<std::string> out = {"nsenter", "--net=" + end.netns, "--"};
  out.insert(out.end(), words.begin(), words.end());
  return out;
}

bool EmulatedLink::enter(const End& end) {
  const int fd = open(end.netns.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_there = setns(fd, CLONE_NEWNET) == 0;
  close(fd);
  return is_there;
}

int EmulatedLink::udp_socket(const End& end, bool is_v6) {
  int fd = -1;
  std::thread([&] {
    if (enter(end)) fd = bound_socket(end, is_v6);
  }).join();
  return fd;
}

}  // namespace kith::link_emulator
