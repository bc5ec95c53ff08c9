"""The plots of a report, as SVG: bars of rates, percentiles of latency, and how rates hold as things grow."""
import math

from rows import title as peer_title

COLORS = {"kith": "#0b7285", "raw": "#868e96", "stock": "#ced4da", "go": "#4dabf7", "rust": "#e8590c",
          "quic-go": "#a5d8ff", "quinn": "#ffc078", "iperf3": "#495057"}
WIDTH, LEFT = 740, 165
STYLE = ("text{font:12px sans-serif;fill:#343a40}.h{font-weight:bold;font-size:13px}.n{text-anchor:end}.m{text-anchor:middle}"
         ".w{stroke:#212529;stroke-width:1.5}.g{stroke:#e9ecef}.l{fill:none;stroke-width:2}")

# What is drawn: (row, metric, heading).
BARS = [("upload", "gbit_s", "Upload over QUIC, Gbit/s"), ("upload", "cpu_s_per_gb", "Upload, both ends, CPU seconds per GB"),
        ("tcp-noise-upload", "gbit_s", "Upload over TCP, noise, yamux, Gbit/s"),
        ("tcp-tls-upload", "gbit_s", "Upload over TCP, TLS, yamux, Gbit/s"),
        ("connect", "conn_s", "Connections to strangers, 8 at once, 1/s"),
        ("request", "req_s", "Requests, each on a new stream, 100 at once, 1/s")]
LATENCIES = [("request", "us", "Requests, 100 at once, us"), ("pingpong", "us", "64 B there and back, us"),
             ("connect", "ms", "Connections, 8 at once, ms"), ("beside", "us", "64 B there and back beside an upload, us"),
             ("tcp-noise-beside", "us", "The same over TCP, noise, yamux, us")]
# (heading, metric, [(row, x)])
CURVES = [
    ("Upload of 64 MiB to 16 GiB: Gbit/s over MiB", "gbit_s", [("upload-64m", 64), ("upload", 2048), ("upload-16g", 16384)]),
    ("Upload on 1 to 256 streams: Gbit/s", "gbit_s", [("upload", 1), ("streams-10", 10), ("streams", 100), ("streams-256", 256)]),
    ("Upload on 1 to 1,000 connections: Gbit/s", "gbit_s", [("upload", 1), ("conns-10", 10), ("conns", 100), ("conns-1000", 1000)]),
    ("Idle connections, 500 to 20,000: KiB each at the listener", "server_kib_per_conn",
     [("idle", 500), ("idle-1k", 1000), ("idle-5k", 5000), ("idle-20k", 20_000)]),
]


def figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cells(document, row):
    """{peer: figures} of those that were measured."""
    return document["rows"].get(row, {}).get("peers", {})


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{kind}"' if kind else "") + f'>{words}</text>'


def picture(alt, panels):
    """Panels are functions that append to a list from a y on and return where they end."""
    out, y = [], 30
    for panel in panels:
        y = panel(out, y) + 26
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y - 10:.0f}" role="img" aria-label="{alt}">\n'
            f'<style>{STYLE}</style>\n<rect width="{WIDTH}" height="{y - 10:.0f}" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n")


def bars(heading, figures):
    """`figures`: {peer: {median, q1, q3}}"""
    def panel(out, y):
        out.append(text(10, y, heading, "h"))
        y += 12
        scale = (WIDTH - LEFT - 90) / (max(f["q3"] for f in figures.values()) or 1)
        for peer, f in figures.items():
            low, high = LEFT + f["q1"] * scale, LEFT + f["q3"] * scale
            out.append(text(LEFT - 8, y + 13, peer_title(peer), "n"))
            out.append(f'<rect x="{LEFT}" y="{y}" width="{f["median"] * scale:.1f}" height="18" fill="{COLORS[peer]}"/>')
            out.append(f'<path d="M{low:.1f} {y + 9}H{high:.1f}" class="w"/>')
            out.append(text(high + 6, y + 13, figure(f["median"])))
            y += 24
        return y
    return panel


def logarithmic(low, high, left=LEFT, right=WIDTH - 60):
    low, high = math.log(low), math.log(high)
    return lambda value: left + (math.log(value) - low) / ((high - low) or 1) * (right - left)


def percentiles(heading, figures):
    """`figures`: {peer: [p50, p99, p99.9]}; a line with a mark at each."""
    def panel(out, y):
        out.append(text(10, y, heading + ": p50, p99, p99.9 (logarithmic)", "h"))
        y += 16
        at = logarithmic(min(f[0] for f in figures.values()), max(f[-1] for f in figures.values()))
        for peer, values in figures.items():
            xs = [at(value) for value in values]
            out.append(text(LEFT - 8, y + 17, peer_title(peer), "n"))
            out.append(f'<path d="M{xs[0]:.1f} {y + 13}H{xs[-1]:.1f}" class="l" stroke="{COLORS[peer]}"/>')
            last = -100
            for x, value in zip(xs, values):
                out.append(f'<circle cx="{x:.1f}" cy="{y + 13}" r="4" fill="{COLORS[peer]}"/>')
                if x - last > 45:  # figures do not overlap
                    out.append(text(x, y + 5, figure(value), "m"))
                    last = x
            y += 28
        return y
    return panel


def curves(heading, lines):
    """`lines`: {peer: [(x, y)]}, x logarithmic, y from 0."""
    def panel(out, y):
        out.append(text(10, y, heading, "h"))
        top, bottom = y + 14, y + 174
        xs = sorted({x for points in lines.values() for x, _ in points})
        at = logarithmic(xs[0], xs[-1], left=60, right=WIDTH - 170)
        most = max(value for points in lines.values() for _, value in points) or 1
        height = lambda value: bottom - value / most * (bottom - top)  # noqa: E731
        for share in (0, 0.5, 1):
            out.append(f'<path d="M60 {height(most * share):.1f}H{WIDTH - 170}" class="g"/>')
            out.append(text(54, height(most * share) + 4, figure(most * share) if share else "0", "n"))
        for x in xs:
            out.append(text(at(x), bottom + 16, f"{x:,}", "m"))
        ends = []
        for peer, points in lines.items():
            path = "L".join(f"{at(x):.1f} {height(value):.1f}" for x, value in sorted(points))
            out.append(f'<path d="M{path}" class="l" stroke="{COLORS[peer]}"/>')
            out += [f'<circle cx="{at(x):.1f}" cy="{height(value):.1f}" r="3" fill="{COLORS[peer]}"/>' for x, value in points]
            ends.append((height(max(points)[1]), max(points)[0], peer))
        lowest = top - 14
        for end, x, peer in sorted(ends):  # names below each other
            lowest = max(end + 4, lowest + 14)
            out.append(f'<text x="{at(xs[-1]) + 10:.1f}" y="{lowest:.1f}" style="fill:{COLORS[peer]}">{peer_title(peer)}</text>')
        return max(bottom + 20, lowest)
    return panel


def draw(document):
    """{file: SVG} of what there is something for."""
    found = [(heading, {p: c[metric] for p, c in cells(document, row).items() if metric in c}) for row, metric, heading in BARS]
    rates = [bars(heading, figures) for heading, figures in found if figures]
    latencies = []
    for row, unit, heading in LATENCIES:
        keys = [f"{p}_{unit}" for p in ("p50", "p99", "p999")]
        figures = {p: [c[k]["median"] for k in keys] for p, c in cells(document, row).items() if all(k in c for k in keys)}
        if figures:
            latencies.append(percentiles(heading, figures))
    growth = []
    for heading, metric, wanted in CURVES:
        lines = {}
        for row, x in wanted:
            for peer, c in cells(document, row).items():
                if metric in c and peer != "iperf3":
                    lines.setdefault(peer, []).append((x, c[metric]["median"]))
        lines = {peer: points for peer, points in lines.items() if len(points) > 1}
        if lines:
            growth.append(curves(heading, lines))
    pictures = {"throughput.svg": ("throughput", rates), "latency.svg": ("latency", latencies), "growth.svg": ("growth", growth)}
    return {name: picture(alt, panels) for name, (alt, panels) in pictures.items() if panels}


def shown(document):
    """[(file, words for who cannot see it)]"""
    return [(name, name.removesuffix(".svg")) for name in draw(document)]
