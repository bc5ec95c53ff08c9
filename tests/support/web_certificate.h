// Self-signed certificates as a web server has them, for "localhost", 127.0.0.1 and ::1, in PEM.
#pragma once

#include <string>
#include <string_view>

#include "crypto/x509.h"
#include "wire/multibase.h"

namespace kith::test {

struct WebCertificate {
  std::string certificate_pem;
  crypto::SecretBytes private_key_pem;
};

inline std::string to_pem(const char* label, Bytes der) {
  std::string base64 = wire::encode_base(wire::Base::kBase64, der);
  base64.append((4 - base64.size() % 4) % 4, '=');
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (size_t i = 0; i < base64.size(); i += 64) out += base64.substr(i, 64) + "\n";
  return out + "-----END " + label + "-----\n";
}

inline WebCertificate make_web_certificate(int64_t now_unix_s) {
  const crypto::PrivateKey key = crypto::PrivateKey::generate(crypto::KeyType::kEcdsa).value();
  static constexpr uint8_t kSubjectAltName[] = {0x55, 0x1d, 0x11};
  // SEQUENCE { [2] "localhost", [7] 127.0.0.1, [7] ::1 }
  static constexpr uint8_t kNames[] = {
      0x30, 35, 0x82, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0x87, 4, 127, 0, 0, 1,
      0x87, 16, 0,    0, 0,   0,   0,   0,   0,   0,   0,   0,   0,   0,    0, 0,   0, 1};
  static_assert(sizeof kNames == 2 + 35);
  crypto::SelfSignedCertificate content;
  content.serial_number = 1;
  content.not_before_unix_s = now_unix_s - 3600;
  content.not_after_unix_s = now_unix_s + 3600;
  content.extension = {kSubjectAltName, false, kNames};
  const std::string key_pem = to_pem("PRIVATE KEY", crypto::make_pkcs8(key));
  return {to_pem("CERTIFICATE", crypto::make_certificate(key, content).value()),
          crypto::SecretBytes(key_pem.begin(), key_pem.end())};
}

}  // namespace kith::test
