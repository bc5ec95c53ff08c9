// Errors with words. See docs/api-conventions.md for how all of kith's C API reports failure.
#ifndef KITH_ERROR_H
#define KITH_ERROR_H

#include <stddef.h>

#include "kith/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// kith_error is a status with a sentence for people. Functions that take a `kith_error* out_error` fill it on failure
// (NULL if you do not care); callbacks give one that lives for the call.
typedef struct kith_error {
  kith_status status;
  char message[508];  // NUL-terminated, cut if longer
} kith_error;

#ifdef __cplusplus
}
#endif
#endif  // KITH_ERROR_H
