// CID. Spec: multiformats/cid README.md.
#include "wire/cid.h"

#include "wire/multihash.h"
#include "wire/varint.h"

namespace kith::wire {
namespace {

constexpr size_t kVersion0Bytes = 34;
constexpr size_t kVersion0Chars = 46;

// A sha2-256 multihash alone is a version 0 CID; 0x12 can be no version.
bool starts_as_version0(Bytes in) {
  return in.size() >= 2 && in[0] == kMultihashSha256 && in[1] == kSha256DigestBytes;
}

Error malformed(std::string detail) { return Error(KITH_ERR_MALFORMED, "cid", std::move(detail)); }

}  // namespace

Result<Cid> Cid::decode(Bytes in) {
  if (starts_as_version0(in)) {
    if (in.size() != kVersion0Bytes) {
      return malformed("version 0 has 34 bytes, not " + std::to_string(in.size()));
    }
    return Cid(0, codec::kDagPb, in, 0);
  }
  const VarintDecode version = decode_varint(in);
  if (version.state != DecodeState::kDone) return malformed("the version is not a whole varint");
  if (version.value != 1) {
    return malformed("version " + std::to_string(version.value) + " is not known");
  }
  const VarintDecode type = decode_varint(in.subspan(version.size));
  if (type.state != DecodeState::kDone) return malformed("the content type is not a whole varint");
  const size_t multihash_offset = version.size + type.size;
  KITH_TRY(decode_multihash(in.subspan(multihash_offset)));
  return Cid(1, type.value, in, multihash_offset);
}

Result<Cid> Cid::parse(std::string_view text) {
  if (text.size() == kVersion0Chars && text.starts_with("Qm")) {
    KITH_ASSIGN(const ByteVector bytes, decode_base(Base::kBase58Btc, text));
    if (!starts_as_version0(bytes)) return malformed("version 0 is not a sha2-256 multihash");
    return decode(bytes);
  }
  KITH_ASSIGN(const ByteVector bytes, decode_multibase(text));
  if (starts_as_version0(bytes)) return malformed("version 0 must not be in multibase");
  return decode(bytes);
}

Result<Cid> Cid::v1(uint64_t codec, Bytes multihash) {
  if (codec > kMaxVarint) return malformed("the content type exceeds 63 bits");
  ByteVector bytes;
  append_varint(bytes, 1);
  append_varint(bytes, codec);
  append(bytes, multihash);
  return decode(bytes);
}

std::string Cid::to_string(Base base) const {
  return version_ == 0 ? encode_base(Base::kBase58Btc, bytes_) : encode_multibase(base, bytes_);
}

}  // namespace kith::wire
