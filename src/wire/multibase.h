// Bytes as text in a base that the first character names.
// Spec: multiformats/multibase README.md and multibase.csv; the bases that libp2p texts use.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/alphabet.h"

namespace kith::wire {

// Base is a multibase; the value is its prefix character.
enum class Base : char {
  kBase16 = 'f',
  kBase16Upper = 'F',
  kBase32 = 'b',  // RFC 4648, no padding
  kBase32Upper = 'B',
  kBase36 = 'k',
  kBase36Upper = 'K',
  kBase58Btc = 'z',
  kBase64 = 'm',     // RFC 4648, no padding
  kBase64Url = 'u',  // RFC 4648, no padding
};

// encode_multibase returns the prefix character of `base`, then `bytes` in it.
// Precondition for base36 and base58: at most limits::kBigNumberBytes bytes, since their cost grows
// with the square of the length.
std::string encode_multibase(Base base, Bytes bytes);

// decode_multibase decodes text that starts with a prefix character, and tells the base in
// `*out_base` unless that is null. base16, 32 and 36 take letters of either case. Refused are
// unknown prefixes, characters outside the base, padding, stray bits after the last byte
// (KITH_ERR_MALFORMED), and more than limits::kBigNumberTextBytes characters of base36 or base58
// (KITH_ERR_LIMIT).
Result<ByteVector> decode_multibase(std::string_view text, Base* out_base = nullptr);

// encode_base and decode_base are the same without the prefix character.
std::string encode_base(Base base, Bytes bytes);
Result<ByteVector> decode_base(Base base, std::string_view text);

// decode_base58 decodes base58btc without allocating: into the front of `room`, which it returns.
Result<Bytes> decode_base58(std::string_view text, NumberRoom& room);

}  // namespace kith::wire
