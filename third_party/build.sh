#!/usr/bin/env bash
# Fetches the pinned sources of OpenSSL, MsQuic and wslay (crates, by name, checked against Cargo.lock), applies our
# patches and builds them as static, position-independent libraries.
#
#   third_party/build.sh [--stock]      prints, on stdout, the prefix to give CMake as KITH_DEPS
#
# The result lives outside the tree, in ${KITH_CACHE:-~/.cache/kith}, in a folder named by a hash of versions,
# patches and flags, so that a fresh clone builds nothing twice. --stock applies only the security patches: the
# reference build that benchmarks compare with.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kith}
jobs=$(nproc)
variant=kith
[ "${1:-}" = --stock ] && variant=stock

openssl_flags=(-fPIC -O3 no-shared no-apps no-docs no-tests no-module no-legacy no-dso no-engine
  no-autoload-config no-ssl3 no-tls1 no-tls1_1 no-comp no-srp)
msquic_flags=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DQUIC_BUILD_SHARED=OFF
  -DQUIC_TLS_LIB=openssl -DQUIC_USE_EXTERNAL_OPENSSL=ON -DQUIC_BUILD_TOOLS=OFF -DQUIC_BUILD_TEST=OFF
  -DQUIC_BUILD_PERF=OFF -DQUIC_ENABLE_LOGGING=OFF -DQUIC_WARNINGS_AS_ERRORS=OFF)

say() { printf '%s\n' "deps: $*" >&2; }
hash_of() { sha256sum | cut -c1-16; }
run() { # run LOG COMMAND...: quiet unless it fails
  local log=$1; shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; say "failed: $*"; exit 1; }
}

patches=("$here"/patches/security-*.patch) openssl_patches=()
[ $variant = stock ] || { patches=("$here"/patches/*.patch); openssl_patches=("$here"/patches/openssl/*.patch); }
lock=$(sed -n '/name = "\(openssl-src\|seera-msquic\|wslay-sys\)"/,/^$/p' "$here/Cargo.lock")
openssl_key=$( (echo "$lock" | grep -A3 openssl-src; echo "${openssl_flags[*]}"; cc -dumpfullversion
  cat /dev/null "${openssl_patches[@]}") | hash_of)
wslay_patches=("$here"/patches/wslay/*.patch)
msquic_key=$( (echo "$openssl_key $lock ${msquic_flags[*]} $variant"; cat "${patches[@]}" "${wslay_patches[@]}") | hash_of)
openssl=$cache/openssl-$openssl_key
prefix=$cache/msquic-$msquic_key

if [ ! -e "$prefix/.done" ]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"; flock 9          # two checkouts may share the cache
  work=$(mktemp -d "$cache/build.XXXXXX"); trap 'rm -rf "$work"' EXIT
  say "fetching sources"
  run "$work/fetch.log" cargo vendor --locked --manifest-path "$here/Cargo.toml" "$work/src"

  if [ ! -e "$openssl/.done" ]; then
    say "building OpenSSL ($variant: ${#openssl_patches[@]} patches; about 5 minutes on two cores)"
    rm -rf "$openssl"; cd "$work/src/openssl-src/openssl"
    for p in "${openssl_patches[@]}"; do run "$work/patch.log" patch -p1 --no-backup-if-mismatch -i "$p"; done
    run "$work/configure.log" perl ./Configure --prefix="$openssl" --libdir=lib "${openssl_flags[@]}"
    run "$work/openssl.log" make -s -j"$jobs" build_libs
    run "$work/install.log" make -s install_dev
    touch "$openssl/.done"
  fi
  if [ ! -e "$prefix/.done" ]; then
    say "building MsQuic ($variant: ${#patches[@]} patches)"
    rm -rf "$prefix"; cd "$work/src/seera-msquic"
    for p in "${patches[@]}"; do run "$work/patch.log" patch -p1 --no-backup-if-mismatch -i "$p"; done
    run "$work/cmake.log" cmake -S . -B "$work/msquic" -G Ninja "${msquic_flags[@]}" \
      -DCMAKE_PREFIX_PATH="$openssl" -DOPENSSL_ROOT_DIR="$openssl" -DOPENSSL_USE_STATIC_LIBS=ON
    run "$work/msquic.log" cmake --build "$work/msquic" -j"$jobs"
    mkdir -p "$prefix/lib" "$prefix/include"
    cp src/inc/msquic.h src/inc/msquic_posix.h src/inc/quic_sal_stub.h "$prefix/include/"
    find "$work/msquic" -name 'libmsquic*.a' -o -name 'libcore.a' -o -name 'libplatform.a' | while read -r a; do cp "$a" "$prefix/lib/"; done
    cp -r "$openssl/include/openssl" "$prefix/include/"
    cp "$openssl"/lib/lib{ssl,crypto}.a "$prefix/lib/"
    cp "$work/src/openssl-src/openssl/LICENSE.txt" "$prefix/LICENSE.openssl"
    cp LICENSE "$prefix/LICENSE.msquic"
    cd "$work/src/wslay-sys/vendor"
    for p in "${wslay_patches[@]}"; do run "$work/patch.log" patch -p1 --no-backup-if-mismatch -i "$p"; done
    for f in wslay_*.c; do
      run "$work/wslay.log" cc -O2 -fPIC -DHAVE_ARPA_INET_H -DHAVE_NETINET_IN_H -Iincludes -c "$f" -o "$work/${f%.c}.o"
    done
    run "$work/wslay.log" ar rcs "$prefix/lib/libwslay.a" "$work"/wslay_*.o
    cp -r includes/wslay "$prefix/include/"
    cp COPYING "$prefix/LICENSE.wslay"
    touch "$prefix/.done"
  fi
fi
echo "$prefix"
