// Scenarios about the certificate: TLS identities that must be refused, and a few that must be
// accepted. Spec: libp2p/specs tls/tls.md "Peer Authentication".
#include <algorithm>

#include "tests/attacker/report.h"
#include "tests/attacker/run.h"

namespace kith::attacker {
namespace {

// What the node did with a connection, as far as it can be seen from here.
struct Reaction {
  bool ended = false;   // it closed the connection
  bool served = false;  // it sent stream bytes or opened a stream: it took us for a peer
  bool ponged = false;
};

Reaction reaction_of(const Connection& connection, const Stream* stream) {
  const Connection::State& state = connection.state;
  return {state.is_ended, state.node_bytes > 0 || state.node_streams > 0,
          stream != nullptr && is_pong(stream->state)};
}

// Opens a stream to the node, early, and watches whether the node serves it or ends the connection.
Reaction probe(Run& run, Connection& connection, bool expects_pong) {
  Clock::time_point deadline = run.wait_deadline();
  if (run.options.is_server) {
    // A listener cannot open streams before the dialer's handshake is complete.
    run.endpoint.wait_until(
        deadline, [&] { return connection.state.is_connected || connection.state.is_ended; });
  }
  Stream* stream = connection.open_stream();
  if (stream != nullptr) stream->send(ping_hello(kPingBytes));
  run.endpoint.wait_until(deadline, [&] {
    Reaction now = reaction_of(connection, stream);
    return now.ended || (expects_pong ? now.ponged : now.served);
  });
  if (stream != nullptr) stream->send({}, true);
  auto lock = run.endpoint.lock();
  return reaction_of(connection, stream);
}

// Keeps a good connection for --hold seconds; a server until the node ends it.
void linger(Run& run, Connection& connection) {
  bool is_server = run.options.is_server;
  Clock::time_point end = is_server && !run.options.has("hold")
                              ? run.limit()
                              : run.after(run.options.seconds("hold", 0));
  run.endpoint.wait_until(end, [&] { return connection.state.is_ended; });
}

Verdict attack(Run& run, const Credential& credential, bool expects_accepted) {
  std::string expect = run.options.text("expect", expects_accepted ? "accepted" : "refused");
  if (expect != "accepted" && expect != "refused")
    return trouble("--expect is accepted or refused");
  DialOptions dial;
  dial.server_name = run.options.text("sni", "");
  Connection* connection = run.connect(credential, dial);
  if (connection == nullptr) return trouble("no connection was started");
  if (expect == "refused") {
    Reaction reaction = probe(run, *connection, false);
    if (reaction.served) return wrong("the node took us for a peer");
    if (!reaction.ended) return wrong("the node did not end the connection in time");
    return right("the node ended the connection and served nothing");
  }
  Reaction reaction = probe(run, *connection, true);
  // A node that dials may do what it came for and leave before it has answered.
  bool is_accepted = reaction.ponged || (run.options.is_server && reaction.served);
  if (!is_accepted) return wrong("the node did not accept a good peer");
  linger(run, *connection);
  return right("the node accepted us");
}

Scenario scenario(const char* name, const char* help, CertificateSpec spec,
                  const char* host_key = "ed25519", bool expects_accepted = false) {
  return {name, help, [=](Run& run) {
            if (!run.set_host_key(host_key)) return trouble("no such kind of host key");
            CertificateSpec changed = spec;
            changed.padding_bytes = run.options.number("padding", spec.padding_bytes);
            return attack(run, run.credential(changed), expects_accepted);
          }};
}

Verdict attack_good(Run& run) {
  if (!run.set_host_key(run.options.text("host-key", "ed25519"))) {
    return trouble("--host-key is ed25519, ecdsa or rsaBITS");
  }
  CertificateSpec spec;
  spec.critical = run.options.number("critical", 0) != 0;
  spec.padding_bytes = run.options.number("padding", 0);
  return attack(run, run.credential(spec), true);
}

// Serves every connection until the run's limit. Accepts everybody: what a node must never be.
Verdict serve(Run& run) {
  if (!run.options.is_server) return trouble("serve is for server mode");
  if (run.connect(run.credential()) == nullptr) return trouble("nobody dialed");
  run.endpoint.wait_until(run.limit(), [] { return false; });
  return right("the time is over");
}

Verdict attack_without_certificate(Run& run) {
  if (run.options.is_server) return trouble("a TLS server has a certificate");
  return attack(run, Credential{}, false);
}

Verdict attack_with_chain(Run& run) {
  CertificateSpec spec;
  spec.more_certificates = std::max<uint64_t>(2, run.options.number("certificates", 2)) - 1;
  return attack(run, run.credential(spec), false);
}

Verdict attack_with_wrong_alpn(Run& run) {
  Credential credential = run.credential();
  credential.alpn = "h3";
  if (!run.options.is_server) return attack(run, credential, false);
  // The node's handshake fails before the listener hears of a connection: there is nothing to see
  // from here.
  if (run.connect(credential) == nullptr) return right("no connection with our protocol was made");
  return wrong("the node offered h3");
}

// A resumed session carries the old identity without a certificate message. The node must not hand
// out tickets, or check again.
Verdict attack_by_resumption(Run& run) {
  if (run.options.is_server) return trouble("resumption is for client mode");
  Connection* first = run.connect(run.credential());
  if (first == nullptr) return trouble("no connection was started");
  if (!ping(run, *first, run.wait_deadline())) return wrong("the node did not answer a good peer");
  run.endpoint.wait_until(run.after(run.options.seconds("hold", 2)),
                          [&] { return !first->state.ticket.empty(); });
  DialOptions resume;
  {
    auto lock = run.endpoint.lock();
    resume.ticket = first->state.ticket;
  }
  run.disconnect();
  if (resume.ticket.empty()) return right("the node gives no resumption ticket");
  Connection* second = run.connect(Credential{}, resume);
  if (second == nullptr) return trouble("no second connection was started");
  Reaction reaction = probe(run, *second, false);
  if (reaction.served) return wrong("a resumed session without a certificate was served");
  return reaction.ended ? right("the node refused to resume without a certificate")
                        : wrong("the node did not end the resumed connection in time");
}

}  // namespace

void add_certificate_scenarios(std::vector<Scenario>& out) {
  constexpr int64_t kHour = 3600;
  out.push_back(
      {"good",
       "right certificate, multistream, ping: must be accepted (see --host-key, --critical, --sni)",
       attack_good});
  out.push_back(
      {"serve", "server only: serves all connections, verifies nothing, until --limit", serve});
  out.push_back({"no-certificate", "TLS client without a certificate", attack_without_certificate});
  out.push_back({"two-certificates",
                 "leaf and unrelated certificates behind it (see --certificates)",
                 attack_with_chain});
  out.push_back(scenario("bad-extension-signature", "one bit of the host key's signature is wrong",
                         {.body = ExtensionBody::kFlippedSignature}));
  out.push_back(scenario("stolen-extension", "extension signed for another certificate key",
                         {.body = ExtensionBody::kStolen}));
  out.push_back(scenario("extension-missing", "no libp2p extension", {.extensions = 0}));
  out.push_back(scenario("extension-twice", "two libp2p extensions", {.extensions = 2}));
  out.push_back(
      scenario("extension-empty", "libp2p extension of no bytes", {.body = ExtensionBody::kEmpty}));
  out.push_back(scenario("extension-trailing-bytes", "three bytes follow the SignedKey",
                         {.body = ExtensionBody::kTrailingBytes}));
  out.push_back(scenario("garbage-extension", "random bytes instead of the SignedKey",
                         {.body = ExtensionBody::kGarbage}));
  out.push_back(scenario("expired", "certificate ended an hour ago",
                         {.not_before = -48 * kHour, .not_after = -kHour}));
  out.push_back(scenario("not-yet-valid", "certificate begins in a day",
                         {.not_before = 24 * kHour, .not_after = 48 * kHour}));
  out.push_back(scenario("rsa16384-host-key",
                         "RSA host key of 16,384 bits, signature of random bytes", {}, "rsa16384"));
  out.push_back(scenario("rsa12288-host-key", "RSA host key of 12,288 bits, its signature is right",
                         {}, "rsa12288"));
  out.push_back(scenario("rsa1024-host-key", "RSA host key of 1,024 bits, its signature is right",
                         {}, "rsa1024"));
  out.push_back(scenario("rsa8192-host-key", "RSA host key of 8,192 bits, right: must be accepted",
                         {}, "rsa8192", true));
  out.push_back(scenario("unknown-critical-extension", "a critical extension that nobody knows",
                         {.unknown_critical = true}));
  out.push_back(scenario("oversized-certificate", "certificate above 4 KiB (see --padding)",
                         {.padding_bytes = 5000}));
  out.push_back(scenario("self-signature-broken",
                         "one bit of the certificate's own signature is wrong",
                         {.broken_self_signature = true}));
  out.push_back(
      {"wrong-alpn", "application protocol h3 instead of libp2p", attack_with_wrong_alpn});
  out.push_back({"resumption", "resume a session without a certificate, if the node gives a ticket",
                 attack_by_resumption});
}

}  // namespace kith::attacker
