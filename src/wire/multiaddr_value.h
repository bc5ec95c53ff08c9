// The value of one multiaddr component, between its text and its bytes. Internal to multiaddr.
// Spec: multiformats/multiaddr; byte level and text as go-multiaddr transcoders.go.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/multiaddr_protocols.h"

namespace kith::wire {

// AddressBuffer collects the binary form of one address on the stack. What is beyond
// limits::kMultiaddrBytes is counted and not kept.
class AddressBuffer {
 public:
  size_t size() const { return size_; }
  bool is_too_large() const { return size_ > bytes_.size(); }
  // Precondition: !is_too_large().
  Bytes bytes() const { return Bytes(bytes_).first(size_); }

  void push_back(uint8_t byte) {
    if (size_ < bytes_.size()) bytes_[size_] = byte;
    ++size_;
  }
  void append(Bytes bytes);
  // Puts `value` as a varint in front of what follows `at`.
  void insert_varint(size_t at, uint64_t value);

 private:
  size_t size_ = 0;
  std::array<uint8_t, limits::kMultiaddrBytes> bytes_;  // up to size_
};

// check_value says whether `value` is a valid value of `protocol`. Allocates only to say that it is
// not.
Status check_value(const Protocol& protocol, Bytes value);

// parse_value appends to `out` the bytes that `text` stands for; they pass check_value,
// unless the address is too large then. For a path protocol the text begins with '/'. Precondition:
// the protocol has a value. Allocates for values in base32 and base64, and to say what is wrong.
Status parse_value(const Protocol& protocol, std::string_view text, AddressBuffer& out);

// append_value appends the text of a valid value.
void append_value(const Protocol& protocol, Bytes value, std::string& out);

}  // namespace kith::wire
