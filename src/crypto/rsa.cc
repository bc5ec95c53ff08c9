// RSA keys: SubjectPublicKeyInfo and PKCS#1. Sizes are judged on the DER, before a number is made
// of it. Spec: RFC 8017, appendix A.1; RFC 3279, section 2.3.1.
#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/key_codec.h"

namespace kith::crypto {

namespace {

constexpr char kWhere[] = "rsa key";
// SEQUENCE { rsaEncryption, NULL }
constexpr uint8_t kAlgorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

// The numbers of a PKCS#1 private key in their order there: first the two of the public key.
constexpr std::array<const char*, 8> kNumbers = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,           OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,     OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

Error malformed(const char* what) { return Error(KITH_ERR_MALFORMED, kWhere, what); }

size_t bit_length(Bytes magnitude) {
  if (magnitude.empty()) return 0;
  return 8 * magnitude.size() - static_cast<size_t>(std::countl_zero(magnitude[0]));
}

Status check_modulus_and_exponent(Bytes n, Bytes e) {
  const size_t bits = bit_length(n);
  if (bits < limits::kRsaMinBits || bits > limits::kRsaMaxBits) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere,
                 "the modulus has " + std::to_string(bits) + " bits, not 2048 to 8192");
  }
  // Go's bounds; a longer exponent would only make verifying slow.
  if (bit_length(e) < 2 || bit_length(e) > 31 || (e.back() & 1) == 0) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere,
                 "the exponent is not an odd number from 3 to 2^31-1");
  }
  if ((n.back() & 1) == 0) return malformed("the modulus is even");
  return {};
}

Result<KeyHandle> make_rsa_key(int selection, std::span<const Bytes> numbers) {
  std::array<SecretBytes, kNumbers.size()> storage;
  std::array<OSSL_PARAM, kNumbers.size() + 1> params;
  for (size_t i = 0; i < numbers.size(); ++i) {
    params[i] = number_param(kNumbers[i], numbers[i], &storage[i]);
  }
  params[numbers.size()] = OSSL_PARAM_construct_end();
  PkeyCtxPtr ctx(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, selection, params.data()) != 1) {
    return malformed("OpenSSL does not take the numbers of the key");
  }
  return KeyHandle(key);
}

SecretBytes number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  KITH_CHECK(EVP_PKEY_get_bn_param(key, name, &raw) == 1);
  const BnPtr number(raw);
  SecretBytes out(static_cast<size_t>(BN_num_bytes(raw)));
  BN_bn2bin(raw, out.data());
  return out;
}

}  // namespace

OSSL_PARAM number_param(const char* name, Bytes magnitude, SecretBytes* storage) {
  storage->assign(magnitude.begin(), magnitude.end());
  if (storage->empty()) storage->push_back(0);
  // OpenSSL's parameters hold integers in the machine's own byte order.
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(storage->begin(), storage->end());
  }
  return OSSL_PARAM_construct_BN(name, storage->data(), storage->size());
}

Result<KeyHandle> decode_rsa_public(Bytes spki) {
  // CVE-2023-39533: a key of 16384 bits must cost nothing.
  if (spki.size() > limits::kRsaMaxSpkiBytes) {
    return Error(
        KITH_ERR_UNSUPPORTED_KEY, kWhere,
        "the key takes " + std::to_string(spki.size()) + " bytes, more than 8192 bits need");
  }
  DerReader outer(spki);
  Bytes sequence, algorithm, whole, bits, pair;
  if (!outer.read(der::kSequence, &sequence) || !outer.empty()) {
    return malformed("not a DER SubjectPublicKeyInfo");
  }
  DerReader fields(sequence);
  if (!fields.read(der::kSequence, &algorithm, &whole) || !equal(whole, kAlgorithm)) {
    return malformed("the algorithm is not rsaEncryption with NULL");
  }
  if (!fields.read_bit_string(&bits) || !fields.empty()) {
    return malformed("not a DER SubjectPublicKeyInfo");
  }
  DerReader key(bits);
  std::array<Bytes, 2> numbers;
  if (!key.read(der::kSequence, &pair) || !key.empty()) return malformed("not a DER RSAPublicKey");
  DerReader in_pair(pair);
  if (!in_pair.read_unsigned(&numbers[0]) || !in_pair.read_unsigned(&numbers[1]) ||
      !in_pair.empty()) {
    return malformed("not a DER RSAPublicKey");
  }
  KITH_TRY(check_modulus_and_exponent(numbers[0], numbers[1]));
  return make_rsa_key(EVP_PKEY_PUBLIC_KEY, numbers);
}

ByteVector encode_rsa_public(EVP_PKEY* key) {
  ByteVector numbers, pair, fields(kAlgorithm, kAlgorithm + sizeof(kAlgorithm)), out;
  append_der_unsigned(numbers, number_of(key, OSSL_PKEY_PARAM_RSA_N));
  append_der_unsigned(numbers, number_of(key, OSSL_PKEY_PARAM_RSA_E));
  append_der(pair, der::kSequence, numbers);
  append_der_bit_string(fields, pair);
  append_der(out, der::kSequence, fields);
  return out;
}

Result<KeyHandle> decode_rsa_private(Bytes pkcs1) {
  if (pkcs1.size() > limits::kRsaMaxPrivateKeyBytes) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "the key is longer than 8192 bits need");
  }
  DerReader outer(pkcs1);
  Bytes sequence, version;
  if (!outer.read(der::kSequence, &sequence) || !outer.empty()) {
    return malformed("not a DER RSAPrivateKey");
  }
  DerReader fields(sequence);
  if (!fields.read_unsigned(&version)) return malformed("not a DER RSAPrivateKey");
  if (!version.empty()) {
    return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, "the key has more than two prime factors");
  }
  std::array<Bytes, kNumbers.size()> numbers;
  for (Bytes& number : numbers) {
    if (!fields.read_unsigned(&number)) return malformed("not a DER RSAPrivateKey");
  }
  if (!fields.empty()) return malformed("not a DER RSAPrivateKey");
  KITH_TRY(check_modulus_and_exponent(numbers[0], numbers[1]));
  for (size_t i = 2; i < numbers.size(); ++i) {
    // Everything secret is below the modulus; factors must be odd for OpenSSL's arithmetic.
    const bool is_factor = i == 3 || i == 4;
    if (numbers[i].empty() || numbers[i].size() > numbers[0].size() ||
        (is_factor && (numbers[i].back() & 1) == 0)) {
      return malformed("the numbers of the RSA key do not fit together");
    }
  }
  return make_rsa_key(EVP_PKEY_KEYPAIR, numbers);
}

SecretBytes encode_rsa_private(EVP_PKEY* key) {
  SecretBytes fields, out;
  append_der_unsigned(fields, {});  // version 0: two primes
  for (const char* name : kNumbers) append_der_unsigned(fields, number_of(key, name));
  append_der(out, der::kSequence, fields);
  return out;
}

}  // namespace kith::crypto
