#include "protocol/perf/perf.h"

#include <algorithm>

namespace kith::perf {

namespace {
uint64_t read_u64(const uint8_t* p) {
  uint64_t v = 0;
  for (int i = 0; i < 8; ++i) v = v << 8 | p[i];
  return v;
}
}  // namespace

std::array<uint8_t, kHeaderBytes> header(uint64_t bytes_wanted) {
  std::array<uint8_t, kHeaderBytes> out{};
  for (size_t i = 0; i < kHeaderBytes; ++i)
    out[i] = static_cast<uint8_t>(bytes_wanted >> (56 - 8 * i));
  return out;
}

void Receiver::receive(Bytes in) {
  if (received_ < head_.size()) {
    const size_t n = std::min<size_t>(in.size(), head_.size() - static_cast<size_t>(received_));
    std::copy_n(in.begin(), n, head_.begin() + static_cast<std::ptrdiff_t>(received_));
  }
  received_ += in.size();
}

Result<uint64_t> Receiver::finish() const {
  if (received_ < kHeaderBytes) {
    return Error(KITH_ERR_PROTOCOL_VIOLATION, "perf", "the stream ended within the header");
  }
  const uint64_t first = read_u64(head_.data());
  if (received_ >= head_.size() && received_ - head_.size() == first)
    return read_u64(head_.data() + 8);
  return first;
}

}  // namespace kith::perf
