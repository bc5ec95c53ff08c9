"""From measurements to docs/benchmarks.md, docs/bench/*.json and *.svg."""
import json
import os
import statistics

import plots
from rows import ROWS, title as peer_title


def spread(values):
    """Median and quartiles."""
    values = sorted(values)
    if len(values) == 1:
        return {"median": values[0], "q1": values[0], "q3": values[0]}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "q1": q1, "q3": q3}


def pairs(results, metric, a, b):
    both = zip(results.get(a, []), results.get(b, []))
    return [(x[metric], y[metric]) for x, y in both if metric in x and metric in y]


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
        found = [r[target.metric] for r in results.get(target.subject, []) if target.metric in r]
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
    """`results`: as of run_rows() in run.py. Rows that nobody has measured yet are left out."""
    meta = dict(meta)
    document = {"meta": meta, "rows": {}}
    everything = [r for row in results.values() for peer in row.values() for r in peer]
    good = [r for r in everything if "failed" not in r]
    meta["measurements"] = len(everything)
    meta["failed"] = len(everything) - len(good)
    meta["disturbed"] = sum(1 for r in good if r["others"] >= 0.10)
    meta["load"] = spread([r["load"] for r in good]) if good else None
    meta["rounds"] = max((len(peer) for row in results.values() for peer in row.values()), default=0)
    for row in rows:
        peers = {peer: summarize_peer(measured) for peer, measured in results[row.name].items() if measured}
        if not peers:
            continue
        judged = [judge(t, results[row.name]) for t in row.targets]
        document["rows"][row.name] = {
            "title": row.title, "metric": row.metric, "unit": row.unit, "peers": peers,
            "ratios": {p: r for p in peers if p != "kith" and (r := ratio(results[row.name], row.metric, "kith", p))},
            "targets": [j for j in judged if j],
        }
    return document


def summarize_peer(measured):
    good = [m for m in measured if "failed" not in m]
    failures = [m["failed"] for m in measured if "failed" in m]
    keys = [k for k, v in good[0].items() if isinstance(v, (int, float))] if good else []
    cells = {k: {**spread([m[k] for m in good]), "values": [m[k] for m in good]} for k in keys}
    return {**cells, "failed": len(failures), **({"failures": failures} if failures else {})}


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
        measured = with_spread(cells[row["metric"]]) if row["metric"] in cells else "failed"
        line = f"| {peer_label(peer, versions)} | {measured} |"
        line += f" {times['median']:.2f}x ({times['q1']:.2f} to {times['q3']:.2f}) |" if times else " |"
        for metric, _ in shown.columns:
            line += f" {figure(cells[metric]['median'])} |" if metric in cells else " |"
        lines.append(line)
    return lines + [""]


def group_table(group, rows, versions):
    """A line for each of `rows` {name: row}, a column for each peer: the metric, and the first of the further ones."""
    peers = list(dict.fromkeys(peer for row in rows.values() for peer in row["peers"]))
    name, first = next(iter(rows.items()))
    metric, extra = first["metric"], ROWS[name].columns[0]
    lines = [f"### {group}", "", f"{first['unit']} ({extra[1]})", "",
             "| |" + "".join(f" {peer_label(peer, versions)} |" for peer in peers), "|---|" + "---|" * len(peers)]
    for row in rows.values():
        cells = [row["peers"].get(peer, {}) for peer in peers]
        lines.append(f"| {row['title']} |" + "".join(
            f" {figure(c[metric]['median'])} ({figure(c[extra[0]]['median'])}) |" if metric in c else " |" for c in cells))
    return lines + [""]


def failures_list(document):
    found = [f"- {name}, {peer_title(peer)}, {cells['failed']} of {cells['failed'] + measured}: {cells['failures'][0]}"
             for name, row in document["rows"].items() for peer, cells in row["peers"].items() if cells["failed"]
             for measured in [len(cells.get(row["metric"], {}).get("values", []))]]
    return ["## Failed", "", *found, ""] if found else []


def targets_table(document):
    meta = document["meta"]
    lines = ["| row | figure | target | measured | |", "|---|---|---|---|---|"]
    for name, row in document["rows"].items():
        for t in row["targets"]:
            lines.append(f"| {name} | {t['metric']} | {t['target']} | {t['median']:.2f} ({t['q1']:.2f} to {t['q3']:.2f})"
                         f" | {'met' if t['met'] else '**not met**'} |")
    if meta["load"]:
        lines += ["", f"Load average at the measurements, the benchmark's own included: {with_spread(meta['load'])}. "
                  f"Command: `{meta['command']}`."]
    return lines + [""]


def markdown(document):
    meta = document["meta"]
    state = f", interrupted: {meta['rounds']} of {meta['rounds_wanted']} rounds begun" if meta["interrupted"] else ""
    lines = [
        "# Benchmarks", "",
        "Written by `./dev bench`; [latest.json](bench/latest.json) has every measurement,",
        "[history.jsonl](bench/history.jsonl) one line for each run.", "",
        f"{meta['date']}{state}, commit {meta['commit']}; {meta['cpu']}, {meta['cores']} cores, Linux {meta['kernel']}; MsQuic "
        f"{meta['versions']['msquic']}, OpenSSL {meta['versions']['openssl']}.", "",
        f"Both ends on one machine over loopback, the listener on one core and the dialer on another; rows that name a "
        "round-trip time run over an emulated link (tools/link_emulator). In each of the "
        f"{meta['rounds']} rounds the implementations take turns; a figure is the median, with the quartiles in brackets; "
        "\"kith is\" is the median of the ratios within a round. Absolute figures depend on the machine, ratios hardly. "
        "CPU is that of both ends, user and system. Raw MsQuic runs with kith's settings, on the same kind of loop, and "
        "does the same certificate checks; \"unpatched\" is MsQuic as published, but for security fixes. All of them prove "
        "identities on both sides with libp2p's TLS. The libp2p stacks negotiate every stream and run identify on every "
        "connection; the raw ones do neither. Over TCP every node offers one security protocol and yamux.", "",
        f"{meta['disturbed']} of {meta['measurements']} measurements were disturbed by other processes (10 % of the machine "
        f"or more), {meta['failed']} failed.", "",
    ]
    lines += [line for name, alt in plots.shown(document) for line in (f"![{alt}](bench/{name})", "")]
    lines += ["## Promises", "", *targets_table(document), *failures_list(document), "## Measurements", ""]
    groups = {}
    for name, row in document["rows"].items():
        if ROWS[name].group:
            groups.setdefault(ROWS[name].group, {})[name] = row
        else:
            lines += row_table(name, row, meta["versions"])
    for group, rows in groups.items():
        lines += group_table(group, rows, meta["versions"])
    return "\n".join(lines).rstrip() + "\n"


def replace(path, text):
    """Whole or not at all, whatever ends this run."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    os.replace(temporary, path)


def write(root, document, text, is_last):
    folder = root / "docs/bench"
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / "latest.json", json.dumps(document, indent=1) + "\n")
    for name, svg in plots.draw(document).items():
        replace(folder / name, svg)
    replace(root / "docs/benchmarks.md", text)
    if is_last:
        with open(folder / "history.jsonl", "a") as f:
            f.write(json.dumps(history_line(document)) + "\n")


def history_line(document):
    kept = ("date", "command", "commit", "rounds", "cpu", "load", "disturbed", "failed", "measurements")
    return {"meta": {k: document["meta"][k] for k in kept},
            "rows": {name: {"unit": row["unit"],
                            "median": {p: round(c[row["metric"]]["median"], 4) for p, c in row["peers"].items()
                                       if row["metric"] in c},
                            "kith_is": {p: round(r["median"], 4) for p, r in row["ratios"].items()}}
                     for name, row in document["rows"].items()}}
