// Datagram floods. See flood.h.
#include "tests/attacker/flood.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "tests/attacker/report.h"

namespace kith::attacker {
namespace {

constexpr size_t kBatch = 32;
constexpr size_t kReplyBytes = 2048;

// Sends up to `count` new datagrams over `socket` in one call; returns how many went out, -1 on an
// error.
int send_batch(const Socket& socket, size_t count, const std::function<void(Bytes&)>& make,
               uint64_t& bytes) {
  std::array<Bytes, kBatch> content;
  std::array<iovec, kBatch> vectors{};
  std::array<mmsghdr, kBatch> messages{};
  for (size_t i = 0; i < count; ++i) {
    make(content[i]);
    vectors[i] = {content[i].data(), content[i].size()};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int sent = sendmmsg(socket.fd(), messages.data(), static_cast<unsigned>(count), 0);
  for (int i = 0; i < sent; ++i) bytes += content[static_cast<size_t>(i)].size();
  return sent;
}

}  // namespace

void Replies::count(View datagram) {
  ++datagrams;
  bytes += datagram.size();
  last = Clock::now();
  if (datagram.size() < 5) return;
  bool is_long = (datagram[0] & 0x80) != 0;
  bool has_version = datagram[1] != 0 || datagram[2] != 0 || datagram[3] != 0 || datagram[4] != 0;
  int type = datagram[0] >> 4 & 3;
  if (!is_long) {
    ++short_headers;
  } else if (!has_version) {
    ++version_negotiations;
  } else if (type == 3) {
    ++retries;
  } else if (type == 0) {
    ++initials;
  }
}

bool drain(const Socket& socket, Replies& replies) {
  uint8_t buffer[kReplyBytes];
  for (;;) {
    ssize_t size = recv(socket.fd(), buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0) return errno != ECONNREFUSED;
    replies.count(View(buffer, std::min(static_cast<size_t>(size), sizeof buffer)));
  }
}

void FloodResult::report() const {
  Line("flood")
      .number("sent", sent)
      .number("sent_bytes", sent_bytes)
      .seconds("seconds", seconds)
      .number("per_second",
              seconds > 0 ? static_cast<uint64_t>(static_cast<double>(sent) / seconds) : 0)
      .number("replies", replies.datagrams)
      .number("reply_bytes", replies.bytes)
      .number("retries", replies.retries)
      .number("version_negotiations", replies.version_negotiations)
      .number("initials", replies.initials)
      .number("short_headers", replies.short_headers)
      .print();
}

FloodResult flood(const std::vector<Socket>& sockets, uint64_t count, uint64_t rate,
                  const std::function<void(Bytes&)>& make, Clock::time_point deadline) {
  FloodResult out;
  Clock::time_point start = Clock::now();
  size_t at = 0;
  while (out.sent < count && Clock::now() < deadline && !out.is_refused) {
    const Socket& socket = sockets[at++ % sockets.size()];
    int sent =
        send_batch(socket, std::min<uint64_t>(kBatch, count - out.sent), make, out.sent_bytes);
    if (sent > 0) out.sent += static_cast<uint64_t>(sent);
    out.is_refused = (sent < 0 && errno == ECONNREFUSED) || !drain(socket, out.replies);
    if (rate > 0)
      std::this_thread::sleep_until(start +
                                    std::chrono::nanoseconds(1'000'000'000 / rate) * out.sent);
  }
  out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (const Socket& socket : sockets) drain(socket, out.replies);
  return out;
}

std::vector<ClientInitial> capture_client_hello(Run& run) {
  constexpr int kFirstMs = 3000, kNextMs = 100;  // what comes later is a retransmission
  std::vector<ClientInitial> out;
  Address address = make_address(run.options.host, 0);
  Socket trap = bound_socket(address);
  address.size = sizeof address.storage;
  if (!trap.is_open() || getsockname(trap.fd(), address.get(), &address.size) != 0) return out;
  DialOptions quiet{.is_quiet = true};
  auto connection = run.endpoint.dial(run.options.host, address.port(), run.credential(), quiet);
  pollfd waiting{trap.fd(), POLLIN, 0};
  while (connection && poll(&waiting, 1, out.empty() ? kFirstMs : kNextMs) == 1) {
    uint8_t buffer[kReplyBytes];
    ssize_t size = recv(trap.fd(), buffer, sizeof buffer, 0);
    ClientInitial packet;
    if (size < 0 || !open_client_initial(View(buffer, static_cast<size_t>(size)), packet)) break;
    out.push_back(std::move(packet));
  }
  return out;
}

bool besieged(Run& run, const std::function<void()>& attack) {
  uint64_t count = run.options.number("honest", 5);
  HonestDials before, during, after;
  for (uint64_t i = 0; i < count; ++i) before.dial(run);
  if (count > 0) before.report("before");
  std::atomic<bool> is_over{false};
  std::thread attacker([&] {
    attack();
    is_over = true;
  });
  while (!is_over) {
    if (count > 0) during.dial(run);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  attacker.join();
  if (count > 0) during.report("during");
  for (uint64_t i = 0; i < count; ++i) after.dial(run);
  if (count > 0) after.report("after");
  return after.failed == 0;
}

}  // namespace kith::attacker
