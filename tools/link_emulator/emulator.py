"""Runs programs at the two ends of an emulated link: starts kith-link, which makes two network namespaces, enters them
with nsenter, and takes all of it down. See README.md.

    link = Link(rtt_ms=50, mbit=100, loss=0.01)
    with Emulator("build/release/tools/link_emulator/kith-link", link) as emulator:
        server = emulator.popen("b", ["iperf3", "-s"])
        emulator.run("a", ["iperf3", "-c", emulator.ip4["b"]])
        emulator.set("both", loss=1)
        print(emulator.counters()["a_to_b"]["lost"])
"""
import dataclasses
import json
import os
import select
import shutil
import signal
import subprocess

UNAVAILABLE = 77  # kith-link's exit code when the machine or the user cannot do it


class Unavailable(Exception):
    """This machine or user cannot make namespaces or TUN devices; the message says what is missing."""


def why_not():
    """What is missing here, or None. Cheaper than trying, for tests that decide whether to run."""
    if os.geteuid() != 0:
        return "the link emulator takes root"
    if not os.path.exists("/dev/net/tun"):
        return "the link emulator takes /dev/net/tun"
    if not shutil.which("nsenter"):
        return "the link emulator takes nsenter (util-linux)"
    return None


@dataclasses.dataclass
class Link:
    """A link that is the same both ways: what is said most often, in the words people use. `queue_bdp` is the queue's
    length in bandwidth-delay products. `more` has further keys of kith-link, such as {"loss_run": 3}."""
    rtt_ms: float = 0
    mbit: float = 0
    loss: float = 0
    queue_bdp: float = 1
    more: dict = dataclasses.field(default_factory=dict)

    def words(self):
        options = {"delay_ms": self.rtt_ms / 2, "rate_mbit": self.mbit, "loss": self.loss}
        if self.mbit and self.rtt_ms:
            options["queue_ms"] = self.rtt_ms * self.queue_bdp
        return [f"{key}={value}" for key, value in {**options, **self.more}.items()]


class Emulator:
    """A running link between the ends "a" and "b". What was started in them ends with it."""

    def __init__(self, program, link=None, arguments=()):
        """`arguments` are further words of kith-link's command line."""
        why = why_not()
        if why:
            raise Unavailable(why)
        self.children = []
        self.process = subprocess.Popen([program, *(link or Link()).words(), *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        ready = self.process.stdout.readline()
        if not ready:
            why = self.process.communicate()[1].strip()
            raise (Unavailable if self.process.returncode == UNAVAILABLE else RuntimeError)(why)
        ready = json.loads(ready)
        self.netns = {end: ready[end]["netns"] for end in "ab"}
        self.ip4 = {end: ready[end]["ip4"] for end in "ab"}
        self.ip6 = {end: ready[end]["ip6"] for end in "ab"}

    def command(self, end, words):
        """`words` as a command that runs at an end."""
        return ["nsenter", "--net=" + self.netns[end], "--", *map(str, words)]

    def popen(self, end, words, **options):
        child = subprocess.Popen(self.command(end, words), **options)
        self.children.append(child)
        return child

    def run(self, end, words, **options):
        return subprocess.run(self.command(end, words), **options)

    def set(self, direction, **options):
        """Changes the link: `direction` is "both", "a-to-b" or "b-to-a". Numbers of packets and the schedule of
        on_ms and off_ms begin anew."""
        self._ask(" ".join(["set", direction] + [f"{key}={value}" for key, value in options.items()]))

    def counters(self):
        """{"cpu_s": ..., "a_to_b": {...}, "b_to_a": {...}} since the start."""
        return self._ask("counters")

    def receive_buffer_errors(self, end):
        """Datagrams that arrived at an end and found the socket's buffer full: lost by the program there, not the link."""
        lines = self.run(end, ["cat", "/proc/net/snmp"], stdout=subprocess.PIPE, text=True).stdout.splitlines()
        names, values = (line.split() for line in lines if line.startswith("Udp:"))
        return int(dict(zip(names, values))["RcvbufErrors"])

    def _ask(self, line, timeout=10):
        self.process.stdin.write(line + "\n")
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise RuntimeError("kith-link does not answer")
        answer = json.loads(self.process.stdout.readline() or '{"event": "error", "why": "kith-link ended"}')
        if answer["event"] == "error":
            raise ValueError(answer["why"])
        return answer

    def close(self):
        """Ends what runs at both ends, and the link."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
