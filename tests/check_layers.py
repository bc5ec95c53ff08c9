#!/usr/bin/env python3
"""Checks who includes whom: docs/architecture.md, "Layers".

    tests/check_layers.py [--self-test]

A folder of src/ includes only itself and the folders before it in LAYERS. Beyond that order:
  kith/ headers      only in capi and tests; base may include kith/status.h; include/ only its own
  protocol/x         never protocol/y, but for protocol/muxer, the half that muxers share; two services meet only in host
  transport drivers  (transport/quic, ...) are named only by themselves, host and tests; websocket stands on tcp
  OpenSSL            only in crypto; msquic.h only in transport/quic/msquic_api.h; wslay only in protocol/websocket
  apps, examples     only kith/ headers and their own folder: they are users like any other
  tests              (*_test.*, test_*) also fuzz/ and tests/
Prints each violation and exits 1. The self-test, which every run begins with, feeds it wrong includes."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = "base wire crypto identity protocol runtime transport swarm service host capi".split()
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.M)
SUFFIXES = {".h", ".hpp", ".c", ".cc"}


def part(path, layer):
    """The x of LAYER/x/... or LAYER/x.h; None for other paths."""
    pieces = path.split("/")
    if pieces[0] != layer or len(pieces) < 2:
        return None
    return pieces[1] if len(pieces) > 2 else re.sub(r"(_test)?\.\w+$", "", pieces[1])


def is_driver(path):
    # transport/upgrade is what drivers over a byte pipe are made of.
    return path.startswith("transport/") and path.count("/") == 2 and not path.startswith("transport/upgrade/")


def why_not(path, target, is_system, exists):
    """Why the file `path` may not include `target`; None if it may. Paths are relative to the root; `exists` tells
    whether a file does."""
    top, _, inner = path.partition("/")
    is_test = "_test." in path or "/test_" in path
    if target.startswith("openssl/") and not path.startswith("src/crypto/"):
        return "OpenSSL is for src/crypto only"
    if target.startswith("wslay/") and not path.startswith("src/protocol/websocket/"):
        return "wslay is for src/protocol/websocket only"
    if re.match(r"(.*/)?msquic\w*\.h$", target) and target != "transport/quic/msquic_api.h":
        if path != "src/transport/quic/msquic_api.h":
            return "msquic.h is for src/transport/quic/msquic_api.h only"
    is_public = target.startswith("kith/")
    if is_public and not exists("include/" + target):
        return "there is no include/" + target
    if top in ("apps", "examples"):
        own = str(pathlib.PurePosixPath(path).parent / target)
        if is_system or is_public or exists(own) or (is_test and exists(target)):
            return None
        return "programs use kith/ headers and their own folder only"
    if is_system:
        return None
    if top == "include":
        return None if is_public else "public headers include public headers only"
    layer = inner.split("/")[0]
    if is_public:
        if is_test or layer == "capi" or target == "kith/status.h":
            return None
        return "only capi includes the public headers, besides kith/status.h"
    if is_test and re.match(r"(fuzz|tests)/", target):
        return None if exists(target) else "there is no " + target
    if not exists("src/" + target):
        return "there is no src/" + target + "; includes are relative to src/"
    used = target.split("/")[0]
    if used not in LAYERS or layer not in LAYERS:
        return "not a layer"
    if LAYERS.index(used) > LAYERS.index(layer):
        return f"{used} comes after {layer}"
    if layer == "protocol" and used == "protocol" and part(target, used) not in (part(inner, layer), "muxer"):
        return "protocols do not know each other"
    if layer == "service" and used == "service" and part(inner, layer) != part(target, used) and not is_test:
        return "two services meet only in host"
    if inner.startswith("transport/websocket/") and target.startswith("transport/tcp/"):
        return None
    if is_driver(target) and layer != "host" and not is_test:
        if not inner.startswith(target.rsplit("/", 1)[0] + "/"):
            return "only host names a concrete transport"
    return None


def check(files, exists):
    """Violations as "path:line: include: why" among `files`, (path, text) pairs."""
    for path, text in files:
        for match in INCLUDE.finditer(text):
            why = why_not(path, match[2], match[1] == "<", exists)
            if why:
                line = text.count("\n", 0, match.start()) + 1
                yield f'{path}:{line}: "{match[2]}": {why}'


def tree():
    for top in ("src", "include", "apps", "examples"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path.relative_to(ROOT).as_posix(), path.read_text()


def self_test():
    """Feeds what must be found and what must not; returns what went wrong."""
    bad = [
        ("src/base/a.h", '#include "wire/varint.h"'),
        ("src/wire/a.cc", '#include "transport/transport.h"'),
        ("src/protocol/ping/a.cc", '  #  include "protocol/tls/certificate.h"'),
        ("src/protocol/muxer/a.h", '#include "protocol/yamux/frame.h"'),
        ("src/service/ping.cc", '#include "service/identify.h"'),
        ("src/swarm/a.cc", '#include "transport/quic/transport.h"'),
        ("src/transport/memory/a.cc", '#include "transport/quic/transport.h"'),
        ("src/transport/tcp/a.cc", '#include "transport/websocket/transport.h"'),
        ("src/wire/a.cc", "#include <openssl/evp.h>"),
        ("src/wire/a_test.cc", "#include <openssl/evp.h>"),
        ("src/transport/quic/transport.cc", "#include <msquic.h>"),
        ("src/transport/websocket/a.cc", "#include <wslay/wslay.h>"),
        ("src/swarm/a.cc", '#include "kith/host.h"'),
        ("src/capi/a.cc", '#include "kith/nothing.h"'),
        ("src/wire/a.cc", '#include "varint.h"'),
        ("src/wire/a.cc", '#include "tests/support/child_process.h"'),
        ("include/kith/a.h", '#include "base/result.h"'),
        ("apps/kith/a.cc", '#include "base/result.h"'),
    ]
    good = [
        ("src/base/result.h", '#include "kith/status.h"'),
        ("src/wire/a.cc", '#include "base/result.h"\n#include "wire/varint.h"'),
        ("src/wire/a_test.cc", '#include "tests/support/child_process.h"'),
        ("src/crypto/a.h", "#include <openssl/evp.h>"),
        ("src/protocol/yamux/a.h", '#include "protocol/muxer/session.h"'),
        ("src/protocol/websocket/a.cc", "#include <wslay/wslay.h>"),
        ("src/transport/quic/msquic_api.h", "#include <msquic.h>"),
        ("src/transport/quic/a.cc", '#include "transport/quic/msquic_api.h"'),
        ("src/transport/websocket/a.cc", '#include "transport/tcp/socket_transport.h"'),
        ("src/host/a.cc", '#include "service/ping.h"\n#include "transport/quic/transport.h"'),
        ("src/service/ping_test.cc", '#include "transport/memory/memory.h"'),
        ("src/capi/a.cc", '#include "kith/host.h"\n#include "host/host.h"'),
        ("apps/kith/main.cc", '#include "kith/kith.h"\n#include <kith/kith.h>'),
    ]
    exists = lambda path: (ROOT / path).is_file()
    wrong = [f"not found: {f}: {text}" for f, text in bad if not list(check([(f, text)], exists))]
    return wrong + [f"wrongly found: {v}" for f, text in good for v in check([(f, text)], exists)]


def main():
    problems = self_test()
    if "--self-test" not in sys.argv[1:]:
        problems += check(tree(), lambda path: (ROOT / path).is_file())
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
