// Multiaddr. Spec: multiformats/multiaddr README.md; byte level as go-multiaddr codec.go.
#include "wire/multiaddr.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "wire/multiaddr_value.h"
#include "wire/quote.h"
#include "wire/varint.h"

namespace kith::wire {
namespace {

Error malformed(std::string detail, kith_status status = KITH_ERR_MALFORMED) {
  return Error(status, "multiaddr", std::move(detail));
}

// `inner`, with the component that it is about in front. `index` counts from 1.
Error in_component(size_t index, const Protocol& protocol, const Error& inner) {
  return malformed("component " + std::to_string(index) + " " + quote(protocol.name) + ": " +
                       std::string(inner.detail()),
                   inner.status());
}

Error in_component(size_t index, const std::string& detail) {
  return malformed("component " + std::to_string(index) + ": " + detail);
}

Status check_size(size_t num_bytes) {
  if (num_bytes <= limits::kMultiaddrBytes) return {};
  return malformed("an address of " + std::to_string(num_bytes) + " bytes exceeds the limit of " +
                       std::to_string(limits::kMultiaddrBytes),
                   KITH_ERR_LIMIT);
}

// What is at the front of some binary form; of the value it is only known that it lies within the
// input.
struct Layout {
  Component component;          // the protocol stays null when the code is unknown
  size_t size = 0;              // of code, length and value
  const char* fault = nullptr;  // what is wrong with it
};

Layout read_component(Bytes in) {
  Layout layout;
  const auto fail = [&layout](const char* fault) {
    layout.fault = fault;
    return layout;
  };
  const VarintDecode code = decode_varint(in);
  if (code.state != DecodeState::kDone) return fail("the protocol code is not a whole varint");
  if (code.value > UINT32_MAX) return fail("the protocol code exceeds 32 bits");
  const Protocol* protocol = protocol_by_code(static_cast<uint32_t>(code.value));
  if (protocol == nullptr) return fail("no protocol has this code");
  layout.component.protocol = protocol;
  layout.size = code.size;
  uint64_t value_size = static_cast<uint64_t>(std::max(protocol->size_bits, 0)) / 8;
  if (protocol->size_bits < 0) {
    const VarintDecode length = decode_varint(in.subspan(layout.size));
    if (length.state != DecodeState::kDone) return fail("the length is not a whole varint");
    layout.size += length.size;
    value_size = length.value;
  }
  if (value_size > in.size() - layout.size) return fail("the value is cut short");
  layout.component.value = in.subspan(layout.size, static_cast<size_t>(value_size));
  layout.size += layout.component.value.size();
  return layout;
}

// The next element of the text between slashes; `*rest` begins with a slash or is empty.
std::string_view take_element(std::string_view* rest) {
  rest->remove_prefix(1);
  const std::string_view element = rest->substr(0, rest->find('/'));
  rest->remove_prefix(element.size());
  return element;
}

// Takes one component off the front of `*rest` and appends its binary form.
Status parse_component(size_t index, std::string_view* rest, AddressBuffer& out) {
  const std::string_view name = take_element(rest);
  const Protocol* protocol = protocol_by_name(name);
  if (protocol == nullptr) {
    return in_component(index, name.empty() ? "the protocol name is empty"
                                            : "no protocol is called " + quote(name));
  }
  out.insert_varint(out.size(), protocol->code);
  if (protocol->size_bits == 0) return {};
  if (rest->empty()) return in_component(index, *protocol, malformed("the value is missing"));
  std::string_view text = *rest;
  if (protocol->is_path) {
    *rest = {};
  } else {
    text = take_element(rest);
  }
  const size_t start = out.size();
  if (const Status parsed = parse_value(*protocol, text, out); !parsed.ok()) {
    return in_component(index, *protocol, parsed.error());
  }
  if (protocol->size_bits < 0) out.insert_varint(start, out.size() - start);
  return {};
}

// " (999)" when `in` begins with a whole varint.
std::string code_in_front(Bytes in) {
  const VarintDecode code = decode_varint(in);
  return code.state == DecodeState::kDone ? " (" + std::to_string(code.value) + ")" : "";
}

// Whether `in` is the binary form of a valid address.
Status check_components(Bytes in) {
  bool after_path = false;
  for (size_t index = 1; !in.empty(); ++index) {
    const Layout layout = read_component(in);
    const Protocol* protocol = layout.component.protocol;
    if (layout.fault != nullptr) {
      return protocol == nullptr ? in_component(index, layout.fault + code_in_front(in))
                                 : in_component(index, *protocol, malformed(layout.fault));
    }
    if (after_path) {
      return in_component(index, *protocol, malformed("nothing may follow a path"));
    }
    if (const Status checked = check_value(*protocol, layout.component.value); !checked.ok()) {
      return in_component(index, *protocol, checked.error());
    }
    after_path = protocol->is_path;
    in = in.subspan(layout.size);
  }
  return {};
}

}  // namespace

std::string Component::value_text() const {
  std::string out;
  if (protocol->size_bits != 0) append_value(*protocol, value, out);
  return out;
}

Multiaddr& Multiaddr::operator=(const Multiaddr& other) {
  if (this != &other) assign(other.bytes());
  return *this;
}

Multiaddr& Multiaddr::operator=(Multiaddr&& other) noexcept {
  if (this != &other) take(other);
  return *this;
}

void Multiaddr::assign(Bytes bytes) {
  heap_ = bytes.size() > kInlineBytes ? std::make_unique<uint8_t[]>(bytes.size()) : nullptr;
  size_ = bytes.size();
  std::copy(bytes.begin(), bytes.end(), heap_ ? heap_.get() : inline_.data());
}

void Multiaddr::take(Multiaddr& other) noexcept {
  size_ = std::exchange(other.size_, 0);
  heap_ = std::move(other.heap_);
  if (!heap_) std::copy_n(other.inline_.begin(), size_, inline_.begin());
}

Result<Multiaddr> Multiaddr::parse(std::string_view text) {
  if (text.size() > limits::kMultiaddrTextBytes) {
    return malformed("a text of " + std::to_string(text.size()) + " bytes exceeds the limit of " +
                         std::to_string(limits::kMultiaddrTextBytes),
                     KITH_ERR_LIMIT);
  }
  std::string_view rest = text;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty()) return malformed("the address is empty");
  if (!rest.starts_with('/')) return malformed(quote(text) + " does not begin with a slash");
  AddressBuffer bytes;
  for (size_t index = 1; !rest.empty(); ++index) {
    KITH_TRY(parse_component(index, &rest, bytes));
    KITH_TRY(check_size(bytes.size()));
  }
  return Multiaddr(bytes.bytes());
}

Result<Multiaddr> Multiaddr::decode(Bytes in) {
  if (in.empty()) return malformed("the address is empty");
  KITH_TRY(check_size(in.size()));
  KITH_TRY(check_components(in));
  return Multiaddr(in);
}

std::string Multiaddr::to_string() const {
  std::string out;
  for (const Component& c : *this) {
    out += '/';
    out += c.protocol->name;
    if (c.protocol->size_bits == 0) continue;
    if (!c.protocol->is_path) out += '/';
    append_value(*c.protocol, c.value, out);
  }
  return out;
}

std::optional<Component> Multiaddr::find(uint32_t code) const {
  for (const Component& c : *this) {
    if (c.protocol->code == code) return c;
  }
  return std::nullopt;
}

std::optional<Component> Multiaddr::last() const {
  std::optional<Component> found;
  for (const Component& c : *this) found = c;
  return found;
}

bool Multiaddr::ends_with_path() const {
  const std::optional<Component> c = last();
  return c.has_value() && c->protocol->is_path;
}

Multiaddr Multiaddr::with(const Multiaddr& suffix) const {
  if (suffix.empty()) return *this;
  if (empty()) return suffix;
  if (ends_with_path() || size_ + suffix.size_ > limits::kMultiaddrBytes) return {};
  ByteVector joined = to_vector(bytes());
  append(joined, suffix.bytes());
  return Multiaddr(Bytes(joined));
}

Result<Multiaddr> Multiaddr::with(uint32_t code, Bytes value) const {
  const Protocol* protocol = protocol_by_code(code);
  if (protocol == nullptr) return malformed("no protocol has code " + std::to_string(code));
  // Checked before it is joined: a value of a wrong size would read as a value and another
  // component.
  if (const Status checked = check_value(*protocol, value); !checked.ok()) {
    return malformed(quote(protocol->name) + ": " + std::string(checked.error().detail()),
                     checked.status());
  }
  KITH_TRY(check_size(size_ + value.size()));
  ByteVector joined = to_vector(bytes());
  append_varint(joined, code);
  if (protocol->size_bits < 0) append_varint(joined, value.size());
  append(joined, value);
  return decode(joined);
}

Multiaddr Multiaddr::without_last() const {
  size_t size = 0;
  for (Iterator it = begin(); it != end(); ++it) size = size_ - it.rest_.size();
  return Multiaddr(bytes().first(size));
}

Multiaddr Multiaddr::up_to(uint32_t code) const {
  size_t size = size_;
  for (Iterator it = begin(); it != end(); ++it) {
    if (it->protocol->code == code) size = size_ - it.rest_.size();
  }
  return Multiaddr(bytes().first(size));
}

std::strong_ordering operator<=>(const Multiaddr& a, const Multiaddr& b) {
  const Bytes x = a.bytes(), y = b.bytes();
  return std::lexicographical_compare_three_way(x.begin(), x.end(), y.begin(), y.end());
}

Multiaddr::Iterator::Iterator(Bytes rest) : rest_(rest) { read(); }

void Multiaddr::Iterator::read() {
  if (rest_.empty()) return;
  const Layout layout = read_component(rest_);
  KITH_CHECK(layout.fault == nullptr);
  component_ = layout.component;
  component_bytes_ = layout.size;
}

Multiaddr::Iterator& Multiaddr::Iterator::operator++() {
  KITH_CHECK(!rest_.empty());
  rest_ = rest_.subspan(component_bytes_);
  read();
  return *this;
}

Multiaddr::Iterator Multiaddr::Iterator::operator++(int) {
  Iterator before = *this;
  ++*this;
  return before;
}

}  // namespace kith::wire
