// Fuzzes the protobuf field reader and writer: what was read and written again reads the same,
// fields lie within the input, and no message has more fields than bytes.
#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "wire/protobuf.h"

namespace {

using namespace kith;
using namespace kith::wire;
using Type = ProtoField::Type;

void write(ProtoWriter& writer, const ProtoField& f) {
  switch (f.type) {
    case Type::kVarint:
      return writer.varint(f.number, f.value);
    case Type::kFixed64:
      return writer.fixed64(f.number, f.value);
    case Type::kFixed32:
      return writer.fixed32(f.number, static_cast<uint32_t>(f.value));
    case Type::kBytes:
      return writer.bytes(f.number, f.bytes);
  }
}

bool same(const ProtoField& a, const ProtoField& b) {
  return a.number == b.number && a.type == b.type && a.value == b.value && equal(a.bytes, b.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes in(data, size);
  ByteVector again;
  ProtoWriter writer(again);
  ProtoReader reader(in);
  size_t num_fields = 0;
  for (ProtoField f; reader.next(&f); ++num_fields) {
    KITH_CHECK(f.number >= 1 && f.number < 1U << 29);
    KITH_CHECK(f.bytes.empty() ||
               (f.bytes.data() >= data && f.bytes.data() + f.bytes.size() <= data + size));
    write(writer, f);
  }
  KITH_CHECK(num_fields * 2 <= size);
  KITH_CHECK(again.size() <= size);  // ours is the shortest form

  ProtoReader first(in), second(again);
  ProtoField a, b;
  for (size_t i = 0; i < num_fields; ++i)
    KITH_CHECK(first.next(&a) && second.next(&b) && same(a, b));
  KITH_CHECK(!second.next(&b) && !second.malformed());
  KITH_CHECK(!reader.next(&a) && !first.next(&a) && first.malformed() == reader.malformed());
  return 0;
}
