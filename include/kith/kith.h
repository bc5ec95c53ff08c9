// kith: a libp2p stack. This header is all of the C API; docs/api-conventions.md says what holds throughout.
#ifndef KITH_KITH_H
#define KITH_KITH_H

#include "kith/error.h"
#include "kith/host.h"
#include "kith/identity.h"
#include "kith/multiaddr.h"
#include "kith/runtime.h"
#include "kith/status.h"
#include "kith/stream.h"
#include "kith/tls.h"

#define KITH_VERSION_MAJOR 0
#define KITH_VERSION_MINOR 1
#define KITH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

// kith_version returns the version of the library, a static string: "0.1.0".
KITH_API const char* kith_version(void);

#ifdef __cplusplus
}
#endif
#endif  // KITH_KITH_H
