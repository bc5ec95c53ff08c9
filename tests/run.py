#!/usr/bin/env python3
"""Runs test suites and checks, and counts.

    tests/run.py [--checks BUILD [--without-tidy]] [BUILD[:SUITES]]...

BUILD is a build folder; every GoogleTest program BUILD/suites/test_* is a suite. SUITES chooses by name: `wire,crypto`
only these, `-live,-interop` all but these. --checks adds the layering, formatting and clang-tidy of the tree and
the quick benchmark, each as one test; clang-tidy takes the compiler's flags from BUILD.

Prints a line for each suite, what failed, and last the line `N passed, N failed` or `N passed, N failed, N skipped`.
Exits 1 if anything failed or nothing ran, and in CI (CI=true) if anything was skipped."""
import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Suites that run two at a time. The others measure time or memory, or load the machine: nothing runs beside them.
TOGETHER = set("base wire crypto identity protocol runtime transport swarm service host corpora protobuf_oracle".split())
# Suites that mostly wait for deadlines: their tests are spread over so many processes at once.
SHARDS = {"live": 6}
TIMEOUT_S = 900
TAIL = 40  # lines of a suite that crashed


@dataclasses.dataclass
class Outcome:
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    details: str = ""  # of what failed
    reasons: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # of what was skipped

    def line(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.name:24} {self.passed:5} passed, {self.failed} failed{skipped}  ({self.seconds:.1f} s)"


def run_command(command, log, timeout, cwd=ROOT, env=None):
    """Runs `command` with its output in the file `log`. Returns its exit code, negative for a signal, None if it was
    killed after `timeout` seconds; nothing that it started survives it."""
    with open(log, "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
                                 start_new_session=True, env=env)
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()


def ending(code):
    if code is None:
        return f"did not end within {TIMEOUT_S} s"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def read_results(outcome, results):
    """Counts GoogleTest's JSON report into `outcome`."""
    for group in results["testsuites"]:
        for test in group["testsuite"]:
            if test.get("status") == "NOTRUN":
                continue
            if test.get("failures"):
                outcome.failed += 1
                text = "\n".join(f["failure"] for f in test["failures"])
                outcome.details += f"\n--- {outcome.name}: {group['name']}.{test['name']}\n{text}\n"
            elif test.get("result") == "SKIPPED":
                outcome.skipped += 1
            else:
                outcome.passed += 1


def run_suite(build, program):
    """Runs one suite, in shards if it is one of SHARDS."""
    name = program.name.removeprefix("test_")
    shards = SHARDS.get(name, 1)
    with concurrent.futures.ThreadPoolExecutor(shards) as pool:
        parts = list(pool.map(lambda i: run_shard(build, program, i, shards), range(shards)))
    return Outcome(parts[0].name, *(sum(getattr(p, f) for p in parts) for f in ("passed", "failed", "skipped")),
                   max(p.seconds for p in parts), "".join(p.details for p in parts),
                   sum((p.reasons for p in parts), collections.Counter()))


def run_shard(build, program, shard, shards):
    """Runs one process of a suite; a crash, a timeout and a sanitizer's complaint after the last test count as one
    failure."""
    name = program.name.removeprefix("test_")
    outcome = Outcome(f"{build.name}/{name}")
    folder = build / "test-results"
    folder.mkdir(exist_ok=True)
    file = name if shards == 1 else f"{name}.{shard}"
    report, log = folder / f"{file}.json", folder / f"{file}.log"
    env = {**os.environ, "GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)}
    report.unlink(missing_ok=True)
    begin = time.monotonic()
    code = run_command([str(program), f"--gtest_output=json:{report}"], log, TIMEOUT_S, env=env)
    outcome.seconds = time.monotonic() - begin
    text = log.read_text(errors="replace")
    try:
        read_results(outcome, json.loads(report.read_text()))
    except (OSError, ValueError, KeyError):
        outcome = Outcome(outcome.name, len(re.findall(r"^\[       OK \]", text, re.M)), seconds=outcome.seconds)
        code = code or 1
    if code != 0 and outcome.failed == 0:
        outcome.failed = 1
        tail = "\n".join(text.splitlines()[-TAIL:])
        outcome.details += f"\n--- {outcome.name}: {ending(code)}; all of it is in {log}\n{tail}\n"
    if outcome.skipped:
        reasons = re.findall(r": Skipped\n(.+)", text) or ["no reason given"]
        outcome.reasons.update(f"{outcome.name}: {reason}" for reason in reasons)
    return outcome


def run_check(name, command):
    outcome = Outcome(f"check/{name}")
    if not shutil.which(command[0]):
        outcome.skipped = 1
        outcome.reasons[f"{outcome.name}: no {command[0]} here ('./dev deps' installs it)"] = 1
        return outcome
    begin = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    outcome.seconds = time.monotonic() - begin
    if done.returncode == 0:
        outcome.passed = 1
    else:
        outcome.failed = 1
        outcome.details = f"\n--- {outcome.name}\n{done.stdout}"
    return outcome


def checks(build, with_tidy):
    yield "layers", ["tests/check_layers.py"]
    yield "format", ["tests/check_format.py"] if shutil.which("clang-format-14") else ["clang-format-14"]
    if with_tidy:
        yield "tidy", ["tests/check_tidy.py", build] if shutil.which("clang-tidy-14") else ["clang-tidy-14"]
        yield "bench", ["bench/run.py", "--quick"]  # a big step back behind raw MsQuic, in rate and in CPU


def suites(argument):
    """The (build, program) pairs that BUILD[:SUITES] names."""
    build, _, choice = argument.partition(":")
    build = pathlib.Path(build).resolve()
    names = [n for n in choice.split(",") if n]
    without = {n[1:] for n in names if n.startswith("-")}
    only = {n for n in names if not n.startswith("-")}
    programs = {p.name.removeprefix("test_"): p for p in sorted((build / "suites").glob("test_*"))
                if os.access(p, os.X_OK)}
    unknown = only - programs.keys()
    if unknown or not programs:
        sys.exit(f"tests/run.py: no suite {', '.join(sorted(unknown)) or 'at all'} in {build}: build it first")
    return [(build, p) for name, p in programs.items() if name not in without and (not only or name in only)]


def run_all(checked_build, builds, with_tidy):
    """Runs everything; yields the outcomes as they come."""
    todo = [pair for argument in builds for pair in suites(argument)]
    alone = [pair for pair in todo if pair[1].name.removeprefix("test_") not in TOGETHER]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run_suite, *pair) for pair in todo if pair not in alone]
        for done in concurrent.futures.as_completed(running):
            yield done.result()
    for pair in alone:
        yield run_suite(*pair)
    if checked_build:
        for name, command in checks(checked_build, with_tidy):
            yield run_check(name, command)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", metavar="BUILD")
    parser.add_argument("--without-tidy", action="store_true")
    parser.add_argument("builds", metavar="BUILD[:SUITES]", nargs="*")
    arguments = parser.parse_args()
    outcomes = []
    for outcome in run_all(arguments.checks, arguments.builds, not arguments.without_tidy):
        print(outcome.line(), flush=True)
        outcomes.append(outcome)
    for outcome in outcomes:
        print(outcome.details, end="")
    reasons = sum((o.reasons for o in outcomes), collections.Counter())
    for reason, times in sorted(reasons.items()):
        print(f"skipped: {reason}" + (f" ({times} tests)" if times > 1 else ""))
    passed, failed, skipped = (sum(getattr(o, f) for o in outcomes) for f in ("passed", "failed", "skipped"))
    is_ci = os.environ.get("CI", "").lower() in ("true", "1")
    if is_ci and skipped:
        print("In CI everything must run: what was skipped makes this run fail.")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or passed == 0 or (is_ci and skipped) else 0)


if __name__ == "__main__":
    main()
