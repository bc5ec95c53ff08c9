// Opens and seals the Initial packets of a QUIC version 1 client, whose keys follow from the
// destination connection id: one captured ClientHello becomes any number of different, valid ones.
// Spec: RFC 9001 section 5.2, RFC 9000 section 17.2.2.
#pragma once

#include <cstdint>

#include "tests/attacker/wire.h"

namespace kith::attacker {

struct ClientInitial {
  Bytes source_cid;
  Bytes number;   // the packet number as it stands in the packet, 1 to 4 bytes
  Bytes payload;  // frames, in the clear
};

// open_client_initial decrypts the first packet of `datagram`. False if that is no client Initial.
bool open_client_initial(View datagram, ClientInitial& out);

// seal_client_initial encrypts `packet` for the connection id `destination`.
Bytes seal_client_initial(const ClientInitial& packet, View destination);

}  // namespace kith::attacker
