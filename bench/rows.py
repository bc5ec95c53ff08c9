"""The rows of the benchmark: what is run, what is compared, and what kith promises."""
import dataclasses
import pathlib
import sys

import codec_inputs

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "tools/link_emulator"))
from emulator import Link  # noqa: E402

# Implementations in the order of the tables. `program` is what build.py builds, `codec` that for the codec rows.
PEERS = {
    "kith": {"title": "kith", "program": "bench_kith", "codec": "bench_codec"},
    "kith-2": {"title": "kith, listener with 2 loops", "program": "bench_kith"},
    "raw": {"title": "raw MsQuic", "program": "bench_raw"},
    "stock": {"title": "raw MsQuic, unpatched", "program": "bench_raw_stock"},
    "go": {"title": "go-libp2p", "program": "go", "codec": "go", "slow": True},
    "rust": {"title": "rust-libp2p", "program": "rust", "codec": "rust-codec", "slow": True},
    "quic-go": {"title": "quic-go", "program": "go", "slow": True, "serve": ["--listen", "quic://127.0.0.1:0"]},
    "quinn": {"title": "quinn", "program": "rust", "slow": True, "serve": ["--listen", "quic://127.0.0.1:0"]},
    "iperf3": {"title": "iperf3, TCP", "program": "iperf3"},
}
QUIC_PEERS = ("kith", "raw", "stock", "go", "rust", "quic-go", "quinn")
LIBP2P_PEERS = ("kith", "go", "rust")
NODES = ("kith", "raw", "go", "rust")  # those that can keep many connections to one peer

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


@dataclasses.dataclass
class Row:
    name: str
    scenario: str
    title: str
    metric: str
    unit: str
    options: dict  # of the dialer
    targets: list
    only: tuple = QUIC_PEERS  # who runs it
    columns: tuple = ()  # further metrics to show: (metric, unit)
    # Slow peers get slow_share of the options named in `small`; rates do not depend on it.
    small: tuple = ()
    slow_share: float = 1.0
    lower_is_better: bool = False
    transport: str = "quic"
    words: tuple = ()  # key=value for both ends
    settings: dict = dataclasses.field(default_factory=dict)  # {peer: further words for both of its ends}
    link: Link = None  # the emulated link between the ends; None: loopback
    timeout: int = 60
    pinned: bool = True  # each end to a core of its own
    group: str = None  # rows that share a table, a column for each peer

    def runs(self, peer):
        return peer in self.only

    def arguments(self, peer):
        out = []
        for key, value in self.options.items():
            if key in self.small and is_slow(peer):
                value = int(value * self.slow_share)
            out.append(f"{key}={value}")
        return out

    def resized(self, **options):
        return dataclasses.replace(self, options={**self.options, **options})

    def scaled(self, share):
        return self.resized(**{key: max(1, int(value * share)) for key, value in self.options.items()
                               if key in ("bytes", "n")})


CPU_AND_MEMORY = (("cpu_s_per_gb", "CPU s/GB"), ("peak_rss_mb", "peak MB"))
FAIRNESS = (("jain", "Jain's fairness"),)


def latency_columns(unit):
    return tuple((f"{p}_{unit}", f"{name} {unit}") for p, name in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")))


def bulk(name, scenario, title, options, targets, **more):
    fairness = FAIRNESS if "streams" in options or "conns" in options else ()
    return Row(name, scenario, title, "gbit_s", "Gbit/s", options, targets,
               **{"small": ("bytes",), "slow_share": 0.5, "columns": CPU_AND_MEMORY + fairness, **more})


def one_way(name, title):
    return bulk(name, name, title, {"bytes": 2 << 30}, [
        Target("gbit_s", "raw", least=0.97), Target("cpu_s_per_gb", "raw", most=1.05),
        Target("gbit_s", "stock", least=1.1), Target("gbit_s", "go", least=2.3), Target("gbit_s", "rust", least=1.6),
        Target("cpu_s_per_gb", "go", most=0.3), Target("cpu_s_per_gb", "rust", most=0.55)],
        only=(*QUIC_PEERS, "iperf3") if name == "upload" else QUIC_PEERS)


def growth(name, title, options, timeout=60):
    """More of the same: the rate must hold beside raw MsQuic."""
    return bulk(name, "upload", title, options, [Target("gbit_s", "raw", least=0.95), Target("cpu_s_per_gb", "raw", most=1.05)],
                only=("kith", "raw"), timeout=timeout)


def mixed(other, title):
    return bulk(f"mixed-{other}", "upload", title, {"bytes": 2 << 30},
                [Target("gbit_s", other, least=1, subject=pair) for pair in (f"kith>{other}", f"{other}>kith")],
                only=(f"kith>{other}", f"{other}>kith", other))


def connects(name, title, targets, n=2000, **more):
    return Row(name, "connect", title, "conn_s", "conn/s", {"n": n, "inflight": 8}, targets, small=("n",), slow_share=0.5,
               columns=(*latency_columns("ms"), ("cpu_us_per_op", "CPU us")), **more)


def connects_1(name, title, n, **more):
    return Row(name, "connect", title, "p50_ms", "ms", {"n": n, "inflight": 1}, [], lower_is_better=True,
               columns=(*latency_columns("ms")[1:], ("cpu_us_per_op", "CPU us")), **more)


STRANGERS = [Target("conn_s", "raw", least=0.9), Target("conn_s", "go", least=2), Target("conn_s", "rust", least=1.5)]


def requests(name, title, n, targets, **more):
    return Row(name, "request", title, "req_s", "req/s", {"n": n, "inflight": 100}, targets, small=("n",), slow_share=0.25,
               columns=(*latency_columns("us"), ("cpu_us_per_op", "CPU us")), **more)


def beside(name, title, targets, **more):
    return Row(name, "beside", title, "p50_us", "us", {"seconds": 2, "size": 64}, targets, lower_is_better=True,
               columns=(*latency_columns("us")[1:], ("gbit_s", "Gbit/s of the upload")), **more)


def idle(name, title, conns, only, targets, **more):
    return Row(name, "idle", title, "server_kib_per_conn", "KiB", {"conns": conns}, targets, only=only, lower_is_better=True,
               small=("conns",), slow_share=0.2, columns=(("kib_per_conn", "KiB, dialing side"),), **more)


IDLE_LIKE_RAW = [Target("server_kib_per_conn", "raw", plus=4), Target("kib_per_conn", "raw", plus=4)]


def idle_growth(name, conns):
    return idle(name, f"The same, {conns:,} connections", conns, ("kith", "raw"), IDLE_LIKE_RAW, timeout=300,
                settings={"raw": ["shared_port=1"]})


def tcp(security):
    """The rows over TCP, yamux and one way to secure it."""
    name, over = f"tcp-{security}-", f"over TCP, {security}, yamux"
    common = {"only": LIBP2P_PEERS, "transport": "tcp", "words": (f"security={security}",)}
    rates = [Target("gbit_s", "go", least=1.5), Target("gbit_s", "rust", least=2),
             Target("cpu_s_per_gb", "go", most=1), Target("cpu_s_per_gb", "rust", most=1)]
    per_second = [Target("conn_s", "go", least=1), Target("conn_s", "rust", least=1)]
    small_first = [Target(metric, other, most=1) for metric in ("p50_us", "p99_us") for other in ("go", "rust")]
    return [
        bulk(name + "upload", "upload", f"Upload {over}", {"bytes": 2 << 30}, rates,
             **{**common, "only": (*LIBP2P_PEERS, "iperf3")}),
        bulk(name + "download", "download", f"Download {over}", {"bytes": 2 << 30}, rates, **common),
        bulk(name + "streams", "upload", f"Upload on 100 streams {over}", {"bytes": 2 << 30, "streams": 100},
             [*rates, Target("jain", least=0.98)], **common),
        connects(name + "connect", f"Connect with mutual identity, first reply byte, close; 8 at once, {over}", per_second, 1000,
                 **common),
        connects_1(name + "connect-1", f"The same, one at a time, {over}", 300, **common),
        requests(name + "request", f"Requests, 512 B up, 4,000 B down, each on a new stream; 100 at once, {over}", 100_000,
                 [Target("req_s", "go", least=1), Target("req_s", "rust", least=1)], **common),
        beside(name + "beside", f"64 B there and back beside an upload on the same connection, {over}", small_first, **common),
        idle(name + "idle", f"Memory of an idle connection, listening side, {over}", 500, targets=[
            Target("server_kib_per_conn", "go", most=0.333)], **common),
    ]


# Rows that give the listener two loops. Both ends share two cores, which one loop each can keep busy: what they show is
# whether a second loop costs anything, and what it takes from the slower end.
MANY_LOOPS = {"only": ("kith", "kith-2"), "settings": {"kith-2": ["loops=2"]}, "pinned": False}


def loops_target(metric):
    return [Target(metric, "kith", least=0.95, subject="kith-2")]


def codec(operation, title, value):
    """Parsing allocates nothing."""
    parses = operation.endswith(("text", "binary", "decode", "parse", "protobuf"))
    return Row(f"codec-{operation}", "codec", title, "ns_per_op", "ns", {"op": operation, "input": value},
               [Target("allocs_per_op", most=0)] if parses else [], only=LIBP2P_PEERS, lower_is_better=True,
               columns=(("allocs_per_op", "allocations"),), group="Single values, read and written")


def wan(name, title, link, megabytes, targets, slow_share=1.0):
    """An upload over an emulated link. The rate includes slow start: less bytes are a disadvantage here."""
    return Row(name, "upload", title, "gbit_s", "Gbit/s", {"bytes": megabytes << 20}, targets, link=link, only=NODES,
               small=("bytes",), slow_share=slow_share, timeout=120,
               columns=(("cpu_s_per_gb", "CPU s/GB"), ("link_lost", "packets lost"),
                        ("link_overflowed", "dropped by the queue"), ("receive_buffer_errors", "by full sockets")))


def wan_connect(rtt_ms, n):
    """Two round trips: the handshake, and the first byte with its answer."""
    return Row(f"connect-{rtt_ms}", "connect", f"Connect with mutual identity, first reply byte; {rtt_ms} ms, one at a time",
               "p50_ms", "ms", {"n": n, "inflight": 1}, [Target("p50_ms", most=2.05 * rtt_ms + 2)],
               lower_is_better=True, columns=(("p99_ms", "p99 ms"),), link=Link(rtt_ms=rtt_ms), only=NODES)


ROWS = {row.name: row for row in [
    one_way("upload", "Upload, 1 connection, 1 stream"),
    one_way("download", "Download, 1 connection, 1 stream"),
    bulk("both", "both", "Up and down at once", {"bytes": 1 << 30}, [Target("gbit_s", "raw", least=0.95)]),
    bulk("streams", "upload", "Upload on 100 streams", {"bytes": 2 << 30, "streams": 100},
         [Target("gbit_s", "raw", least=0.95), Target("jain", least=0.98)]),
    bulk("conns", "upload", "Upload on 100 connections", {"bytes": 2 << 30, "conns": 100},
         [Target("gbit_s", "raw", least=0.95), Target("jain", least=0.98)], slow_share=0.25),
    connects("connect", "Connect to strangers with mutual identity, first reply byte, close; 8 at once", STRANGERS,
             settings={"kith": ["known_peers=0"]}),
    connects("connect-known", "The same, to peers whose certificates were verified before", STRANGERS,
             settings={"kith": ["known_peers=1024"]}),
    requests("request", "Requests, 512 B up, 4,000 B down, each on a new stream; 100 at once", 200_000, [
        Target("req_s", "raw", least=0.85), Target("req_s", "go", least=3), Target("p99_us", "raw", most=1.3)]),
    Row("pingpong", "pingpong", "64 B there and back on one stream", "req_s", "round trips/s", {"n": 20_000, "size": 64},
        [Target("req_s", "raw", least=0.95)], columns=(*latency_columns("us"), ("cpu_us_per_op", "CPU us"))),
    *tcp("noise"),
    *tcp("tls"),
    beside("beside", "64 B there and back beside an upload on the same connection", [
        Target(metric, other, most=1) for metric in ("p50_us", "p99_us") for other in ("go", "rust")], only=NODES),
    connects_1("connect-1", "Connect with mutual identity, one at a time", 500),
    Row("request-1", "request", "Requests on new streams, one at a time", "p50_us", "us", {"n": 20_000, "inflight": 1}, [],
        lower_is_better=True, columns=(*latency_columns("us")[1:], ("cpu_us_per_op", "CPU us")), small=("n",), slow_share=0.5),
    growth("upload-64m", "Upload of 64 MiB", {"bytes": 64 << 20}),
    growth("upload-16g", "Upload of 16 GiB", {"bytes": 16 << 30}),
    growth("streams-10", "Upload on 10 streams", {"bytes": 2 << 30, "streams": 10}),
    growth("streams-256", "Upload on 256 streams", {"bytes": 2 << 30, "streams": 256}),
    growth("conns-10", "Upload on 10 connections", {"bytes": 2 << 30, "conns": 10}),
    growth("conns-1000", "Upload on 1,000 connections", {"bytes": 1 << 30, "conns": 1000}),
    bulk("loops-upload", "upload", "Upload on 16 connections, not pinned", {"bytes": 2 << 30, "conns": 16},
         loops_target("gbit_s"), **MANY_LOOPS),
    bulk("loops-download", "download", "Download on 16 connections, not pinned", {"bytes": 2 << 30, "conns": 16},
         loops_target("gbit_s"), **MANY_LOOPS),
    connects("loops-connect", "Connect to known peers, 8 at once, not pinned", loops_target("conn_s"), **MANY_LOOPS),
    mixed("go", "Upload between kith and go-libp2p"),
    mixed("rust", "Upload between kith and rust-libp2p"),
    idle("idle", "Memory of an idle connection, listening side; 500 connections", 500, NODES, IDLE_LIKE_RAW,
         settings={"raw": ["shared_port=1"]}),
    idle_growth("idle-1k", 1000),
    idle_growth("idle-5k", 5000),
    idle_growth("idle-20k", 20_000),
    Row("idle-streams", "idle-streams", "Memory of an idle stream, listening side; 200 on each of 100 connections",
        "server_bytes_per_stream", "B", {"conns": 100, "streams": 200},
        [Target("server_bytes_per_stream", "raw", plus=512), Target("bytes_per_stream", "raw", plus=512)], only=NODES,
        lower_is_better=True, small=("conns",), slow_share=0.25, columns=(("bytes_per_stream", "B, dialing side"),)),
    Row("idle-node", "node", "A node that listens and is left alone", "rss_mb", "MB resident", {},
        [Target("rss_mb", most=12), Target("wakeups_s", most=5)], only=NODES, lower_is_better=True,
        columns=(("wakeups_s", "wake-ups/s"),)),
    *(codec(operation, title, value) for operation, (title, value) in codec_inputs.OPERATIONS.items()),
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
# What `--rows main` means.
MAIN = [name for name in ROWS if name.startswith("tcp-") or name in (
    "upload", "download", "both", "streams", "conns", "connect", "connect-known", "request", "pingpong")]


def derive(result):
    """Adds what follows from a measurement."""
    cpu = result["cpu_s"] + result["server_cpu_s"]
    peaks = [result[key] for key in ("peak_rss_kb", "server_peak_rss_kb") if key in result]
    if peaks:
        result["peak_rss_mb"] = max(peaks) * 1.024e-3
    if "bytes" in result:
        result["cpu_s_per_gb"] = cpu / (result["bytes"] / 1e9)
        result["client_cpu_s_per_gb"] = result["cpu_s"] / (result["bytes"] / 1e9)
    if "n" in result:
        result["cpu_us_per_op"] = cpu / result["n"] * 1e6
    return result
