// Multibase. Spec: multiformats/multibase.
#include "wire/multibase.h"

#include "wire/quote.h"

namespace kith::wire {
namespace {

enum class Method { kBitGroups, kNumber };

struct Row {
  Base base;
  Method method;
  Alphabet alphabet;
};

constexpr Row kRows[] = {
    {Base::kBase16, Method::kBitGroups,
     make_alphabet("base16", "0123456789abcdef", LetterCase::kIgnored)},
    {Base::kBase16Upper, Method::kBitGroups,
     make_alphabet("base16upper", "0123456789ABCDEF", LetterCase::kIgnored)},
    {Base::kBase32, Method::kBitGroups,
     make_alphabet("base32", "abcdefghijklmnopqrstuvwxyz234567", LetterCase::kIgnored)},
    {Base::kBase32Upper, Method::kBitGroups,
     make_alphabet("base32upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", LetterCase::kIgnored)},
    {Base::kBase36, Method::kNumber,
     make_alphabet("base36", "0123456789abcdefghijklmnopqrstuvwxyz", LetterCase::kIgnored)},
    {Base::kBase36Upper, Method::kNumber,
     make_alphabet("base36upper", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", LetterCase::kIgnored)},
    {Base::kBase58Btc, Method::kNumber,
     make_alphabet("base58btc", "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
                   LetterCase::kExact)},
    {Base::kBase64, Method::kBitGroups,
     make_alphabet("base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                   LetterCase::kExact)},
    {Base::kBase64Url, Method::kBitGroups,
     make_alphabet("base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                   LetterCase::kExact)},
};

const Row* find_row(char prefix) {
  for (const Row& row : kRows) {
    if (static_cast<char>(row.base) == prefix) return &row;
  }
  return nullptr;
}

void append_base(std::string& out, Base base, Bytes bytes) {
  const Row* row = find_row(static_cast<char>(base));
  KITH_CHECK(row != nullptr);
  if (row->method == Method::kNumber) {
    append_number(out, row->alphabet, bytes);
  } else {
    append_bit_groups(out, row->alphabet, bytes);
  }
}

}  // namespace

std::string encode_multibase(Base base, Bytes bytes) {
  std::string out(1, static_cast<char>(base));
  append_base(out, base, bytes);
  return out;
}

std::string encode_base(Base base, Bytes bytes) {
  std::string out;
  append_base(out, base, bytes);
  return out;
}

Result<ByteVector> decode_base(Base base, std::string_view text) {
  const Row* row = find_row(static_cast<char>(base));
  KITH_CHECK(row != nullptr);
  if (row->method == Method::kNumber) return decode_number(row->alphabet, text);
  return decode_bit_groups(row->alphabet, text, TrailingBits::kMustBeZero);
}

Result<Bytes> decode_base58(std::string_view text, NumberRoom& room) {
  return decode_number(find_row(static_cast<char>(Base::kBase58Btc))->alphabet, text, room);
}

Result<ByteVector> decode_multibase(std::string_view text, Base* out_base) {
  if (text.empty()) return Error(KITH_ERR_MALFORMED, "multibase", "the text is empty");
  const Row* row = find_row(text.front());
  if (row == nullptr) {
    return Error(KITH_ERR_MALFORMED, "multibase",
                 quote(text.substr(0, 1)) + " names no known base");
  }
  if (out_base != nullptr) *out_base = row->base;
  return decode_base(row->base, text.substr(1));
}

}  // namespace kith::wire
