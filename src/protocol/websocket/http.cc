#include "protocol/websocket/http.h"

#include <algorithm>

#include "base/limits.h"
#include "wire/quote.h"

namespace kith::websocket {
namespace {

constexpr char kWhere[] = "http";
constexpr std::string_view kLineEnd = "\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_token(std::string_view text) {
  const auto is_token_char = [](char c) {
    const bool is_alphanumeric = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
    return is_alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_control(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7f;
}

}  // namespace

Result<size_t> HeadReader::receive(Bytes in) {
  size_t taken = 0;
  for (; taken < in.size() && !is_complete_; ++taken) {
    const char c = static_cast<char>(in[taken]);
    if (text_.size() == limits::kWebsocketHeadBytes) {
      return Error(
          KITH_ERR_LIMIT, kWhere,
          "the head is longer than " + std::to_string(limits::kWebsocketHeadBytes) + " bytes");
    }
    const bool is_after_cr = !text_.empty() && text_.back() == '\r';
    if (is_control(c) || is_after_cr != (c == '\n')) {
      return Error(KITH_ERR_MALFORMED, kWhere, "that is not HTTP/1.1");
    }
    text_.push_back(c);
    is_complete_ = c == '\n' && (text_.size() == 2 || text_.ends_with("\r\n\r\n"));
  }
  return taken;
}

std::string_view HeadReader::text() const {
  return std::string_view(text_).substr(0, text_.size() - kLineEnd.size());
}

Result<Head> Head::parse(std::string_view text) {
  Head out;
  bool is_first = true;
  while (!text.empty()) {
    const size_t end = text.find(kLineEnd);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), line.size() + kLineEnd.size()));
    if (std::exchange(is_first, false)) {
      out.start_line = line;
      continue;
    }
    const size_t colon = line.find(':');
    // White space before the name, as of a folded line, or after it, is an error by the RFC.
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return Error(KITH_ERR_MALFORMED, kWhere, "not a header field: " + wire::quote(line));
    }
    if (out.fields.size() == limits::kWebsocketHeaders) {
      return Error(KITH_ERR_LIMIT, kWhere,
                   "more than " + std::to_string(limits::kWebsocketHeaders) + " header fields");
    }
    out.fields.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
  }
  return out;
}

size_t Head::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(), [&](const Field& f) {
    return equal_without_case(f.name, name);
  }));
}

std::string_view Head::value(std::string_view name) const {
  for (const Field& f : fields) {
    if (equal_without_case(f.name, name)) return f.value;
  }
  return {};
}

bool Head::lists(std::string_view name, std::string_view token) const {
  for (const Field& f : fields) {
    if (!equal_without_case(f.name, name)) continue;
    for (std::string_view rest = f.value; !rest.empty();) {
      const size_t comma = rest.find(',');
      if (equal_without_case(trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

}  // namespace kith::websocket
