// Writing to people and to programs: lines on stdout, JSON, and text of strangers made harmless.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace cli {

using Json = nlohmann::ordered_json;

// Writes `line` and a newline to stdout, now: a reader at the other end of a pipe sees it. Throws Failure when stdout
// does not take it.
void print_line(std::string_view line);
// The same for a JSON value: on one line in a stream of events, indented when it is all of the output.
void print_event(const Json& event);
void print_document(const Json& document);

// `text` with everything that is not printable ASCII as \xNN: what a peer says of itself must not reach a terminal's
// escape sequences.
std::string printable(std::string_view text);
std::string hex(std::span<const uint8_t> bytes);
// Nanoseconds in milliseconds, for JSON; and as text for people: "1.234".
double milliseconds_value(double nanoseconds);
std::string milliseconds_text(double nanoseconds);
// "1 byte", "2 bytes".
std::string count_text(uint64_t n, std::string_view noun);

}  // namespace cli
