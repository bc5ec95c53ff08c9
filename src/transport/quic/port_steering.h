// Which of the loops that share a UDP port gets a packet: the one whose connection it belongs to.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"

namespace kith::transport::quic {

// Makes the kernel spread the packets of UDP port `port` over the sockets that `partitions` have bound there, in this order:
// by the partition that MsQuic wrote into the connection ID it chose, so that a connection stays on its loop when the peer's
// address changes; of an ID that the peer made up, as in a first packet, by the same bits, which are random and stay the same
// until the peer has learned ours. KITH_ERR_IO when the kernel refuses.
Status steer_port(uint16_t port, std::span<const uint16_t> partitions);

}  // namespace kith::transport::quic
