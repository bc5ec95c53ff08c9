// Fuzzes multiaddr from both sides: input that begins with '/' is text, everything else is binary.
#include "wire/multiaddr.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "base/limits.h"
#include "base/result.h"

namespace {

using namespace kith;
using namespace kith::wire;

void check_address(const Multiaddr& addr) {
  KITH_CHECK(!addr.empty() && addr.bytes().size() <= limits::kMultiaddrBytes);
  KITH_CHECK(*Multiaddr::decode(addr.bytes()) == addr);

  const std::string text = addr.to_string();
  KITH_CHECK(text.starts_with('/') && !text.ends_with('/'));
  if (text.size() <= limits::kMultiaddrTextBytes) {
    const Result<Multiaddr> again = Multiaddr::parse(text);
    KITH_CHECK(again.ok() && *again == addr && again->to_string() == text);
  }

  // Taken apart and put together again.
  Multiaddr joined;
  std::string joined_text;
  for (const Component c : addr) {
    const Result<Multiaddr> longer = joined.with(c.protocol->code, c.value);
    KITH_CHECK(longer.ok() && longer->without_last() == joined);
    KITH_CHECK(longer->up_to(c.protocol->code) == joined);
    joined = *longer;
    if (std::distance(joined.begin(), joined.end()) > 16) return;  // that was a square
  }
  KITH_CHECK(joined == addr && !(joined < addr) && !(addr < joined));
  const Component last = *addr.last();
  KITH_CHECK(addr.has(last.protocol->code));
  KITH_CHECK(text.ends_with(last.value_text()));
  KITH_CHECK(last.protocol->is_path ||
             addr.with(addr).empty() == (addr.bytes().size() * 2 > limits::kMultiaddrBytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes in(data, size);
  if (size > 0 && data[0] == '/') {
    const Result<Multiaddr> addr = Multiaddr::parse(as_text(in));
    if (addr.ok()) check_address(*addr);
    return 0;
  }
  const Result<Multiaddr> addr = Multiaddr::decode(in);
  if (!addr.ok()) return 0;
  KITH_CHECK(equal(addr->bytes(), in));
  check_address(*addr);
  return 0;
}
