// kith for C++20: a header-only layer over the C API. Everything here is inline and calls only what kith.h declares.
//
//   kith::Runtime runtime = ...;                                          one loop; drives everything
//   kith::Host host = ...;                                                a node on it
//   auto connection = co_await host.connect("/ip4/.../p2p/...");          a Result<Connection>
//   auto stream = co_await connection->open_stream("/echo/1.0.0");        a Result<Stream>
//   co_await stream->write(bytes);  auto view = co_await stream->read();  a Status; a Result of a span
//
// Failure is a Result<T> (nothing throws, and it builds with and without exceptions and RTTI). Hosts, streams and
// tasks are owned by who holds them: destroying a Task cancels it wherever it waits. Threads are as in kith/runtime.h:
// hosts, connections, streams and tasks are used on the loop. Where a comment here is short, the C header has the rest.
#pragma once

#include "kith/cpp/connection.hpp"
#include "kith/cpp/host.hpp"
#include "kith/cpp/identity.hpp"
#include "kith/cpp/result.hpp"
#include "kith/cpp/runtime.hpp"
#include "kith/cpp/stream.hpp"
#include "kith/cpp/task.hpp"
#include "kith/kith.h"
