// Making certificates, packing them with their key, and taking one out of OpenSSL's hands.
// Spec: RFC 5280, RFC 5208 (PrivateKeyInfo), RFC 7292 (PKCS#12).
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/openssl.h"
#include "crypto/x509.h"

namespace kith::crypto {

namespace {

constexpr char kWhere[] = "certificate";
// SEQUENCE { ecdsa-with-SHA256 }
constexpr uint8_t kEcdsaSha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
// SEQUENCE { id-ecPublicKey, prime256v1 }
constexpr uint8_t kP256Key[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
// The attribute serialNumber (2.5.4.5), which go-libp2p puts into the name.
constexpr uint8_t kSerialNumberOid[] = {0x55, 0x04, 0x05};
constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01 00:00:00
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31 23:59:59

struct Civil {
  int64_t year, month, day;
};
// The inverse of x509_parse.cc's days_from_civil, from the same source.
Civil civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * day_of_year + 2) / 153;
  const int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1};
}

void append_time(ByteVector& out, int64_t unix_s) {
  int64_t second = unix_s % 86400;
  if (second < 0) second += 86400;
  const Civil date = civil_from_days((unix_s - second) / 86400);
  char text[40];
  std::snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02dZ", static_cast<int>(date.year),
                static_cast<int>(date.month), static_cast<int>(date.day),
                static_cast<int>(second / 3600), static_cast<int>(second / 60 % 60),
                static_cast<int>(second % 60));
  // RFC 5280, section 4.1.2.5: the years 1950 to 2049 as UTCTime, which has no century.
  if (date.year >= 1950 && date.year <= 2049) {
    append_der(out, der::kUtcTime, as_bytes(text + 2));
  } else {
    append_der(out, der::kGeneralizedTime, as_bytes(text));
  }
}

void append_name(ByteVector& out, uint64_t serial_number) {
  ByteVector attribute, entry, set, name;
  append_der(attribute, der::kOid, kSerialNumberOid);
  append_der(attribute, der::kPrintableString, as_bytes(std::to_string(serial_number)));
  append_der(entry, der::kSequence, attribute);
  append_der(set, der::kSet, entry);
  append_der(out, der::kSequence, set);
}

void append_extensions(ByteVector& out, const CertificateExtension& extension) {
  constexpr uint8_t kTrue[] = {0xff};
  ByteVector fields, entry, list;
  append_der(fields, der::kOid, extension.oid);
  if (extension.critical) append_der(fields, der::kBoolean, kTrue);
  append_der(fields, der::kOctetString, extension.value);
  append_der(entry, der::kSequence, fields);
  append_der(list, der::kSequence, entry);
  append_der(out, der::context(3), list);
}

}  // namespace

Result<ByteVector> make_certificate(const PrivateKey& key, const SelfSignedCertificate& content) {
  if (key.type() != KeyType::kEcdsa) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere, "certificates are made for P-256 keys");
  }
  if (content.not_before_unix_s < kFirstSecond || content.not_after_unix_s > kLastSecond ||
      content.not_before_unix_s > content.not_after_unix_s) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere,
                 "the validity is not within the years 1 to 9999");
  }
  constexpr uint8_t kVersion3[] = {2};
  uint8_t serial[8];
  for (int i = 0; i < 8; ++i)
    serial[i] = static_cast<uint8_t>(content.serial_number >> (56 - 8 * i));
  ByteVector fields, version, validity, signed_part;
  append_der_unsigned(version, kVersion3);
  append_der(fields, der::context(0), version);
  append_der_unsigned(fields, serial);
  append(fields, kEcdsaSha256);
  append_name(fields, content.serial_number);
  append_time(validity, content.not_before_unix_s);
  append_time(validity, content.not_after_unix_s);
  append_der(fields, der::kSequence, validity);
  append_name(fields, content.serial_number);
  append(fields, key.public_key().data());
  append_extensions(fields, content.extension);
  append_der(signed_part, der::kSequence, fields);
  KITH_ASSIGN(ByteVector signature, key.sign(signed_part));
  append(signed_part, kEcdsaSha256);
  append_der_bit_string(signed_part, signature);
  ByteVector out;
  append_der(out, der::kSequence, signed_part);
  return out;
}

Result<SecretBytes> make_pkcs12(Bytes certificate_der, const PrivateKey& key) {
  ErrorScope errors;
  const uint8_t* in = certificate_der.data();
  X509Ptr certificate(d2i_X509(nullptr, &in, static_cast<long>(certificate_der.size())));
  if (!certificate) return openssl_error(kWhere, "not a certificate");
  constexpr int kNone = -1;
  Pkcs12Ptr pkcs12(PKCS12_create(nullptr, nullptr, key.key_.get(), certificate.get(), nullptr,
                                 kNone, kNone, kNone, kNone, 0));
  if (!pkcs12) return openssl_error(kWhere, "cannot make the PKCS#12");
  SecretBytes out(static_cast<size_t>(std::max(0, i2d_PKCS12(pkcs12.get(), nullptr))));
  uint8_t* to = out.data();
  if (out.empty() || i2d_PKCS12(pkcs12.get(), &to) != static_cast<int>(out.size())) {
    return openssl_error(kWhere, "cannot make the PKCS#12");
  }
  return out;
}

// PrivateKeyInfo ::= SEQUENCE { 0, AlgorithmIdentifier, OCTET STRING { ECPrivateKey } }
SecretBytes make_pkcs8(const PrivateKey& key) {
  KITH_CHECK(key.type() == KeyType::kEcdsa);
  SecretBytes fields, out;
  append_der_unsigned(fields, {});
  fields.insert(fields.end(), std::begin(kP256Key), std::end(kP256Key));
  append_der(fields, der::kOctetString, key.data());
  append_der(out, der::kSequence, fields);
  return out;
}

Result<ByteVector> single_certificate_der(void* x509, void* x509_store_ctx,
                                          size_t* out_num_certificates) {
  const auto bad = [](std::string what) {
    return Error(KITH_ERR_BAD_CERTIFICATE, kWhere, std::move(what));
  };
  *out_num_certificates = 0;
  if (!x509) return bad("the peer sent no certificate");
  if (!x509_store_ctx) return bad("the peer's chain is not known");
  ErrorScope errors;
  X509* leaf = static_cast<X509*>(x509);
  const STACK_OF(X509)* chain =
      X509_STORE_CTX_get0_untrusted(static_cast<X509_STORE_CTX*>(x509_store_ctx));
  const int num_certificates = chain ? sk_X509_num(chain) : 0;
  *out_num_certificates = static_cast<size_t>(std::max(0, num_certificates));
  // The specification: abort if more than one certificate is received.
  if (num_certificates != 1 || sk_X509_value(chain, 0) != leaf) {
    return bad("the peer sent " + std::to_string(num_certificates) + " certificates, not one");
  }
  const int size = i2d_X509(leaf, nullptr);
  if (size <= 0 || static_cast<size_t>(size) > limits::kCertificateBytes) {
    return bad("the certificate takes " + std::to_string(size) + " bytes, more than " +
               std::to_string(limits::kCertificateBytes));
  }
  ByteVector der(static_cast<size_t>(size));
  uint8_t* to = der.data();
  if (i2d_X509(leaf, &to) != size) return openssl_error(kWhere, "cannot encode the certificate");
  return der;
}

}  // namespace kith::crypto
