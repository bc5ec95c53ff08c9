// The head of an HTTP/1.1 message, as far as the WebSocket handshake needs it: gathered within
// limits, taken apart strictly. Sans-IO. Spec: RFC 9112 sections 2 to 5; RFC 9110 section 5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kith::websocket {

// HeadReader gathers the lines up to the empty one.
class HeadReader {
 public:
  // receive takes bytes up to the end of the head, and returns how many that were. Strict, so that
  // something else than HTTP is noticed at its first bytes: KITH_ERR_MALFORMED for a control
  // character, or a line that does not end in CR LF. KITH_ERR_LIMIT beyond
  // limits::kWebsocketHeadBytes.
  Result<size_t> receive(Bytes in);
  bool is_complete() const { return is_complete_; }
  // text returns the lines, each with its CR LF, without the empty one. Once complete.
  std::string_view text() const;

 private:
  std::string text_;
  bool is_complete_ = false;
};

// Head is a view of the text that it was parsed from.
struct Head {
  struct Field {
    std::string_view name;
    std::string_view value;  // without white space around it
  };

  // parse reads what HeadReader gathered. KITH_ERR_MALFORMED; KITH_ERR_LIMIT beyond
  // limits::kWebsocketHeaders fields.
  static Result<Head> parse(std::string_view text);

  // count returns how many fields are called `name`; value is that of the first, empty if there is
  // none. Names are compared without case.
  size_t count(std::string_view name) const;
  std::string_view value(std::string_view name) const;
  // lists says whether a field called `name`, taken as a list between commas, has `token`, compared
  // without case.
  bool lists(std::string_view name, std::string_view token) const;

  std::string_view start_line;
  std::vector<Field> fields;
};

}  // namespace kith::websocket
