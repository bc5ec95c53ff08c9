// Raw bytes to the identify Reader, in several splits with one outcome; what was understood
// survives being written and read again, and respects its limits.
#include <string>

#include "fuzz/input.h"
#include "protocol/identify/message.h"

namespace kith {
namespace {

using identify::IdentifyMessage;

bool same(const IdentifyMessage& a, const IdentifyMessage& b) {
  return a.protocol_version == b.protocol_version && a.agent_version == b.agent_version &&
         a.public_key == b.public_key && a.listen_addrs == b.listen_addrs &&
         a.observed_addr == b.observed_addr && a.protocols == b.protocols &&
         a.signed_peer_record == b.signed_peer_record;
}

Result<IdentifyMessage> read(Bytes in, const std::vector<size_t>& cuts) {
  identify::Reader reader;
  KITH_CHECK(fuzz::feed(reader, in, cuts) == in.size());
  return reader.finish();
}

void run(Bytes in) {
  const Result<IdentifyMessage> whole = read(in, {});
  std::vector<size_t> every, some;
  fuzz::FuzzInput sizes(in);  // the bytes also decide where they are cut
  for (size_t i = 1; i < in.size(); ++i) {
    every.push_back(i);
    if (sizes.byte() % 4 == 0) some.push_back(i);
  }
  for (const auto* cuts : {&every, &some}) {
    const Result<IdentifyMessage> again = read(in, *cuts);
    KITH_CHECK(again.status() == whole.status());
    if (whole.ok()) {
      KITH_CHECK(same(*again, *whole));
      KITH_CHECK(again->num_skipped_addrs == whole->num_skipped_addrs);
      KITH_CHECK(again->num_skipped_protocols == whole->num_skipped_protocols);
    } else {
      KITH_CHECK(again.error().to_string() == whole.error().to_string());
    }
  }
  if (!whole.ok()) return;
  KITH_CHECK(whole->listen_addrs.size() <= limits::kIdentifyAddresses);
  KITH_CHECK(whole->protocols.size() <= limits::kIdentifyProtocols);
  KITH_CHECK(whole->agent_version.size() <= limits::kIdentifyStringBytes);
  KITH_CHECK(whole->public_key.size() <= limits::kPublicKeyBytes);
  const Result<ByteVector> encoded = identify::encode(*whole);
  if (!encoded.ok()) {
    // What came in 10 messages of 8 KiB may not fit in the 9 of 4 KiB that we send.
    KITH_CHECK(encoded.status() == KITH_ERR_LIMIT && in.size() > 16 * 1024);
    return;
  }
  const Result<IdentifyMessage> again = read(*encoded, {});
  KITH_CHECK(again.ok() && same(*again, *whole));
  KITH_CHECK(again->num_skipped_addrs == 0 && again->num_skipped_protocols == 0);
}

}  // namespace
}  // namespace kith

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kith::run({data, size});
  return 0;
}
