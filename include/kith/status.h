// Status codes: the one error enumeration shared by the C API and the implementation.
//
// Values are stable: a code is never renumbered or reused. New ones are appended.
#ifndef KITH_STATUS_H
#define KITH_STATUS_H

#include <stdint.h>

#if defined(KITH_STATIC)
#define KITH_API
#elif defined(_WIN32) && defined(KITH_BUILDING)
#define KITH_API __declspec(dllexport)
#elif defined(_WIN32)
#define KITH_API __declspec(dllimport)
#else
#define KITH_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t kith_status;

#define KITH_OK 0
// The caller's own mistakes.
#define KITH_ERR_INVALID_ARGUMENT 1  // an argument is NULL, out of range or malformed
#define KITH_ERR_INVALID_STATE 2     // the call does not fit the object's state (double start, ...)
#define KITH_ERR_WRONG_THREAD 3      // called off the runtime's loop
#define KITH_ERR_BUFFER_TOO_SMALL 4  // the output does not fit; the needed size is returned
#define KITH_ERR_NOT_SUPPORTED 5     // this build or this version cannot do it
// The machine's limits and ours.
#define KITH_ERR_NO_MEMORY 20
#define KITH_ERR_LIMIT 21        // a named limit is reached
#define KITH_ERR_WOULD_BLOCK 22  // try again after on_writable
#define KITH_ERR_IO 23           // a system call failed (the text says which)
#define KITH_ERR_ADDRESS_IN_USE 24
#define KITH_ERR_CRYPTO 25  // OpenSSL failed where it should not
// Ends of streams, connections and operations.
#define KITH_ERR_CLOSED 40  // the object has ended
#define KITH_ERR_CANCELED 41
#define KITH_ERR_TIMEOUT 42
#define KITH_ERR_RESET 43  // the peer reset the stream (its code is the detail)
#define KITH_ERR_CONNECTION_REFUSED 44
#define KITH_ERR_CONNECTION_LOST 45
#define KITH_ERR_UNREACHABLE 46
#define KITH_ERR_NO_ADDRESS 47  // no address to dial that any transport here understands
// What the peer sent.
#define KITH_ERR_MALFORMED 60  // bytes that are not what they claim to be
#define KITH_ERR_MESSAGE_TOO_LARGE 61
#define KITH_ERR_PROTOCOL_VIOLATION 62
#define KITH_ERR_PROTOCOL_NOT_SUPPORTED 63  // the peer speaks none of the protocols asked for
#define KITH_ERR_BAD_CERTIFICATE 64
#define KITH_ERR_BAD_SIGNATURE 65
#define KITH_ERR_PEER_ID_MISMATCH 66
#define KITH_ERR_ALPN_MISMATCH 67
#define KITH_ERR_HANDSHAKE 68
#define KITH_ERR_UNSUPPORTED_KEY 69
#define KITH_ERR_INTERNAL 99

// kith_status_name returns a static string such as "KITH_ERR_TIMEOUT"; "KITH_ERR_UNKNOWN" for other values.
KITH_API const char* kith_status_name(kith_status status);

// kith_status_text returns a static sentence for people: "the deadline passed".
KITH_API const char* kith_status_text(kith_status status);

#ifdef __cplusplus
}
#endif
#endif  // KITH_STATUS_H
