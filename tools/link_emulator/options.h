// The words by which the link emulator is configured, and how its counters are printed. README.md lists the words.
#pragma once

#include <string>
#include <string_view>

#include "tools/link_emulator/link_queue.h"

namespace kith::link_emulator {

// Both directions of a link.
struct LinkOptions {
  LinkConfig a_to_b;
  LinkConfig b_to_a;
};

// apply_words applies words separated by spaces: "key=value" for the directions named by the last word "both", "a-to-b"
// or "b-to-a" before it ("both" at the beginning); "clear" resets them to a perfect wire. Returns what is wrong with the
// first bad word, and then has applied those before it; empty if all are good.
std::string apply_words(LinkOptions& options, std::string_view words);

// to_json is an object of all counters.
std::string to_json(const LinkCounters& counters);

}  // namespace kith::link_emulator
