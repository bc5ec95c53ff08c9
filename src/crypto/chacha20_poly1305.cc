// ChaCha20-Poly1305 over OpenSSL. It cannot fail but for a wrong tag or want of memory: that
// aborts.
#include "crypto/chacha20_poly1305.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {
namespace {

// OpenSSL goes over the bytes twice, once for each half of the name. In pieces of this size the
// second pass finds them in the first-level cache.
constexpr size_t kPieceBytes = 8 * 1024;
// The widest of its loops takes this much at a time, and what is less a slower one. So what goes in has multiples of this,
// but for the end.
constexpr size_t kGroupBytes = 1024;

// One fetch per process: EVP_chacha20_poly1305() would look the implementation up at each init.
const EVP_CIPHER* cipher() {
  static const EVP_CIPHER* const fetched = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
  KITH_CHECK(fetched);
  return fetched;
}

void update(EVP_CIPHER_CTX* ctx, uint8_t* out, Bytes in) {
  while (!in.empty()) {
    const Bytes piece = in.first(std::min(in.size(), kPieceBytes));
    int written = 0;
    KITH_CHECK(EVP_CipherUpdate(ctx, out, &written, piece.data(), static_cast<int>(piece.size())) ==
               1);
    out += piece.size();
    in = in.subspan(piece.size());
  }
}

}  // namespace

void ChaCha20Poly1305::Free::operator()(EVP_CIPHER_CTX* ctx) const { EVP_CIPHER_CTX_free(ctx); }

ChaCha20Poly1305::ChaCha20Poly1305(Bytes key32, Direction direction)
    : ctx_(EVP_CIPHER_CTX_new()), direction_(direction) {
  KITH_CHECK(key32.size() == kKeyBytes);
  KITH_CHECK(ctx_ && EVP_CipherInit_ex2(ctx_.get(), cipher(), key32.data(), nullptr,
                                        direction == Direction::kSeal ? 1 : 0, nullptr) == 1);
}

void ChaCha20Poly1305::start(const Nonce& nonce, Bytes associated_data, uint8_t* out) {
  begin_ = out_ = out;
  gathered_ = 0;
  KITH_CHECK(EVP_CipherInit_ex2(ctx_.get(), nullptr, nullptr, nonce.data(), -1, nullptr) == 1);
  int written = 0;
  if (associated_data.empty()) return;
  KITH_CHECK(EVP_CipherUpdate(ctx_.get(), nullptr, &written, associated_data.data(),
                              static_cast<int>(associated_data.size())) == 1);
}

// Whole groups go through the cipher where they are; what is left between them is gathered first.
void ChaCha20Poly1305::add(Bytes text) {
  const auto gather = [&](size_t most) {
    const size_t n = std::min(text.size(), most);
    if (n != 0) std::memmove(out_ + gathered_, text.data(), n);  // to itself, in place
    gathered_ += n;
    text = text.subspan(n);
  };
  if (gathered_ != 0) {
    gather(kGroupBytes - gathered_);
    if (gathered_ < kGroupBytes) return;
    add_rest();
  }
  const size_t whole = text.size() - text.size() % kGroupBytes;
  update(ctx_.get(), out_, text.first(whole));
  out_ += whole;
  text = text.subspan(whole);
  gather(kGroupBytes);
}

void ChaCha20Poly1305::add_rest() {
  update(ctx_.get(), out_, {out_, gathered_});
  out_ += std::exchange(gathered_, 0);
}

void ChaCha20Poly1305::seal(const Nonce& nonce, Bytes associated_data,
                            std::span<const Bytes> plaintext, uint8_t* out) {
  KITH_CHECK(direction_ == Direction::kSeal);
  start(nonce, associated_data, out);
  for (const Bytes part : plaintext) add(part);
  add_rest();
  int written = 0;
  KITH_CHECK(EVP_CipherFinal_ex(ctx_.get(), out_, &written) == 1);
  KITH_CHECK(EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, out_) == 1);
}

bool ChaCha20Poly1305::open(const Nonce& nonce, Bytes associated_data, MutableBytes sealed) {
  if (sealed.size() < kTagBytes) return false;
  begin_open(nonce, associated_data, sealed.data());
  open_piece(sealed.first(sealed.size() - kTagBytes));
  return end_open(sealed.last(kTagBytes));
}

void ChaCha20Poly1305::begin_open(const Nonce& nonce, Bytes associated_data, uint8_t* out) {
  KITH_CHECK(direction_ == Direction::kOpen);
  start(nonce, associated_data, out);
}

bool ChaCha20Poly1305::end_open(Bytes tag) {
  KITH_CHECK(tag.size() == kTagBytes);
  add_rest();
  KITH_CHECK(EVP_CIPHER_CTX_ctrl(ctx_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes,
                                 const_cast<uint8_t*>(tag.data())) == 1);
  uint8_t nothing[1];
  int written = 0;
  if (EVP_CipherFinal_ex(ctx_.get(), nothing, &written) == 1) return true;
  cleanse({begin_, out_});  // nobody sees what is not authentic
  return false;
}

}  // namespace kith::crypto
