// CID, a multihash with the type of what was hashed. libp2p uses it for peer ids as text and DHT
// keys. Spec: multiformats/cid README.md, "Decoding Algorithm".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/multibase.h"

namespace kith::wire {

// Content types of the multicodec table. Any other code is valid as well.
namespace codec {
inline constexpr uint64_t kRaw = 0x55;
inline constexpr uint64_t kDagPb = 0x70;
inline constexpr uint64_t kDagCbor = 0x71;
inline constexpr uint64_t kLibp2pKey = 0x72;
inline constexpr uint64_t kDagJson = 0x0129;
}  // namespace codec

// Cid is a valid content identifier of version 0 or 1; there is no empty one.
class Cid {
 public:
  // decode reads the binary form, which must fill `in`. Multihashes are held to decode_multihash's
  // rules.
  static Result<Cid> decode(Bytes in);

  // parse reads the text form: 46 characters from "Qm" on are version 0, everything else is
  // multibase of version 1. Version 0 inside multibase is refused, as the spec demands.
  static Result<Cid> parse(std::string_view text);

  // v1 makes a version 1 CID of a content type, at most kMaxVarint, and a whole multihash.
  static Result<Cid> v1(uint64_t codec, Bytes multihash);

  int version() const { return version_; }
  uint64_t codec() const { return codec_; }  // codec::kDagPb for version 0
  // Both borrowed from this.
  Bytes bytes() const { return bytes_; }
  Bytes multihash() const { return Bytes(bytes_).subspan(multihash_offset_); }

  // to_string returns the text form: version 1 in `base`, version 0 always in bare base58btc.
  std::string to_string(Base base = Base::kBase32) const;

  friend bool operator==(const Cid& a, const Cid& b) { return a.bytes_ == b.bytes_; }

 private:
  Cid(int version, uint64_t codec, Bytes bytes, size_t multihash_offset)
      : version_(version),
        codec_(codec),
        bytes_(to_vector(bytes)),
        multihash_offset_(multihash_offset) {}

  int version_;
  uint64_t codec_;
  ByteVector bytes_;
  size_t multihash_offset_;
};

}  // namespace kith::wire
