"""The rows of the benchmark: what is run, what is compared, and what kith promises."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "tools/link_emulator"))
from emulator import Link  # noqa: E402

# Implementations in the order of the tables. `program` is what build.py builds.
PEERS = {
    "kith": {"title": "kith", "program": "bench_kith"},
    "raw": {"title": "raw MsQuic", "program": "bench_raw"},
    "stock": {"title": "raw MsQuic, unpatched", "program": "bench_raw_stock"},
    "go": {"title": "go-libp2p", "program": "go", "slow": True},
    "rust": {"title": "rust-libp2p", "program": "rust", "slow": True},
    "quic-go": {"title": "quic-go", "program": "go", "slow": True, "serve": ["--listen", "quic://127.0.0.1:0"]},
    "quinn": {"title": "quinn", "program": "rust", "slow": True, "serve": ["--listen", "quic://127.0.0.1:0"]},
}


class Target:
    """kith's `metric` must be `least` to `most` times that of `peer` (or, with `plus`, at most that much more); without a
    peer, `least` to `most` itself."""

    def __init__(self, metric, peer=None, least=None, most=None, plus=None):
        self.metric, self.peer, self.least, self.most, self.plus = metric, peer, least, most, plus

    def text(self):
        if self.peer is None:
            return f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        if self.plus is not None:
            return f"<= {self.peer} + {self.plus:g}"
        return f">= {self.least:g}x {self.peer}" if self.least is not None else f"<= {self.most:g}x {self.peer}"


class Row:
    def __init__(self, name, scenario, title, metric, unit, options, targets, timeout=120, small=(), slow_share=1.0,
                 lower_is_better=False, columns=(), link=None, only=None):
        self.name, self.scenario, self.title = name, scenario, title
        self.metric, self.unit = metric, unit
        self.options, self.targets, self.timeout = options, targets, timeout
        # Slow peers get slow_share of the options named in `small`; rates do not depend on it.
        self.small, self.slow_share = small, slow_share
        self.lower_is_better = lower_is_better
        self.columns = columns  # further metrics to show: (metric, unit)
        self.link = link  # the emulated link between the ends; None: loopback
        self.only = only  # the peers that run it; None: all

    def runs(self, peer):
        if self.only is not None and peer not in self.only:
            return False
        # go-libp2p and quic-go need a node for each connection or cannot be compared.
        return not (self.scenario == "idle" and peer in ("quic-go", "quinn"))

    def arguments(self, peer):
        out = []
        for key, value in self.options.items():
            if key in self.small and PEERS[peer].get("slow"):
                value = int(value * self.slow_share)
            out.append(f"{key}={value}")
        return out

    def resized(self, **options):
        return Row(self.name, self.scenario, self.title, self.metric, self.unit, {**self.options, **options},
                   self.targets, self.timeout, self.small, self.slow_share, self.lower_is_better, self.columns, self.link,
                   self.only)

    def scaled(self, share):
        return self.resized(**{key: max(1, int(value * share)) for key, value in self.options.items()
                               if key in ("bytes", "n")})


def bulk(name, scenario, title, options, targets):
    fairness = (("jain", "Jain's fairness"),) if "streams" in options or "conns" in options else ()
    return Row(name, scenario, title, "gbit_s", "Gbit/s", options, targets, small=("bytes",), slow_share=0.25,
               columns=(("cpu_s_per_gb", "CPU s/GB"), ("peak_rss_mb", "peak MB")) + fairness)


def both_ways(name, scenario, title):
    return bulk(name, scenario, title, {"bytes": 4 << 30}, [
        Target("gbit_s", "raw", least=0.97), Target("cpu_s_per_gb", "raw", most=1.05),
        Target("gbit_s", "stock", least=1.1), Target("gbit_s", "go", least=2.3), Target("gbit_s", "rust", least=1.6),
        Target("cpu_s_per_gb", "go", most=0.3), Target("cpu_s_per_gb", "rust", most=0.55)])


WAN_PEERS = ("kith", "raw", "go", "rust")


def wan(name, title, link, megabytes, targets, slow_share=1.0):
    """An upload over an emulated link. The rate includes slow start: less bytes are a disadvantage here."""
    return Row(name, "upload", title, "gbit_s", "Gbit/s", {"bytes": megabytes << 20}, targets, link=link, only=WAN_PEERS,
               small=("bytes",), slow_share=slow_share,
               columns=(("cpu_s_per_gb", "CPU s/GB"), ("link_lost", "packets lost"),
                        ("link_overflowed", "dropped by the queue"), ("receive_buffer_errors", "by full sockets")))


def wan_connect(rtt_ms, n):
    """Two round trips: the handshake, and the first byte with its answer."""
    return Row(f"connect-{rtt_ms}", "connect", f"Connect with mutual identity, first reply byte; {rtt_ms} ms, one at a time",
               "p50_ms", "ms", {"n": n, "inflight": 1}, [Target("p50_ms", most=2.05 * rtt_ms + 2)],
               lower_is_better=True, columns=(("p99_ms", "p99 ms"),), link=Link(rtt_ms=rtt_ms), only=WAN_PEERS)


ROWS = {row.name: row for row in [
    both_ways("upload", "upload", "Upload, 1 connection, 1 stream"),
    both_ways("download", "download", "Download, 1 connection, 1 stream"),
    bulk("both", "both", "Up and down at once", {"bytes": 2 << 30}, [Target("gbit_s", "raw", least=0.95)]),
    bulk("streams", "upload", "Upload on 100 streams", {"bytes": 2 << 30, "streams": 100},
         [Target("gbit_s", "raw", least=0.95)]),
    bulk("conns", "upload", "Upload on 100 connections", {"bytes": 2 << 30, "conns": 100},
         [Target("gbit_s", "raw", least=0.95)]),
    Row("connect", "connect", "Connect with mutual identity, first reply byte, close; 8 at once", "conn_s", "conn/s",
        {"n": 2000, "inflight": 8}, [Target("conn_s", "raw", least=0.9), Target("conn_s", "go", least=2),
                                     Target("conn_s", "rust", least=1.5)],
        small=("n",), slow_share=0.5, columns=(("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("cpu_us_per_op", "CPU us"))),
    Row("connect-1", "connect", "The same, one at a time", "p50_ms", "ms", {"n": 500, "inflight": 1}, [],
        lower_is_better=True, columns=(("p99_ms", "p99 ms"), ("cpu_us_per_op", "CPU us"))),
    Row("request", "request", "Requests, 512 B up, 4,000 B down, each on a new stream; 64 at once", "req_s", "req/s",
        {"n": 200_000, "inflight": 64}, [Target("req_s", "raw", least=0.85), Target("req_s", "go", least=3),
                                         Target("p99_us", "raw", most=1.3)],
        small=("n",), slow_share=0.25, columns=(("p50_us", "p50 us"), ("p99_us", "p99 us"), ("cpu_us_per_op", "CPU us"))),
    Row("request-1", "request", "The same, one at a time", "p50_us", "us", {"n": 20_000, "inflight": 1}, [],
        lower_is_better=True, columns=(("p99_us", "p99 us"), ("cpu_us_per_op", "CPU us"))),
    Row("pingpong", "pingpong", "64 B there and back on one stream", "req_s", "round trips/s", {"n": 20_000, "size": 64},
        [Target("req_s", "raw", least=0.95)],
        columns=(("p50_us", "p50 us"), ("p99_us", "p99 us"), ("cpu_us_per_op", "CPU us"))),
    Row("idle", "idle", "Memory of an idle connection, listening side", "server_kib_per_conn", "KiB", {"conns": 500},
        [Target("server_kib_per_conn", "raw", plus=4)], small=("conns",), slow_share=0.2, lower_is_better=True,
        columns=(("kib_per_conn", "KiB, dialing side"),)),
    wan("wan-63", "Upload over 63 ms, 1 Gbit/s", Link(rtt_ms=63, mbit=1000), 1024,
        [Target("gbit_s", "raw", least=0.95), Target("gbit_s", least=0.9)], slow_share=0.5),
    wan("wan-50-loss0", "Upload over 50 ms, 100 Mbit/s", Link(rtt_ms=50, mbit=100), 120,
        [Target("gbit_s", "raw", least=0.95), Target("gbit_s", least=0.09)]),
    wan("wan-50-loss0.1", "Upload over 50 ms, 100 Mbit/s, 0.1 % loss", Link(rtt_ms=50, mbit=100, loss=0.001), 16,
        [Target("gbit_s", "raw", least=0.95), Target("gbit_s", "go", least=1), Target("gbit_s", "rust", least=1)]),
    wan("wan-50-loss1", "Upload over 50 ms, 100 Mbit/s, 1 % loss", Link(rtt_ms=50, mbit=100, loss=0.01), 4,
        [Target("gbit_s", "raw", least=0.95), Target("gbit_s", "go", least=1), Target("gbit_s", "rust", least=1)]),
    wan_connect(10, 100),
    wan_connect(63, 30),
]}


def derive(result):
    """Adds what follows from a measurement."""
    cpu = result["cpu_s"] + result["server_cpu_s"]
    result["peak_rss_mb"] = max(result["peak_rss_kb"], result["server_peak_rss_kb"]) / 1000
    if "bytes" in result:
        result["cpu_s_per_gb"] = cpu / (result["bytes"] / 1e9)
        result["client_cpu_s_per_gb"] = result["cpu_s"] / (result["bytes"] / 1e9)
    if "n" in result:
        result["cpu_us_per_op"] = cpu / result["n"] * 1e6
    return result
