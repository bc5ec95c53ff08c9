// Yamux of the attacker. See yamux.h.
#include "tests/attacker/yamux.h"

namespace kith::attacker {
namespace {

constexpr size_t kHeaderBytes = 12;

uint32_t u32(View bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
         uint32_t{bytes[at + 3]};
}

}  // namespace

void append_frame(Bytes& out, uint8_t type, uint8_t flags, uint32_t id, uint32_t length) {
  out.insert(out.end(), {0, type, 0, flags});
  for (const uint32_t value : {id, length}) {
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<uint8_t>(value >> shift));
  }
}

void append_data(Bytes& out, uint8_t flags, uint32_t id, View data) {
  append_frame(out, kYamuxData, flags, id, static_cast<uint32_t>(data.size()));
  append(out, data);
}

YamuxPeer::YamuxPeer(Run& run, const HostKey& host)
    : socket_(run.options.host, run.options.port), channel_(socket_) {
  const Clock::time_point deadline = run.after(10);
  is_open_ = socket_.is_open() && channel_.handshake(host, {}, deadline) &&
             agree(channel_, "/yamux/1.0.0", input_, deadline);
}

bool YamuxPeer::receive(Clock::time_point deadline) {
  if (!channel_.receive(input_, deadline)) return false;
  View rest = input_;
  while (rest.size() >= kHeaderBytes) {
    const uint8_t type = rest[1];
    const uint32_t id = u32(rest, 4), length = u32(rest, 8);
    const size_t size = kHeaderBytes + (type == kYamuxData ? length : 0);
    if (rest.size() < size) break;
    if (type == kYamuxData && id == watched_id_)
      append(watched_, rest.subspan(kHeaderBytes, length));
    if (type == kYamuxGoAway) go_away_code_ = length;
    rest = rest.subspan(size);
  }
  input_.erase(input_.begin(), input_.end() - static_cast<ptrdiff_t>(rest.size()));
  return true;
}

bool YamuxPeer::wait_end(Clock::time_point deadline) {
  while (receive(deadline)) {
  }
  return socket_.is_ended();
}

bool YamuxPeer::has_pong(uint32_t id, Clock::time_point deadline, bool syn_as_data) {
  const Bytes hello = ping_hello(kPingBytes);
  Bytes frames;
  if (!syn_as_data) append_frame(frames, kYamuxWindowUpdate, kYamuxSyn, id, 0);
  append_data(frames, syn_as_data ? kYamuxSyn : 0, id, hello);
  watched_id_ = id;
  watched_.clear();
  if (!send(frames, deadline)) return false;
  while (watched_.size() < hello.size() && receive(deadline)) {
  }
  return watched_ == hello;
}

}  // namespace kith::attacker
