// Two ends of a secure channel (noise::Session, tls::Session) as machines that fuzz::Pair can
// connect.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "fuzz/input.h"

namespace kith::fuzz {

// ChannelEnd is one end, with all that came out of it.
template <typename Session>
struct ChannelEnd {
  explicit ChannelEnd(const typename Session::Config& config) : session(config) {
    KITH_CHECK(session.start(out).ok());
  }

  // receive takes all of `in`, from memory of its own, and keeps the plaintext.
  size_t receive(Bytes in) {
    ByteVector chunk = to_vector(in);
    auto keep = [this](MutableBytes plaintext) {
      KITH_CHECK(session.state() == Session::State::kOpen && !plaintext.empty());
      append(received, plaintext);
      std::fill(plaintext.begin(), plaintext.end(), uint8_t{0xdd});  // the callee may
    };
    last = session.receive(chunk, keep, out);
    KITH_CHECK(last.ok() != (session.state() == Session::State::kFailed) ||
               session.state() == Session::State::kClosed);
    return in.size();
  }
  Bytes pending() const { return out.bytes(); }
  void sent(size_t n) { out.consume(n); }

  // say encrypts `text` in up to four spans, as `input` decides.
  void say(Bytes text, FuzzInput& input) {
    Bytes parts[4];
    Bytes rest = text;
    for (size_t i = 0; i < 3; ++i) {
      parts[i] = rest.first(rest.empty() ? 0 : input.below(rest.size()));
      rest = rest.subspan(parts[i].size());
    }
    parts[3] = rest;
    KITH_CHECK(session.encrypt(parts, out).ok());
    append(said, text);
  }

  bool is_open() const { return session.state() == Session::State::kOpen; }

  Session session;
  OutputBytes out;
  ByteVector said;
  ByteVector received;
  Status last;
};

// is_beginning says whether `part` is how `whole` begins.
inline bool is_beginning(Bytes part, Bytes whole) {
  return part.size() <= whole.size() && equal(part, whole.first(part.size()));
}

}  // namespace kith::fuzz
