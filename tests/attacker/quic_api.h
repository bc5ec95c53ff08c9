// The MsQuic function table that the open Endpoint holds.
#pragma once

#ifndef QUIC_API_ENABLE_PREVIEW_FEATURES
#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#endif
#include <msquic.h>

namespace kith::attacker {

// quic_api returns the table; valid while an Endpoint exists.
const QUIC_API_TABLE* quic_api();

}  // namespace kith::attacker
