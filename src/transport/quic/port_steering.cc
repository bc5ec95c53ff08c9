#include "transport/quic/port_steering.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "transport/quic/library.h"

namespace kith::transport::quic {

namespace {

// Where the connection ID begins in a datagram (RFC 9000, 17.2 and 17.3).
constexpr uint32_t kLongHeaderId = 6;
constexpr uint32_t kShortHeaderId = 1;
constexpr uint32_t kLongHeaderBit = 0x80;
// MsQuic keeps the partition's index in the low bits of the ID's first byte.
static_assert((kMaxLoops & (kMaxLoops - 1)) == 0 && kMaxLoops <= 256);

std::vector<sock_filter> program(std::span<const uint16_t> partitions) {
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kLongHeaderBit, 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kLongHeaderId),
      BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kShortHeaderId),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kMaxLoops - 1),
  };
  for (size_t i = 0; i < partitions.size(); ++i) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, partitions[i], 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<uint32_t>(i)));
  }
  code.push_back(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, static_cast<uint32_t>(partitions.size())));
  code.push_back(BPF_STMT(BPF_RET | BPF_A, 0));
  return code;
}

// One more socket on the port, as MsQuic binds them; -1 and errno if there can be none.
int join_port(uint16_t port) {
  for (const int family : {AF_INET6, AF_INET}) {
    const int fd = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    const int on = 1;
    const int off = 0;
    sockaddr_in6 any{};
    any.sin6_family = static_cast<sa_family_t>(family);
    any.sin6_port = htons(port);  // where sockaddr_in has it, too
    if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    const socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&any), size) == 0) return fd;
    const int error = errno;
    ::close(fd);
    errno = error;
  }
  return -1;
}

}  // namespace

Status steer_port(uint16_t port, std::span<const uint16_t> partitions) {
  std::vector<sock_filter> code = program(partitions);
  const sock_fprog fprog = {static_cast<unsigned short>(code.size()), code.data()};
  // The program is the whole group's, whichever of its sockets it is attached by; this one leaves at once.
  const int fd = join_port(port);
  const bool ok =
      fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &fprog, sizeof fprog) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (ok) return {};
  return Error(
      KITH_ERR_IO, "listen",
      "cannot spread port " + std::to_string(port) + " over loops: " + std::strerror(error));
}

}  // namespace kith::transport::quic
