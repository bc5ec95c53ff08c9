// The secure channel /tls/1.0.0 over a byte pipe: TLS 1.3 in which each side presents the
// certificate of protocol/tls/certificate.h. Sans-IO. noise::Session (protocol/noise/session.h) has
// the same shape, so that a transport takes either as a template argument. Spec: libp2p/specs
// tls/tls.md; connections/inlined-muxer-negotiation.md; RFC 8446.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/bytes_sink.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "crypto/tls_session.h"
#include "identity/peer_id.h"
#include "protocol/tls/certificate.h"

namespace kith::tls {

inline constexpr std::string_view kProtocolId = "/tls/1.0.0";

// Context is what all sessions of a node share: its credentials, made ready for TLS. Make one when
// the node starts.
class Context {
 public:
  // make reads what make_credentials made and keeps nothing of it. KITH_ERR_CRYPTO.
  static Result<Context> make(const Credentials& credentials);
  const crypto::TlsContext& tls() const { return tls_; }

 private:
  explicit Context(crypto::TlsContext tls) : tls_(std::move(tls)) {}
  crypto::TlsContext tls_;
};

struct Config {
  const Context* context = nullptr;  // borrowed for the life of the session
  bool is_dialer = false;            // dialer: TLS client; listener: TLS server
  identity::PeerId expected_peer;    // empty: anybody
  // Our muxers ("/yamux/1.0.0"), best first, to be agreed on within the handshake; none: that is
  // left to multistream. The views, and the array they are in, are borrowed for the life of the
  // session.
  std::span<const std::string_view> muxers;
  int64_t now_unix_s = 0;  // for the peer's certificate
};

// Session is one connection's secure channel.
//
// The caller passes every chunk that arrives to receive() and writes whatever the calls append to
// `out`, in that order. `out` is borrowed per call: one object may serve all sessions of a loop, if
// what could not be written is kept elsewhere, per connection. TLS keeps its record buffers only
// while a record is incomplete. Not copied and not moved.
class Session {
 public:
  using Config = tls::Config;
  using Context = tls::Context;
  static constexpr std::string_view kProtocolId = tls::kProtocolId;

  //   kHandshaking --> kOpen --close(), or the peer's close_notify--> kClosed
  //        |             |
  //        +-> kFailed <-+
  enum class State : uint8_t {
    kHandshaking,  // the peer is not known yet
    kOpen,         // remote_peer() is verified, encrypt() may be called
    kClosed,       // either side closed the channel
    kFailed,       // see error(); final
  };

  explicit Session(const Config& config);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // start begins the handshake: call it once, before anything else. A dialer's first message goes
  // to `out`.
  Status start(OutputBytes& out);

  // receive takes the bytes that the peer sent, all of them, in pieces of any size; their content
  // is unspecified afterwards. Plaintext is handed to `plaintext` piece by piece, none of them
  // empty. The handshake's end and the first data may come in one piece; see state() afterwards.
  // `plaintext` may call encrypt() and close(), but neither receive() nor the destructor.
  //
  // On error the state is kFailed, nothing more comes out of this session, and the connection is to
  // be closed once `out`, which may hold an alert that tells the peer why, is written. A dialer may
  // be open before the listener has looked at its certificate: a refusal then arrives as an error
  // here. KITH_ERR_HANDSHAKE, also for a refusal by the peer; KITH_ERR_MALFORMED for a record that
  // does not decrypt; KITH_ERR_LIMIT for too much that is no data, as crypto::TlsSession says;
  // KITH_ERR_MESSAGE_TOO_LARGE; KITH_ERR_ALPN_MISMATCH; KITH_ERR_BAD_CERTIFICATE,
  // KITH_ERR_BAD_SIGNATURE and KITH_ERR_UNSUPPORTED_KEY as verify_certificate() says;
  // KITH_ERR_PEER_ID_MISMATCH; KITH_ERR_CLOSED after close() or close_notify; the same error again
  // after a failure.
  Status receive(MutableBytes chunk, BytesSink plaintext, OutputBytes& out);

  // encrypt appends to `out` records with the bytes of `plaintext`, taken as one sequence, of up to
  // 16 KiB each. KITH_ERR_INVALID_STATE unless kOpen.
  Status encrypt(std::span<const Bytes> plaintext, OutputBytes& out);
  Status encrypt(Bytes plaintext, OutputBytes& out) { return encrypt({&plaintext, 1}, out); }

  // close ends the session: close_notify goes to `out` if it was kOpen.
  Status close(OutputBytes& out);

  // end_of_input says that the peer closed its side. KITH_ERR_CLOSED unless its close_notify came
  // before: then data may be missing.
  Status end_of_input() const;

  State state() const { return state_; }
  // error says why the state is kFailed; KITH_OK otherwise.
  const Error& error() const { return error_; }
  // remote_peer returns who is at the other end: verified, and empty unless kOpen or kClosed.
  const identity::PeerId& remote_peer() const { return remote_peer_; }
  // muxer returns the one of Config::muxers that the handshake agreed on; empty if it did not, and
  // multistream must. Once kOpen.
  std::string_view muxer() const { return muxer_; }

 private:
  static Status verify_peer(void* session, Bytes certificate_der);
  Status fail(Error error);
  static Status open(void* session);

  Config config_;
  std::vector<std::string_view> alpn_;
  crypto::TlsSession tls_;
  identity::PeerId verified_;  // becomes remote_peer_ when the handshake is complete
  identity::PeerId remote_peer_;
  std::string_view muxer_;
  Error error_{KITH_OK, "tls"};
  State state_ = State::kHandshaking;
};

}  // namespace kith::tls
