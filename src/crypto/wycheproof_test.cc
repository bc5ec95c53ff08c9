// Project Wycheproof's cases for the signatures that kith verifies. The collection is not part of
// this tree: point KITH_WYCHEPROOF at the folder testvectors_v1 of a copy of
// github.com/C2SP/wycheproof (tried with commit dac1dd4729fd). Without it these tests are skipped.
//
// Two policies differ from the collection's words, both on purpose and as in go-libp2p: in its
// Bitcoin flavor a secp256k1 signature with a high S (cases 1 and 388) is invalid, which kith
// takes; and RSA's "acceptable" form without a NULL is refused.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "crypto/keys.h"

namespace kith::crypto {
namespace {

using nlohmann::json;

ByteVector hex(const json& text) {
  return from_hex(text.get_ref<const std::string&>()).value_or(ByteVector());
}

// The key of a group, in the encoding that libp2p gives it.
ByteVector key_data(KeyType type, const json& group) {
  switch (type) {
    case KeyType::kEd25519:
      return hex(group["publicKey"]["pk"]);
    case KeyType::kSecp256k1:
      return hex(group["publicKey"]["uncompressed"]);
    default:
      return hex(group["publicKeyDer"]);
  }
}

// `taken_anyway` are the tcIds of invalid cases that kith takes.
void run(const char* file_name, KeyType type, size_t expected_cases,
         const std::set<int>& taken_anyway = {}) {
  const char* folder = std::getenv("KITH_WYCHEPROOF");
  if (!folder) GTEST_SKIP() << "KITH_WYCHEPROOF is not set";
  std::ifstream file(std::string(folder) + "/" + file_name);
  ASSERT_TRUE(file.is_open()) << file_name;
  const json root = json::parse(file, nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(root.is_discarded()) << file_name;
  size_t num_cases = 0;
  for (const json& group : root["testGroups"]) {
    const auto key = PublicKey::from_data(type, key_data(type, group));
    ASSERT_TRUE(key.ok()) << key.error().to_string();
    for (const json& test : group["tests"]) {
      ++num_cases;
      const bool expected =
          test["result"] == "valid" || taken_anyway.count(test["tcId"].get<int>()) != 0;
      EXPECT_EQ(key->verify(hex(test["msg"]), hex(test["sig"])).ok(), expected)
          << file_name << " case " << test["tcId"] << ": " << test["comment"];
    }
  }
  EXPECT_EQ(num_cases, expected_cases);
}

TEST(Wycheproof, Ed25519) { run("ed25519_test.json", KeyType::kEd25519, 151); }
TEST(Wycheproof, EcdsaP256) { run("ecdsa_secp256r1_sha256_test.json", KeyType::kEcdsa, 484); }
TEST(Wycheproof, Secp256k1) { run("ecdsa_secp256k1_sha256_test.json", KeyType::kSecp256k1, 476); }
TEST(Wycheproof, Secp256k1AsBitcoinHasIt) {
  run("ecdsa_secp256k1_sha256_bitcoin_test.json", KeyType::kSecp256k1, 463, {1, 388});
}
TEST(Wycheproof, Rsa2048) { run("rsa_signature_2048_sha256_test.json", KeyType::kRsa, 259); }

}  // namespace
}  // namespace kith::crypto
