// Fuzzes multibase, multihash and CID. The first byte chooses: text to decode, or bytes to encode
// and read back.
#include "wire/multibase.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "wire/cid.h"
#include "wire/multihash.h"

namespace {

using namespace kith;
using namespace kith::wire;

constexpr Base kBases[] = {Base::kBase16,      Base::kBase16Upper, Base::kBase32,
                           Base::kBase32Upper, Base::kBase36,      Base::kBase36Upper,
                           Base::kBase58Btc,   Base::kBase64,      Base::kBase64Url};

bool ignores_case(Base base) {
  return base != Base::kBase58Btc && base != Base::kBase64 && base != Base::kBase64Url;
}

void check_text(std::string_view text) {
  Base base{};
  const Result<ByteVector> bytes = decode_multibase(text, &base);
  if (bytes.ok() && bytes->size() <= limits::kBigNumberBytes) {
    // Strict decoding: there is one text of these bytes in this base, but for the case of letters.
    const std::string again = encode_multibase(base, *bytes);
    const auto equal_chars = [base](char a, char b) {
      if (!ignores_case(base)) return a == b;
      return std::tolower(static_cast<unsigned char>(a)) ==
             std::tolower(static_cast<unsigned char>(b));
    };
    KITH_CHECK(std::equal(again.begin(), again.end(), text.begin(), text.end(), equal_chars));
  }
  const Result<Cid> cid = Cid::parse(text);
  if (!cid.ok()) return;
  KITH_CHECK(*Cid::parse(cid->to_string()) == *cid);
  KITH_CHECK(*Cid::decode(cid->bytes()) == *cid);
}

void check_bytes(Bytes bytes) {
  for (const Base base : kBases) {
    const Bytes part = bytes.first(std::min(bytes.size(), limits::kBigNumberBytes));
    KITH_CHECK(equal(*decode_multibase(encode_multibase(base, part)), part));
  }
  if (const Result<Multihash> hash = decode_multihash(bytes); hash.ok()) {
    KITH_CHECK(equal(encode_multihash(hash->code, hash->digest), bytes));
    const Result<Cid> cid = Cid::v1(codec::kLibp2pKey, bytes);
    KITH_CHECK(cid.ok() && equal(cid->multihash(), bytes));
  }
  if (const Result<Cid> cid = Cid::decode(bytes); cid.ok()) {
    KITH_CHECK(equal(cid->bytes(), bytes));
    KITH_CHECK(decode_multihash(cid->multihash()).ok());
    for (const Base base : kBases) KITH_CHECK(*Cid::parse(cid->to_string(base)) == *cid);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check_text(as_text(rest));
  } else {
    check_bytes(rest);
  }
  return 0;
}
