// The event loop that everything of a node runs on: on a thread of kith's own, or driven by you.
//
// Rules for threads (docs/api-conventions.md): hosts, connections and streams are used on the loop only. From other
// threads call kith_runtime_post or kith_runtime_call, whose functions run on the loop. Calls on the wrong thread
// return KITH_ERR_WRONG_THREAD and do nothing.
#ifndef KITH_RUNTIME_H
#define KITH_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "kith/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kith_runtime kith_runtime;

// kith_runtime_config chooses how many loops a runtime has. One is right for most nodes: it carries more than 10 Gbit/s. With
// more, each has a thread of kith's own (kith_runtime_start, or kith_runtime_run for the first) and connections are spread over
// them, each on one loop for life:
//  - "on the loop" in this API means the main loop, the first, for runtimes and hosts, and its own for a connection and its
//    streams. kith_connection_post runs a function there. kith_host_connect may be called on any.
//  - The callbacks of one connection never run at the same time; those of a host, of protocol handlers and of different
//    connections do. What they share is yours to guard.
//  - A callback on a loop other than the main one must not wait for the main one, which may be waiting for it.
typedef struct kith_runtime_config {
  size_t struct_size;  // set by kith_runtime_config_init, like all defaults
  uint32_t num_loops;  // 1; all runtimes of a process together have at most 8
} kith_runtime_config;
// kith_runtime_config_init sets struct_size to `size`, sizeof(kith_runtime_config) for the caller, and the defaults.
KITH_API void kith_runtime_config_init(kith_runtime_config* config, size_t size);
// kith_runtime_new_with is kith_runtime_new with a configuration. KITH_ERR_NOT_SUPPORTED for several loops on a MsQuic
// without kith's patches.
KITH_API kith_status kith_runtime_new_with(kith_runtime** out, const kith_runtime_config* config,
                                           kith_error* out_error);

// kith_runtime_new makes a loop that nobody runs yet. Until somebody does, the calling thread counts as the loop's.
// Returns KITH_OK, KITH_ERR_LIMIT (8 in a process) or KITH_ERR_IO.
KITH_API kith_status kith_runtime_new(kith_runtime** out, kith_error* out_error);

// kith_runtime_free stops the thread, if any, closes every host that is still open without further callbacks, and
// releases the runtime. Not from the loop's own callbacks. Harmless on NULL.
KITH_API void kith_runtime_free(kith_runtime* runtime);

// A. A thread of kith's own. kith_runtime_start runs the loop on it until kith_runtime_stop (which waits for the thread)
// or kith_runtime_free. KITH_ERR_INVALID_STATE if it runs already, or if called from the loop.
KITH_API kith_status kith_runtime_start(kith_runtime* runtime);
KITH_API kith_status kith_runtime_stop(kith_runtime* runtime);

// B. Your own loop: wait until kith_runtime_fd is readable (level-triggered) or kith_runtime_timeout_ms has passed
// (-1: no deadline), then call kith_runtime_drive, always from one thread. drive does what is due and does not wait. For a
// runtime of one loop: with more, fd is -1 and drive KITH_ERR_INVALID_STATE.
KITH_API int kith_runtime_fd(kith_runtime* runtime);
KITH_API int64_t kith_runtime_timeout_ms(kith_runtime* runtime);
KITH_API kith_status kith_runtime_drive(kith_runtime* runtime);

// kith_runtime_run runs the loop on the calling thread until kith_runtime_quit: the loop of a program that has no other.
KITH_API kith_status kith_runtime_run(kith_runtime* runtime);
// kith_runtime_quit makes kith_runtime_run return. Any thread; safe in a signal handler.
KITH_API void kith_runtime_quit(kith_runtime* runtime);

// kith_runtime_post runs fn(user) on the loop, later. Any thread. Allocates.
KITH_API kith_status kith_runtime_post(kith_runtime* runtime, void (*fn)(void* user), void* user);
// kith_runtime_call runs fn(user) on the loop and waits until it has returned. Any thread, in mode A; on the loop it is
// a plain call. KITH_ERR_INVALID_STATE when no thread runs the loop, KITH_ERR_WRONG_THREAD on another of its loops.
KITH_API kith_status kith_runtime_call(kith_runtime* runtime, void (*fn)(void* user), void* user);
// kith_runtime_after runs fn(user) on the loop after `delay_ms`. On the loop. Allocates; cannot be canceled.
KITH_API kith_status kith_runtime_after(kith_runtime* runtime, int64_t delay_ms,
                                        void (*fn)(void* user), void* user);

#ifdef __cplusplus
}
#endif
#endif  // KITH_RUNTIME_H
