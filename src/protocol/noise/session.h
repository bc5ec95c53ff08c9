// The secure channel /noise: a Noise XX handshake in which each side's identity key vouches for its
// static key, then frames of ChaCha20-Poly1305. Sans-IO. tls::Session (protocol/tls/session.h) has
// the same shape, so that a transport takes either as a template argument. Spec: libp2p/specs
// noise/README.md; connections/inlined-muxer-negotiation.md; the Noise Protocol Framework, revision
// 34.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/bytes_sink.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "crypto/keys.h"
#include "crypto/x25519.h"
#include "identity/peer_id.h"
#include "protocol/noise/cipher_state.h"

namespace kith::noise {

inline constexpr std::string_view kProtocolId = "/noise";

// Random fills `out` with secret random bytes. Tests pass one whose bytes they know.
using Random = void (*)(MutableBytes out);

class Handshake;

// Context is what all sessions of a node share: a static key and the identity key's signature of
// it. Make one when the node starts; it keeps nothing of `identity_key`.
class Context {
 public:
  // make draws a static key from `random_source` and has it signed: one signature per node, not per
  // session. KITH_ERR_CRYPTO.
  static Result<Context> make(const crypto::PrivateKey& identity_key, Random random_source);

  const crypto::X25519Key& static_key() const { return static_key_; }
  Random random() const { return random_; }
  // The fields identity_key and identity_sig of the handshake payload, encoded.
  Bytes payload() const { return payload_; }

 private:
  Context(crypto::X25519Key static_key, ByteVector payload, Random random_source)
      : static_key_(std::move(static_key)), payload_(std::move(payload)), random_(random_source) {}
  crypto::X25519Key static_key_;
  ByteVector payload_;
  Random random_;
};

struct Config {
  const Context* context = nullptr;  // borrowed for the life of the session
  bool is_dialer = false;            // dialer: initiator; listener: responder
  identity::PeerId expected_peer;    // empty: anybody
  // Our muxers ("/yamux/1.0.0"), best first, to be agreed on within the handshake; none: that is
  // left to multistream. The views, and the array they are in, are borrowed for the life of the
  // session.
  std::span<const std::string_view> muxers;
  // What both sides must agree on beforehand (WebRTC: the certificates). Read by start(), and not
  // kept.
  Bytes prologue;
  // Multihashes of our WebTransport certificates, sent by listeners. Borrowed until the handshake
  // ends.
  std::span<const ByteVector> certhashes;
};

// Session is one connection's secure channel.
//
// The caller passes every chunk that arrives to receive() and writes whatever the calls append to
// `out`, in that order. `out` is borrowed per call: one object may serve all sessions of a loop, if
// what could not be written is kept elsewhere, per connection. A session holds at most one
// incomplete frame, and no memory for it between frames. Not copied and not moved.
class Session {
 public:
  using Config = noise::Config;
  using Context = noise::Context;
  static constexpr std::string_view kProtocolId = noise::kProtocolId;

  //   kHandshaking --> kOpen --close()--> kClosed
  //        |             |
  //        +-> kFailed <-+
  enum class State : uint8_t {
    kHandshaking,  // the peer is not known yet
    kOpen,         // remote_peer() is verified, encrypt() may be called
    kClosed,       // close() was called
    kFailed,       // see error(); final
  };

  explicit Session(const Config& config);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // start begins the handshake: call it once, before anything else. A dialer's first message goes
  // to `out`.
  Status start(OutputBytes& out);

  // receive takes the bytes that the peer sent, all of them, in pieces of any size, and overwrites
  // them: plaintext is decrypted in place and handed to `plaintext` piece by piece, none of them
  // empty. The handshake's end and the first frames may come in one piece; see state() afterwards.
  // `plaintext` may call encrypt() and close(), but neither receive() nor the destructor.
  //
  // On error the state is kFailed, nothing more comes out of this session, and the connection is to
  // be closed once `out` is written. The first bad frame is the last: no nonce is used after it.
  // KITH_ERR_HANDSHAKE for a handshake message that does not decrypt or an unusable public key;
  // KITH_ERR_MALFORMED for a frame that does not decrypt and for payloads that are not as they must
  // be; KITH_ERR_MESSAGE_TOO_LARGE and KITH_ERR_LIMIT within the handshake; KITH_ERR_BAD_SIGNATURE
  // when the identity key did not sign the static key; KITH_ERR_UNSUPPORTED_KEY;
  // KITH_ERR_PEER_ID_MISMATCH; KITH_ERR_PROTOCOL_NOT_SUPPORTED when both sides named muxers and
  // share none; KITH_ERR_CLOSED after close(); the same error again after a failure.
  Status receive(MutableBytes chunk, BytesSink plaintext, OutputBytes& out);

  // memory_of_piece returns, inside a call of `plaintext`, the memory that the piece lies in if it
  // is not the chunk: it arrived in several. It may be kept.
  const Buffer& memory_of_piece() const { return memory_of_piece_; }

  // encrypt appends to `out` one frame after another with the bytes of `plaintext`, taken as one
  // sequence and read once. 18 bytes are added per frame, and a frame holds up to kMaxPlaintext.
  // KITH_ERR_INVALID_STATE unless kOpen; KITH_ERR_LIMIT after 2^64-1 frames.
  Status encrypt(std::span<const Bytes> plaintext, OutputBytes& out);
  Status encrypt(Bytes plaintext, OutputBytes& out) { return encrypt({&plaintext, 1}, out); }

  // close ends the session. Noise says nothing to the peer; TLS does.
  Status close(OutputBytes& out);

  // end_of_input says that the peer closed its side. KITH_ERR_CLOSED within a handshake or a frame.
  // Otherwise it is fine, but not authenticated: anybody on the path can end a Noise connection
  // between frames.
  Status end_of_input() const;

  State state() const { return state_; }
  // error says why the state is kFailed; KITH_OK otherwise.
  const Error& error() const { return error_; }
  // remote_peer returns who is at the other end: verified, and empty unless kOpen or kClosed.
  const identity::PeerId& remote_peer() const { return remote_peer_; }
  // muxer returns the one of Config::muxers that the handshake agreed on; empty if it did not, and
  // multistream must. Once kOpen.
  std::string_view muxer() const { return muxer_; }
  // remote_certhashes returns what the peer sent of the kind of Config::certhashes. Once kOpen.
  const std::vector<ByteVector>& remote_certhashes() const { return remote_certhashes_; }

 private:
  // The beginning of a message. Frames are decrypted as they come.
  struct Partial {
    size_t size = 0;  // bytes that have come, those of the length included
    std::array<uint8_t, kLengthBytes> length{};
    Buffer memory;  // of the rest
    uint8_t* bytes = nullptr;
  };

  Status fail(Error error);
  Status take_message(MutableBytes message, BytesSink plaintext, OutputBytes& out);
  Status take_handshake(Bytes message, OutputBytes& out);
  Status take_frame(MutableBytes frame, BytesSink plaintext);
  Status take_payload(Bytes payload);
  Status agree_on_muxer(const std::vector<Bytes>& theirs);
  Status write_handshake(OutputBytes& out, bool with_payload);
  Status gather(MutableBytes& chunk, BytesSink plaintext, OutputBytes& out);
  Status begin_partial(size_t length);
  Status end_partial(BytesSink plaintext, OutputBytes& out);
  Status check_length(size_t length);
  bool has_ended() const { return state_ == State::kClosed || state_ == State::kFailed; }

  Config config_;
  std::unique_ptr<Handshake> handshake_;  // only while kHandshaking
  std::optional<CipherState> encryptor_;
  std::optional<CipherState> decryptor_;
  Partial partial_;  // between chunks
  Buffer memory_of_piece_;
  identity::PeerId verified_;  // becomes remote_peer_ when the handshake is complete
  identity::PeerId remote_peer_;
  std::string_view muxer_;
  std::vector<ByteVector> remote_certhashes_;
  Error error_{KITH_OK, "noise"};
  State state_ = State::kHandshaking;
};

}  // namespace kith::noise
