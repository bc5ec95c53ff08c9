// The opening handshake: the RFC's example, what browsers and proxies send, and everything that is refused.
#include "protocol/websocket/handshake.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "fuzz/input.h"

namespace kith::websocket {
namespace {

// RFC 6455 section 1.2, with the path and names of a browser behind a proxy.
constexpr std::string_view kRequest =
    "GET /chat?x=1 HTTP/1.1\r\n"
    "host: server.example.com\r\n"
    "X-Forwarded-For: 192.0.2.1\r\n"
    "upgrade: h2c, WebSocket\r\n"
    "Connection: keep-alive\r\n"
    "Connection:  foo ,\tUPGRADE\r\n"
    "Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ==  \r\n"
    "Origin: http://example.com\r\n"
    "Sec-WebSocket-Protocol: chat, superchat\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Content-Length: 0\r\n"
    "\r\n";
constexpr std::string_view kAnswer =
    "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "\r\n";
// base64: "the sample nonce"
const Bytes kNonce = as_bytes("the sample nonce");

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out(text);
  const size_t at = out.find(what);
  KITH_CHECK(at != std::string::npos);
  return out.replace(at, what.size(), with);
}

struct Outcome {
  Status status;
  size_t taken = 0;
  bool is_complete = false;
  std::string sent;
};

struct Machine {
  size_t receive(Bytes in) {
    if (!status.ok() || handshake.is_complete()) return 0;
    const Result<size_t> n = handshake.receive(in, out);
    if (!n.ok()) status = n.error();
    return n.ok() ? *n : in.size();
  }
  Handshake handshake;
  OutputBytes out = {};
  Status status = {};
};

Outcome run(Machine& m, std::string_view text, const std::vector<size_t>& cuts = {}) {
  Outcome o;
  o.taken = fuzz::feed(m, as_bytes(text), cuts);
  o.status = m.status;
  o.is_complete = m.handshake.is_complete();
  o.sent = std::string(as_text(m.out.bytes()));
  return o;
}
Outcome listen(std::string_view request, const std::vector<size_t>& cuts = {}) {
  Machine m{Handshake::listen()};
  return run(m, request, cuts);
}
Outcome dial(std::string_view answer, const std::vector<size_t>& cuts = {}) {
  OutputBytes request;
  Machine m{Handshake::dial("h", kNonce, request)};
  return run(m, answer, cuts);
}

TEST(WebsocketHandshake, AcceptIsAsInTheRfc) {
  EXPECT_EQ(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebsocketHandshake, TheDialerAsksForTheRootAndOffersNothing) {
  OutputBytes out;
  static_cast<void>(Handshake::dial("[2001:db8::1]:4001", kNonce, out));
  EXPECT_EQ(
      as_text(out.bytes()),
      "GET / HTTP/1.1\r\nHost: [2001:db8::1]:4001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

TEST(WebsocketHandshake, ARequestOfABrowserIsAnsweredHoweverItIsCutAndTheRestIsLeft) {
  const std::string text = std::string(kRequest) + "\x82rest";
  fuzz::for_each_split(text.size(), [&](const std::vector<size_t>& cuts) {
    const Outcome o = listen(text, cuts);
    ASSERT_TRUE(o.status.ok()) << o.status.error().to_string();
    ASSERT_TRUE(o.is_complete);
    ASSERT_EQ(o.taken, kRequest.size());
    ASSERT_EQ(o.sent, kAnswer);
  });
}

TEST(WebsocketHandshake, TheAnswerIsTakenHoweverItIsCutAndTheRestIsLeft) {
  const std::string text = std::string(kAnswer) + "\x82rest";
  fuzz::for_each_split(text.size(), [&](const std::vector<size_t>& cuts) {
    const Outcome o = dial(text, cuts);
    ASSERT_TRUE(o.status.ok()) << o.status.error().to_string();
    ASSERT_TRUE(o.is_complete);
    ASSERT_EQ(o.taken, kAnswer.size());
    ASSERT_EQ(o.sent, "");
  });
}

TEST(WebsocketHandshake, BothEndsAgree) {
  Machine listener{Handshake::listen()};
  OutputBytes request;
  Machine dialer{Handshake::dial("h", kNonce, request)};
  EXPECT_TRUE(run(listener, as_text(request.bytes())).status.ok());
  EXPECT_TRUE(run(dialer, as_text(listener.out.bytes())).is_complete);
}

struct Case {
  const char* what;
  const char* with;
  const char* answer;
};

TEST(WebsocketHandshake, WhatIsNotAProperUpgradeIsToldSo) {
  const Case cases[] = {
      {"GET ", "POST ", "400"},
      {"GET /chat?x=1 ", "GET  ", "400"},
      {"GET /chat?x=1 ", "GET /chat? x=1 ", "400"},
      {"HTTP/1.1", "HTTP/1.0", "400"},
      {" HTTP/1.1", "", "400"},
      {"host: server.example.com\r\n", "", "400"},
      {"Origin", "Host", "400"},
      {"Content-Length: 0", "Content-Length: 1", "400"},
      {"Content-Length: 0", "Transfer-Encoding: chunked", "400"},
      {"WebSocket", "web socket", "426"},
      {"UPGRADE", "upgrades", "426"},
      {"Version: 13", "Version: 8", "426"},
      {"Sec-WebSocket-Version: 13\r\n", "", "426"},
      {"Origin: http://example.com", "Sec-WebSocket-Version: 13", "426"},
      {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", "400"},
      {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQAA", "400"},
      {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBs!SBub25jZQ==", "400"},
      {"Sec-WebSocket-Key", "Sec-WebSocket-K", "400"},
      {"Origin: http://example.com", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "400"},
      {"Origin:", " Origin:", "400"},
      {"Origin:", "Origin :", "400"},
      {"Origin:", "Origin", "400"},
      {"Origin:", ":", "400"},
      {"chat, superchat\r\n", "chat, superchat\n", "400"},
      {"chat, superchat\r\n", "chat, superchat\r", "400"},
      {"chat, superchat", "chat, \x01", "400"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.what) + " -> " + c.with);
    const Outcome o = listen(replaced(kRequest, c.what, c.with));
    EXPECT_TRUE(o.status.status() == KITH_ERR_HANDSHAKE || o.status.status() == KITH_ERR_MALFORMED);
    EXPECT_TRUE(o.sent.starts_with("HTTP/1.1 " + std::string(c.answer))) << o.sent;
    EXPECT_NE(o.sent.find("\r\nConnection: close\r\n"), std::string::npos) << o.sent;
    const bool says_how =
        o.sent.find("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n") != std::string::npos;
    EXPECT_EQ(says_how, std::string_view(c.answer) == "426");
    const size_t body = o.sent.find("\r\n\r\n") + 4;
    EXPECT_NE(o.sent.find("Content-Length: " + std::to_string(o.sent.size() - body) + "\r\n"),
              std::string::npos);
  }
}

TEST(WebsocketHandshake, OtherProtocolsAreNoticedAtTheirFirstBytes) {
  for (const std::string_view other :
       {std::string_view("\x13/multistream/1.0.0\n"), std::string_view("\x16\x03\x01\x02"),
        std::string_view("\0\x20", 2)}) {
    EXPECT_EQ(listen(other).status.status(), KITH_ERR_MALFORMED);
    EXPECT_EQ(dial(other).status.status(), KITH_ERR_MALFORMED);
  }
}

TEST(WebsocketHandshake, AnAnswerThatDoesNotUpgradeIsRefused) {
  const Case cases[] = {
      {"101 Switching Protocols", "200 OK", ""},
      {"101 Switching Protocols", "1010", ""},
      {"HTTP/1.1 101", "HTTP/1.0 101", ""},
      {"Upgrade: websocket\r\n", "", ""},
      {"Connection: Upgrade\r\n", "", ""},
      {"Sec-WebSocket-Accept: s3p", "Sec-WebSocket-Accept: S3p", ""},
      {"Sec-WebSocket-Accept", "Sec-WebSocket-Accepts", ""},
      {"Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate",
       ""},
      {"Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Protocol: chat", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.what) + " -> " + c.with);
    EXPECT_EQ(dial(replaced(kAnswer, c.what, c.with)).status.status(), KITH_ERR_HANDSHAKE);
  }
  const Outcome moved = dial("HTTP/1.1 301 Moved Permanently\r\nLocation: /\r\n\r\n");
  EXPECT_NE(moved.status.error().detail().find("301 Moved Permanently"), std::string::npos);
  EXPECT_TRUE(dial(replaced(kAnswer, " Switching Protocols", "")).is_complete);
}

TEST(WebsocketHandshake, TheHeadHasALimit) {
  const std::string filler =
      "X: " + std::string(limits::kWebsocketHeadBytes - kRequest.size() - 5, 'x') + "\r\n";
  const auto with = [](const std::string& more) {
    return replaced(kRequest, "Origin", more + "Origin");
  };
  EXPECT_TRUE(listen(with(filler)).is_complete);
  const Outcome o = listen(with("X" + filler));
  EXPECT_EQ(o.status.status(), KITH_ERR_LIMIT);
  EXPECT_TRUE(o.sent.starts_with("HTTP/1.1 431 ")) << o.sent;
  // Without an end, too.
  EXPECT_EQ(listen(std::string(limits::kWebsocketHeadBytes + 1, 'x')).status.status(),
            KITH_ERR_LIMIT);
}

TEST(WebsocketHandshake, HeaderFieldsHaveALimit) {
  const auto with = [](size_t num) {
    std::string more;
    for (size_t i = 0; i < num; ++i) more += "X: y\r\n";
    return replaced(kRequest, "Origin", more + "Origin");
  };
  constexpr size_t kOurs = 11;
  EXPECT_TRUE(listen(with(limits::kWebsocketHeaders - kOurs)).is_complete);
  EXPECT_EQ(listen(with(limits::kWebsocketHeaders - kOurs + 1)).status.status(), KITH_ERR_LIMIT);
}

}  // namespace
}  // namespace kith::websocket
