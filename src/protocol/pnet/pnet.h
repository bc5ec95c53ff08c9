// Private networks: all bytes of a raw connection, below any handshake, are encrypted with a key
// that every member has. Strangers get noise. Sans-IO. Spec: libp2p/specs
// pnet/Private-Networks-PSK-V1.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/output_bytes.h"
#include "base/result.h"
#include "crypto/salsa20.h"
#include "crypto/secret.h"

namespace kith::pnet {

inline constexpr size_t kKeyBytes = crypto::Salsa20::kKeyBytes;
inline constexpr size_t kNonceBytes = crypto::Salsa20::kXNonceBytes;

// parse_key_file returns the 32 bytes of the key in a swarm.key file: the line
// "/key/swarm/psk/1.0.0/", a line that names the encoding, which is "/base16/", "/base64/" or
// "/bin/", and the key in it. Lines end with LF or CR LF; the key's line need not end, except that
// nothing follows. KITH_ERR_MALFORMED; its detail does not tell the key.
Result<crypto::SecretBytes> parse_key_file(Bytes content);

// format_key_file returns such a file, in base16. `key` has kKeyBytes; other sizes abort.
crypto::SecretBytes format_key_file(Bytes key);

// PrivateChannel is one connection's layer. What comes from the peer goes through receive(), what
// goes to the peer through encrypt(), both in place and byte for byte. Nothing says that the peer
// has another key, or that somebody changed bytes: the secure channel above notices.
class PrivateChannel {
 public:
  // `key` has kKeyBytes, `nonce` kNonceBytes of fresh randomness; other sizes abort. Both are
  // copied.
  PrivateChannel(Bytes key, Bytes nonce);
  ~PrivateChannel();
  PrivateChannel(const PrivateChannel&) = delete;
  PrivateChannel& operator=(const PrivateChannel&) = delete;

  // start appends the nonce to `out`: what this side sends first, and in the clear. Call it once.
  void start(OutputBytes& out) const { out.append(nonce_); }

  // encrypt encrypts in place what is to be sent next.
  void encrypt(MutableBytes bytes) { sender_.apply(bytes); }

  // receive decrypts in place what came next, in pieces of any size, and returns the plaintext: all
  // of `chunk` but the peer's nonce.
  MutableBytes receive(MutableBytes chunk);

 private:
  crypto::SecretBytes key_;  // until the peer's nonce is complete
  std::array<uint8_t, kNonceBytes> nonce_;
  std::array<uint8_t, kNonceBytes> remote_nonce_{};
  size_t num_received_ = 0;  // bytes of remote_nonce_
  crypto::Salsa20 sender_;
  std::optional<crypto::Salsa20> receiver_;
};

}  // namespace kith::pnet
