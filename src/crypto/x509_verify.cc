// Self-signatures: which key goes with which signature algorithm, and the check itself.
// Spec: RFC 8446, section 4.2.3; RFC 5480 (EC), RFC 8410 (Ed25519), RFC 4055 (RSA).
#include <openssl/rsa.h>

#include <array>

#include "crypto/der.h"
#include "crypto/key_codec.h"
#include "crypto/openssl.h"
#include "crypto/x509.h"

namespace kith::crypto {

namespace {

constexpr char kWhere[] = "certificate";

// Contents of OBJECT IDENTIFIERs.
constexpr uint8_t kEcPublicKey[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr uint8_t kP256Oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kP384Oid[] = {0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr uint8_t kP521Oid[] = {0x2b, 0x81, 0x04, 0x00, 0x23};
constexpr uint8_t kEcdsaSha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
constexpr uint8_t kEcdsaSha384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
constexpr uint8_t kEcdsaSha512[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04};
constexpr uint8_t kEd25519Oid[] = {0x2b, 0x65, 0x70};
constexpr uint8_t kRsaEncryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr uint8_t kMgf1[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08};
constexpr uint8_t kRsaPss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
constexpr uint8_t kRsaSha256[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b};
constexpr uint8_t kRsaSha384[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c};
constexpr uint8_t kRsaSha512[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d};
constexpr uint8_t kSha256Oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
constexpr uint8_t kSha384Oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02};
constexpr uint8_t kSha512Oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03};

using Digest = const EVP_MD* (*)();

struct EcScheme {
  Bytes curve_oid;
  Bytes signature_oid;
  const Curve* curve;
  Digest digest;
};
const std::array<EcScheme, 3> kEcSchemes = {{{kP256Oid, kEcdsaSha256, &kP256, EVP_sha256},
                                             {kP384Oid, kEcdsaSha384, &kP384, EVP_sha384},
                                             {kP521Oid, kEcdsaSha512, &kP521, EVP_sha512}}};

struct RsaScheme {
  Bytes signature_oid;  // with PKCS#1 v1.5
  Bytes hash_oid;       // in the parameters of PSS
  uint8_t hash_bytes;
  Digest digest;
};
const std::array<RsaScheme, 3> kRsaSchemes = {{{kRsaSha256, kSha256Oid, 32, EVP_sha256},
                                               {kRsaSha384, kSha384Oid, 48, EVP_sha384},
                                               {kRsaSha512, kSha512Oid, 64, EVP_sha512}}};

// A signature algorithm together with a key it fits.
struct Verifier {
  KeyHandle key;
  Digest digest = nullptr;  // null: the algorithm brings its own
  bool pss = false;
};

Error unsupported(std::string what) {
  return Error(KITH_ERR_UNSUPPORTED_KEY, kWhere, std::move(what));
}
Error malformed(const char* what) { return Error(KITH_ERR_BAD_CERTIFICATE, kWhere, what); }

// AlgorithmIdentifier ::= SEQUENCE { OBJECT IDENTIFIER, parameters OPTIONAL }
struct Algorithm {
  Bytes oid;
  Bytes parameters;  // what follows the object identifier, with headers; empty when absent
};
bool parse_algorithm(Bytes content, Algorithm* out) {
  DerReader fields(content);
  Bytes whole;
  if (!fields.read(der::kOid, &out->oid, &whole)) return false;
  out->parameters = content.subspan(whole.size());
  return true;
}

bool is_null(Bytes parameters) {
  DerReader reader(parameters);
  return reader.read_null() && reader.empty();
}

// The hash in a PSS parameter, which may or may not come with a NULL; null when it is none of ours.
const RsaScheme* find_hash(Bytes algorithm_content) {
  Algorithm hash;
  if (!parse_algorithm(algorithm_content, &hash)) return nullptr;
  if (!hash.parameters.empty() && !is_null(hash.parameters)) return nullptr;
  for (const RsaScheme& scheme : kRsaSchemes) {
    if (equal(scheme.hash_oid, hash.oid)) return &scheme;
  }
  return nullptr;
}

// RSASSA-PSS-params ::= SEQUENCE { [0] hash, [1] mask generation, [2] salt length, [3] trailer }:
// TLS 1.3 has one hash for everything and a salt of its length. The trailer is a default, which DER
// leaves out.
const RsaScheme* parse_pss(Bytes parameters) {
  DerReader outer(parameters);
  Bytes sequence, tagged, hash, mask, salt;
  if (!outer.read(der::kSequence, &sequence) || !outer.empty()) return nullptr;
  DerReader fields(sequence);
  if (!fields.read(der::context(0), &tagged)) return nullptr;
  DerReader in_hash(tagged);
  if (!in_hash.read(der::kSequence, &hash) || !in_hash.empty()) return nullptr;
  const RsaScheme* scheme = find_hash(hash);
  if (!scheme || !fields.read(der::context(1), &tagged)) return nullptr;
  DerReader in_mask(tagged);
  Algorithm generator;
  if (!in_mask.read(der::kSequence, &mask) || !in_mask.empty() ||
      !parse_algorithm(mask, &generator) || !equal(generator.oid, kMgf1)) {
    return nullptr;
  }
  DerReader of_mask(generator.parameters);
  if (!of_mask.read(der::kSequence, &hash) || !of_mask.empty() || find_hash(hash) != scheme) {
    return nullptr;
  }
  if (!fields.read(der::context(2), &tagged) || !fields.empty()) return nullptr;
  DerReader in_salt(tagged);
  if (!in_salt.read_unsigned(&salt) || !in_salt.empty() || salt.size() != 1 ||
      salt[0] != scheme->hash_bytes) {
    return nullptr;
  }
  return scheme;
}

Result<Verifier> ec_verifier(const Algorithm& key, Bytes point, const Algorithm& signature) {
  DerReader reader(key.parameters);
  Bytes curve;
  // RFC 5480: a named curve; explicit parameters are a way to bring one's own.
  if (!reader.read(der::kOid, &curve) || !reader.empty())
    return unsupported("the curve has no name");
  for (const EcScheme& scheme : kEcSchemes) {
    if (!equal(scheme.curve_oid, curve)) continue;
    if (!equal(scheme.signature_oid, signature.oid) || !signature.parameters.empty()) {
      return unsupported(std::string("a key of curve ") + scheme.curve->name +
                         " does not sign with algorithm " + oid_text(signature.oid));
    }
    if (point.size() != 1 + 2 * scheme.curve->field_bytes || point[0] != 0x04) {
      return malformed("the public key is not an uncompressed point");
    }
    auto handle = decode_ec_point(*scheme.curve, point);
    if (!handle.ok()) return malformed("the public key is not a point of its curve");
    return Verifier{std::move(handle).value(), scheme.digest};
  }
  return unsupported("curve " + oid_text(curve));
}

Result<Verifier> rsa_verifier(Bytes spki, const Algorithm& signature) {
  Digest digest = nullptr;
  const bool pss = equal(signature.oid, kRsaPss);
  if (pss) {
    if (const RsaScheme* scheme = parse_pss(signature.parameters)) digest = scheme->digest;
  } else if (is_null(signature.parameters)) {
    for (const RsaScheme& scheme : kRsaSchemes) {
      if (equal(scheme.signature_oid, signature.oid)) digest = scheme.digest;
    }
  }
  if (!digest) {
    return unsupported("an RSA key does not sign with these parameters of algorithm " +
                       oid_text(signature.oid));
  }
  auto handle = decode_rsa_public(spki);
  if (!handle.ok()) {
    const kith_status status = handle.status() == KITH_ERR_UNSUPPORTED_KEY
                                   ? KITH_ERR_UNSUPPORTED_KEY
                                   : KITH_ERR_BAD_CERTIFICATE;
    return Error(status, kWhere, std::string(handle.error().detail()));
  }
  return Verifier{std::move(handle).value(), digest, pss};
}

Result<Verifier> ed25519_verifier(const Algorithm& key, Bytes bits, const Algorithm& signature) {
  if (!equal(signature.oid, kEd25519Oid) || !signature.parameters.empty()) {
    return unsupported("an Ed25519 key does not sign with algorithm " + oid_text(signature.oid));
  }
  KeyHandle handle(
      bits.size() == 32 && key.parameters.empty()
          ? EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bits.data(), bits.size())
          : nullptr);
  if (!handle.get()) return malformed("the Ed25519 public key is malformed");
  return Verifier{std::move(handle)};
}

Result<Verifier> find_verifier(const Certificate& certificate) {
  Bytes content, algorithm, bits;
  Algorithm key, signature;
  DerReader of_signature(certificate.signature_algorithm);
  if (!of_signature.read(der::kSequence, &content) || !parse_algorithm(content, &signature)) {
    return malformed("the signature algorithm is malformed");
  }
  DerReader of_key(certificate.subject_public_key_info);
  if (!of_key.read(der::kSequence, &content)) return malformed("the public key is malformed");
  DerReader fields(content);
  if (!fields.read(der::kSequence, &algorithm) || !parse_algorithm(algorithm, &key) ||
      !fields.read_bit_string(&bits) || !fields.empty()) {
    return malformed("the public key is malformed");
  }
  if (equal(key.oid, kEcPublicKey)) return ec_verifier(key, bits, signature);
  if (equal(key.oid, kRsaEncryption)) {
    return rsa_verifier(certificate.subject_public_key_info, signature);
  }
  if (equal(key.oid, kEd25519Oid)) return ed25519_verifier(key, bits, signature);
  return unsupported("keys of algorithm " + oid_text(key.oid));
}

}  // namespace

Status verify_self_signature(const Certificate& certificate) {
  ErrorScope errors;
  KITH_ASSIGN(Verifier verifier, find_verifier(certificate));
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  MdCtxPtr ctx(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_ctx = nullptr;  // owned by ctx
  const EVP_MD* digest = verifier.digest ? verifier.digest() : nullptr;
  if (!ctx ||
      EVP_DigestVerifyInit(ctx.get(), &pkey_ctx, digest, nullptr, verifier.key.get()) != 1 ||
      (verifier.pss && (EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) != 1))) {
    return openssl_error(kWhere, "cannot verify");
  }
  if (EVP_DigestVerify(ctx.get(), certificate.signature.data(), certificate.signature.size(),
                       certificate.to_be_signed.data(), certificate.to_be_signed.size()) != 1) {
    return Error(KITH_ERR_BAD_SIGNATURE, kWhere, "the self-signature does not verify");
  }
#endif
  return {};
}

}  // namespace kith::crypto
