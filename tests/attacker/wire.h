// The few encodings the attacker needs, written apart from kith's own so that both cannot be wrong
// together: unsigned varints, multistream lines, protobuf fields, DER, base58btc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::attacker {

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;

inline constexpr std::string_view kMultistream = "/multistream/1.0.0";
inline constexpr std::string_view kPing = "/ipfs/ping/1.0.0";
inline constexpr std::string_view kIdentify = "/ipfs/id/1.0.0";
inline constexpr std::string_view kIdentifyPush = "/ipfs/id/push/1.0.0";
inline constexpr size_t kPingBytes = 32;

Bytes bytes_of(std::string_view text);
void append(Bytes& out, View more);
void append(Bytes& out, std::string_view more);
void append_varint(Bytes& out, uint64_t value);

// append_line appends one multistream line: length, text, newline.
void append_line(Bytes& out, std::string_view text);

// read_line takes one line off the front of `in`. Returns false while it is incomplete; a line
// longer than 1 KiB gives an empty `line`.
bool read_line(Bytes& in, std::string& line);

// append_field appends a length-delimited protobuf field.
void append_field(Bytes& out, uint32_t field, View value);
void append_field(Bytes& out, uint32_t field, std::string_view value);

// der_wrap returns `content` as one DER value of the given tag.
Bytes der_wrap(uint8_t tag, View content);

std::string base58(View bytes);

}  // namespace kith::attacker
