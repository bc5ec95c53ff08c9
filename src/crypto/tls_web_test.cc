// TLS as the web has it: two sessions over memory, with certificates that fit and that do not.
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "base/limits.h"
#include "crypto/openssl.h"
#include "crypto/tls_session.h"

namespace kith::crypto {
namespace {

constexpr int64_t kNow = 1767225600;  // 2026-01-01
using BioPtr = OpensslPtr<BIO, BIO_free>;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

// A certificate with its key, signed by itself or by another.
struct Web {
  struct Options {
    const char* names = "DNS:example.com,DNS:*.wild.example,IP:192.0.2.1,IP:2001:db8::1";
    const char* subject = "server";
    const Web* issuer = nullptr;
    bool is_authority = false;
    int64_t not_after = kNow + 1000;
    size_t padding = 0;
  };
  Web() : Web(Options()) {}
  explicit Web(const Options& o) : key(EVP_EC_gen("P-256")), x509(X509_new()) {
    X509* x = x509.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    ASN1_TIME_set(X509_getm_notBefore(x), kNow - 1000);
    ASN1_TIME_set(X509_getm_notAfter(x), o.not_after);
    X509_set_pubkey(x, key.get());
    X509_NAME* name = X509_get_subject_name(x);
    const auto* cn = reinterpret_cast<const unsigned char*>(o.subject);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0);
    X509_set_issuer_name(x, o.issuer ? X509_get_subject_name(o.issuer->x509.get()) : name);
    add(NID_subject_alt_name, o.names);
    if (o.is_authority) add(NID_basic_constraints, "critical,CA:TRUE");
    if (o.padding != 0) add(NID_netscape_comment, std::string(o.padding, 'x').c_str());
    KITH_CHECK(X509_sign(x, o.issuer ? o.issuer->key.get() : key.get(), EVP_sha256()) != 0);
  }
  void add(int nid, const char* value) {
    X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    KITH_CHECK(e && X509_add_ext(x509.get(), e, -1) == 1);
    X509_EXTENSION_free(e);
  }
  std::string pem() const {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), x509.get());
    return text_of(bio.get());
  }
  std::string key_pem(const char* password = nullptr) const {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), password ? EVP_aes_128_cbc() : nullptr,
                                  password, password ? 4 : 0, nullptr, nullptr);
    return text_of(bio.get());
  }
  PkeyPtr key;
  X509Ptr x509;
};

struct Ends {
  Status client, server;
  bool is_complete = false;
};

class WebTls : public testing::Test {
 protected:
  // Runs a handshake, and an echo in both directions if it succeeds.
  Ends run(const TlsContext& client_context, const TlsContext& server_context,
           std::string_view name, int64_t now = kNow) {
    TlsSession client, server;
    OutputBytes to_server, to_client;
    static constexpr std::string_view kAlpn[] = {"http/1.1"};
    TlsConfig config;
    config.context = &server_context;
    config.alpn = kAlpn;
    Ends ends;
    ends.server = server.start(config, to_client);
    config.context = &client_context;
    config.is_client = true;
    config.server_name = name;
    config.now_unix_s = now;
    if (!has_alpn_) config.alpn = {};
    ends.client = client.start(config, to_server);
    received_.clear();
    auto keep = [this](MutableBytes text) { append(received_, text); };
    const auto nothing = [](void*) { return Status(); };
    for (int i = 0; i < 6; ++i) {
      if (client.is_complete() && i == 4) say(client, "up", to_server);
      if (server.is_complete() && i == 4) say(server, "down", to_client);
      const ByteVector up = to_vector(to_server.bytes()), down = to_vector(to_client.bytes());
      to_server.clear();
      to_client.clear();
      if (ends.server.ok() && !up.empty())
        ends.server = server.receive(up, keep, nothing, nullptr, to_client);
      if (ends.client.ok() && !down.empty())
        ends.client = client.receive(down, keep, nothing, nullptr, to_server);
    }
    ends.is_complete = client.is_complete() && server.is_complete();
    alpn_ = client.is_complete() ? client.alpn() : "";
    return ends;
  }
  static void say(TlsSession& from, std::string_view text, OutputBytes& out) {
    const Bytes bytes = as_bytes(text);
    EXPECT_TRUE(from.encrypt({&bytes, 1}, out).ok());
  }
  static TlsContext server_of(const Web& web, const std::string& rest = "") {
    return TlsContext::make_web_server(web.pem() + rest, web.key_pem()).value();
  }
  bool has_alpn_ = true;
  std::string alpn_;
  ByteVector received_;
};

TEST_F(WebTls, AServerProvesEachOfItsNames) {
  const Web web;
  const TlsContext server = server_of(web);
  const TlsContext client = TlsContext::make_web_client(web.pem()).value();
  for (const char* name : {"example.com", "a.wild.example", "192.0.2.1", "2001:db8::1"}) {
    const Ends e = run(client, server, name);
    EXPECT_TRUE(e.is_complete) << name << e.client.error().to_string();
    EXPECT_EQ(as_text(received_), "updown");
    EXPECT_EQ(alpn_, "http/1.1");
  }
  has_alpn_ = false;
  EXPECT_TRUE(run(client, server, "example.com").is_complete);
  EXPECT_EQ(alpn_, "");
}

TEST_F(WebTls, AnotherNameAnotherTimeAndAnotherRootAreRefused) {
  const Web web, other;
  const TlsContext server = server_of(web);
  const TlsContext client = TlsContext::make_web_client(web.pem()).value();
  const auto refused = [&](const TlsContext& by, const char* name, int64_t now, const char* why) {
    const Ends e = run(by, server, name, now);
    EXPECT_FALSE(e.is_complete && e.server.ok());
    EXPECT_EQ(e.client.status(), KITH_ERR_BAD_CERTIFICATE) << e.client.error().to_string();
    EXPECT_NE(e.client.error().detail().find(why), std::string::npos)
        << e.client.error().to_string();
    EXPECT_TRUE(received_.empty());
  };
  refused(client, "example.org", kNow, "hostname mismatch");
  refused(client, "wild.example", kNow, "hostname mismatch");
  refused(client, "192.0.2.2", kNow, "IP address mismatch");
  refused(client, "example.com", kNow + 2000, "expired");
  refused(client, "example.com", kNow - 2000, "not yet valid");
  refused(TlsContext::make_web_client(other.pem()).value(), "example.com", kNow, "self-signed");
  EXPECT_EQ(run(client, server, "").client.status(), KITH_ERR_INVALID_ARGUMENT);
}

TEST_F(WebTls, WhoAsksForNothingTakesAnything) {
  const TlsContext any = TlsContext::make_web_client_of_any().value();
  EXPECT_TRUE(run(any, server_of(Web()), "example.org", kNow + 5000).is_complete);
  EXPECT_EQ(as_text(received_), "updown");
}

TEST_F(WebTls, AChainLeadsToARoot) {
  const Web root({.subject = "root", .is_authority = true});
  const Web middle({.subject = "middle", .issuer = &root, .is_authority = true});
  const Web leaf({.issuer = &middle});
  const TlsContext client = TlsContext::make_web_client(Web().pem() + root.pem()).value();
  EXPECT_TRUE(run(client, server_of(leaf, middle.pem()), "example.com").is_complete);
  const Ends e = run(client, server_of(leaf), "example.com");
  EXPECT_EQ(e.client.status(), KITH_ERR_BAD_CERTIFICATE) << e.client.error().to_string();
}

TEST_F(WebTls, TheCertificatesOfAServerHaveALimit) {
  const Web web;
  const TlsContext any = TlsContext::make_web_client_of_any().value();
  const Web large({.padding = limits::kWebCertificateMessageBytes - 1000});
  EXPECT_TRUE(run(any, server_of(large), "example.com").is_complete);
  const Web too_large({.padding = limits::kWebCertificateMessageBytes});
  EXPECT_EQ(run(any, server_of(too_large), "example.com").client.status(),
            KITH_ERR_MESSAGE_TOO_LARGE);
}

TEST_F(WebTls, WhatIsNotPemIsRefusedWithoutAskingForAPassword) {
  const Web web, other;
  EXPECT_EQ(TlsContext::make_web_client("nothing").status(), KITH_ERR_INVALID_ARGUMENT);
  std::string broken = web.pem();
  broken.replace(100, 8, "????????");
  EXPECT_EQ(TlsContext::make_web_client(web.pem() + broken).status(), KITH_ERR_INVALID_ARGUMENT);
  for (const auto& [chain, key] : {std::pair{std::string(), web.key_pem()},
                                   {broken, web.key_pem()},
                                   {web.pem(), std::string()},
                                   {web.pem(), other.key_pem()},
                                   {web.pem(), web.key_pem("pass")},
                                   {web.pem(), web.pem()}}) {
    EXPECT_EQ(TlsContext::make_web_server(chain, key).status(), KITH_ERR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_F(WebTls, TheSystemsRootsMayBeNamed) {
  const Web web;
  const std::string file = testing::TempDir() + "kith-roots.pem";
  std::ofstream(file) << web.pem();
  setenv("SSL_CERT_FILE", file.c_str(), 1);
  const Result<TlsContext> client = TlsContext::make_web_client("");
  EXPECT_TRUE(run(client.value(), server_of(web), "example.com").is_complete);
  setenv("SSL_CERT_FILE", "/nowhere", 1);
  EXPECT_EQ(TlsContext::make_web_client("").status(), KITH_ERR_IO);
  unsetenv("SSL_CERT_FILE");
  std::remove(file.c_str());
}

}  // namespace
}  // namespace kith::crypto
