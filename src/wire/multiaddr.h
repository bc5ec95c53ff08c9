// Multiaddr: a network address as a path of components, such as
// /ip4/1.2.3.4/udp/4001/quic-v1/p2p/12D3... Spec: multiformats/multiaddr README.md; byte level as
// go-multiaddr.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/multiaddr_protocols.h"

namespace kith::wire {

// Component is one part of a multiaddr: a protocol and its value in binary form.
struct Component {
  const Protocol* protocol = nullptr;  // never null in a component that a multiaddr gives
  Bytes value;  // borrowed from the multiaddr; empty if the protocol has none

  // value_text returns the value as the text form has it: "127.0.0.1", "4001", "12D3...". Empty if
  // there is none.
  std::string value_text() const;
};

// Multiaddr is a value: the binary form of an address, checked when it is made. A
// default-constructed or moved-from one is empty. Addresses of up to kInlineBytes, which holds
// /ip6/udp/quic-v1/p2p with an Ed25519 peer id, allocate nothing. Order is that of the bytes.
class Multiaddr {
 public:
  static constexpr size_t kInlineBytes = 64;

  class Iterator;

  Multiaddr() {}  // NOLINT(modernize-use-equals-default): so as not to clear inline_
  Multiaddr(const Multiaddr& other) { assign(other.bytes()); }
  Multiaddr& operator=(const Multiaddr& other);
  Multiaddr(Multiaddr&& other) noexcept { take(other); }
  Multiaddr& operator=(Multiaddr&& other) noexcept;
  ~Multiaddr() = default;

  // parse reads the text form; slashes at its end are ignored, and "/ipfs/" means "/p2p/". The
  // error names the component, counted from 1, and says what is wrong: "component 2 'tcp': port
  // 65536 is out of range 0..65535". KITH_ERR_MALFORMED, or KITH_ERR_LIMIT beyond
  // limits::kMultiaddrTextBytes or kMultiaddrBytes.
  static Result<Multiaddr> parse(std::string_view text);

  // decode reads the binary form, which must fill `in` and not be empty. Errors as for parse.
  static Result<Multiaddr> decode(Bytes in);

  // bytes returns the binary form, borrowed: valid until this is changed, moved or destroyed.
  Bytes bytes() const { return {heap_ ? heap_.get() : inline_.data(), size_}; }

  // to_string returns the canonical text form; empty if this is. It parses back to an equal
  // address, as long as it is not longer than limits::kMultiaddrTextBytes.
  std::string to_string() const;

  bool empty() const { return size_ == 0; }

  // for (Component c : addr): the components in order, without allocating. They borrow from this.
  Iterator begin() const;
  Iterator end() const;

  // find returns the first component of a protocol; last the very last one.
  std::optional<Component> find(uint32_t code) const;
  bool has(uint32_t code) const { return find(code).has_value(); }
  std::optional<Component> last() const;

  // with returns this followed by `suffix`. If that is not a valid address, because this ends with
  // a path (unix) or the whole exceeds limits::kMultiaddrBytes, the result is empty.
  Multiaddr with(const Multiaddr& suffix) const;

  // with returns this followed by one component, whose value is given in binary. Fails as decode
  // does.
  Result<Multiaddr> with(uint32_t code, Bytes value = {}) const;

  // without_last returns everything but the last component; empty if there is at most one.
  Multiaddr without_last() const;

  // up_to returns everything before the last component of a protocol; all of this if there is none.
  Multiaddr up_to(uint32_t code) const;

  friend bool operator==(const Multiaddr& a, const Multiaddr& b) {
    return equal(a.bytes(), b.bytes());
  }
  friend std::strong_ordering operator<=>(const Multiaddr& a, const Multiaddr& b);

 private:
  explicit Multiaddr(Bytes valid) { assign(valid); }

  void assign(Bytes bytes);
  void take(Multiaddr& other) noexcept;
  bool ends_with_path() const;

  size_t size_ = 0;
  std::unique_ptr<uint8_t[]> heap_;  // null while size_ <= kInlineBytes
  std::array<uint8_t, kInlineBytes> inline_;
};

// Forward iterator over the components of a multiaddr that outlives it.
class Multiaddr::Iterator {
 public:
  using value_type = Component;
  using difference_type = std::ptrdiff_t;
  using reference = Component;
  using iterator_category = std::input_iterator_tag;  // of C++17: the reference is a value
  using iterator_concept = std::forward_iterator_tag;

  Iterator() = default;
  Component operator*() const { return component_; }
  const Component* operator->() const { return &component_; }
  Iterator& operator++();
  Iterator operator++(int);
  friend bool operator==(const Iterator& a, const Iterator& b) {
    return a.rest_.data() == b.rest_.data();
  }

 private:
  friend class Multiaddr;
  explicit Iterator(Bytes rest);
  void read();

  Bytes rest_;  // from this component to the end
  size_t component_bytes_ = 0;
  Component component_;
};

inline Multiaddr::Iterator Multiaddr::begin() const { return Iterator(bytes()); }
inline Multiaddr::Iterator Multiaddr::end() const { return Iterator(bytes().subspan(size_)); }

}  // namespace kith::wire
