// Protobuf fields without generated code: a reader that walks one message in place and a writer
// that appends to a vector. Nested messages are bytes fields: read them with a second ProtoReader,
// one per level that the caller's format has, so nothing recurses on input. Spec: protobuf.dev
// "Encoding" (proto2 and proto3 share it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace kith::wire {

// ProtoField is one field as it stands on the wire; what its number means is the caller's business.
struct ProtoField {
  enum class Type { kVarint, kFixed64, kBytes, kFixed32 };
  uint32_t number = 0;  // 1..2^29-1
  Type type = Type::kVarint;
  uint64_t value = 0;  // kVarint, kFixed64, kFixed32; 0 for kBytes
  Bytes bytes;         // kBytes: points into the reader's input; empty for the others
};

// ProtoReader walks the fields of one message in the order of the wire, copying and allocating
// nothing.
//
//   ProtoReader reader(message);
//   for (ProtoField field; reader.next(&field);) { ... }
//   if (reader.malformed()) return ...;
//
// Unknown fields, repeated fields and any order are valid protobuf; a caller that expects otherwise
// says so.
class ProtoReader {
 public:
  // `in` is borrowed and must outlive the reader and the fields it gives.
  explicit ProtoReader(Bytes in) : rest_(in) {}

  // next sets `*field` to the next field and returns true. It returns false at the end and on
  // malformed input, after which malformed() is true and every further call returns false; `*field`
  // is then unspecified. Malformed are: a truncated field, a varint of more than 64 bits, groups,
  // unknown wire types, field numbers outside 1..2^29-1. Varints may be non-minimal, up to 10
  // bytes.
  bool next(ProtoField* field);
  bool malformed() const { return malformed_; }

 private:
  bool read_varint(uint64_t* value);
  bool read_fixed(size_t size, uint64_t* value);
  bool read_field(ProtoField* field);

  Bytes rest_;
  bool malformed_ = false;
};

// ProtoWriter appends fields to `out`. It writes what it is told, also zero and empty values:
// leaving out a default is the caller's choice. Field numbers must be 1..2^29-1; others abort.
class ProtoWriter {
 public:
  // `out` is borrowed; existing content stays in front.
  explicit ProtoWriter(ByteVector& out) : out_(out) {}

  void varint(uint32_t field, uint64_t v);
  void bytes(uint32_t field, Bytes v);
  void string(uint32_t field, std::string_view v) { bytes(field, as_bytes(v)); }
  void fixed64(uint32_t field, uint64_t v);
  void fixed32(uint32_t field, uint32_t v);

  // varint_size and bytes_size return how many bytes such a field takes, tag included, so that a
  // message can be sized before it is written.
  static size_t varint_size(uint32_t field, uint64_t v);
  static size_t bytes_size(uint32_t field, size_t num_bytes);

 private:
  ByteVector& out_;
};

}  // namespace kith::wire
