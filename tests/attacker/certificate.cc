// Certificates of the attacker. See certificate.h.
#include "tests/attacker/certificate.h"

#include <openssl/ec.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <ctime>

namespace kith::attacker {
namespace {

constexpr char kLibp2pOid[] = "1.3.6.1.4.1.53594.1.1";
constexpr char kUnknownOid[] = "1.3.6.1.4.1.53594.999.1";
constexpr char kPaddingOid[] = "1.3.6.1.4.1.53594.999.2";
constexpr std::string_view kSignaturePrefix = "libp2p-tls-handshake:";

struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, X509Free>;

Bytes random_bytes(size_t size) {
  Bytes out(size);
  RAND_bytes(out.data(), static_cast<int>(size));
  return out;
}

void add_extension(X509* certificate, const char* oid, bool critical, View content) {
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, content.data(), static_cast<int>(content.size()));
  ASN1_OBJECT* name = OBJ_txt2obj(oid, 1);
  X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, name, critical, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  ASN1_OBJECT_free(name);
  ASN1_OCTET_STRING_free(value);
}

Bytes signed_key(const HostKey& host, EVP_PKEY* certificate_key, ExtensionBody body) {
  if (body == ExtensionBody::kGarbage) return random_bytes(106);
  if (body == ExtensionBody::kEmpty) return {};
  Pkey other(EVP_EC_gen("P-256"));
  Bytes message = bytes_of(kSignaturePrefix);
  append(message, spki_of(body == ExtensionBody::kStolen ? other.get() : certificate_key));
  Bytes signature = host.sign(message);
  if (body == ExtensionBody::kFlippedSignature) signature[signature.size() / 2] ^= 1;
  Bytes content = der_wrap(V_ASN1_OCTET_STRING, host.public_key());
  append(content, der_wrap(V_ASN1_OCTET_STRING, signature));
  Bytes out = der_wrap(V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, content);
  if (body == ExtensionBody::kTrailingBytes) append(out, std::string_view("abc"));
  return out;
}

Certificate make_certificate(EVP_PKEY* key, const HostKey& host, const CertificateSpec& spec) {
  Certificate certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<uint8_t*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
  time_t now = std::time(nullptr);
  X509_time_adj_ex(X509_getm_notBefore(x), 0, static_cast<long>(spec.not_before), &now);
  X509_time_adj_ex(X509_getm_notAfter(x), 0, static_cast<long>(spec.not_after), &now);
  X509_set_pubkey(x, key);
  std::string name = "a" + std::to_string(serial);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const uint8_t*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  Bytes body = signed_key(host, key, spec.body);
  for (int i = 0; i < spec.extensions; ++i) add_extension(x, kLibp2pOid, spec.critical, body);
  if (spec.unknown_critical) add_extension(x, kUnknownOid, true, Bytes{0x05, 0x00});
  if (spec.padding_bytes > 0) {
    add_extension(x, kPaddingOid, false, random_bytes(spec.padding_bytes));
  }
  X509_sign(x, key, EVP_sha256());
  if (spec.broken_self_signature) {
    // The last byte belongs to the number S of the ECDSA signature: the DER stays well-formed.
    const ASN1_BIT_STRING* signature = nullptr;
    X509_get0_signature(&signature, nullptr, x);
    auto* data = const_cast<uint8_t*>(ASN1_STRING_get0_data(signature));
    data[ASN1_STRING_length(signature) - 1] ^= 1;
  }
  return certificate;
}

}  // namespace

Bytes make_pkcs12(const HostKey& host, const CertificateSpec& spec) {
  Pkey key(EVP_EC_gen("P-256"));
  Certificate leaf = make_certificate(key.get(), host, spec);
  STACK_OF(X509)* more = sk_X509_new_null();
  for (size_t i = 0; i < spec.more_certificates; ++i) {
    Pkey other(EVP_EC_gen("P-256"));
    sk_X509_push(more, make_certificate(other.get(), host, CertificateSpec{}).release());
  }
  PKCS12* store = PKCS12_create("", "a", key.get(), leaf.get(), more, -1, -1, 0, -1, 0);
  uint8_t* der = nullptr;
  int length = i2d_PKCS12(store, &der);
  Bytes out;
  if (length > 0) out.assign(der, der + length);
  OPENSSL_free(der);
  PKCS12_free(store);
  sk_X509_pop_free(more, X509_free);
  return out;
}

}  // namespace kith::attacker
