// BytesSink: where a machine hands over the bytes it has made, piece by piece, without keeping
// them.
#pragma once

#include <concepts>

#include "base/bytes.h"

namespace kith {

// BytesSink is a borrowed callback. The bytes are valid during the call, and the callee may
// overwrite them: so that the next machine up the stack can work in place, too.
class BytesSink {
 public:
  using Function = void (*)(void* ctx, MutableBytes bytes);
  BytesSink(Function function, void* ctx) : function_(function), ctx_(ctx) {}
  // Borrows `callable`, which must outlive the sink: auto f = [&](MutableBytes b) {...};
  // receive(chunk, f, out).
  template <std::invocable<MutableBytes> F>
  requires(!std::same_as<F, BytesSink>) BytesSink(F& callable)  // NOLINT: implicit by design
      : function_([](void* ctx, MutableBytes bytes) { (*static_cast<F*>(ctx))(bytes); }),
        ctx_(&callable) {}

  void operator()(MutableBytes bytes) const { function_(ctx_, bytes); }

 private:
  Function function_;
  void* ctx_;
};

}  // namespace kith
