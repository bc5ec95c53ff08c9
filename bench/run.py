#!/usr/bin/env python3
"""Measures kith beside raw MsQuic, go-libp2p, rust-libp2p, quic-go, quinn and iperf3, on one machine over loopback
or an emulated link.

All peers share one command line (workload.h). Within a round the implementations take turns, so that what else the
machine does hits all of them; figures are medians over rounds, ratios are medians of the ratios within a round.
Before each measurement it waits until other processes are quiet, and a measurement that was disturbed is repeated.
What fails is noted and does not end the run; an interrupted run leaves what it has.

    bench/run.py                     all rows, 10 rounds; writes docs/benchmarks.md and docs/bench/
    bench/run.py --rows main --rounds 3 --minutes 25
    bench/run.py --rows upload,connect --rounds 3 --peers kith,raw
    bench/run.py --quick             two minutes, kith against raw only; exits 1 if kith is far behind
"""
import argparse
import datetime
import json
import os
import pathlib
import resource
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))
import build  # noqa: E402
import report  # noqa: E402
from rows import MAIN, MIXED, PEERS, ROWS, derive, ends  # noqa: E402
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


def children_seconds():
    """CPU seconds of the peers that have ended, and of their children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Machine:
    """Where the two ends run, and whether others leave it to us."""

    def __init__(self, wait_s):
        self.cores = sorted(os.sched_getaffinity(0))
        self.wait_s = wait_s
        self.patience_s = wait_s
        self.is_calm = False
        self.link_program = None  # for rows with a link

    def pin(self, end):
        if len(self.cores) < 2:
            return []
        return ["taskset", "-c", str(self.cores[end])]

    def used_since(self, started, busy, ours=0.0):
        """The fraction of the machine that others have used since `started`, when `busy` seconds were used."""
        return max(0.0, (busy_seconds() - busy - ours) / (time.monotonic() - started) / len(self.cores))

    def wait_until_quiet(self):
        """Returns what others use, as a fraction of the machine, once little or at the limit. Looks longer if the last
        measurement was disturbed; who waited in vain waits half as long next time."""
        end = time.monotonic() + self.patience_s
        look_s = min(0.5 if self.is_calm else 2, max(0.5, self.wait_s))
        while True:
            started, busy = time.monotonic(), busy_seconds()
            time.sleep(look_s)
            used = self.used_since(started, busy)
            if used < QUIET:
                self.patience_s = self.wait_s
                return used
            if time.monotonic() >= end:
                self.patience_s /= 2
                return used


class Failed(Exception):
    pass


class Process:
    """A peer that prints JSON lines."""

    def __init__(self, role, command):
        self.role = role
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.pending = b""

    def failed(self, why):
        """With the last words of the peer about it."""
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        own = [line for line in lines if line.startswith("bench: ")]
        words = "; ".join(line.removeprefix("bench: ") for line in own[-2:]) if own else " ".join(lines[-3:])[-300:]
        return Failed(f"the {self.role} {why}" + (f": {words}" if words else ""))

    def line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise self.failed("gave no answer in time")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                self.process.wait()
                raise self.failed("ended")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def tell(self, text):
        try:
            self.process.stdin.write(text + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.failed("ended") from None

    def rss_kb(self):
        self.tell(b"rss")
        return self.line(10)["rss_kb"]

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


def listen_arguments(peer, row, host):
    """Peers listen for QUIC on loopback unless told otherwise."""
    if row.transport == "tcp" and peer != "iperf3":
        return ["--listen", "/ip4/127.0.0.1/tcp/0"]
    if host is None:
        return PEERS[peer].get("serve", [])
    if PEERS[peer]["program"].startswith("bench_raw"):
        return ["--listen", f"{host}:0"]
    return ["--listen", f"/ip4/{host}/udp/0/quic-v1"]


def talk(server, row, run_client):
    """What the dialer and the listener have to say about one measurement of a row."""
    address = server.line(20)["addr"]
    before = server.rss_kb() if row.scenario == "idle" else 0
    client = run_client(address)
    if row.scenario == "idle-streams":
        client.line(row.timeout)  # connected
        before = server.rss_kb()
        client.tell(b"streams")
    result = client.line(row.timeout)
    if row.scenario == "idle":
        result["server_kib_per_conn"] = (server.rss_kb() - before) / result["conns"]
    if row.scenario == "idle-streams":
        result["server_bytes_per_stream"] = (server.rss_kb() - before) * 1024 / result["streams"]
    client.end()
    usage = server.end()
    result["server_cpu_s"] = usage.get("cpu_s", 0)
    if "peak_rss_kb" in usage:
        result["server_peak_rss_kb"] = usage["peak_rss_kb"]
    return result


def measure_pair(link, machine, peer, programs, row):
    """Measures over `link`, a running Emulator, or over loopback if it is None."""
    at = link.command if link else lambda end, words: words
    started, busy, before = time.monotonic(), busy_seconds(), children_seconds()
    dialer, listener = ends(peer)
    pin = machine.pin if row.pinned else lambda end: []
    serve = pin(0) + [programs[PEERS[listener]["program"]], "serve", *row.words, *row.settings.get(listener, ())]
    run = pin(1) + [programs[PEERS[dialer]["program"]], "run"]
    processes = [Process("listener", at("b", serve + listen_arguments(listener, row, link and link.ip4["b"])))]

    def run_client(address):
        words = [address, row.scenario, *row.words, *row.arguments(peer), *row.settings.get(dialer, ())]
        processes.append(Process("dialer", at("a", run + words)))
        return processes[-1]
    try:
        result = talk(processes[0], row, run_client)
    except BaseException:
        for process in processes:
            process.kill()
        raise
    ours = children_seconds() - before
    if link:
        counters = link.counters()
        ours += counters["cpu_s"]
        result["link_cpu_s"] = counters["cpu_s"]
        for key in ("lost", "overflowed", "device_drops", "late_over_1ms"):
            result["link_" + key] = counters["a_to_b"][key] + counters["b_to_a"][key]
        result["receive_buffer_errors"] = sum(map(link.receive_buffer_errors, "ab"))
    result["others"] = machine.used_since(started, busy, ours)
    return result


def status(pid, field):
    """The sum of a number of /proc over the threads of a process."""
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(field))
    return total


def measure_node(machine, peer, programs, row):
    """A listener that nobody dials, for ten seconds after it has settled for three."""
    serve = [programs[PEERS[peer]["program"]], "serve", *row.settings.get(peer, ()), *listen_arguments(peer, row, None)]
    server = Process("listener", machine.pin(0) + serve)
    try:
        server.line(20)
        time.sleep(3)
        started, busy, before = time.monotonic(), busy_seconds(), status(server.process.pid, "voluntary_ctxt_switches")
        time.sleep(10)
        others = machine.used_since(started, busy)
        wakeups = status(server.process.pid, "voluntary_ctxt_switches") - before
        seconds = time.monotonic() - started
        usage = {"rss_kb": server.rss_kb(), **server.end()}
    except BaseException:
        server.kill()
        raise
    return {"rss_mb": usage["rss_kb"] * 1.024e-3, "wakeups_s": wakeups / seconds, "cpu_s": 0, "seconds": seconds,
            "server_cpu_s": usage.get("cpu_s", 0), "others": others}


def measure_codec(machine, peer, programs, row):
    started, busy, before = time.monotonic(), busy_seconds(), children_seconds()
    process = Process("program", machine.pin(1) + [programs[PEERS[peer]["codec"]], "codec", *row.arguments(peer)])
    try:
        result = process.line(row.timeout)
        process.end()
    except BaseException:
        process.kill()
        raise
    return {**result, "server_cpu_s": 0, "others": machine.used_since(started, busy, children_seconds() - before)}


def measure_once(machine, peer, programs, row):
    if row.scenario == "node":
        return measure_node(machine, peer, programs, row)
    if row.scenario == "codec":
        return measure_codec(machine, peer, programs, row)
    if row.link is None:
        return measure_pair(None, machine, peer, programs, row)
    # Each measurement has a link of its own: the same packets are lost for each peer.
    with emulator.Emulator(machine.link_program, row.link) as link:
        return measure_pair(link, machine, peer, programs, row)


def measure(machine, peer, programs, row, retries):
    """The least disturbed of up to 1 + retries measurements."""
    best = None
    for _ in range(1 + retries):
        before = machine.wait_until_quiet()
        result = derive(measure_once(machine, peer, programs, row))
        result["others_before"] = before
        result["load"] = os.getloadavg()[0]
        machine.is_calm = max(before, result["others"]) < QUIET
        if best is None or result["others"] < best["others"]:
            best = result
        if best["others"] < QUIET:
            break
    return best


def can_run(row, peer, programs):
    return all(PEERS[end].get("codec" if row.scenario == "codec" else "program") in programs for end in ends(peer))


def run_rows(machine, programs, peers, rows, rounds, retries, limit_s=None, after_row=lambda results: None):
    """{row: {peer: [result, one for each round]}}, where a measurement that failed is {"failed": why}. No new round
    that would likely end after `limit_s`. Ctrl-C ends it early. Calls after_row(results)."""
    started = time.monotonic()
    everybody = [*peers, *(pair for pair in MIXED if all(end in peers for end in ends(pair)))]
    results = {row.name: {p: [] for p in everybody if row.runs(p) and can_run(row, p, programs)} for row in rows}
    try:
        for number in range(rounds):
            if limit_s and number and (time.monotonic() - started) * (number + 1) / number > limit_s:
                say(f"no time for round {number + 1}")
                break
            for row in rows:
                run_row(machine, programs, row, f"round {number + 1}/{rounds}", number, retries, results[row.name])
                after_row(results)
    except KeyboardInterrupt:
        say("interrupted: reporting what there is")
        results["interrupted"] = True
    return results


def run_row(machine, programs, row, where, number, retries, results):
    # Turned by one each round, so that nobody always comes after the same one.
    peers = list(results)
    turn = number % len(peers) if peers else 0
    for peer in peers[turn:] + peers[:turn]:
        try:
            result = measure(machine, peer, programs, row, retries)
            say(f"{where}  {row.name:18} {peer:9} {result[row.metric]:12.3f} {row.unit:8} others {result['others']:.0%}")
        except Exception as failure:  # whatever it is, the other rows go on
            result = {"failed": str(failure) if isinstance(failure, Failed) else repr(failure)}
            say(f"{where}  {row.name:18} {peer:9} failed: {result['failed']}")
        results[peer].append(result)


def quick_rows():
    return [ROWS["upload"].resized(bytes=1 << 30), ROWS["request"].resized(n=60_000), ROWS["connect"].resized(n=600)]


def quick(machine, programs, rows):
    """Fails if kith is behind raw in both its rate and its CPU: a loaded machine spoils the first, not the second."""
    results = run_rows(machine, programs, ("kith", "raw"), rows, 5, 0, limit_s=90)
    if results.pop("interrupted", False):
        return 130
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


def write_report(results, rows, meta, save, is_last):
    """The document and its Markdown, written if `save` and there is something."""
    done = {name: peers for name, peers in results.items() if name != "interrupted"}
    document = report.summarize(done, rows, {**meta, "interrupted": not is_last or "interrupted" in results})
    text = report.markdown(document)
    if save and document["meta"]["measurements"]:
        report.write(ROOT, document, text, is_last)
    return text


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="kith against raw only; writes nothing")
    parser.add_argument("--rows", help="comma separated; 'main' for: " + ",".join(MAIN) + "; default all: " + ",".join(ROWS))
    parser.add_argument("--peers", help="comma separated; default all: " + ",".join(PEERS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--minutes", type=float, help="start no round that would likely end later; the first one is run whole")
    parser.add_argument("--scale", type=float, default=1, help="share of the bytes and requests to move")
    parser.add_argument("--wait", type=float, help="seconds to wait for a quiet machine before each measurement")
    parser.add_argument("--retries", type=int, default=2, help="how often to repeat a disturbed measurement")
    parser.add_argument("--build-dir", help="CMake's build folder; default build/release")
    parser.add_argument("--no-write", action="store_true", help="print the table, write no file")
    args = parser.parse_args()
    args.peers = ["kith", "raw"] if args.quick else args.peers.split(",") if args.peers else list(PEERS)
    args.rows = [name for word in (args.rows or ",".join(ROWS)).split(",") for name in (MAIN if word == "main" else [word])]
    for unknown in [n for n in args.peers if n not in PEERS] + [r for r in args.rows if r not in ROWS]:
        parser.error(f"no such row or peer: {unknown}")
    return args


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    rows = quick_rows() if args.quick else [ROWS[name].scaled(args.scale) for name in args.rows]
    machine = Machine(args.wait if args.wait is not None else 5 if args.quick else 60)
    try:
        programs = build.build(ROOT, args.peers, rows, args.build_dir)
        if any(row.link for row in rows) and not emulator.why_not():
            machine.link_program = build.build_link(ROOT, args.build_dir)
    except build.BuildFailed as failure:
        sys.exit(f"bench: {failure}")
    if args.quick:
        return quick(machine, programs, rows)
    if any(row.link for row in rows) and not machine.link_program:
        say(f"without the rows over a link: {emulator.why_not()}")
        rows = [row for row in rows if not row.link]
    meta = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["./dev", "bench", *sys.argv[1:]]),
        "commit": build.commit(ROOT),
        "rounds_wanted": args.rounds,
        "scale": args.scale,
        "cpu": build.cpu_model(),
        "cores": len(machine.cores),
        "kernel": ".".join(os.uname().release.split(".")[:2]),
        "versions": build.versions(ROOT),
    }
    save = not args.no_write
    results = run_rows(machine, programs, args.peers, rows, args.rounds, args.retries, args.minutes and args.minutes * 60,
                       lambda so_far: write_report(so_far, rows, meta, save, is_last=False))
    print(write_report(results, rows, meta, save, is_last=True))
    return 130 if "interrupted" in results else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
