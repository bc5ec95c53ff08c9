// Salsa20 over four blocks at a time, one in each lane of a vector: compilers turn that into SSE2
// or NEON.
#include "crypto/salsa20.h"

#include <algorithm>
#include <cstring>

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {
namespace {

using Lanes = uint32_t __attribute__((vector_size(16)));
static_assert(sizeof(Lanes) == 4 * sizeof(uint32_t));
using Words = std::array<uint32_t, 16>;

uint32_t load(const uint8_t* p) {
  return uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}

void store(uint8_t* p, uint32_t v) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(v >> (8 * i));
}

// combine sets `to` to `to` xor `stream`, 16 bytes at a time as far as that goes.
void combine(uint8_t* to, const uint8_t* stream, size_t n) {
  for (; n >= sizeof(Lanes); n -= sizeof(Lanes), to += sizeof(Lanes), stream += sizeof(Lanes)) {
    Lanes a, b;
    std::memcpy(&a, to, sizeof(a));
    std::memcpy(&b, stream, sizeof(b));
    a ^= b;
    std::memcpy(to, &a, sizeof(a));
  }
  for (size_t i = 0; i < n; ++i) to[i] ^= stream[i];
}

// The constants are "expand 32-byte k"; `input` is nonce and counter, 16 bytes.
Words expand(Bytes key, const uint8_t* input) {
  Words s;
  s[0] = 0x61707865, s[5] = 0x3320646e, s[10] = 0x79622d32, s[15] = 0x6b206574;
  for (size_t i = 0; i < 4; ++i) {
    s[1 + i] = load(key.data() + 4 * i);
    s[11 + i] = load(key.data() + 16 + 4 * i);
    s[6 + i] = load(input + 4 * i);
  }
  return s;
}

template <typename T>
T rotate(T v, int bits) {
  return (v << bits) | (v >> (32 - bits));
}

template <typename T>
void quarter_round(T& a, T& b, T& c, T& d) {
  b ^= rotate<T>(a + d, 7);
  c ^= rotate<T>(b + a, 9);
  d ^= rotate<T>(c + b, 13);
  a ^= rotate<T>(d + c, 18);
}

template <typename T>
void twenty_rounds(std::array<T, 16>& x) {
  for (int i = 0; i < 10; ++i) {
    quarter_round(x[0], x[4], x[8], x[12]);
    quarter_round(x[5], x[9], x[13], x[1]);
    quarter_round(x[10], x[14], x[2], x[6]);
    quarter_round(x[15], x[3], x[7], x[11]);
    quarter_round(x[0], x[1], x[2], x[3]);
    quarter_round(x[5], x[6], x[7], x[4]);
    quarter_round(x[10], x[11], x[8], x[9]);
    quarter_round(x[15], x[12], x[13], x[14]);
  }
}

// HSalsa20: the rounds without the final addition, and of their result the words where the
// constants and the input were.
void hsalsa20(Bytes key, const uint8_t* input, std::array<uint8_t, Salsa20::kKeyBytes>& out) {
  Words x = expand(key, input);
  twenty_rounds(x);
  static constexpr size_t kWords[] = {0, 5, 10, 15, 6, 7, 8, 9};
  for (size_t i = 0; i < 8; ++i) store(out.data() + 4 * i, x[kWords[i]]);
  cleanse({reinterpret_cast<uint8_t*>(x.data()), sizeof(x)});
}

}  // namespace

Salsa20::Salsa20(Bytes key32, Bytes nonce) {
  KITH_CHECK(key32.size() == kKeyBytes);
  KITH_CHECK(nonce.size() == kNonceBytes || nonce.size() == kXNonceBytes);
  uint8_t input[16] = {};  // the nonce, then a counter of 64 bits
  const Bytes last = nonce.last(kNonceBytes);
  std::copy(last.begin(), last.end(), input);
  if (nonce.size() == kNonceBytes) {
    state_ = expand(key32, input);
    return;
  }
  std::array<uint8_t, kKeyBytes> key;
  hsalsa20(key32, nonce.data(), key);
  state_ = expand(key, input);
  cleanse(key);
}

Salsa20::~Salsa20() {
  cleanse({reinterpret_cast<uint8_t*>(state_.data()), sizeof(state_)});
  cleanse(stream_);
}

void Salsa20::refill() {
  std::array<Lanes, 16> input, x;
  for (size_t i = 0; i < 16; ++i) input[i] = Lanes{} + state_[i];
  uint64_t counter = uint64_t{state_[9]} << 32 | state_[8];
  for (size_t lane = 0; lane < kBlocks; ++lane, ++counter) {
    input[8][lane] = static_cast<uint32_t>(counter);
    input[9][lane] = static_cast<uint32_t>(counter >> 32);
  }
  state_[8] = static_cast<uint32_t>(counter);
  state_[9] = static_cast<uint32_t>(counter >> 32);
  x = input;
  twenty_rounds(x);
  uint32_t words[16][kBlocks];
  for (size_t i = 0; i < 16; ++i) {
    x[i] += input[i];
    std::memcpy(words[i], &x[i], sizeof(words[i]));
  }
  for (size_t lane = 0; lane < kBlocks; ++lane) {
    for (size_t i = 0; i < 16; ++i) store(&stream_[64 * lane + 4 * i], words[i][lane]);
  }
  used_ = 0;
}

void Salsa20::apply(MutableBytes bytes) {
  while (!bytes.empty()) {
    if (used_ == stream_.size()) refill();
    const size_t n = std::min(bytes.size(), stream_.size() - used_);
    combine(bytes.data(), stream_.data() + used_, n);
    used_ += n;
    bytes = bytes.subspan(n);
  }
}

}  // namespace kith::crypto
