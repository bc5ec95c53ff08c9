// The dialer's side of /noise, right or wrong in the ways the attacker needs. Spec: libp2p/specs noise/README.md; the Noise
// Protocol Framework, revision 34.
#pragma once

#include <array>
#include <string>

#include "tests/attacker/host_key.h"
#include "tests/attacker/tcp.h"

namespace kith::attacker {

struct NoisePlan {
  bool foreign_signature = false;  // the host key signed another static key
  bool no_signature = false;
  Bytes ephemeral{};  // sent instead of a public key, if not empty
};

class NoiseChannel {
 public:
  // `socket` is borrowed.
  explicit NoiseChannel(TcpSocket& socket);

  // handshake agrees on /noise and does the handshake as `plan` says; false if the node does not go along.
  bool handshake(const HostKey& host, const NoisePlan& plan, Clock::time_point deadline);

  // seal returns `plaintext` in frames.
  Bytes seal(View plaintext);
  // unseal makes the next frame have the nonce of the last one again.
  void unseal() { --out_.nonce; }
  bool send(View plaintext, Clock::time_point deadline) {
    return socket_.send(seal(plaintext), deadline);
  }
  // receive appends decrypted bytes; false if none came by `deadline`, or ever will.
  bool receive(Bytes& out, Clock::time_point deadline);

  TcpSocket& socket() { return socket_; }

 private:
  using Key = std::array<uint8_t, 32>;
  struct Cipher {
    Key key{};
    uint64_t nonce = 0;
  };

  void mix_hash(View data);
  void mix_key(View secret);
  bool mix_secret(EVP_PKEY* ours, View theirs);
  Bytes encrypt_and_hash(View plaintext);
  bool decrypt_and_hash(View data, Bytes& out);
  bool read_message(Bytes& out, Clock::time_point deadline);
  bool read_second(View message, EVP_PKEY* ephemeral, Bytes& their_ephemeral);

  TcpSocket& socket_;
  Bytes input_;  // received and not taken yet
  Bytes hash_, chaining_key_;
  Cipher cipher_;  // of the handshake
  Cipher out_, in_;
};

}  // namespace kith::attacker
