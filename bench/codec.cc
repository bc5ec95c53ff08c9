// What it costs kith to read and write single values: CPU time, and allocations through operator new, malloc and calloc.
//
//   bench_codec codec op=NAME input=VALUE       rows.py has the operations and the values
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "bench/measure.h"
#include "identity/peer_id.h"
#include "protocol/identify/message.h"
#include "wire/multiaddr.h"
#include "wire/protobuf.h"
#include "wire/varint.h"

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t num, size_t size);
void* __libc_realloc(void* memory, size_t size);
}

namespace {
uint64_t num_allocations = 0;  // there is one thread
}

// operator new takes its memory from here, too.
extern "C" {
void* malloc(size_t size) {
  ++num_allocations;
  return __libc_malloc(size);
}
void* calloc(size_t num, size_t size) {
  ++num_allocations;
  return __libc_calloc(num, size);
}
void* realloc(void* memory, size_t size) {
  ++num_allocations;
  return __libc_realloc(memory, size);
}
}

namespace kith::bench {
namespace {

// Makes the compiler believe that `value` is used, and changed.
template <typename T>
void keep(T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

void check(bool ok) {
  if (!ok) fail("the input does not parse");
}

// Repeats `work`, which does `ops` operations, and prints what CPU time and allocations one takes.
template <typename Work>
int measure(size_t ops, const Work& work) {
  const auto batch = [&] {
    for (int i = 0; i < 1000; ++i) work();
  };
  batch();
  uint64_t rounds = 0;
  const uint64_t before = num_allocations;
  Meter meter;
  meter.start();
  for (const double end = now() + 0.3; now() < end; rounds += 1000) batch();
  meter.stop();
  const auto n = static_cast<double>(rounds * ops);
  const auto allocations = static_cast<double>(num_allocations - before);
  print_result("codec", meter,
               text("\"n\":%.0f,\"ns_per_op\":%.3f,\"allocs_per_op\":%.3f", n, meter.cpu * 1e9 / n,
                    allocations / n));
  return 0;
}

ByteVector unhex(std::string_view text) {
  ByteVector out(text.size() / 2);
  for (size_t i = 0; i < out.size(); ++i) {
    const std::string byte(text.substr(2 * i, 2));
    out[i] = static_cast<uint8_t>(std::strtoul(byte.c_str(), nullptr, 16));
  }
  return out;
}

int varint_decode(Bytes in, size_t num) {
  return measure(num, [&] {
    for (Bytes rest = in; !rest.empty();) {
      wire::VarintDecode decoded = wire::decode_varint(rest);
      keep(decoded.value);
      rest = rest.subspan(decoded.size);
    }
  });
}

int varint_encode(const std::vector<uint64_t>& values) {
  uint8_t buffer[10];
  return measure(values.size(), [&] {
    for (const uint64_t value : values) {
      wire::write_varint(buffer, value);
      keep(buffer);
    }
  });
}

int varint(std::string_view op, Bytes in) {
  std::vector<uint64_t> values;
  for (Bytes rest = in; !rest.empty();) {
    const wire::VarintDecode decoded = wire::decode_varint(rest);
    check(decoded.state == wire::DecodeState::kDone);
    values.push_back(decoded.value);
    rest = rest.subspan(decoded.size);
  }
  return op == "varint-decode" ? varint_decode(in, values.size()) : varint_encode(values);
}

// The fields, as views of the message.
int protobuf(Bytes in) {
  return measure(1, [&] {
    wire::ProtoReader reader(in);
    for (wire::ProtoField field; reader.next(&field);) keep(field);
    check(!reader.malformed());
  });
}

// All of it, with addresses and protocol ids checked.
int identify(Bytes in) {
  ByteVector framed;
  wire::append_varint(framed, in.size());
  framed.insert(framed.end(), in.begin(), in.end());
  return measure(1, [&] {
    identify::Reader reader;
    reader.receive(framed);
    Result<identify::IdentifyMessage> message = reader.finish();
    check(message.ok() && message->num_skipped_addrs == 0);
    keep(*message);
  });
}

int peer_id(std::string_view op, std::string_view input) {
  if (op == "peer-id-parse") {
    return measure(1, [&] {
      Result<identity::PeerId> id = identity::PeerId::parse(input);
      check(id.ok());
      keep(*id);
    });
  }
  const Result<identity::PeerId> id = identity::PeerId::parse(input);
  check(id.ok());
  return measure(1, [&] {
    std::string out = id->to_string();
    keep(out);
  });
}

int run(std::string_view op, std::string_view input) {
  if (op == "multiaddr-text") {
    return measure(1, [&] {
      Result<wire::Multiaddr> address = wire::Multiaddr::parse(input);
      check(address.ok());
      keep(*address);
    });
  }
  if (op.starts_with("peer-id-")) return peer_id(op, input);
  const ByteVector in = unhex(input);
  if (op == "multiaddr-binary") {
    return measure(1, [&] {
      Result<wire::Multiaddr> address = wire::Multiaddr::decode(in);
      check(address.ok());
      keep(*address);
    });
  }
  if (op.starts_with("varint-")) return varint(op, in);
  if (op == "protobuf") return protobuf(in);
  if (op == "identify") return identify(in);
  fail("no such operation");
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) {
  std::string_view op, input;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg.starts_with("op=")) op = arg.substr(3);
    if (arg.starts_with("input=")) input = arg.substr(6);
  }
  return kith::bench::run(op, input);
}
