#include "protocol/websocket/handshake.h"

#include "base/limits.h"
#include "crypto/sha1.h"
#include "wire/multibase.h"
#include "wire/quote.h"

namespace kith::websocket {
namespace {

constexpr char kWhere[] = "websocket";
constexpr std::string_view kVersion = "HTTP/1.1";

// The base64 of a key with its padding.
constexpr size_t kKeyChars = 24;

std::string key_of(Bytes nonce) { return wire::encode_base(wire::Base::kBase64, nonce) + "=="; }

bool is_key(std::string_view key) {
  if (key.size() != kKeyChars || !key.ends_with("==")) return false;
  const Result<ByteVector> nonce =
      wire::decode_base(wire::Base::kBase64, key.substr(0, kKeyChars - 2));
  return nonce.ok() && nonce->size() == kNonceBytes;
}

struct Refusal {
  const char* status = "";
  const char* fields = "";
  const char* reason = "";
};
constexpr char kUpgradeFields[] = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

void refuse(const Refusal& refusal, OutputBytes& out) {
  const std::string body = std::string(refusal.reason) + "\n";
  const std::string text = "HTTP/1.1 " + std::string(refusal.status) + "\r\n" + refusal.fields +
                           "Connection: close\r\nContent-Type: text/plain\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body;
  out.append(as_bytes(text));
}

// "GET /any/path HTTP/1.1"
bool is_get(std::string_view line) {
  constexpr std::string_view kMethod = "GET ";
  if (!line.starts_with(kMethod)) return false;
  line.remove_prefix(kMethod.size());
  const size_t space = line.find(' ');
  return space != 0 && space != std::string_view::npos && line.substr(space + 1) == kVersion;
}

// Why `head` is not answered with an upgrade; no status if it is.
Refusal check_request(const Head& head) {
  const auto bad = [](const char* reason) { return Refusal{"400 Bad Request", "", reason}; };
  if (!is_get(head.start_line)) return bad("the request is not a GET of HTTP/1.1");
  if (head.count("Host") != 1) return bad("the request has no Host, or several");
  if (head.count("Transfer-Encoding") != 0 ||
      (head.count("Content-Length") != 0 && head.value("Content-Length") != "0")) {
    return bad("the request has a body");
  }
  if (!head.lists("Upgrade", "websocket") || !head.lists("Connection", "upgrade")) {
    return {"426 Upgrade Required", kUpgradeFields, "this port speaks WebSocket"};
  }
  if (head.count("Sec-WebSocket-Version") != 1 || head.value("Sec-WebSocket-Version") != "13") {
    return {"426 Upgrade Required", kUpgradeFields, "this port speaks version 13 of WebSocket"};
  }
  if (head.count("Sec-WebSocket-Key") != 1 || !is_key(head.value("Sec-WebSocket-Key"))) {
    return bad("the request has no proper Sec-WebSocket-Key, or several");
  }
  return {};
}

// Status line: "HTTP/1.1 101 Switching Protocols", where the words may be missing.
bool is_switching(std::string_view line) {
  constexpr std::string_view kStart = "HTTP/1.1 101";
  return line.starts_with(kStart) && (line.size() == kStart.size() || line[kStart.size()] == ' ');
}

}  // namespace

std::string accept_of(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  return wire::encode_base(wire::Base::kBase64, crypto::sha1(as_bytes(text))) + "=";
}

Handshake Handshake::dial(std::string_view host, Bytes nonce, OutputBytes& out) {
  KITH_CHECK(nonce.size() == kNonceBytes);
  Handshake h;
  const std::string key = key_of(nonce);
  h.expected_accept_ = accept_of(key);
  const std::string text =
      "GET / HTTP/1.1\r\nHost: " + std::string(host) +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key +
      "\r\nSec-WebSocket-Version: 13\r\n\r\n";
  out.append(as_bytes(text));
  return h;
}

Result<size_t> Handshake::receive(Bytes in, OutputBytes& out) {
  const bool is_dialer = !expected_accept_.empty();
  const auto fail = [&](const Error& error) -> Result<size_t> {
    if (!is_dialer) {
      refuse({error.status() == KITH_ERR_LIMIT ? "431 Request Header Fields Too Large"
                                               : "400 Bad Request",
              "", std::string(error.detail()).c_str()},
             out);
    }
    return error;
  };
  Result<size_t> taken = reader_.receive(in);
  if (!taken.ok()) return fail(taken.error());
  if (!reader_.is_complete()) return taken;
  const Result<Head> head = Head::parse(reader_.text());
  if (!head.ok()) return fail(head.error());
  if (is_dialer) {
    KITH_TRY(check_answer(*head));
    return taken;
  }
  if (const Refusal refusal = check_request(*head); *refusal.status) {
    refuse(refusal, out);
    return Error(KITH_ERR_HANDSHAKE, kWhere, refusal.reason);
  }
  const std::string text =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: " +
      accept_of(head->value("Sec-WebSocket-Key")) + "\r\n\r\n";
  out.append(as_bytes(text));
  return taken;
}

Status Handshake::check_answer(const Head& head) const {
  const auto bad = [](std::string why) {
    return Error(KITH_ERR_HANDSHAKE, kWhere, std::move(why));
  };
  if (!is_switching(head.start_line)) {
    return bad("the server answers " + wire::quote(head.start_line) + " instead of 101");
  }
  if (!head.lists("Upgrade", "websocket") || !head.lists("Connection", "upgrade")) {
    return bad("the server's answer does not upgrade to WebSocket");
  }
  if (head.count("Sec-WebSocket-Accept") != 1 ||
      head.value("Sec-WebSocket-Accept") != expected_accept_) {
    return bad("the server's Sec-WebSocket-Accept is wrong");
  }
  if (head.count("Sec-WebSocket-Extensions") != 0 || head.count("Sec-WebSocket-Protocol") != 0) {
    return bad("the server takes an extension or a subprotocol that was not offered");
  }
  return {};
}

}  // namespace kith::websocket
