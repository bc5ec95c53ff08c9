#!/usr/bin/env python3
"""Runs clang-tidy-14 (.clang-tidy) on src/.

    tests/check_tidy.py BUILD      BUILD has been built with ninja and has a compile_commands.json

A file that was clean is not looked at again until it, a header of ours that it includes, or the rules change: the hash
of all that is remembered in ${KITH_CACHE:-~/.cache/kith}/tidy. Prints the findings and exits 1 if there are any."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("KITH_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kith") / "tidy"
TIDY = "clang-tidy-14"


def dependencies(build):
    """Object file -> the files in our tree that it was made of, as ninja knows them."""
    out, current = {}, None
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        if line.startswith(" "):
            path = (pathlib.Path(build) / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                current.append(path)
        elif ":" in line:
            current = out[line.split(":")[0]] = []
    return out


def key_of(entry, files, rules):
    """The hash of everything that decides about the findings in a file; None if that is not known."""
    if not files:
        return None
    digest = hashlib.sha256(rules)
    digest.update(entry["command"].replace(entry["directory"], "").replace(str(ROOT), "").encode())
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def tidy(build, source):
    """The findings in one file, as text; empty if there are none."""
    done = subprocess.run([TIDY, "--quiet", "-p", build, source], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout.strip() or done.stderr.strip()


def main():
    build = sys.argv[1]
    rules = (ROOT / ".clang-tidy").read_bytes() + subprocess.run([TIDY, "--version"], capture_output=True).stdout
    deps = dependencies(build)
    keys = {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if source.is_relative_to(ROOT / "src") and not source.name.endswith("_test.cc"):
            words = shlex.split(entry["command"])
            keys[str(source)] = key_of(entry, deps.get(words[words.index("-o") + 1]), rules)
    CACHE.mkdir(parents=True, exist_ok=True)
    todo = [s for s, key in keys.items() if not key or not (CACHE / key).exists()]
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, findings in zip(todo, pool.map(lambda s: tidy(build, s), todo)):
            if findings:
                failed = True
                print(findings.replace(str(ROOT) + "/", ""))
            elif keys[source]:
                (CACHE / keys[source]).touch()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
