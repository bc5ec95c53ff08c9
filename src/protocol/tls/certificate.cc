// The libp2p certificate.
#include "protocol/tls/certificate.h"

#include <array>
#include <string>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/random.h"
#include "crypto/x509.h"
#include "identity/key_proto.h"

namespace kith::tls {

namespace {

constexpr char kWhere[] = "tls certificate";
constexpr std::string_view kPrefix = "libp2p-tls-handshake:";
// 1.3.6.1.4.1.53594.1.1, the content of the OBJECT IDENTIFIER.
constexpr uint8_t kExtensionOid[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xa2, 0x5a, 0x01, 0x01};

// The period begins, like rust-libp2p's, at a time that no peer's clock is before, so that it does
// not matter whose clock is right, and ends about 100 years from now, like go-libp2p's.
constexpr int64_t kNotBefore = 157766400;  // 1975-01-01
constexpr int64_t kLifetime = int64_t{100} * 365 * 24 * 60 * 60;
constexpr int64_t kLastNow = 253402300799 - kLifetime;  // the period ends in the year 9999

Error bad(std::string what) { return Error(KITH_ERR_BAD_CERTIFICATE, kWhere, std::move(what)); }

// What the host key signs.
ByteVector message_for(Bytes subject_public_key_info) {
  ByteVector out;
  append(out, kPrefix);
  append(out, subject_public_key_info);
  return out;
}

// SignedKey ::= SEQUENCE { publicKey OCTET STRING, signature OCTET STRING }
struct SignedKey {
  Bytes public_key;
  Bytes signature;
};

ByteVector encode_signed_key(Bytes public_key, Bytes signature) {
  ByteVector fields, out;
  crypto::append_der(fields, crypto::der::kOctetString, public_key);
  crypto::append_der(fields, crypto::der::kOctetString, signature);
  crypto::append_der(out, crypto::der::kSequence, fields);
  return out;
}

Result<SignedKey> decode_signed_key(Bytes in) {
  SignedKey out;
  Bytes content;
  crypto::DerReader outer(in);
  if (!outer.read(crypto::der::kSequence, &content) || !outer.empty()) {
    return bad("the libp2p extension is not a DER SignedKey");
  }
  crypto::DerReader fields(content);
  if (!fields.read(crypto::der::kOctetString, &out.public_key) ||
      !fields.read(crypto::der::kOctetString, &out.signature) || !fields.empty()) {
    return bad("the libp2p extension is not a DER SignedKey");
  }
  return out;
}

// The value of libp2p's extension. That none occurs twice is the parser's to know.
Result<Bytes> find_extension(const crypto::Certificate& certificate) {
  const crypto::CertificateExtension* found = nullptr;
  for (const crypto::CertificateExtension& extension : certificate.extensions) {
    if (equal(extension.oid, kExtensionOid)) {
      found = &extension;
    } else if (extension.critical) {
      return bad("extension " + crypto::oid_text(extension.oid) + " is critical and unknown");
    }
  }
  if (!found) return bad("the libp2p extension is missing");
  return found->value;
}

Status check_validity(const crypto::Certificate& certificate, int64_t now_unix_s) {
  // Unsigned, as `now` can be any number.
  const auto seconds_from = [](int64_t a, int64_t b) {
    return std::to_string(static_cast<uint64_t>(b) - static_cast<uint64_t>(a)) + " seconds";
  };
  if (now_unix_s < certificate.not_before_unix_s) {
    return bad("not valid yet: only in " + seconds_from(now_unix_s, certificate.not_before_unix_s));
  }
  if (now_unix_s > certificate.not_after_unix_s) {
    return bad("expired " + seconds_from(certificate.not_after_unix_s, now_unix_s) + " ago");
  }
  return {};
}

}  // namespace

Result<Credentials> make_credentials(const crypto::PrivateKey& host_key, int64_t now_unix_s) {
  if (now_unix_s < 0 || now_unix_s > kLastNow) {
    return Error(KITH_ERR_INVALID_ARGUMENT, kWhere,
                 "the time is not between the years 1970 and 9899");
  }
  KITH_ASSIGN(const crypto::PrivateKey key, crypto::PrivateKey::generate(crypto::KeyType::kEcdsa));
  KITH_ASSIGN(const ByteVector signature, host_key.sign(message_for(key.public_key().data())));
  const ByteVector signed_key =
      encode_signed_key(identity::encode_public_key(host_key.public_key()), signature);
  std::array<uint8_t, 8> random;
  KITH_TRY(crypto::random_bytes(random));

  crypto::SelfSignedCertificate content;
  for (uint8_t byte : random) content.serial_number = content.serial_number << 8 | byte;
  content.serial_number >>= 2;  // 62 bits, like go-libp2p's: positive in 8 bytes
  content.not_before_unix_s = kNotBefore;
  content.not_after_unix_s = now_unix_s + kLifetime;
  content.extension = {kExtensionOid, /*critical=*/false, signed_key};

  Credentials out;
  KITH_ASSIGN(out.certificate_der, crypto::make_certificate(key, content));
  KITH_ASSIGN(out.pkcs12, crypto::make_pkcs12(out.certificate_der, key));
  out.private_key_der = crypto::make_pkcs8(key);
  return out;
}

// From cheap to dear: what can be refused by looking is not worth a signature check.
Result<VerifiedPeer> verify_certificate(Bytes der, int64_t now_unix_s) {
  if (der.size() > limits::kCertificateBytes) {
    return bad(std::to_string(der.size()) + " bytes, more than " +
               std::to_string(limits::kCertificateBytes));
  }
  KITH_ASSIGN(const crypto::Certificate certificate, crypto::parse_certificate(der));
  KITH_TRY(check_validity(certificate, now_unix_s));
  KITH_ASSIGN(const Bytes extension, find_extension(certificate));
  KITH_ASSIGN(const SignedKey signed_key, decode_signed_key(extension));
  auto host_key = identity::decode_public_key(signed_key.public_key);
  if (!host_key.ok()) {
    const kith_status status =
        host_key.status() == KITH_ERR_MALFORMED ? KITH_ERR_BAD_CERTIFICATE : host_key.status();
    return Error(status, kWhere, "the host key: " + std::string(host_key.error().detail()));
  }
  KITH_TRY(crypto::verify_self_signature(certificate));
  if (!host_key->verify(message_for(certificate.subject_public_key_info), signed_key.signature)
           .ok()) {
    return Error(KITH_ERR_BAD_SIGNATURE, kWhere, "the host key did not sign the certificate's key");
  }
  const identity::PeerId id = identity::PeerId::from_public_key(*host_key);
  return VerifiedPeer{id, std::move(host_key).value(), certificate.not_before_unix_s,
                      certificate.not_after_unix_s};
}

}  // namespace kith::tls
