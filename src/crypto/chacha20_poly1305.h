// The AEAD ChaCha20-Poly1305. Spec: RFC 8439, section 2.8.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"

struct evp_cipher_ctx_st;

namespace kith::crypto {

// ChaCha20Poly1305 is one key in one direction. The cipher context is made once: sealing and
// opening allocate nothing.
class ChaCha20Poly1305 {
 public:
  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kTagBytes = 16;
  using Nonce = std::array<uint8_t, 12>;
  enum class Direction : uint8_t { kSeal, kOpen };

  // Keeps a copy of `key32`, which is cleansed in the end. Another size aborts.
  ChaCha20Poly1305(Bytes key32, Direction direction);

  // seal writes the encryption of all of `plaintext`, taken as one sequence, to `out`, and the tag
  // behind it: kTagBytes more than there are in `plaintext`. A nonce is used once in the life of a
  // key. Precondition: Direction::kSeal.
  void seal(const Nonce& nonce, Bytes associated_data, std::span<const Bytes> plaintext,
            uint8_t* out);

  // open decrypts `sealed`, ciphertext and tag, in place. The plaintext is its beginning, kTagBytes
  // less. Returns false, and leaves zeros, when the tag does not fit or there is none.
  // Precondition: Direction::kOpen.
  [[nodiscard]] bool open(const Nonce& nonce, Bytes associated_data, MutableBytes sealed);

  // The same for what arrives in pieces: begin_open(), open_piece() for each piece of the
  // ciphertext, of any size, and end_open() with the tag. The plaintext goes to `out`, as long as
  // that of the pieces; nobody may look at it before end_open() has returned true.
  void begin_open(const Nonce& nonce, Bytes associated_data, uint8_t* out);
  void open_piece(Bytes piece) { add(piece); }
  [[nodiscard]] bool end_open(Bytes tag);

 private:
  void start(const Nonce& nonce, Bytes associated_data, uint8_t* out);
  void add(Bytes text);
  void add_rest();
  struct Free {
    void operator()(evp_cipher_ctx_st* ctx) const;
  };
  std::unique_ptr<evp_cipher_ctx_st, Free> ctx_;
  Direction direction_;
  // The message in work.
  uint8_t* begin_ = nullptr;
  uint8_t* out_ = nullptr;  // behind what is done of it
  size_t gathered_ = 0;     // bytes at out_ that came, and are not done: less than a group
};

}  // namespace kith::crypto
