#!/usr/bin/env python3
"""Names the source files that are not as clang-format-14 (.clang-format) would have them, and exits 1 if there are any.

    tests/check_format.py [--fix]      --fix formats them in place"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("src", "include", "apps", "tests", "fuzz", "bench", "examples", "tools")
SUFFIXES = {".h", ".hpp", ".c", ".cc"}


def is_formatted(path):
    return subprocess.run(["clang-format-14", path], capture_output=True, check=True).stdout == path.read_bytes()


def main():
    paths = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*")) if p.suffix in SUFFIXES]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [p for p, ok in zip(paths, pool.map(is_formatted, paths)) if not ok]
    if "--fix" in sys.argv[1:]:
        if wrong:
            subprocess.run(["clang-format-14", "-i", *wrong], check=True)
        return
    for path in wrong:
        print(f"{path.relative_to(ROOT)}: not formatted ('./dev format' does it)")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
