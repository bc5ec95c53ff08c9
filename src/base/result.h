// Result<T>: a value or an Error. The only way a failure travels through kith: no exceptions, no errno.
//
// Peer misbehaves -> Result; caller misuses -> error code; our own bug -> KITH_CHECK aborts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "kith/status.h"

namespace kith {

// Error is 24 bytes: a status, a static string saying where, and an optional sentence with the particulars.
// The sentence allocates, so it is made only on paths that end something.
class [[nodiscard]] Error {
 public:
  // `where` must be a string literal ("multiaddr", "tls certificate"): it is kept by address.
  Error(kith_status status, const char* where) : status_(status), where_(where) {}
  Error(kith_status status, const char* where, std::string detail)
      : status_(status), where_(where), detail_(std::make_unique<std::string>(std::move(detail))) {}
  Error(const Error& o)
      : status_(o.status_),
        where_(o.where_),
        detail_(o.detail_ ? std::make_unique<std::string>(*o.detail_) : nullptr) {}
  Error& operator=(const Error& o) {
    if (this != &o) *this = Error(o);
    return *this;
  }
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  kith_status status() const { return status_; }
  const char* where() const { return where_; }
  std::string_view detail() const {
    return detail_ ? std::string_view(*detail_) : std::string_view();
  }
  // "tls certificate: the signature does not verify (KITH_ERR_BAD_SIGNATURE)"
  std::string to_string() const;

 private:
  kith_status status_;
  const char* where_;
  std::unique_ptr<std::string> detail_;
};
static_assert(sizeof(Error) == 24);

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }
  // Precondition for value(), * and ->: ok(). For error(): !ok(). Violations abort.
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
  kith_status status() const { return ok() ? KITH_OK : error().status(); }

 private:
  T* get() {
    T* p = std::get_if<0>(&v_);
    if (!p) {
      std::fprintf(stderr, "kith: value of a failed Result: %s\n", error().to_string().c_str());
      std::abort();
    }
    return p;
  }
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design
  bool ok() const { return error_.status() == KITH_OK; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }
  kith_status status() const { return error_.status(); }

 private:
  Error error_{KITH_OK, ""};
};

using Status = Result<void>;

[[noreturn]] void check_failed(const char* what, const char* file, int line);

// KITH_CHECK(condition): our own invariant. Aborts in every build when it does not hold.
#define KITH_CHECK(c) ((c) ? (void)0 : ::kith::check_failed(#c, __FILE__, __LINE__))

#define KITH_CONCAT_(a, b) a##b
#define KITH_CONCAT(a, b) KITH_CONCAT_(a, b)
// KITH_TRY(expr): returns the error of a Result from the enclosing function.
#define KITH_TRY(expr)                                             \
  do {                                                             \
    if (auto kith_r = (expr); !kith_r.ok()) return kith_r.error(); \
  } while (0)
// KITH_ASSIGN(auto x, expr): x = value of the Result, or return its error.
#define KITH_ASSIGN(decl, expr) KITH_ASSIGN_(decl, expr, KITH_CONCAT(kith_r_, __LINE__))
#define KITH_ASSIGN_(decl, expr, tmp) \
  auto tmp = (expr);                  \
  if (!tmp.ok()) return tmp.error();  \
  decl = std::move(tmp).value()

}  // namespace kith
