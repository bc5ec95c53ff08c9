// Protobuf field reader and writer. Spec: protobuf.dev "Encoding".
#include "wire/protobuf.h"

#include <bit>

#include "base/result.h"

namespace kith::wire {
namespace {

constexpr uint32_t kMaxFieldNumber = (1U << 29) - 1;
constexpr size_t kMaxVarintBytes = 10;

enum WireType : uint32_t { kWireVarint = 0, kWireFixed64 = 1, kWireBytes = 2, kWireFixed32 = 5 };

size_t varint64_size(uint64_t v) { return (static_cast<size_t>(std::bit_width(v | 1)) + 6) / 7; }

void append_varint64(ByteVector& out, uint64_t v) {
  for (; v >= 0x80; v >>= 7) out.push_back(static_cast<uint8_t>(v | 0x80));
  out.push_back(static_cast<uint8_t>(v));
}

uint32_t tag(uint32_t field, WireType type) {
  KITH_CHECK(field >= 1 && field <= kMaxFieldNumber);
  return field << 3 | type;
}

void append_little_endian(ByteVector& out, uint64_t v, size_t size) {
  for (size_t i = 0; i < size; ++i, v >>= 8) out.push_back(static_cast<uint8_t>(v));
}

}  // namespace

bool ProtoReader::read_varint(uint64_t* value) {
  uint64_t v = 0;
  for (size_t i = 0; i < kMaxVarintBytes && i < rest_.size(); ++i) {
    const uint8_t byte = rest_[i];
    // The tenth byte holds bit 63 only. go and prost refuse more, libprotobuf drops it: we refuse.
    if (i == kMaxVarintBytes - 1 && byte > 1) return false;
    v |= uint64_t{byte & 0x7fU} << (7 * i);
    if (byte < 0x80) {
      *value = v;
      rest_ = rest_.subspan(i + 1);
      return true;
    }
  }
  return false;
}

bool ProtoReader::read_fixed(size_t size, uint64_t* value) {
  if (rest_.size() < size) return false;
  uint64_t v = 0;
  for (size_t i = 0; i < size; ++i) v |= uint64_t{rest_[i]} << (8 * i);
  *value = v;
  rest_ = rest_.subspan(size);
  return true;
}

bool ProtoReader::read_field(ProtoField* field) {
  uint64_t key = 0;
  if (!read_varint(&key)) return false;
  if (key >> 3 == 0 || key >> 3 > kMaxFieldNumber) return false;
  *field = ProtoField{};
  field->number = static_cast<uint32_t>(key >> 3);
  switch (key & 7) {
    case kWireVarint:
      field->type = ProtoField::Type::kVarint;
      return read_varint(&field->value);
    case kWireFixed64:
      field->type = ProtoField::Type::kFixed64;
      return read_fixed(8, &field->value);
    case kWireFixed32:
      field->type = ProtoField::Type::kFixed32;
      return read_fixed(4, &field->value);
    case kWireBytes: {
      field->type = ProtoField::Type::kBytes;
      uint64_t size = 0;
      if (!read_varint(&size) || size > rest_.size()) return false;
      field->bytes = rest_.first(static_cast<size_t>(size));
      rest_ = rest_.subspan(static_cast<size_t>(size));
      return true;
    }
    default:
      return false;
  }
}

bool ProtoReader::next(ProtoField* field) {
  if (rest_.empty()) return false;
  if (read_field(field)) return true;
  rest_ = {};
  malformed_ = true;
  return false;
}

void ProtoWriter::varint(uint32_t field, uint64_t v) {
  append_varint64(out_, tag(field, kWireVarint));
  append_varint64(out_, v);
}

void ProtoWriter::bytes(uint32_t field, Bytes v) {
  append_varint64(out_, tag(field, kWireBytes));
  append_varint64(out_, v.size());
  append(out_, v);
}

void ProtoWriter::fixed64(uint32_t field, uint64_t v) {
  append_varint64(out_, tag(field, kWireFixed64));
  append_little_endian(out_, v, 8);
}

void ProtoWriter::fixed32(uint32_t field, uint32_t v) {
  append_varint64(out_, tag(field, kWireFixed32));
  append_little_endian(out_, v, 4);
}

size_t ProtoWriter::varint_size(uint32_t field, uint64_t v) {
  return varint64_size(tag(field, kWireVarint)) + varint64_size(v);
}

size_t ProtoWriter::bytes_size(uint32_t field, size_t num_bytes) {
  return varint64_size(tag(field, kWireBytes)) + varint64_size(num_bytes) + num_bytes;
}

}  // namespace kith::wire
