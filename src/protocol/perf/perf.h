// The listening side of perf: counts an upload, then says how much to send back. Sans-IO.
// Spec: libp2p/specs perf/perf.md, protocol id /perf/1.0.0.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace kith::perf {

inline constexpr std::string_view kProtocolId = "/perf/1.0.0";
inline constexpr size_t kHeaderBytes = 8;

// header returns what a dialer sends first: how many bytes it wants back, big-endian.
std::array<uint8_t, kHeaderBytes> header(uint64_t bytes_wanted);

// Receiver takes what a dialer sends, in pieces of any size, and holds none of it.
//
// The specification's header is 8 bytes: the bytes to send back. The apps of rust-libp2p and others send 16 on the same
// protocol id: the size of the upload, then the bytes to send back. Which one it was shows at the end: the upload is
// then exactly as long as the first number said.
class Receiver {
 public:
  void receive(Bytes in);
  // The dialer closed its side. Returns the bytes to send back, or KITH_ERR_PROTOCOL_VIOLATION without a header.
  Result<uint64_t> finish() const;
  // Bytes received so far, headers included.
  uint64_t received() const { return received_; }

 private:
  std::array<uint8_t, 16> head_{};
  uint64_t received_ = 0;
};

}  // namespace kith::perf
