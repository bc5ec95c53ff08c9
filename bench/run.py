#!/usr/bin/env python3
"""Measures kith beside raw MsQuic, go-libp2p, rust-libp2p, quic-go and quinn, on one machine over loopback
or an emulated link.

All peers share one command line (workload.h). Within a round the implementations take turns, so that what else the
machine does hits all of them; figures are medians over rounds, ratios are medians of the ratios within a round.
Before each measurement it waits until other processes are quiet, and a measurement that was disturbed is repeated.

    bench/run.py                     all rows, 10 rounds; writes docs/benchmarks.md and docs/bench/
    bench/run.py --rows upload,connect --rounds 3 --peers kith,raw
    bench/run.py --quick             two minutes, kith against raw only; exits 1 if kith is far behind
"""
import argparse
import datetime
import json
import os
import pathlib
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import build  # noqa: E402
import report  # noqa: E402
from rows import MIXED, PEERS, ROWS, derive, ends  # noqa: E402
import emulator  # noqa: E402  (found by rows)

ROOT = pathlib.Path(__file__).absolute().parent.parent
QUIET = 0.10  # of the machine that others may use
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


def busy_seconds():
    """CPU seconds that all processes have used since boot, without interrupts, which belong to nobody."""
    with open("/proc/stat") as f:
        user, nice, system = map(int, f.readline().split()[1:4])
    return (user + nice + system) / TICKS


class Machine:
    """Where the two ends run, and whether others leave it to us."""

    def __init__(self, wait_s):
        self.cores = sorted(os.sched_getaffinity(0))
        self.wait_s = wait_s
        self.link_program = None  # for rows with a link

    def pin(self, end):
        if len(self.cores) < 2:
            return []
        return ["taskset", "-c", str(self.cores[end])]

    def wait_until_quiet(self):
        """Returns what others use, as a fraction of the machine, once little or at the limit."""
        end = time.monotonic() + self.wait_s
        while True:
            start, busy = time.monotonic(), busy_seconds()
            time.sleep(2 if self.wait_s >= 2 else 0.5)
            used = (busy_seconds() - busy) / (time.monotonic() - start) / len(self.cores)
            if used < QUIET or time.monotonic() >= end:
                return used


class Failed(Exception):
    pass


class Process:
    """A peer that prints JSON lines."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pending = b""

    def line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise Failed("no answer in time")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failed("the peer ended")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def ask(self, text, timeout=10):
        self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()
        return self.line(timeout)

    def end(self):
        """Closes stdin and waits for the last line, if any."""
        self.process.stdin.close()
        try:
            return self.line(10)
        except Failed:
            return {}
        finally:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


def listen_arguments(peer, host):
    """Peers listen on loopback unless told otherwise."""
    if host is None:
        return PEERS[peer].get("serve", [])
    if PEERS[peer]["program"].startswith("bench_raw"):
        return ["--listen", f"{host}:0"]
    return ["--listen", f"/ip4/{host}/udp/0/quic-v1"]


def measure_on(link, machine, peer, programs, row):
    """Measures over `link`, a running Emulator, or over loopback if it is None."""
    at = link.command if link else lambda end, words: words
    started, busy = time.monotonic(), busy_seconds()
    dialer, listener = ends(peer)
    server = Process(at("b", machine.pin(0) + [programs[listener], "serve"] + row.settings.get(listener, []) +
                        listen_arguments(listener, link and link.ip4["b"])))
    client = None
    try:
        address = server.line(20)["addr"]
        before = server.ask(b"rss")["rss_kb"] if row.scenario == "idle" else 0
        client = Process(at("a", machine.pin(1) + [programs[dialer], "run", address, row.scenario] + row.arguments(peer) +
                            row.settings.get(dialer, [])))
        result = client.line(row.timeout)
        if row.scenario == "idle":
            result["server_kib_per_conn"] = (server.ask(b"rss")["rss_kb"] - before) / result["conns"]
        client.end()
        usage = server.end()
    except Failed as failure:
        if client:
            client.kill()
        server.kill()
        raise Failed(f"{peer}: {failure}") from None
    result["server_cpu_s"] = usage.get("cpu_s", 0)
    result["server_peak_rss_kb"] = usage.get("peak_rss_kb", 0)
    ours = result["cpu_s"] + result["server_cpu_s"]
    if link:
        counters = link.counters()
        ours += counters["cpu_s"]
        result["link_cpu_s"] = counters["cpu_s"]
        for key in ("lost", "overflowed", "device_drops", "late_over_1ms"):
            result["link_" + key] = counters["a_to_b"][key] + counters["b_to_a"][key]
        result["receive_buffer_errors"] = sum(map(link.receive_buffer_errors, "ab"))
    result["others"] = max(0.0, (busy_seconds() - busy - ours) / (time.monotonic() - started) / len(machine.cores))
    return derive(result)


def measure_once(machine, peer, programs, row):
    if row.link is None:
        return measure_on(None, machine, peer, programs, row)
    # Each measurement has a link of its own: the same packets are lost for each peer.
    with emulator.Emulator(machine.link_program, row.link) as link:
        return measure_on(link, machine, peer, programs, row)


def measure(machine, peer, programs, row, retries):
    """The least disturbed of up to 1 + retries measurements."""
    best = None
    for _ in range(1 + retries):
        before = machine.wait_until_quiet()
        result = measure_once(machine, peer, programs, row)
        result["others_before"] = before
        result["load"] = os.getloadavg()[0]
        if best is None or result["others"] < best["others"]:
            best = result
        if best["others"] < QUIET:
            break
    return best


def run_rows(machine, programs, rows, rounds, retries, limit_s=None):
    """{row: {peer: [result or None, one for each round]}}; no new round after `limit_s`."""
    end = time.monotonic() + limit_s if limit_s else None
    peers = [*programs, *(pair for pair in MIXED if all(end in programs for end in ends(pair)))]
    results = {row.name: {peer: [] for peer in peers if row.runs(peer)} for row in rows}
    for number in range(rounds):
        if end and number > 0 and time.monotonic() >= end:
            break
        for row in rows:
            # Turned by one each round, so that nobody always comes after the same one.
            peers = list(results[row.name])
            peers = peers[number % len(peers):] + peers[:number % len(peers)]
            for peer in peers:
                try:
                    result = measure(machine, peer, programs, row, retries)
                    say(f"round {number + 1}/{rounds}  {row.name:14} {peer:8} "
                        f"{result[row.metric]:12.3f} {row.unit:8} others {result['others']:.0%}")
                except Failed as failure:
                    say(f"round {number + 1}/{rounds}  {row.name:14} failed: {failure}")
                    result = None
                except KeyboardInterrupt:
                    say("interrupted: reporting what there is")
                    return results
                results[row.name][peer].append(result)
    return results


def quick(machine, programs):
    """Fails if kith is behind raw in both its rate and its CPU: a loaded machine spoils the first, not the second."""
    rows = [ROWS["upload"].resized(bytes=1 << 30), ROWS["request"].resized(n=60_000), ROWS["connect"].resized(n=600)]
    results = run_rows(machine, programs, rows, 5, 0, limit_s=80)
    failed = False
    for row, cpu, least in zip(rows, ("cpu_s_per_gb", "cpu_us_per_op", "cpu_us_per_op"), (0.75, 0.6, None)):
        rate = report.ratio(results[row.name], row.metric, "kith", "raw")
        cost = report.ratio(results[row.name], cpu, "kith", "raw")
        if rate is None:
            print(f"{row.name}: failed")
            failed = True
            continue
        behind = least is not None and max(rate["median"], 1 / cost["median"]) < least
        failed |= behind
        print(f"{row.name}: {row.unit} kith/raw {rate['median']:.2f} ({rate['q1']:.2f} to {rate['q3']:.2f}), "
              f"CPU kith/raw {cost['median']:.2f}" + (f"; must reach {least}" if behind else ""))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="kith against raw only; writes nothing")
    parser.add_argument("--rows", help="comma separated; default all: " + ",".join(ROWS))
    parser.add_argument("--peers", help="comma separated; default all: " + ",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--scale", type=float, default=1, help="share of the bytes and requests to move")
    parser.add_argument("--wait", type=float, help="seconds to wait for a quiet machine before each measurement")
    parser.add_argument("--retries", type=int, default=2, help="how often to repeat a disturbed measurement")
    parser.add_argument("--build-dir", help="CMake's build folder; default build/release")
    parser.add_argument("--no-write", action="store_true", help="print the table, write no file")
    args = parser.parse_args()

    names = ["kith", "raw"] if args.quick else args.peers.split(",") if args.peers else list(PEERS)
    rows = args.rows.split(",") if args.rows else list(ROWS)
    for unknown in [n for n in names if n not in PEERS] + [r for r in rows if r not in ROWS]:
        parser.error(f"no such row or peer: {unknown}")
    programs = build.build(ROOT, names, args.build_dir)
    machine = Machine(args.wait if args.wait is not None else 5 if args.quick else 60)
    if args.quick:
        return quick(machine, programs)
    rows = [ROWS[name].scaled(args.scale) for name in rows]
    if any(row.link for row in rows):
        if emulator.why_not():
            say(f"without the rows over a link: {emulator.why_not()}")
            rows = [row for row in rows if not row.link]
        else:
            machine.link_program = build.build_link(ROOT, args.build_dir)
    started = datetime.datetime.now(datetime.timezone.utc)
    results = run_rows(machine, programs, rows, args.rounds, args.retries)
    document = report.summarize(results, rows, {
        "date": started.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": build.commit(ROOT),
        "rounds": args.rounds,
        "scale": args.scale,
        "cpu": build.cpu_model(),
        "cores": len(machine.cores),
        "kernel": os.uname().release,
        "versions": build.versions(ROOT),
    })
    text = report.markdown(document)
    print(text)
    if not args.no_write:
        report.write(ROOT, document, text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
