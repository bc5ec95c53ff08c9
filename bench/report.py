"""From measurements to docs/benchmarks.md, docs/bench/*.json and *.svg."""
import json
import statistics

from rows import PEERS, ROWS, title as peer_title

COLORS = {"kith": "#0b7285", "raw": "#868e96", "stock": "#ced4da", "go": "#4dabf7", "rust": "#e8590c",
          "quic-go": "#a5d8ff", "quinn": "#ffc078"}


def spread(values):
    """Median and quartiles."""
    values = sorted(values)
    if len(values) == 1:
        return {"median": values[0], "q1": values[0], "q3": values[0]}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "q1": q1, "q3": q3}


def pairs(results, metric, a, b):
    both = zip(results.get(a, []), results.get(b, []))
    return [(x[metric], y[metric]) for x, y in both if x and y and metric in x and metric in y]


def ratio(results, metric, a, b):
    """Of peer a to peer b, within each round."""
    found = [x / y for x, y in pairs(results, metric, a, b) if y]
    return spread(found) if found else None


def difference(results, metric, a, b):
    found = [x - y for x, y in pairs(results, metric, a, b)]
    return spread(found) if found else None


def judge(target, results):
    """A target with what was measured, or None."""
    if target.peer is None:
        found = [r[target.metric] for r in results.get(target.subject, []) if r]
        value = spread(found) if found else None
    elif target.plus is not None:
        value = difference(results, target.metric, target.subject, target.peer)
    else:
        value = ratio(results, target.metric, target.subject, target.peer)
    most = target.plus if target.plus is not None else target.most
    met = value and (value["median"] >= target.least if target.least is not None else value["median"] <= most)
    if value is None:
        return None
    return {"metric": target.metric, "target": target.text(), **value, "met": bool(met)}


def summarize(results, rows, meta):
    document = {"meta": meta, "rows": {}}
    everything = [r for row in results.values() for peer in row.values() for r in peer if r]
    meta["measurements"] = len(everything)
    meta["disturbed"] = sum(1 for r in everything if r["others"] >= 0.10)
    meta["load"] = spread([r["load"] for r in everything]) if everything else None
    for row in rows:
        peers = {}
        for peer, measured in results[row.name].items():
            good = [m for m in measured if m]
            if not good:
                continue
            keys = [k for k, v in good[0].items() if isinstance(v, (int, float))]
            peers[peer] = {k: {**spread([m[k] for m in good]), "values": [m[k] for m in good]} for k in keys}
            peers[peer]["failed"] = len(measured) - len(good)
        judged = [judge(t, results[row.name]) for t in row.targets]
        document["rows"][row.name] = {
            "title": row.title, "metric": row.metric, "unit": row.unit, "peers": peers,
            "ratios": {p: r for p in peers if p != "kith" and (r := ratio(results[row.name], row.metric, "kith", p))},
            "targets": [j for j in judged if j],
        }
    return document


def figure(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def with_spread(cell):
    return f"{figure(cell['median'])} ({figure(cell['q1'])} to {figure(cell['q3'])})"


def peer_label(peer, versions):
    version = versions.get({"raw": "msquic", "stock": "msquic"}.get(peer, peer))
    return peer_title(peer) + (f" {version}" if version else "")


def row_table(name, row, versions):
    shown = ROWS[name]
    lines = [f"### {row['title']}", "",
             f"| | {row['unit']} | kith is |" + "".join(f" {unit} |" for _, unit in shown.columns),
             "|---|---|---|" + "---|" * len(shown.columns)]
    for peer, cells in row["peers"].items():
        times = row["ratios"].get(peer)
        line = f"| {peer_label(peer, versions)} | {with_spread(cells[row['metric']])} |"
        line += f" {times['median']:.2f}x ({times['q1']:.2f} to {times['q3']:.2f}) |" if times else " |"
        for metric, _ in shown.columns:
            line += f" {figure(cells[metric]['median'])} |" if metric in cells else " |"
        lines.append(line)
    return lines + [""]


def targets_table(document):
    lines = ["| row | figure | target | measured | |", "|---|---|---|---|---|"]
    for name, row in document["rows"].items():
        for t in row["targets"]:
            lines.append(f"| {name} | {t['metric']} | {t['target']} | {t['median']:.2f} ({t['q1']:.2f} to {t['q3']:.2f})"
                         f" | {'met' if t['met'] else '**not met**'} |")
    return lines + [""]


def markdown(document):
    meta = document["meta"]
    lines = [
        "# Benchmarks", "",
        "Written by `./dev bench`; [latest.json](bench/latest.json) has every measurement,",
        "[history.jsonl](bench/history.jsonl) one line for each run.", "",
        f"{meta['date']}, commit {meta['commit']}; {meta['cpu']}, {meta['cores']} cores, Linux {meta['kernel']}; MsQuic "
        f"{meta['versions']['msquic']}, OpenSSL {meta['versions']['openssl']}.", "",
        f"Both ends on one machine over loopback, the listener on one core and the dialer on another; rows that name a "
        "round-trip time run over an emulated link (tools/link_emulator). In each of the "
        f"{meta['rounds']} rounds the implementations take turns; a figure is the median, with the quartiles in brackets; "
        "\"kith is\" is the median of the ratios within a round. Absolute figures depend on the machine, ratios hardly. "
        "CPU is that of both ends, user and system. Raw MsQuic runs with kith's settings, on the same kind of loop, and "
        "does the same certificate checks; \"unpatched\" is MsQuic as published, but for security fixes. All of them prove "
        "identities on both sides with libp2p's TLS. The libp2p stacks negotiate every stream and run identify on every "
        "connection; the raw ones do neither.", "",
        f"{meta['disturbed']} of {meta['measurements']} measurements were disturbed by other processes (10 % of the machine "
        "or more).", "",
        "![throughput](bench/throughput.svg)", "", "![requests](bench/latency.svg)", "",
        "## Promises", "",
    ]
    lines += targets_table(document)
    lines += ["## Measurements", ""]
    for name, row in document["rows"].items():
        lines += row_table(name, row, meta["versions"])
    return "\n".join(lines).rstrip() + "\n"


def svg_bars(title, groups):
    """`groups`: [(heading, unit, [(peer, value, low, high)])]; one panel of horizontal bars each."""
    width, left, bar, gap = 720, 150, 18, 6
    y, out = 30, []
    for heading, unit, bars in groups:
        out.append(f'<text x="10" y="{y}" class="h">{heading}, {unit}</text>')
        y += 12
        top = max(high for _, _, _, high in bars) or 1
        scale = (width - left - 90) / top
        for peer, value, low, high in bars:
            middle = y + bar / 2
            out.append(f'<text x="{left - 8}" y="{middle + 4:.0f}" class="n">{peer_title(peer)}</text>')
            out.append(f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{bar}" fill="{COLORS[peer]}"/>')
            out.append(f'<path d="M{left + low * scale:.1f} {middle}H{left + high * scale:.1f}" class="w"/>')
            out.append(f'<text x="{left + high * scale + 6:.1f}" y="{middle + 4:.0f}">{figure(value)}</text>')
            y += bar + gap
        y += 26
    height = y - 10
    style = ("text{font:12px sans-serif;fill:#343a40}.h{font-weight:bold;font-size:13px}.n{text-anchor:end}"
             ".w{stroke:#212529;stroke-width:1.5}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">\n'
            f'<style>{style}</style>\n<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n")


def chart(document, title, wanted):
    """`wanted`: [(row, metric, heading, unit)]"""
    groups = []
    for name, metric, heading, unit in wanted:
        peers = document["rows"].get(name, {}).get("peers", {})
        bars = [(p, c[metric]["median"], c[metric]["q1"], c[metric]["q3"]) for p, c in peers.items() if metric in c]
        if bars:
            groups.append((heading, unit, bars))
    return svg_bars(title, groups) if groups else None


def write(root, document, text):
    folder = root / "docs/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(document, indent=1) + "\n")
    line = {"meta": {k: document["meta"][k] for k in ("date", "commit", "rounds", "cpu", "disturbed", "measurements")},
            "rows": {name: {"unit": row["unit"],
                            "median": {p: round(c[row["metric"]]["median"], 4) for p, c in row["peers"].items()},
                            "kith_is": {p: round(r["median"], 4) for p, r in row["ratios"].items()}}
                     for name, row in document["rows"].items()}}
    with open(folder / "history.jsonl", "a") as f:
        f.write(json.dumps(line) + "\n")
    charts = {
        "throughput.svg": chart(document, "throughput", [
            ("upload", "gbit_s", "Upload", "Gbit/s"), ("upload", "cpu_s_per_gb", "Upload, both ends", "CPU seconds per GB"),
            ("connect", "conn_s", "Connections, 8 at once", "1/s")]),
        "latency.svg": chart(document, "requests", [
            ("request", "req_s", "Requests, 64 at once", "1/s"), ("request", "p99_us", "Requests, 64 at once", "p99 in us"),
            ("pingpong", "p50_us", "64 B there and back", "p50 in us")]),
    }
    for name, svg in charts.items():
        if svg:
            (folder / name).write_text(svg)
    (root / "docs/benchmarks.md").write_text(text)
