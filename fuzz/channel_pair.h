// The story that noise_pair and tls_session tell: two ends of a secure channel, muxers, an expected
// peer, data in both directions, and perhaps somebody on the path who flips a bit. The input
// decides all of it.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "fuzz/channel.h"
#include "fuzz/input.h"
#include "fuzz/pair.h"
#include "identity/peer_id.h"

namespace kith::fuzz {

// run_raw_channel gives the input to one session: it never opens, for it takes a key exchange to get that far.
template <typename Party>
void run_raw_channel(FuzzInput& in, const Party& party) {
  ChannelEnd<typename Party::Session> end(party.config(/*is_dialer=*/in.flag()));
  while (!in.empty()) {
    end.receive(in.bytes(1 + in.below(1000)));
    KITH_CHECK(!end.is_open() && end.session.remote_peer().empty() && end.received.empty());
  }
}

// run_channel_pair aborts when an end is open without the other's identity, or against its own
// expectations; when it gives out anything but a beginning of what the other end encrypted; and,
// with nobody on the path, when the two do not come together and deliver everything.
template <typename Party>
void run_channel_pair(FuzzInput& in, const Party& dialer_party, const Party& listener_party,
                      typename Party::Session::Config a, typename Party::Session::Config b) {
  using Session = typename Party::Session;
  static constexpr std::string_view kMuxers[] = {"/yamux/1.0.0", "/mplex/6.7.0"};
  const uint8_t choices = in.byte();
  const identity::PeerId nobody = identity::PeerId::decode(ByteVector{0, 1, 7}).value();
  // The listener names yamux, mplex, both or none; the dialer both or none.
  if ((choices & 1) != 0) a.muxers = kMuxers;
  b.muxers = std::span(kMuxers).subspan((choices >> 1 & 1), (choices >> 2 & 1));
  if ((choices & 8) != 0) a.expected_peer = (choices & 16) != 0 ? nobody : listener_party.id();
  if ((choices & 32) != 0) b.expected_peer = (choices & 64) != 0 ? nobody : dialer_party.id();
  const bool may_tamper = (choices & 128) != 0;

  ChannelEnd<Session> dialer(a), listener(b);
  Pair pair(dialer, listener);
  bool is_tampered = false;
  const auto check = [&](const auto& end, const auto& other, const auto& config,
                         const identity::PeerId& peer) {
    KITH_CHECK(!end.is_open() || end.session.remote_peer() == peer);
    KITH_CHECK(!end.is_open() || config.expected_peer.empty() || config.expected_peer == peer);
    KITH_CHECK(is_beginning(end.received, other.said));
  };
  while (!in.empty()) {
    const uint8_t act = in.byte();
    ChannelEnd<Session>& end = (act & 1) != 0 ? dialer : listener;
    if ((act >> 1 & 7) == 7 && end.is_open() && end.said.size() < 200000) {
      const size_t size = in.below((act & 0x80) != 0 ? 70000 : 300);
      end.say(random_bytes(act, size), in);
    } else if (act == 0x40 && may_tamper) {
      ByteVector& pipe = in.flag() ? pair.to_a() : pair.to_b();
      if (pipe.empty()) continue;
      uint8_t& victim = pipe[in.below(pipe.size())];
      victim = static_cast<uint8_t>(victim ^ 1 << in.below(8));
      is_tampered = true;
    } else {
      pair.step(in);
    }
    check(dialer, listener, a, listener_party.id());
    check(listener, dialer, b, dialer_party.id());
  }
  pair.settle();
  check(dialer, listener, a, listener_party.id());
  check(listener, dialer, b, dialer_party.id());
  const bool is_wanted = !(a.expected_peer == nobody) && !(b.expected_peer == nobody);
  if (is_tampered || !is_wanted) {
    KITH_CHECK(is_tampered || !dialer.is_open() || !listener.is_open());
    return;
  }
  KITH_CHECK(dialer.is_open() && listener.is_open());
  KITH_CHECK(dialer.received == listener.said && listener.received == dialer.said);
  KITH_CHECK(dialer.session.muxer() == listener.session.muxer());
  KITH_CHECK((dialer.session.muxer().empty()) == (a.muxers.empty() || b.muxers.empty()));
}

}  // namespace kith::fuzz
