// Host keys of the attacker. See host_key.h.
#include "tests/attacker/host_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>

namespace kith::attacker {
namespace {

constexpr uint8_t kTypeRsa = 0, kTypeEd25519 = 1, kTypeEcdsa = 3;
constexpr int kPrimeBits = 512;
constexpr size_t kIdentityHashBytes = 42;
constexpr size_t kFakeSignatureBytes = 256;

struct BnFree {
  void operator()(BIGNUM* n) const { BN_free(n); }
  void operator()(BN_CTX* ctx) const { BN_CTX_free(ctx); }
};
using Bn = std::unique_ptr<BIGNUM, BnFree>;
using BnCtx = std::unique_ptr<BN_CTX, BnFree>;

Bytes key_protobuf(uint8_t type, View data) {
  Bytes out{0x08, type};
  append_field(out, 2, data);
  return out;
}

// A key that OpenSSL holds whole.
class PlainKey : public HostKey {
 public:
  PlainKey(Pkey key, uint8_t type, const char* digest, View data)
      : key_(std::move(key)), digest_(digest) {
    public_key_ = key_protobuf(type, data);
  }

  Bytes sign(View message) const override {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit_ex(ctx, nullptr, digest_, nullptr, nullptr, key_.get(), nullptr);
    size_t length = 0;
    EVP_DigestSign(ctx, nullptr, &length, message.data(), message.size());
    Bytes signature(length);
    EVP_DigestSign(ctx, signature.data(), &length, message.data(), message.size());
    signature.resize(length);
    EVP_MD_CTX_free(ctx);
    return signature;
  }

 private:
  Pkey key_;
  const char* digest_;  // null: the algorithm hashes by itself
};

Pkey rsa_public_key(const BIGNUM* n, const BIGNUM* e) {
  OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
  OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY_CTX* ctx = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(ctx);
  EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
  EVP_PKEY_CTX_free(ctx);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(builder);
  return Pkey(key);
}

// An RSA key of any size. PKCS #1 v1.5 with SHA-256 is done by hand, because OpenSSL neither makes
// nor uses private keys with so many primes.
class RsaKey : public HostKey {
 public:
  explicit RsaKey(int bits) : n_(BN_new()), d_(nullptr), e_(BN_new()), ctx_(BN_CTX_new()) {
    BN_set_word(e_.get(), RSA_F4);
    if (bits > 12288) {
      BN_rand(n_.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
    } else {
      make_modulus(bits);
    }
    Pkey key = rsa_public_key(n_.get(), e_.get());
    public_key_ = key_protobuf(kTypeRsa, spki_of(key.get()));
  }

  Bytes sign(View message) const override {
    if (!d_) {
      Bytes fake(kFakeSignatureBytes);
      RAND_bytes(fake.data(), static_cast<int>(fake.size()));
      return fake;
    }
    static constexpr uint8_t kDigestInfo[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
                                              0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                              0x01, 0x05, 0x00, 0x04, 0x20};
    Bytes block(static_cast<size_t>(BN_num_bytes(n_.get())), 0xff);
    block[0] = 0;
    block[1] = 1;
    uint8_t* digest = block.data() + block.size() - SHA256_DIGEST_LENGTH;
    SHA256(message.data(), message.size(), digest);
    std::copy(std::begin(kDigestInfo), std::end(kDigestInfo), digest - sizeof kDigestInfo);
    digest[-static_cast<ptrdiff_t>(sizeof kDigestInfo) - 1] = 0;
    Bn value(BN_bin2bn(block.data(), static_cast<int>(block.size()), nullptr));
    BN_mod_exp(value.get(), value.get(), d_.get(), n_.get(), ctx_.get());
    BN_bn2binpad(value.get(), block.data(), static_cast<int>(block.size()));
    return block;
  }

 private:
  // Multiplies primes until the modulus has exactly `bits` bits; d_ = 1/e modulo the product of all
  // p - 1.
  void make_modulus(int bits) {
    Bn totient(BN_new());
    BN_one(n_.get());
    BN_one(totient.get());
    for (int have = 0; have < bits; have = BN_num_bits(n_.get())) {
      int missing = bits - have;
      int size = missing < 2 * kPrimeBits ? missing : kPrimeBits;
      Bn prime = make_prime(size);
      Bn product(BN_new());
      BN_mul(product.get(), n_.get(), prime.get(), ctx_.get());
      // The last factor may be one bit short: then another one is tried.
      if (size == missing && BN_num_bits(product.get()) != bits) continue;
      BN_swap(n_.get(), product.get());
      BN_sub_word(prime.get(), 1);
      BN_mul(totient.get(), totient.get(), prime.get(), ctx_.get());
    }
    d_.reset(BN_mod_inverse(nullptr, e_.get(), totient.get(), ctx_.get()));
  }

  Bn make_prime(int size) {
    Bn prime(BN_new());
    do {
      BN_generate_prime_ex2(prime.get(), size, 0, nullptr, nullptr, nullptr, ctx_.get());
    } while (BN_mod_word(prime.get(), RSA_F4) == 1);
    return prime;
  }

  Bn n_, d_, e_;
  BnCtx ctx_;
};

std::unique_ptr<HostKey> make_ed25519(uint64_t seed) {
  std::string text = "kith attacker host key " + std::to_string(seed);
  uint8_t secret[SHA256_DIGEST_LENGTH], raw[32];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), secret);
  Pkey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, secret, sizeof secret));
  size_t length = sizeof raw;
  EVP_PKEY_get_raw_public_key(key.get(), raw, &length);
  return std::make_unique<PlainKey>(std::move(key), kTypeEd25519, nullptr, View(raw, length));
}

}  // namespace

Bytes spki_of(EVP_PKEY* key) {
  uint8_t* der = nullptr;
  int length = i2d_PUBKEY(key, &der);
  Bytes out;
  if (length > 0) out.assign(der, der + length);
  OPENSSL_free(der);
  return out;
}

std::string HostKey::peer_id_text() const {
  Bytes id;
  if (public_key_.size() <= kIdentityHashBytes) {
    id = {0x00, static_cast<uint8_t>(public_key_.size())};
    append(id, public_key_);
  } else {
    id = {0x12, SHA256_DIGEST_LENGTH};
    id.resize(2 + SHA256_DIGEST_LENGTH);
    SHA256(public_key_.data(), public_key_.size(), id.data() + 2);
  }
  return base58(id);
}

std::unique_ptr<HostKey> make_host_key(const std::string& kind, uint64_t seed) {
  if (kind == "ed25519") return make_ed25519(seed);
  if (kind == "ecdsa") {
    Pkey key(EVP_EC_gen("P-256"));
    Bytes spki = spki_of(key.get());
    return std::make_unique<PlainKey>(std::move(key), kTypeEcdsa, "SHA256", spki);
  }
  if (!kind.starts_with("rsa")) return nullptr;
  int bits = std::atoi(kind.c_str() + 3);
  if (bits != 16384 && (bits < 1024 || bits > 12288)) return nullptr;
  return std::make_unique<RsaKey>(bits);
}

}  // namespace kith::attacker
