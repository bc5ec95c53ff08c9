// Multiaddrs: between text and binary, and their parts. Usable on its own; any thread.
// Spec: multiformats/multiaddr README.md and its protocols table.
#ifndef KITH_MULTIADDR_H
#define KITH_MULTIADDR_H

#include <stddef.h>
#include <stdint.h>

#include "kith/error.h"

#ifdef __cplusplus
extern "C" {
#endif

// kith_multiaddr_parse writes the binary form of `text` to `out`. `*inout_len` is the room and becomes the size; `out`
// may be NULL to ask for it. Returns KITH_OK, KITH_ERR_BUFFER_TOO_SMALL, or KITH_ERR_MALFORMED / KITH_ERR_LIMIT, with
// the component and what is wrong with it in `out_error`.
KITH_API kith_status kith_multiaddr_parse(uint8_t* out, size_t* inout_len, const char* text,
                                          kith_error* out_error);

// kith_multiaddr_format writes the canonical text of a binary multiaddr, NUL-terminated, sized as above (with the NUL).
KITH_API kith_status kith_multiaddr_format(char* out, size_t* inout_len, const uint8_t* data,
                                           size_t data_len, kith_error* out_error);

// One part of a multiaddr.
typedef struct kith_multiaddr_component {
  uint32_t code;
  const char* name;      // static: "ip4"
  const uint8_t* value;  // borrowed from the multiaddr
  size_t value_len;
} kith_multiaddr_component;

// kith_multiaddr_next gives the component at `*inout_offset` (0 to begin) of a binary multiaddr and moves the offset
// behind it. Returns KITH_OK, KITH_ERR_CLOSED at the end, or KITH_ERR_MALFORMED.
KITH_API kith_status kith_multiaddr_next(const uint8_t* data, size_t data_len, size_t* inout_offset,
                                         kith_multiaddr_component* out);

#ifdef __cplusplus
}
#endif
#endif  // KITH_MULTIADDR_H
