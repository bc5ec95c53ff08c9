// Error and Result: how kith.hpp reports failure. Nothing here throws, so it is the same with and without exceptions.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

#include "kith/error.h"

namespace kith {
inline namespace api {

// An Error is a status with a sentence for people.
class [[nodiscard]] Error {
 public:
  explicit Error(kith_status status, std::string message = {})
      : status_(status), message_(std::move(message)) {}
  explicit Error(const kith_error& error) : Error(error.status, error.message) {}

  kith_status status() const { return status_; }
  // The sentence; that of the status if none came with it. Borrowed for the Error's life.
  const char* message() const {
    return message_.empty() ? kith_status_text(status_) : message_.c_str();
  }
  // The status as text: "KITH_ERR_TIMEOUT".
  const char* name() const { return kith_status_name(status_); }

 private:
  kith_status status_;
  std::string message_;
};

// A Result is a value or an Error.
//
// `value()`, `*` and `->` need ok(); `error()` needs !ok(). Anything else is a mistake of the program and aborts.
template <typename T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return *get(); }
  const T& value() const& { return *const_cast<Result*>(this)->get(); }
  T&& value() && { return std::move(*get()); }
  T& operator*() & { return *get(); }
  const T& operator*() const& { return *const_cast<Result*>(this)->get(); }
  T&& operator*() && { return std::move(*get()); }
  T* operator->() { return get(); }
  const T* operator->() const { return const_cast<Result*>(this)->get(); }
  const Error& error() const {
    const Error* e = std::get_if<1>(&v_);
    if (!e) std::abort();
    return *e;
  }
  // KITH_OK, or the error's status.
  kith_status status() const { return ok() ? KITH_OK : error().status(); }

 private:
  T* get() {
    T* p = std::get_if<0>(&v_);
    if (!p) {
      std::fprintf(stderr, "kith: value of a failed Result: %s\n", error().message());
      std::abort();
    }
    return p;
  }
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit
  bool ok() const { return error_.status() == KITH_OK; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }
  kith_status status() const { return error_.status(); }

 private:
  Error error_{KITH_OK};
};

// The outcome of what has no value.
using Status = Result<void>;

namespace detail {
inline Status to_status(kith_status status) {
  return status == KITH_OK ? Status() : Status(Error(status));
}
// For C functions that fill a kith_error, or fail without touching it.
inline Error to_error(kith_status status, const kith_error& error) {
  return error.status == status ? Error(error) : Error(status);
}
}  // namespace detail

}  // namespace api
}  // namespace kith
