// Multiaddrs for people: their components, and what this build can do with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct AddressPart {
  uint32_t code = 0;
  std::string name;
  std::string value;  // as text; empty if the protocol has none
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> value_bytes;
};

struct Address {
  std::string text;  // canonical
  std::vector<uint8_t> bytes;
  std::vector<AddressPart> parts;
  // The value of the first component `name`; empty if there is none.
  std::string value_of(std::string_view name) const;
};

// Parses a multiaddr. Throws Failure, which names the component and what is wrong with it.
Address parse_address(const std::string& text);
// The same for an argument of the command line: UsageError.
Address parse_address_argument(const std::string& text);

// Why this build cannot dial `address`, with what to do about it; nothing if it can.
std::optional<std::string> why_not_dial(const Address& address);
// Why it cannot listen on it.
std::optional<std::string> why_not_listen(const Address& address);
// What a component is for, in a few words: "UDP port".
std::string meaning_of(const AddressPart& part);

}  // namespace cli
