// The link emulator for tests in C++: runs kith-link, opens sockets at its ends, and runs programs there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace kith::link_emulator {

// EmulatedLink is a running kith-link. What was started at its ends ends with it. Not thread-safe.
class EmulatedLink {
 public:
  struct End {
    std::string netns{};
    std::string ip4{};
    std::string ip6{};
  };

  // start runs `program` (kith-link) with `words`, such as {"delay_ms=25", "loss=0.01"}. Null, with the reason in `why`,
  // if that fails, as it does without root: a test then skips itself.
  static std::unique_ptr<EmulatedLink> start(const std::string& program,
                                             const std::vector<std::string>& words,
                                             std::string* why);
  ~EmulatedLink();
  EmulatedLink(const EmulatedLink&) = delete;
  EmulatedLink& operator=(const EmulatedLink&) = delete;

  const End& a() const { return a_; }
  const End& b() const { return b_; }

  // set changes the link by words such as "a-to-b loss=0.3"; false if they are wrong.
  bool set(const std::string& words);
  // counters is what kith-link prints: objects "a_to_b" and "b_to_a".
  support::Json counters();

  // command returns `words` as a command that runs at `end`.
  static std::vector<std::string> command(const End& end, const std::vector<std::string>& words);
  // enter moves the calling thread to `end`: sockets that it opens from now on are there, and stay there. Meant for a
  // thread made for it, since there is no way back.
  static bool enter(const End& end);
  // udp_socket returns a socket bound to `end`'s address with a port that the kernel chose, -1 on failure.
  static int udp_socket(const End& end, bool is_v6);

 private:
  EmulatedLink() = default;
  std::unique_ptr<support::ChildProcess> process_;
  End a_;
  End b_;
};

}  // namespace kith::link_emulator
