// The value of one multiaddr component, between its text and its bytes. Internal to multiaddr.
// Spec: multiformats/multiaddr; byte level and text as go-multiaddr transcoders.go.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/multiaddr_protocols.h"

namespace kith::wire {

// check_value says whether `value` is a valid value of `protocol`. Allocates only to say that it is
// not.
Status check_value(const Protocol& protocol, Bytes value);

// parse_value appends to `out` the bytes that `text` stands for; they pass check_value. For a path
// protocol the text begins with '/'. Precondition: the protocol has a value.
Status parse_value(const Protocol& protocol, std::string_view text, ByteVector& out);

// append_value appends the text of a valid value.
void append_value(const Protocol& protocol, Bytes value, std::string& out);

}  // namespace kith::wire
