// The stream ciphers Salsa20/20 and XSalsa20, which OpenSSL does not have. Spec: D. J. Bernstein,
// "Salsa20 specification" (2005) and "Extending the Salsa20 nonce" (2011).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace kith::crypto {

// Salsa20 is one key stream, combined with the bytes that pass: encrypting and decrypting are the
// same. It hides content and protects nothing from being changed.
class Salsa20 {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kNonceBytes = 8;
  static constexpr size_t kXNonceBytes = 24;

  // A nonce of kNonceBytes makes it Salsa20, one of kXNonceBytes XSalsa20: a key derived from
  // `key32` and the first 16 bytes, and the last 8 as the nonce. Other sizes abort.
  Salsa20(Bytes key32, Bytes nonce);
  ~Salsa20();
  Salsa20(const Salsa20&) = delete;
  Salsa20& operator=(const Salsa20&) = delete;

  // apply combines `bytes`, in place, with as much of the stream, which goes on from there with the
  // next call.
  void apply(MutableBytes bytes);

 private:
  static constexpr size_t kBlocks = 4;  // computed side by side
  void refill();

  std::array<uint32_t, 16> state_;
  alignas(16) std::array<uint8_t, 64 * kBlocks> stream_;
  size_t used_ = sizeof(stream_);  // of stream_
};

}  // namespace kith::crypto
