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

# Rows that mix two implementations name them DIALER>LISTENER.
MIXED = ("kith>go", "go>kith", "kith>rust", "rust>kith")


def ends(peer):
    """Which implementation dials and which listens."""
    dialer, _, listener = peer.partition(">")
    return dialer, listener or dialer


def title(peer):
    dialer, listener = (PEERS[end]["title"] for end in ends(peer))
    return dialer if dialer == listener else f"{dialer} to {listener}"


def is_slow(peer):
    return any(PEERS[end].get("slow") for end in ends(peer))


class Target:
    """`metric` of `subject` must be `least` to `most` times that of `peer` (or, with `plus`, at most that much more);
    without a peer, `least` to `most` itself."""

    def __init__(self, metric, peer=None, least=None, most=None, plus=None, subject="kith"):
        self.metric, self.peer, self.subject = metric, peer, subject
        self.least, self.most, self.plus = least, most, plus

    def text(self):
        who = "" if self.subject == "kith" else f"{self.subject} "
        if self.plus is not None:
            return f"{who}<= {self.peer} + {self.plus:g}"
        bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return who + bound + (f"x {self.peer}" if self.peer else "")


class Row:
    def __init__(self, name, scenario, title, metric, unit, options, targets, timeout=120, small=(), slow_share=1.0,
                 lower_is_better=False, columns=(), link=None, only=None, settings=None):
        self.name, self.scenario, self.title = name, scenario, title
        self.metric, self.unit = metric, unit
        self.options, self.targets, self.timeout = options, targets, timeout
        # Slow peers get slow_share of the options named in `small`; rates do not depend on it.
        self.small, self.slow_share = small, slow_share
        self.lower_is_better = lower_is_better
        self.columns = columns  # further metrics to show: (metric, unit)
        self.link = link  # the emulated link between the ends; None: loopback
        self.only = only  # the peers that run it; None: all
        self.settings = settings or {}  # {peer: key=value words for both of its ends}

    def runs(self, peer):
        if self.only is not None:
            return peer in self.only
        if peer in MIXED:
            return False
        # go-libp2p and quic-go need a node for each connection or cannot be compared.
        return not (self.scenario == "idle" and peer in ("quic-go", "quinn"))

    def arguments(self, peer):
        out = []
        for key, value in self.options.items():
            if key in self.small and is_slow(peer):
                value = int(value * self.slow_share)
            out.append(f"{key}={value}")
        return out

    def resized(self, **options):
        return Row(self.name, self.scenario, self.title, self.metric, self.unit, {**self.options, **options},
                   self.targets, self.timeout, self.small, self.slow_share, self.lower_is_better, self.columns, self.link,
                   self.only, self.settings)

    def scaled(self, share):
        return self.resized(**{key: max(1, int(value * share)) for key, value in self.options.items()
                               if key in ("bytes", "n")})


def bulk(name, scenario, title, options, targets, only=None):
    fairness = (("jain", "Jain's fairness"),) if "streams" in options or "conns" in options else ()
    return Row(name, scenario, title, "gbit_s", "Gbit/s", options, targets, small=("bytes",), slow_share=0.25,
               columns=(("cpu_s_per_gb", "CPU s/GB"), ("peak_rss_mb", "peak MB")) + fairness, only=only)


def both_ways(name, scenario, title):
    return bulk(name, scenario, title, {"bytes": 4 << 30}, [
        Target("gbit_s", "raw", least=0.97), Target("cpu_s_per_gb", "raw", most=1.05),
        Target("gbit_s", "stock", least=1.1), Target("gbit_s", "go", least=2.3), Target("gbit_s", "rust", least=1.6),
        Target("cpu_s_per_gb", "go", most=0.3), Target("cpu_s_per_gb", "rust", most=0.55)])


def growth(name, title, options):
    """More of the same: the rate must hold beside raw MsQuic."""
    return bulk(name, "upload", title, options, [Target("gbit_s", "raw", least=0.95), Target("cpu_s_per_gb", "raw", most=1.05)],
                only=("kith", "raw"))


def mixed(name, title, other):
    return bulk(name, "upload", title, {"bytes": 4 << 30},
                [Target("gbit_s", other, least=1, subject=pair) for pair in (f"kith>{other}", f"{other}>kith")],
                only=(f"kith>{other}", f"{other}>kith", other))


def connects(name, title, known_peers):
    return Row(name, "connect", title, "conn_s", "conn/s", {"n": 2000, "inflight": 8},
               [Target("conn_s", "raw", least=0.9), Target("conn_s", "go", least=2), Target("conn_s", "rust", least=1.5)],
               small=("n",), slow_share=0.5, settings={"kith": [f"known_peers={known_peers}"]},
               columns=(("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("cpu_us_per_op", "CPU us")))


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
    growth("upload-64m", "Upload of 64 MiB", {"bytes": 64 << 20}),
    growth("upload-16g", "Upload of 16 GiB", {"bytes": 16 << 30}),
    growth("streams-10", "Upload on 10 streams", {"bytes": 2 << 30, "streams": 10}),
    bulk("streams", "upload", "Upload on 100 streams", {"bytes": 2 << 30, "streams": 100},
         [Target("gbit_s", "raw", least=0.95), Target("jain", least=0.98)]),
    growth("streams-256", "Upload on 256 streams", {"bytes": 2 << 30, "streams": 256}),
    growth("conns-10", "Upload on 10 connections", {"bytes": 2 << 30, "conns": 10}),
    bulk("conns", "upload", "Upload on 100 connections", {"bytes": 2 << 30, "conns": 100},
         [Target("gbit_s", "raw", least=0.95), Target("jain", least=0.98)]),
    growth("conns-1000", "Upload on 1,000 connections", {"bytes": 4 << 30, "conns": 1000}),
    mixed("mixed-go", "Upload between kith and go-libp2p", "go"),
    mixed("mixed-rust", "Upload between kith and rust-libp2p", "rust"),
    connects("connect", "Connect to strangers with mutual identity, first reply byte, close; 8 at once", 0),
    connects("connect-known", "The same, to peers whose certificates were verified before", 1024),
    Row("connect-1", "connect", "The same, one at a time", "p50_ms", "ms", {"n": 500, "inflight": 1}, [],
        lower_is_better=True, columns=(("p99_ms", "p99 ms"), ("cpu_us_per_op", "CPU us"))),
    Row("request", "request", "Requests, 512 B up, 4,000 B down, each on a new stream; 100 at once", "req_s", "req/s",
        {"n": 200_000, "inflight": 100}, [Target("req_s", "raw", least=0.85), Target("req_s", "go", least=3),
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
    Row("idle-20k", "idle", "The same, 20,000 connections", "server_kib_per_conn", "KiB", {"conns": 20_000},
        [Target("server_kib_per_conn", "raw", plus=4)], lower_is_better=True, only=("kith",),
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
