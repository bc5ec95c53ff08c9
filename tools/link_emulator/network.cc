#include "tools/link_emulator/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kith::link_emulator {
namespace {

constexpr char kDevice[] = "link0";
// The device's own queue, in packets. Long, so that the drops of a burst are LinkQueue's decision.
constexpr int kDeviceQueue = 16'384;
constexpr int kPrefix4 = 24;
constexpr int kPrefix6 = 64;
constexpr int kMaxWaits = 5000;
constexpr useconds_t kWaitUs = 1000;

std::string failed(const char* doing) { return std::string(doing) + ": " + std::strerror(errno); }

ifreq request_for(const char* device) {
  ifreq r{};
  std::snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
  return r;
}

bool bring_up(int socket4, const char* device) {
  ifreq r = request_for(device);
  if (ioctl(socket4, SIOCGIFFLAGS, &r) != 0) return false;
  r.ifr_flags = static_cast<short>(r.ifr_flags | IFF_UP);
  return ioctl(socket4, SIOCSIFFLAGS, &r) == 0;
}

sockaddr_in address4(const std::string& text) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  inet_pton(AF_INET, text.c_str(), &a.sin_addr);
  return a;
}

bool set_address4(int socket4, unsigned long operation, const std::string& text) {
  ifreq r = request_for(kDevice);
  const sockaddr_in a = address4(text);
  std::memcpy(&r.ifr_addr, &a, sizeof a);
  return ioctl(socket4, operation, &r) == 0;
}

bool add_default_route4(int socket4) {
  rtentry route{};
  const sockaddr_in any = address4("0.0.0.0");
  std::memcpy(&route.rt_dst, &any, sizeof any);
  std::memcpy(&route.rt_genmask, &any, sizeof any);
  char device[] = "link0";
  route.rt_dev = device;
  route.rt_flags = RTF_UP;
  return ioctl(socket4, SIOCADDRT, &route) == 0;
}

// The kernel takes a moment to accept a new IPv6 address, even where no duplicate is possible.
bool wait_until_usable(int socket6, const in6_addr& address) {
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_addr = address;
  for (int i = 0; i < kMaxWaits; ++i) {
    if (bind(socket6, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) return true;
    usleep(kWaitUs);
  }
  return false;
}

std::string set_up_ipv6(int socket4, const std::string& text) {
  const int socket6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket6 < 0) return failed("IPv6 socket");
  ifreq r = request_for(kDevice);
  ioctl(socket4, SIOCGIFINDEX, &r);
  in6_ifreq address{};
  inet_pton(AF_INET6, text.c_str(), &address.ifr6_addr);
  address.ifr6_prefixlen = kPrefix6;
  address.ifr6_ifindex = r.ifr_ifindex;
  in6_rtmsg route{};  // to ::/0
  route.rtmsg_flags = RTF_UP;
  route.rtmsg_metric = 1;
  route.rtmsg_ifindex = r.ifr_ifindex;
  std::string why;
  if (ioctl(socket6, SIOCSIFADDR, &address) != 0) why = failed("IPv6 address");
  if (why.empty() && ioctl(socket6, SIOCADDRT, &route) != 0) why = failed("IPv6 route");
  if (why.empty() && !wait_until_usable(socket6, address.ifr6_addr)) why = failed("IPv6 address");
  close(socket6);
  return why;
}

std::string set_up_device(int socket4, const End& end, int mtu) {
  ifreq r = request_for(kDevice);
  r.ifr_mtu = mtu;
  if (ioctl(socket4, SIOCSIFMTU, &r) != 0) return failed("MTU");
  r = request_for(kDevice);
  r.ifr_qlen = kDeviceQueue;
  if (ioctl(socket4, SIOCSIFTXQLEN, &r) != 0) return failed("length of the device's queue");
  const std::string netmask = "255.255.255.0";
  static_assert(kPrefix4 == 24);
  if (!bring_up(socket4, "lo")) return failed("loopback");
  if (!set_address4(socket4, SIOCSIFADDR, end.ip4) ||
      !set_address4(socket4, SIOCSIFNETMASK, netmask)) {
    return failed("IPv4 address");
  }
  if (!bring_up(socket4, kDevice)) return failed("device up");
  if (!add_default_route4(socket4)) return failed("IPv4 route");
  return set_up_ipv6(socket4, end.ip6);
}

// In the new namespace.
std::string populate(End& end, int mtu) {
  end.netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (end.netns < 0) return failed("/proc/thread-self/ns/net");
  end.tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (end.tun < 0) return failed("/dev/net/tun");
  ifreq r = request_for(kDevice);
  r.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(end.tun, TUNSETIFF, &r) != 0) return failed("TUN device");
  const int socket4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket4 < 0) return failed("socket");
  std::string why = set_up_device(socket4, end, mtu);
  close(socket4);
  // What it tells is of the namespace in which it was opened.
  end.net_dev = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
  return why;
}

bool is_namespace(const char* path, const struct stat& a, const struct stat& b) {
  struct stat s {};
  if (stat(path, &s) != 0) return false;
  return (s.st_dev == a.st_dev && s.st_ino == a.st_ino) ||
         (s.st_dev == b.st_dev && s.st_ino == b.st_ino);
}

}  // namespace

std::string make_end(int number, int mtu, End& out) {
  const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return failed("/proc/thread-self/ns/net");
  if (unshare(CLONE_NEWNET) != 0) return failed("a network namespace");
  out.ip4 = "10.77.0." + std::to_string(number);
  out.ip6 = "fd77::" + std::to_string(number);
  std::string why = populate(out, mtu);
  if (setns(home, CLONE_NEWNET) != 0) why = failed("leave the namespace");
  close(home);
  return why;
}

unsigned long dropped_by_device(const End& end) {
  char text[4096];
  const ssize_t n = pread(end.net_dev, text, sizeof text - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  const char* line = std::strstr(text, kDevice);
  if (!line) return 0;
  // "link0:" 8 fields of what it received, then sent: bytes, packets, errors, drops.
  unsigned long fields[12] = {};
  char* at = const_cast<char*>(line) + sizeof kDevice;
  for (unsigned long& field : fields) field = std::strtoul(at, &at, 10);
  return fields[11];
}

void kill_processes_in(const End& a, const End& b) {
  struct stat of_a {
  }, of_b{};
  if (fstat(a.netns, &of_a) != 0 || fstat(b.netns, &of_b) != 0) return;
  DIR* proc = opendir("/proc");
  if (!proc) return;
  while (const dirent* entry = readdir(proc)) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
    if (is_namespace(path.c_str(), of_a, of_b)) kill(pid, SIGKILL);
  }
  closedir(proc);
}

}  // namespace kith::link_emulator
