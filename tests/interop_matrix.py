#!/usr/bin/env python3
"""Writes the interoperability matrix, docs/interop.md, from the results of the suite `interop`.

    tests/interop_matrix.py [REPORT] [--output FILE]

REPORT is GoogleTest's JSON report of the suite, build/release/test-results/interop.json as tests/run.py leaves it.
Every test there is a cell of one direction, and its properties say which behaviors held: `ok`, `fails`, or what the
peer does instead. What has no result was not run. Exits 1 if anything failed or was not run."""
import sys

from report_table import arguments, head, line, tests

# Test without its parameter -> direction.
DIRECTIONS = {
    "WeDial": "kith dials",
    "WeDialAndTheWrongPeerAnswers": "kith dials",
    "WeDialEveryPairOfKeyTypes": "kith dials",
    "TheyDial": "kith is dialed",
    "TheyDialTheWrongPeer": "kith is dialed",
    "TheyDialEveryPairOfKeyTypes": "kith is dialed",
    "BothDial": "both dial at once",
}
# Property of a test -> heading.
BEHAVIORS = {
    "early_muxer": "early muxer",
    "ping": "ping",
    "identify": "identify",
    "echo": "echo 64 MiB",
    "streams": "200 streams",
    "unknown": "unknown protocol",
    "reset": "reset",
    "wrong_peer": "wrong peer id",
    "keys": "key types",
    "afterwards": "still works",
}
ROLES = {"as_dialer": "kith in the dialer's role", "as_listener": "kith in the listener's role"}
OPTIONAL = {"early_muxer"}  # not of QUIC, and rust-libp2p has it not
WORDS = {"ok", "fails", "not run", "-"}  # other values become footnotes
PEERS = {"go": "go-libp2p", "rust": "rust-libp2p", "js": "js-libp2p"}
STACKS = {
    "quic_v1": "quic-v1",
    "tcp_noise_yamux": "tcp, noise, yamux",
    "tcp_psk_noise_yamux": "tcp, pre-shared key, noise, yamux",
    "tcp_tls_yamux": "tcp, tls, yamux",
    "tcp_noise_mplex": "tcp, noise, mplex",
    "ws_noise_yamux": "ws, noise, yamux",
    "wss_noise_yamux": "wss, noise, yamux",
}
TEXT = """\
# Interoperability

kith against the nodes of [interop/](../interop/README.md), which says what they are, their versions and their quirks.
Written by `tests/interop_matrix.py` from a run of the suite `interop` on {date}; not edited by hand. To repeat it:
`./dev test`, then `tests/interop_matrix.py`.

"""
LEGEND = """\
*early muxer*: the muxer is agreed on in the security handshake, by the peer's own account; QUIC needs none, rust-libp2p
has it not. *ping* is on one stream and on a new one for each; *echo* is of 0, 1, 1 MiB and 64 MiB, compared byte by
byte, each ended by a half-close; *streams* are open at once; *unknown protocol* is refused and named so; *key types* are
all pairs of those that the peer has (js-libp2p has no ECDSA); *still works* is a ping and an echo on the same connection
after all that and, where kith is dialed, after a stream that the peer aborted in the middle. Where *both dial at once*
(TCP's simultaneous open, as through two NATs) each has a role that was settled beforehand; ping, an echo of 1 MiB from
either end and 200 streams follow. js-libp2p has no roles.
"""


def columns_of(direction):
    return ROLES if direction == DIRECTIONS["BothDial"] else BEHAVIORS


def read(report):
    """Returns {direction: {cell: {behavior: value}}} in the report's order."""
    table = {direction: {} for direction in DIRECTIONS.values()}
    for name, cell, test in tests(report):
        if name in DIRECTIONS and test.get("result") != "SKIPPED":
            row = table[DIRECTIONS[name]].setdefault(cell, {})
            row.update((key, test[key]) for key in columns_of(DIRECTIONS[name]) if key in test)
    return table


def value_of(row, key):
    return row.get(key, "-" if key in OPTIONAL else "not run")


def write(table, date):
    """Returns the Markdown."""
    text, notes = TEXT.format(date=date), []
    for direction, rows in table.items():
        text += f"## {direction}\n\n"
        columns = columns_of(direction)
        text += head(["peer", "stack", *columns.values()])
        for cell, row in rows.items():
            peer, _, stack = cell.partition("_")
            values = [value_of(row, key) for key in columns]
            for i, value in enumerate(values):
                if value not in WORDS:
                    if value not in notes:
                        notes.append(value)
                    values[i] = f"ok [{notes.index(value) + 1}]"
            text += line([PEERS.get(peer, peer), STACKS.get(stack, stack), *values])
        text += "\n"
    text += LEGEND
    if notes:
        text += "\nWhat is otherwise, and the test expects so:\n\n"
        text += "".join(f"{i}. {note}\n" for i, note in enumerate(notes, 1))
    return text


def main():
    report, output = arguments(__doc__, "interop", "docs/interop.md")
    table = read(report)
    text = write(table, report["timestamp"][:10])
    output.write_text(text)
    values = [
        value_of(row, key)
        for direction, rows in table.items()
        for row in rows.values()
        for key in columns_of(direction)
    ]
    sys.exit(0 if values and not {"fails", "not run"}.intersection(values) else 1)


if __name__ == "__main__":
    main()
