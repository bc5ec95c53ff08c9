// Two network namespaces, each with one TUN device that leads to the other. They have no names: processes enter them
// through descriptors of this one, and they vanish with the last process that uses them.
#pragma once

#include <sys/types.h>

#include <string>

namespace kith::link_emulator {

// End is one of the two. Descriptors stay open until the process ends.
struct End {
  int netns = -1;    // the namespace, for setns and nsenter
  int tun = -1;      // reads and writes IP packets, without blocking
  int net_dev = -1;  // its /proc/net/dev
  std::string ip4{};
  std::string ip6{};
};

// make_end makes a namespace with addresses 10.77.0.`number`/24 and fd77::`number`/64 on a device `link0` that is the
// way to everywhere, and brings up its loopback. The calling thread is in its own namespace again afterwards. Returns
// what went wrong; empty if nothing did.
std::string make_end(int number, int mtu, End& out);

// dropped_by_device counts the packets that the device did not hand to us because we read too slowly.
unsigned long dropped_by_device(const End& end);

// kill_processes_in kills what still runs in the two namespaces, which is what was started there.
void kill_processes_in(const End& a, const End& b);

}  // namespace kith::link_emulator
